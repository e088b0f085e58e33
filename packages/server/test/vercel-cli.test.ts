// The requests that Vercel's CLI makes for its commands, replayed as it sends them against a real process. What each
// command reads from the answers has to be there.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Posthorn, startPosthorn } from './support/posthorn.ts';

let posthorn: Posthorn;
let token: string;
let team: { id: string; slug: string; name: string };
before(async () => {
  posthorn = await startPosthorn();
  const made = await posthorn.call('POST', '/v1/teams', {
    body: { slug: 'acme', name: 'Acme', plan: 'pro' },
  });
  assert.equal(made.status, 200, JSON.stringify(made.body));
  team = made.body;
  const created = await posthorn.call('POST', '/v1/tokens', {
    body: { name: 'cli', role: 'OWNER', teamId: team.id },
  });
  token = created.body.token;
});
after(() => posthorn.close());

const agent = {
  'user-agent': 'vercel 64.0.2 node-v24.21.0 linux (x64)',
  'x-vercel-cli-session-id': '5f0d5a5e-0000-4000-8000-000000000000',
  'x-vercel-cli-invocation-id': '5f0d5a5e-0000-4000-8000-000000000001',
};

async function request(method: string, path: string, body?: unknown) {
  const response = await fetch(posthorn.url + path, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      ...agent,
      ...(body === undefined ? {} : { 'content-type': 'application/json; charset=utf-8' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  // The CLI reads an answer as JSON only by its content type.
  const json = response.headers.get('content-type')?.includes('application/json') ?? false;
  assert.ok(json || text === '', `${method} ${path} answers no JSON`);
  return { status: response.status, body: json ? JSON.parse(text) : null };
}

async function expect(status: number, method: string, path: string, body?: unknown) {
  const answer = await request(method, path, body);
  assert.equal(answer.status, status, `${method} ${path}: ${JSON.stringify(answer.body)}`);
  return answer.body;
}

/** Each field is there, with a value of the type. */
function has(value: Record<string, unknown>, fields: Record<string, string>) {
  for (const [field, type] of Object.entries(fields)) {
    const found = Array.isArray(value[field]) ? 'array' : typeof value[field];
    assert.equal(found, type, `${field} is ${found} in ${JSON.stringify(value)}`);
  }
}

test('any command with a scope: the user, then the team by slug and by id', async () => {
  has((await expect(200, 'GET', '/v2/user')).user, {
    id: 'string',
    email: 'string',
    username: 'string',
    name: 'string',
  });
  const bySlug = await expect(200, 'GET', '/teams/acme');
  assert.deepEqual([bySlug.id, bySlug.slug, bySlug.name], [team.id, 'acme', 'Acme']);
  assert.deepEqual(await expect(200, 'GET', `/teams/${team.id}?teamId=${team.id}`), bySlug);
});

test('whoami, teams ls', async () => {
  has((await expect(200, 'GET', '/v2/user')).user, { username: 'string' });
  const { teams, pagination } = await expect(200, 'GET', '/v2/teams?limit=20');
  has(teams[0], { id: 'string', slug: 'string', name: 'string' });
  assert.equal(teams[0].billing.plan, 'pro');
  assert.deepEqual(pagination, { count: 1, next: null, prev: null });
});

test('project add, ls, inspect, rm', async () => {
  has(await expect(200, 'POST', `/v1/projects?teamId=${team.id}`, { name: 'cli-project' }), {
    id: 'string',
    name: 'string',
  });
  const { projects, pagination } = await expect(200, 'GET', `/v9/projects?limit=20&teamId=${team.id}`);
  has(projects[0], {
    id: 'string',
    name: 'string',
    updatedAt: 'number',
    nodeVersion: 'string',
    targets: 'object',
    latestDeployments: 'array',
  });
  has(pagination, { count: 'number', next: 'object' });
  const inspected = await expect(200, 'GET', `/v9/projects/cli-project?teamId=${team.id}`);
  has(inspected, { id: 'string', accountId: 'string', createdAt: 'number' });
  has(await expect(200, 'GET', `/v3/env/pull/${inspected.id}/development?teamId=${team.id}`), {
    env: 'object',
  });
  assert.equal(await expect(204, 'DELETE', `/v2/projects/cli-project?teamId=${team.id}`), null);
  assert.equal((await expect(404, 'GET', `/v9/projects/cli-project`)).error.code, 'not_found');
});

test('env add, ls, update, rm', async () => {
  const { id } = await expect(200, 'POST', '/v1/projects', { name: 'env-project' });
  const env = `/v10/projects/${id}/env`;
  await expect(200, 'GET', `/v9/projects/${id}`);
  assert.deepEqual((await expect(200, 'GET', env)).envs, []);
  assert.deepEqual((await expect(200, 'GET', `/projects/${id}/custom-environments`)).environments, []);
  const added = {
    type: 'sensitive',
    key: 'API_KEY',
    value: 's3cret',
    target: ['production', 'preview'],
    visibility: 'secret',
  };
  await expect(201, 'POST', env, added);
  const again = await expect(400, 'POST', env, added);
  assert.equal(again.error.code, 'ENV_CONFLICT');
  await expect(201, 'POST', `${env}?upsert=true`, added);
  const { envs } = await expect(200, 'GET', env);
  assert.equal(envs.length, 1);
  has(envs[0], {
    id: 'string',
    key: 'string',
    type: 'string',
    target: 'array',
    createdAt: 'number',
    updatedAt: 'number',
  });
  await expect(200, 'PATCH', `${env}/${envs[0].id}`, {
    type: 'sensitive',
    key: 'API_KEY',
    value: 'other',
    target: ['production'],
  });
  await expect(200, 'DELETE', `${env}/${envs[0].id}`);
  assert.deepEqual((await expect(200, 'GET', env)).envs, []);
});

test('webhooks create, ls, inspect, rm', async () => {
  const { id: projectId } = await expect(200, 'POST', '/v1/projects', { name: 'hook-project' });
  const url = 'http://127.0.0.1:9/hook';
  const sent = { url, events: ['deployment.created'], projectIds: [projectId] };
  const created = await expect(200, 'POST', `/v1/webhooks?teamId=${team.id}`, sent);
  has(created, { id: 'string', url: 'string', events: 'array', projectIds: 'array', secret: 'string' });
  const listed = await expect(200, 'GET', `/v1/webhooks?teamId=${team.id}`);
  has(listed[0], { id: 'string', url: 'string', events: 'array', createdAt: 'number' });
  const path = `/v1/webhooks/${created.id}?teamId=${team.id}`;
  const inspected = await expect(200, 'GET', path);
  has(inspected, {
    id: 'string',
    url: 'string',
    events: 'array',
    createdAt: 'number',
    updatedAt: 'number',
    projectIds: 'array',
  });
  await expect(204, 'DELETE', path);
  await expect(404, 'GET', path);
});
