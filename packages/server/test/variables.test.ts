// Environment variables over the API: one, many and upsert, conflicts, who reads values, sealing, and their events.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, beforeEach, test } from 'node:test';
import { type ControlPlane, startControlPlane } from './support/control.ts';

let plane: ControlPlane;
let project: string;
let made = 0;
before(async () => {
  plane = await startControlPlane();
});
beforeEach(async () => {
  made += 1;
  project = (await plane.call('POST', '/v11/projects', { body: { name: `p${made}` } })).body.id;
});
after(() => plane.close());

const variable = {
  key: 'API_KEY',
  value: 'value-in-the-clear',
  type: 'encrypted',
  target: ['production', 'preview'],
};
const write = (body: object, query = '') =>
  plane.call('POST', `/v10/projects/${project}/env${query}`, { body });
const list = async (query = '', token?: string) =>
  (await plane.call('GET', `/v10/projects/${project}/env${query}`, token ? { token } : {})).body.envs;
const values = async (query: string, token?: string) =>
  Object.fromEntries(
    (await list(query, token)).map((one: { key: string; value: string }) => [one.key, one.value]),
  );
const pull = (path: string, token?: string) =>
  plane.call('GET', `/v3/env/pull/${project}/${path}`, token ? { token } : {});
const events = async () =>
  (await plane.events())
    .filter(({ projectId, type }) => projectId === project && type !== 'project.created')
    .map(({ type, payload }) => [type.replace('project.env-variable.', ''), payload.envVarId]);

test('one variable: created, read, changed and removed, each with its event and never its key or value', async () => {
  const created = await write({ ...variable, comment: 'for the shop' });
  assert.equal(created.status, 201);
  assert.deepEqual(created.body.failed, []);
  const { id } = created.body.created;
  assert.deepEqual(created.body.created.target, ['production', 'preview']);

  const read = await plane.call('GET', `/v1/projects/${project}/env/${id}`);
  assert.deepEqual(
    [read.body.key, read.body.value, read.body.decrypted, read.body.comment],
    ['API_KEY', 'value-in-the-clear', true, 'for the shop'],
  );
  const path = `/v9/projects/${project}/env/${id}`;
  const patched = await plane.call('PATCH', path, { body: { value: 'another', target: 'development' } });
  assert.equal(patched.status, 200);
  assert.deepEqual([patched.body.type, patched.body.target], ['encrypted', ['development']]);
  assert.equal((await plane.call('GET', path)).body.value, 'another');
  const removed = await plane.call('DELETE', path);
  assert.deepEqual([removed.status, removed.body.id], [200, id]);
  assert.equal((await plane.call('GET', path)).status, 404);
  assert.equal((await plane.call('DELETE', path)).status, 404);

  assert.deepEqual(await events(), [
    ['created', id],
    ['updated', id],
    ['deleted', id],
  ]);
  const bodies = JSON.stringify(await plane.events());
  for (const secret of ['API_KEY', 'value-in-the-clear', 'another']) assert.ok(!bodies.includes(secret));
  const kept = JSON.stringify(await plane.audit());
  for (const secret of ['value-in-the-clear', '"another"']) assert.ok(!kept.includes(secret));
});

test('values are sealed in the store, and stand under the newest key after a change', async () => {
  const { id } = (await write(variable)).body.created;
  const sealed = async () => {
    const { queries } = plane.store;
    const rows = await plane.store.read(
      queries.selectFrom('variables').selectAll().where('id', '=', id).compile(),
    );
    return Buffer.from(rows[0]?.value_sealed ?? []);
  };
  const first = await sealed();
  assert.ok(!first.includes('value-in-the-clear'));
  const old = plane.keys;
  const fresh = randomBytes(32);
  plane.useKeys([fresh, ...old]);
  assert.equal(
    (await plane.call('GET', `/v1/projects/${project}/env/${id}`)).body.value,
    'value-in-the-clear',
  );
  await plane.call('PATCH', `/v9/projects/${project}/env/${id}`, { body: { comment: 'seen' } });
  assert.notDeepEqual(await sealed(), first);
  plane.useKeys([fresh]);
  assert.equal(
    (await plane.call('GET', `/v1/projects/${project}/env/${id}`)).body.value,
    'value-in-the-clear',
  );
  plane.useKeys([fresh, ...old]);
});

