// The door of environment variables, in Vercel's paths and shapes. A value is shown only to those who may read it,
// and only when it is asked for; a sensitive one never.
import type { FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { ApiError } from '../errors.ts';
import { may } from '../platform/actor.ts';
import { targets } from '../platform/variable-places.ts';
import { openValue, placementOf } from '../platform/variable-rows.ts';
import { needVariable, patchVariable, removeVariables, writeVariables } from '../platform/variables.ts';
import { listVariables, type VariableRow } from '../store/control/variables.ts';
import type { Door } from './app.ts';
import { actorOf, bodyOf, paramsOf, queryOf } from './context.ts';
import { Choice, isOn, OneOrMany, Switch, TimePagination } from './fields.ts';
import { projectOfPath } from './projects.ts';
import { TeamQuery } from './schemas.ts';
import {
  CreatedVariables,
  readVariable,
  readVariablePatch,
  showConflict,
  showVariable,
  Variable,
  VariableBody,
  VariablePatchBody,
} from './variable-fields.ts';

const ProjectParams = Type.Object({ idOrName: Type.String() });
const VariableParams = Type.Object({ idOrName: Type.String(), envId: Type.String() });
const PullParams = Type.Object({ idOrName: Type.String(), target: Choice(targets) });
const CreateBody = OneOrMany(VariableBody, { minItems: 1, maxItems: 1_000 });
const CreateQuery = Type.Object({ ...TeamQuery.properties, upsert: Type.Optional(Switch) });
const ListQuery = Type.Object({
  ...TeamQuery.properties,
  decrypt: Type.Optional(Switch),
  target: Type.Optional(Choice(targets)),
  gitBranch: Type.Optional(Type.String({ maxLength: 250 })),
  customEnvironmentId: Type.Optional(Type.String({ maxLength: 64 })),
});
const PullQuery = Type.Object({
  ...TeamQuery.properties,
  gitBranch: Type.Optional(Type.String({ maxLength: 250 })),
});
const BatchBody = Type.Object({
  ids: Type.Array(Type.String({ maxLength: 64 }), { minItems: 1, maxItems: 1_000 }),
});

export const variablesDoor: Door = (app, house) => {
  const { platform } = house;
  const tags = ['variables'];

  /** @param asked whether the caller wants values that are kept encrypted */
  const show = (request: FastifyRequest, row: VariableRow, asked: boolean) => {
    const readable = may(actorOf(request), 'variables.values') && (asked || row.type === 'plain');
    return showVariable(row, readable ? openValue(platform, row) : null);
  };

  app.post(
    '/projects/:idOrName/env',
    {
      config: { access: 'variables.write', version: 'v10' },
      schema: {
        tags,
        summary: 'Creates one variable or many; with upsert=true over those that stand in the same places',
        params: ProjectParams,
        querystring: CreateQuery,
        body: CreateBody,
        response: { 201: CreatedVariables },
      },
    },
    async (request, reply) => {
      const project = await projectOfPath(house, request, paramsOf(request, ProjectParams).idOrName);
      const body = bodyOf(request, CreateBody);
      const many = Array.isArray(body);
      const inputs = (many ? body : [body]).map(readVariable);
      const upsert = isOn(queryOf(request, CreateQuery).upsert);
      const { written, failed } = await writeVariables(platform, actorOf(request), project, inputs, upsert);
      const [conflict] = failed;
      if (!many && conflict !== undefined) {
        const { code, message, ...detail } = showConflict(conflict);
        throw new ApiError(code, message, { detail });
      }
      const shown = written.map((row) => show(request, row, false));
      const failures = failed.map((one) => ({ error: showConflict(one) }));
      return reply.code(201).send({ created: many ? shown : shown[0], failed: failures });
    },
  );

  app.get(
    '/projects/:idOrName/env',
    {
      config: { access: 'variables.read', version: 'v10' },
      schema: {
        tags,
        summary: 'Lists a project’s variables; values with decrypt=true, for those who may read them',
        params: ProjectParams,
        querystring: ListQuery,
        response: { 200: Type.Object({ envs: Type.Array(Variable), pagination: TimePagination }) },
      },
    },
    async (request) => {
      const query = queryOf(request, ListQuery);
      const { target, gitBranch, customEnvironmentId } = query;
      const decrypt = isOn(query.decrypt);
      const project = await projectOfPath(house, request, paramsOf(request, ProjectParams).idOrName);
      const rows = await listVariables(platform.store, project.id);
      const matching = rows.filter((row) => {
        const placement = placementOf(row);
        if (target !== undefined && !placement.target.includes(target)) return false;
        if (gitBranch !== undefined && placement.gitBranch !== gitBranch) return false;
        return (
          customEnvironmentId === undefined || placement.customEnvironmentIds.includes(customEnvironmentId)
        );
      });
      // A project's variables are bounded, so the list is always whole.
      const pagination = { count: matching.length, next: null, prev: null };
      return { envs: matching.map((row) => show(request, row, decrypt)), pagination };
    },
  );

  app.get(
    '/projects/:idOrName/env/:envId',
    {
      config: { access: 'variables.read', version: 'v1' },
      schema: {
        tags,
        summary: 'Gets a variable, with its value for those who may read it',
        params: VariableParams,
        querystring: TeamQuery,
        response: { 200: Variable },
      },
    },
    async (request) => {
      const { idOrName, envId } = paramsOf(request, VariableParams);
      const project = await projectOfPath(house, request, idOrName);
      return show(request, await needVariable(platform, project, envId), true);
    },
  );

  app.patch(
    '/projects/:idOrName/env/:envId',
    {
      config: { access: 'variables.write', version: 'v9' },
      schema: {
        tags,
        summary: 'Changes a variable',
        params: VariableParams,
        querystring: TeamQuery,
        body: VariablePatchBody,
        response: { 200: Variable },
      },
    },
    async (request) => {
      const { idOrName, envId } = paramsOf(request, VariableParams);
      const patch = readVariablePatch(bodyOf(request, VariablePatchBody));
      if (Object.keys(patch).length === 0)
        throw new ApiError('bad_request', 'Say what to change: value, target, key, type, comment …');
      const project = await projectOfPath(house, request, idOrName);
      const variable = await needVariable(platform, project, envId);
      return show(request, await patchVariable(platform, actorOf(request), project, variable, patch), false);
    },
  );

  app.delete(
    '/projects/:idOrName/env/:envId',
    {
      config: { access: 'variables.write', version: 'v9' },
      schema: {
        tags,
        summary: 'Removes a variable',
        params: VariableParams,
        querystring: TeamQuery,
        response: { 200: Variable },
      },
    },
    async (request) => {
      const { idOrName, envId } = paramsOf(request, VariableParams);
      const project = await projectOfPath(house, request, idOrName);
      const variable = await needVariable(platform, project, envId);
      await removeVariables(platform, actorOf(request), project, [variable]);
      return show(request, variable, false);
    },
  );

  app.delete(
    '/projects/:idOrName/env',
    {
      config: { access: 'variables.write', version: 'v1' },
      schema: {
        tags,
        summary: 'Removes variables by their ids; those that are not there are left out of the answer',
        params: ProjectParams,
        querystring: TeamQuery,
        body: BatchBody,
        response: { 200: Type.Object({ deleted: Type.Number(), ids: Type.Array(Type.String()) }) },
      },
    },
    async (request) => {
      const project = await projectOfPath(house, request, paramsOf(request, ProjectParams).idOrName);
      const wanted = new Set(bodyOf(request, BatchBody).ids);
      const rows = (await listVariables(platform.store, project.id)).filter(({ id }) => wanted.has(id));
      await removeVariables(platform, actorOf(request), project, rows);
      return { deleted: rows.length, ids: rows.map(({ id }) => id) };
    },
  );

  app.get(
    '/env/pull/:idOrName/:target',
    {
      config: { access: 'variables.values', version: 'v3' },
      schema: {
        tags,
        summary: 'Gets an environment’s values by key; sensitive ones are empty',
        params: PullParams,
        querystring: PullQuery,
        response: {
          200: Type.Object({ env: Type.Record(Type.String(), Type.String()), buildEnv: Type.Object({}) }),
        },
      },
    },
    async (request) => {
      const { idOrName, target } = paramsOf(request, PullParams);
      const { gitBranch } = queryOf(request, PullQuery);
      const project = await projectOfPath(house, request, idOrName);
      const rows = await listVariables(platform.store, project.id);
      const there = rows.filter((row) => placementOf(row).target.includes(target));
      // A branch's own values stand over those of all previews.
      const common = there.filter((row) => row.git_branch === null);
      const branch = there.filter((row) => row.git_branch !== null && row.git_branch === gitBranch);
      const env = new Map([...common, ...branch].map((row) => [row.key, openValue(platform, row) ?? '']));
      return { env: Object.fromEntries(env), buildEnv: {} };
    },
  );
};
