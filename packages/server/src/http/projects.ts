// The door of projects, in Vercel's paths and shapes.
import type { FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { createProject, needProject, patchProject, removeProject } from '../platform/projects.ts';
import { listProjects, type ProjectRow } from '../store/control/projects.ts';
import type { Door } from './app.ts';
import { actorOf, bodyOf, type House, paramsOf, queryOf, scopeOf, teamOf } from './context.ts';
import { ChosenId, readPage, showPagination, TimePageQuery, TimePagination } from './fields.ts';
import { Framework, Project, ProjectName, readSettings, Settings, showProject } from './project-fields.ts';
import { TeamQuery, TimeText } from './schemas.ts';
import { readVariable, VariableBody } from './variable-fields.ts';

const CreateBody = Type.Object({
  ...Settings.properties,
  name: ProjectName,
  framework: Type.Optional(Framework),
  id: Type.Optional(ChosenId),
  environmentVariables: Type.Optional(Type.Array(VariableBody, { maxItems: 1_000 })),
});
const PatchBody = Type.Object({
  ...Settings.properties,
  name: Type.Optional(ProjectName),
  framework: Type.Optional(Framework),
});

const ProjectPage = Type.Object({ projects: Type.Array(Project), pagination: TimePagination });
const ProjectParams = Type.Object({ idOrName: Type.String() });
const ListQuery = Type.Object({
  ...TimePageQuery.properties,
  from: Type.Optional(TimeText),
  search: Type.Optional(Type.String({ maxLength: 100 })),
});
const Environments = Type.Object({
  accountLimit: Type.Object({ total: Type.Number() }),
  environments: Type.Array(Type.Object({})),
});

/** The project of a path, by id or name, within what the caller may reach. */
export async function projectOfPath(
  house: House,
  request: FastifyRequest,
  idOrName: string,
): Promise<ProjectRow> {
  const scope = await scopeOf(house, request);
  const nameTeamId = scope ?? (await teamOf(house, request)).id;
  return needProject(house.platform, idOrName, scope, nameTeamId);
}

export const projectsDoor: Door = (app, house) => {
  const { platform } = house;
  const tags = ['projects'];

  app.post(
    '/projects',
    {
      config: { access: 'projects.write', version: 'v11' },
      schema: {
        tags,
        summary: 'Creates a project',
        querystring: TeamQuery,
        body: CreateBody,
        response: { 200: Project },
      },
    },
    async (request) => {
      const team = await teamOf(house, request);
      const body = bodyOf(request, CreateBody);
      const project = await createProject(platform, actorOf(request), team, {
        id: body.id ?? null,
        name: body.name,
        framework: body.framework ?? null,
        settings: readSettings(body),
        variables: (body.environmentVariables ?? []).map(readVariable),
      });
      return showProject(project);
    },
  );

  app.get(
    '/projects',
    {
      config: { access: 'projects.read', version: 'v10' },
      schema: {
        tags,
        summary: 'Lists a team’s projects, newest first',
        querystring: ListQuery,
        response: { 200: ProjectPage },
      },
    },
    async (request) => {
      const team = await teamOf(house, request);
      const query = queryOf(request, ListQuery);
      // Two names for the same: the CLI pages with `until`, newer clients with `from`.
      const until = query.until ?? query.from;
      const page = readPage({ ...query, ...(until === undefined ? {} : { until }) });
      const found = await listProjects(platform.store, team.id, query.search ?? null, page);
      return { projects: found.rows.map(showProject), pagination: showPagination(page, found) };
    },
  );

  app.get(
    '/projects/:idOrName',
    {
      config: { access: 'projects.read', version: 'v9' },
      schema: {
        tags,
        summary: 'Gets a project by its id or name',
        params: ProjectParams,
        querystring: TeamQuery,
        response: { 200: Project },
      },
    },
    async (request) =>
      showProject(await projectOfPath(house, request, paramsOf(request, ProjectParams).idOrName)),
  );

  app.patch(
    '/projects/:idOrName',
    {
      config: { access: 'projects.write', version: 'v9' },
      schema: {
        tags,
        summary: 'Renames or changes a project',
        params: ProjectParams,
        querystring: TeamQuery,
        body: PatchBody,
        response: { 200: Project },
      },
    },
    async (request) => {
      const project = await projectOfPath(house, request, paramsOf(request, ProjectParams).idOrName);
      const { name, framework, ...rest } = bodyOf(request, PatchBody);
      const settings = readSettings(rest);
      const unchanged = name === undefined && framework === undefined && Object.keys(settings).length === 0;
      // Fields that Posthorn doesn't keep are ignored, so there may be nothing to change.
      if (unchanged) return showProject(project);
      const changed = await patchProject(platform, actorOf(request), project, {
        ...(name === undefined ? {} : { name }),
        ...(framework === undefined ? {} : { framework }),
        settings,
      });
      return showProject(changed);
    },
  );

  app.delete(
    '/projects/:idOrName',
    {
      config: { access: 'projects.write', version: 'v9' },
      schema: {
        tags,
        summary: 'Removes a project and its variables',
        params: ProjectParams,
        querystring: TeamQuery,
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      const project = await projectOfPath(house, request, paramsOf(request, ProjectParams).idOrName);
      await removeProject(platform, actorOf(request), project);
      return reply.code(204).send();
    },
  );

  app.get(
    '/projects/:idOrName/custom-environments',
    {
      config: { access: 'projects.read', version: 'v9' },
      schema: {
        tags,
        summary: 'Lists a project’s custom environments, of which Posthorn has none',
        params: ProjectParams,
        querystring: TeamQuery,
        response: { 200: Environments },
      },
    },
    async (request) => {
      await projectOfPath(house, request, paramsOf(request, ProjectParams).idOrName);
      return { accountLimit: { total: 0 }, environments: [] };
    },
  );
};
