// Projects over the API: what they accept, the event each change causes, and what becomes of webhooks' selections.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type ControlPlane, startControlPlane } from './support/control.ts';

let plane: ControlPlane;
before(async () => {
  plane = await startControlPlane();
});
after(() => plane.close());

const project = async (name: string, token?: string): Promise<{ id: string; accountId: string }> => {
  const answer = await plane.call('POST', '/v11/projects', { body: { name }, ...(token ? { token } : {}) });
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return answer.body;
};
const eventsOf = async (id: string) =>
  (await plane.events())
    .filter(({ projectId }) => projectId === id)
    .map(({ type, payload }) => ({ type, payload }));

test('creating, renaming and removing a project each cause one event', async () => {
  const { id, accountId } = await project('shop');
  assert.match(id, /^prj_[A-Za-z0-9]{28}$/);
  assert.equal(
    (await plane.call('PATCH', `/v9/projects/${id}`, { body: { name: 'store' } })).body.name,
    'store',
  );
  assert.equal((await plane.call('DELETE', '/v9/projects/store')).status, 204);
  assert.equal((await plane.call('GET', `/v9/projects/${id}`)).status, 404);
  const common = { team: { id: accountId }, user: { id: null } };
  assert.deepEqual(await eventsOf(id), [
    { type: 'project.created', payload: { ...common, project: { id, name: 'shop' } } },
    { type: 'project.renamed', payload: { ...common, project: { id, name: 'store' }, previousName: 'shop' } },
    { type: 'project.removed', payload: { ...common, project: { id, name: 'store' } } },
  ]);
});

test('a change that renames nothing causes no event, and one that is refused changes nothing', async () => {
  const { id } = await project('quiet');
  const changed = await plane.call('PATCH', `/v9/projects/${id}`, {
    body: { name: 'quiet', framework: 'nextjs', buildCommand: 'make', nodeVersion: '22.x', unknownField: 1 },
  });
  assert.deepEqual(
    [changed.body.framework, changed.body.buildCommand, changed.body.nodeVersion],
    ['nextjs', 'make', '22.x'],
  );
  assert.deepEqual((await plane.call('GET', `/v9/projects/${id}`)).body, changed.body);
  await project('taken');
  const refused = await plane.call('PATCH', `/v9/projects/${id}`, {
    body: { name: 'taken', framework: null },
  });
  assert.deepEqual([refused.status, refused.body.error.code], [409, 'conflict']);
  assert.deepEqual((await plane.call('GET', `/v9/projects/${id}`)).body, changed.body);
  assert.deepEqual(
    (await eventsOf(id)).map(({ type }) => type),
    ['project.created'],
  );
});

test('a project is created once under a name, also by many at once', async () => {
  const answers = await Promise.all(
    Array.from({ length: 10 }, () => plane.call('POST', '/v1/projects', { body: { name: 'only-one' } })),
  );
  assert.deepEqual(answers.map(({ status }) => status).filter((status) => status === 200).length, 1);
  assert.ok(answers.every(({ status }) => status === 200 || status === 409));
  const created = (await plane.events()).filter(({ payload }) =>
    JSON.stringify(payload).includes('"name":"only-one"'),
  );
  assert.equal(created.length, 1);
});

for (const name of ['', 'Shop', 'a b', 'a---b', 'ü', 'x'.repeat(101), 'a/b']) {
  test(`a project can't have the name ${JSON.stringify(name.slice(0, 20))}`, async () => {
    const refused = await plane.call('POST', '/v11/projects', { body: { name } });
    assert.deepEqual([refused.status, refused.body.error.code], [400, 'bad_request']);
  });
}

test('a framework that Vercel’s SDK does not know is refused', async () => {
  const refused = await plane.call('POST', '/v11/projects', {
    body: { name: 'framed', framework: 'abacus' },
  });
  assert.equal(refused.status, 400);
  assert.match(refused.body.error.message, /framework/);
});

