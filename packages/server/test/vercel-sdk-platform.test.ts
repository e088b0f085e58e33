// Projects, variables, teams, members and the user through Vercel's own SDK, against a real process.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Vercel } from '@vercel/sdk';
import { CreateProjectFramework } from '@vercel/sdk/models/createprojectcontenthint2.js';
import { frameworks } from '../src/platform/frameworks.ts';
import { type Posthorn, startPosthorn } from './support/posthorn.ts';

let posthorn: Posthorn;
let vercel: Vercel;
let teamId: string;
before(async () => {
  posthorn = await startPosthorn();
  const team = await posthorn.call('POST', '/v1/teams', {
    body: { slug: 'acme', name: 'Acme', plan: 'pro' },
  });
  assert.equal(team.status, 200, JSON.stringify(team.body));
  teamId = team.body.id;
  const { body } = await posthorn.call('POST', '/v1/tokens', {
    body: { name: 'sdk', role: 'OWNER', teamId },
  });
  vercel = new Vercel({ bearerToken: body.token, serverURL: posthorn.url });
});
after(() => posthorn.close());

test('the frameworks that projects may have are those of the SDK', () => {
  assert.deepEqual([...frameworks].toSorted(), Object.values<string>(CreateProjectFramework).toSorted());
});

test('projects: created, listed, read, updated and deleted', async () => {
  const requestBody = { name: 'sdk-project', framework: 'nextjs' as const, buildCommand: 'make' };
  const created = await vercel.projects.createProject({ teamId, requestBody });
  assert.deepEqual([created.name, created.accountId, created.framework], ['sdk-project', teamId, 'nextjs']);
  const listed = await vercel.projects.getProjects({ teamId });
  assert.ok('projects' in listed);
  assert.deepEqual(
    listed.projects.map(({ id }) => id),
    [created.id],
  );
  const read = await vercel.projects.getProject({ idOrName: 'sdk-project', teamId });
  assert.deepEqual([read.id, read.buildCommand, read.nodeVersion], [created.id, 'make', '24.x']);
  const renamed = await vercel.projects.updateProject({
    idOrName: created.id,
    teamId,
    requestBody: { name: 'renamed' },
  });
  assert.equal(renamed.name, 'renamed');
  await vercel.projects.deleteProject({ idOrName: created.id, teamId });
  await assert.rejects(vercel.projects.getProject({ idOrName: created.id, teamId }), /404/);
});

test('variables: created, listed, edited, removed, alone and in batches', async () => {
  const { id: idOrName } = await vercel.projects.createProject({ requestBody: { name: 'sdk-variables' } });
  const variable = { key: 'A', value: 'one', type: 'encrypted' as const, target: ['production' as const] };
  const one = await vercel.projects.createProjectEnv({ idOrName, requestBody: variable });
  assert.ok(one.created !== undefined && !Array.isArray(one.created));
  assert.deepEqual([one.created.key, one.created.target, one.failed], ['A', ['production'], []]);
  const many = await vercel.projects.createProjectEnv({
    idOrName,
    requestBody: [
      variable,
      { ...variable, key: 'B', type: 'sensitive' },
      { ...variable, key: 'C', type: 'plain' },
    ],
  });
  assert.ok(Array.isArray(many.created));
  assert.deepEqual(
    many.created.map(({ key }) => key),
    ['B', 'C'],
  );
  assert.deepEqual(
    many.failed.map(({ error }) => [error.code, error.envVarKey]),
    [['ENV_CONFLICT', 'A']],
  );

  const listed = await vercel.projects.filterProjectEnvs({ idOrName, decrypt: 'true' });
  assert.ok('envs' in listed);
  const values = Object.fromEntries(listed.envs.map(({ key, value }) => [key, value]));
  assert.deepEqual(values, { A: 'one', B: '', C: 'one' });

  const envId = one.created.id ?? '';
  const edited = await vercel.projects.editProjectEnv({ idOrName, id: envId, requestBody: { value: 'two' } });
  assert.ok('key' in edited);
  assert.deepEqual([edited.key, edited.type], ['A', 'encrypted']);
  const read = await vercel.projects.getProjectEnv({ idOrName, id: envId });
  assert.ok('value' in read);
  assert.equal(read.value, 'two');
  await vercel.projects.removeProjectEnv({ idOrName, id: envId });
  const ids = listed.envs.map(({ id }) => id ?? '').filter((id) => id !== envId);
  const removed = await vercel.projects.batchRemoveProjectEnv({ idOrName, requestBody: { ids } });
  assert.deepEqual([removed.deleted, new Set(removed.ids)], [2, new Set(ids)]);
});

test('teams, members and the user', async () => {
  const { teams } = await vercel.teams.getTeams({});
  assert.deepEqual(
    teams.map(({ id }) => id),
    [teamId],
  );
  const team = await vercel.teams.getTeam({ teamId: 'acme' });
  assert.deepEqual([team.id, team.slug, team.name, team.billing?.plan], [teamId, 'acme', 'Acme', 'pro']);
  const invited = await vercel.teams.inviteUserToTeam({
    teamId,
    requestBody: [{ email: 'ann@example.com', role: 'MEMBER' }],
  });
  assert.deepEqual([invited.email, invited.role], ['ann@example.com', 'MEMBER']);
  await vercel.teams.updateTeamMember({ teamId, uid: invited.uid, requestBody: { role: 'VIEWER' } });
  const { members, pagination } = await vercel.teams.getTeamMembers({ teamId });
  assert.deepEqual(
    members.map(({ uid, role, confirmed }) => [uid, role, confirmed]),
    [[invited.uid, 'VIEWER', true]],
  );
  assert.equal(pagination.hasNext, false);
  const { id } = await vercel.teams.removeTeamMember({ teamId, uid: invited.uid });
  assert.equal(id, teamId);
  const answer = await vercel.user.getAuthUser();
  assert.ok(answer !== undefined);
  assert.match(answer.user.id, /^[A-Za-z0-9]{24}$/);
  assert.equal(answer.user.username, 'sdk');
});

test('what is refused comes with its status and its sentence', async () => {
  const body = { name: 'Not A Name' };
  await assert.rejects(
    vercel.projects.createProject({ requestBody: body }),
    (error: { statusCode?: number; body?: string }) => {
      assert.equal(error.statusCode, 400);
      assert.match(error.body ?? '', /"code":"bad_request"/);
      return true;
    },
  );
});