test('a second variable for one place is a conflict, and changes nothing', async () => {
  const first = (await write(variable)).body.created;
  const refused = await write({ ...variable, value: 'x', target: ['preview', 'development'] });
  assert.equal(refused.status, 400);
  assert.deepEqual(
    [refused.body.error.code, refused.body.error.envVarKey, refused.body.error.envVarId],
    ['ENV_CONFLICT', 'API_KEY', first.id],
  );
  assert.equal((await write({ ...variable, target: ['development'] })).status, 201);
  assert.equal((await write({ ...variable, target: ['preview'], gitBranch: 'next' })).status, 201);
  const moved = await plane.call('PATCH', `/v9/projects/${project}/env/${first.id}`, {
    body: { target: ['development'] },
  });
  assert.deepEqual([moved.status, moved.body.error.code], [400, 'ENV_CONFLICT']);
  assert.deepEqual((await list()).find(({ id }: { id: string }) => id === first.id).target, [
    'production',
    'preview',
  ]);
  assert.equal((await events()).length, 3);
});

test('of many at once those that can be are created, and the others are told why not', async () => {
  await write(variable);
  const answer = await write([
    { ...variable, key: 'B' },
    variable,
    { ...variable, key: 'C' },
    { ...variable, key: 'C', target: 'production' },
  ]);
  assert.equal(answer.status, 201);
  assert.deepEqual(
    answer.body.created.map(({ key }: { key: string }) => key),
    ['B', 'C'],
  );
  assert.deepEqual(
    answer.body.failed.map(({ error }: { error: { code: string; key: string } }) => [error.code, error.key]),
    [
      ['ENV_CONFLICT', 'API_KEY'],
      ['ENV_CONFLICT', 'C'],
    ],
  );
  assert.equal((await events()).length, 3);
});

test('upsert writes over a variable of the same places, and over no part of one', async () => {
  const first = (await write(variable)).body.created;
  const over = await write({ ...variable, value: 'new', type: 'sensitive' }, '?upsert=true');
  assert.equal(over.status, 201);
  assert.deepEqual([over.body.created.id, over.body.created.type], [first.id, 'sensitive']);
  const part = await write([{ ...variable, target: 'production' }], '?upsert=true');
  assert.deepEqual([part.body.created, part.body.failed.length], [[], 1]);
  assert.deepEqual(await events(), [
    ['created', first.id],
    ['updated', first.id],
  ]);
});

test('of writers at the same moment one wins a place, and the events are as many as the variables', async () => {
  const answers = await Promise.all(
    Array.from({ length: 12 }, () => write([variable, { ...variable, key: 'B' }])),
  );
  assert.ok(answers.every(({ status }) => status === 201));
  const created = answers.flatMap(({ body }) => body.created.map(({ id }: { id: string }) => id));
  const failed = answers.flatMap(({ body }) => body.failed);
  assert.deepEqual([created.length, failed.length], [2, 22]);
  const there = (await list()).map(({ id }: { id: string }) => id);
  assert.deepEqual(new Set(there), new Set(created));
  assert.deepEqual(new Set((await events()).map(([, id]) => id)), new Set(created));
  assert.equal((await events()).length, 2);
});