test('a project is found by id first and then by name, within the team', async () => {
  const team = await plane.team('finders');
  const token = await plane.token('MEMBER', { teamId: team.id });
  const mine = await project('site', token);
  const foreign = await project('site');
  for (const path of [mine.id, 'site', `site?teamId=${team.id}`, 'site?slug=finders']) {
    assert.equal((await plane.call('GET', `/v9/projects/${path}`, { token })).body.id, mine.id);
  }
  assert.equal((await plane.call('GET', `/v9/projects/${foreign.id}`, { token })).status, 404);
  assert.equal((await plane.call('GET', `/v9/projects/${mine.id}`)).body.id, mine.id);
  assert.equal((await plane.call('GET', '/v9/projects/site')).body.id, foreign.id);
  const chosen = await plane.call('POST', '/v11/projects', { body: { name: 'named', id: 'site2' } });
  assert.equal(chosen.body.id, 'site2');
  const byName = await plane.call('POST', '/v11/projects', { body: { name: 'site2' } });
  assert.equal((await plane.call('GET', '/v9/projects/site2')).body.name, 'named');
  assert.equal((await plane.call('GET', `/v9/projects/${byName.body.id}`)).body.name, 'site2');
  assert.equal(
    (await plane.call('POST', '/v11/projects', { body: { name: 'again', id: 'site2' } })).status,
    409,
  );
  const own = await plane.call('POST', '/v11/projects', { token, body: { name: 'chosen', id: 'mine' } });
  assert.deepEqual([own.status, own.body.error.code], [403, 'forbidden']);
});

test('projects are listed by team, searched by name, and paged in both of Vercel’s ways', async () => {
  const team = await plane.team('listers');
  const token = await plane.token('MEMBER', { teamId: team.id });
  for (const name of ['alpha', 'beta', 'gamma_1', 'gamma2']) {
    await project(name, token);
    plane.pass(5);
  }
  const names = async (query: string) => {
    const { body } = await plane.call('GET', `/v10/projects${query}`, { token });
    return { names: body.projects.map((one: { name: string }) => one.name), pagination: body.pagination };
  };
  assert.deepEqual((await names('')).names, ['gamma2', 'gamma_1', 'beta', 'alpha']);
  assert.deepEqual((await names('?search=GAMMA_')).names, ['gamma_1']);
  const first = await names('?limit=3');
  assert.deepEqual([first.names.length, first.pagination.count, first.pagination.prev], [3, 3, null]);
  for (const next of [`from=${first.pagination.next}`, `until=${first.pagination.next}`]) {
    const rest = await names(`?limit=3&${next}`);
    assert.deepEqual([rest.names, rest.pagination.next], [['alpha'], null]);
  }
});

test('roles: developers change projects, viewers read them, publishers do neither', async () => {
  const developer = await plane.token('DEVELOPER');
  const { id } = await project('roles', developer);
  const viewer = await plane.token('VIEWER');
  assert.equal((await plane.call('GET', `/v9/projects/${id}`, { token: viewer })).status, 200);
  const refused = await plane.call('DELETE', `/v9/projects/${id}`, { token: viewer });
  assert.deepEqual([refused.status, refused.body.error.code], [403, 'forbidden']);
  assert.match(refused.body.error.message, /DEVELOPER/);
  const publisher = await plane.token('PUBLISHER');
  assert.equal((await plane.call('GET', '/v9/projects', { token: publisher })).status, 403);
});

test('a webhook keeps the id of a removed project and matches nothing, however many are removed', async () => {
  const { id } = await project('selected');
  const hook = await plane.call('POST', '/v1/webhooks', {
    body: { url: 'http://127.0.0.1:9/hook', events: ['deployment.created'], projectIds: [id] },
  });
  assert.equal(hook.status, 200, JSON.stringify(hook.body));
  const count = () =>
    plane.store.read(
      plane.store.queries.selectFrom('endpoint_projects').selectAll().where('project_id', '=', id).compile(),
    );
  const [selection] = await count();
  plane.touched.length = 0;
  await plane.call('DELETE', `/v9/projects/${id}`);
  assert.deepEqual(plane.touched, [selection?.tag]);
  assert.deepEqual(await count(), []);
  const kept = await plane.call('GET', `/v1/webhooks/${hook.body.id}`);
  assert.deepEqual(kept.body.projectIds, [id]);
});

test('variables that come with a new project are made in its commit, and cause their events', async () => {
  const variable = { key: 'A', value: 'secret-of-a', type: 'encrypted', target: ['production'] };
  const { body } = await plane.call('POST', '/v8/projects', {
    body: { name: 'equipped', environmentVariables: [variable, { ...variable, target: 'preview' }] },
  });
  assert.deepEqual(
    (await eventsOf(body.id)).map(({ type }) => type),
    ['project.created', 'project.env-variable.created', 'project.env-variable.created'],
  );
  const twice = await plane.call('POST', '/v8/projects', {
    body: { name: 'doubled', environmentVariables: [variable, variable] },
  });
  assert.deepEqual([twice.status, twice.body.error.code], [400, 'ENV_CONFLICT']);
  assert.equal((await plane.call('GET', '/v9/projects/doubled')).status, 404);
});