test('values: asked for by those who may; sensitive ones by nobody', async () => {
  await write([
    { ...variable, key: 'PLAIN', type: 'plain', value: 'p' },
    { ...variable, key: 'SEALED', value: 's' },
    { ...variable, key: 'SENSITIVE', type: 'sensitive', value: 'never-again' },
  ]);
  assert.deepEqual(await values(''), { PLAIN: 'p', SEALED: '', SENSITIVE: '' });
  const developer = await plane.token('DEVELOPER');
  assert.deepEqual(await values('?decrypt=true', developer), { PLAIN: 'p', SEALED: 's', SENSITIVE: '' });
  assert.deepEqual((await pull('production', developer)).body.env, {
    PLAIN: 'p',
    SEALED: 's',
    SENSITIVE: '',
  });
  for (const role of ['SECURITY', 'BILLING', 'VIEWER']) {
    const token = await plane.token(role);
    assert.deepEqual(await values('?decrypt=true', token), { PLAIN: '', SEALED: '', SENSITIVE: '' });
    assert.equal((await pull('production', token)).status, 403);
    for (const { id } of await list()) {
      assert.equal((await plane.call('GET', `/v1/projects/${project}/env/${id}`, { token })).body.value, '');
    }
    assert.equal(
      (await plane.call('POST', `/v10/projects/${project}/env`, { token, body: variable })).status,
      403,
    );
  }
});

test('a sensitive variable is not made readable without its value', async () => {
  const { id } = (await write({ ...variable, type: 'sensitive', value: 'never-again' })).body.created;
  const path = `/v9/projects/${project}/env/${id}`;
  const refused = await plane.call('PATCH', path, { body: { type: 'plain' } });
  assert.deepEqual([refused.status, refused.body.error.code], [400, 'bad_request']);
  assert.equal((await plane.call('PATCH', path, { body: { comment: 'still' } })).body.type, 'sensitive');
  await plane.call('PATCH', path, { body: { type: 'plain', value: 'open' } });
  assert.equal((await plane.call('GET', path)).body.value, 'open');
});

test('pulling an environment prefers a branch’s own values', async () => {
  await write([
    { ...variable, key: 'A', value: 'all', target: ['preview'] },
    { ...variable, key: 'A', value: 'next', target: ['preview'], gitBranch: 'next' },
    { ...variable, key: 'B', value: 'prod', target: 'production' },
  ]);
  assert.deepEqual((await pull('preview')).body.env, { A: 'all' });
  assert.deepEqual((await pull('preview?gitBranch=next')).body.env, { A: 'next' });
});

test('many are removed in one commit with an event each; unknown ids are left out', async () => {
  const { created } = (await write([variable, { ...variable, key: 'B' }])).body;
  const ids = created.map(({ id }: { id: string }) => id);
  const removed = await plane.call('DELETE', `/v1/projects/${project}/env`, {
    body: { ids: [...ids, 'unknown'] },
  });
  assert.deepEqual([removed.status, removed.body.deleted, new Set(removed.body.ids)], [200, 2, new Set(ids)]);
  assert.deepEqual(
    new Set((await events()).filter(([verb]) => verb === 'deleted').map(([, id]) => id)),
    new Set(ids),
  );
  assert.deepEqual(await list(), []);
});

test('a project has a bounded number of variables', async () => {
  const many = Array.from({ length: 1_000 }, (_, index) => ({ ...variable, key: `K${index}` }));
  assert.equal((await write(many)).status, 201);
  const refused = await write({ ...variable, key: 'ONE_MORE' });
  assert.deepEqual([refused.status, refused.body.error.code], [400, 'bad_request']);
  assert.equal((await list()).length, 1_000);
});

const { value: _value, ...valueless } = variable;
const malformed: [string, object][] = [
  ['no value', valueless],
  ['a number as value', { ...variable, value: 5 }],
  ['a key with a space', { ...variable, key: 'A B' }],
  ['an unknown type', { ...variable, type: 'open' }],
  ['an unknown target', { ...variable, target: ['staging'] }],
  ['no target', { ...variable, target: [] }],
  ['a branch outside previews', { ...variable, gitBranch: 'main' }],
  ['an empty list', []],
  ['a bad one among many', [variable, { ...variable, key: '1' }]],
];
for (const [what, body] of malformed) {
  test(`${what} is refused, and nothing is written`, async () => {
    const refused = await write(body);
    assert.deepEqual([refused.status, refused.body.error.code], [400, 'bad_request']);
    assert.deepEqual(await list(), []);
  });
}
