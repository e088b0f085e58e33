// Malformed requests over every route: each gets a 4xx in Vercel's error form with a sentence, changes nothing, and
// leaves the process alive.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import {
  type Answer,
  adminToken,
  deploymentPayload,
  type Posthorn,
  startPosthorn,
} from './support/posthorn.ts';

interface Refusal {
  error?: { code: string; message: string };
}

interface Case {
  name: string;
  method: string;
  path: string;
  token?: string | null;
  body?: unknown;
  raw?: string | Uint8Array;
  headers?: Record<string, string>;
  /** The status, where it is worth pinning down. */
  status?: number;
  code?: string;
}

let posthorn: Posthorn;
let webhookId: string;
let projectId: string;
let foreignTeamId: string;
let foreignWebhookId: string;

const lists = [
  '/v1/webhooks',
  '/v10/projects',
  '/v2/teams',
  '/v1/tokens',
  '/v1/event-types',
  '/v1/events?limit=100',
  '/v9/projects/site/env',
];

async function snapshot(): Promise<string> {
  const answers = await Promise.all(lists.map((path) => posthorn.call('GET', path)));
  assert.ok(answers.every(({ status }) => status === 200));
  // When a token was last used is no change.
  return JSON.stringify(
    answers.map(({ body }) => body),
    (key, value) => (/last.?used/i.test(key) ? undefined : value),
  );
}

before(async () => {
  posthorn = await startPosthorn();
  projectId = (await posthorn.call('POST', '/v11/projects', { body: { name: 'site' } })).body.id;
  const url = 'http://127.0.0.1:9/hook';
  webhookId = (await posthorn.call('POST', '/v1/webhooks', { body: { url, events: ['deployment.created'] } }))
    .body.id;
  const team = { slug: 'foreign', name: 'Foreign', plan: 'pro' };
  foreignTeamId = (await posthorn.call('POST', '/v1/teams', { body: team })).body.id;
  const foreign = `/v1/webhooks?teamId=${foreignTeamId}`;
  foreignWebhookId = (await posthorn.call('POST', foreign, { body: { url, events: ['deployment.created'] } }))
    .body.id;
});
after(() => posthorn.close());

function assertRefused(name: string, answer: Answer<Refusal>, expected: Pick<Case, 'status' | 'code'>): void {
  const said = `${name}: ${answer.status} ${JSON.stringify(answer.body)}`;
  assert.ok(answer.status >= 400 && answer.status < 500, said);
  if (expected.status !== undefined) assert.equal(answer.status, expected.status, said);
  if (expected.code !== undefined) assert.equal(answer.body.error?.code, expected.code, said);
  assert.equal(typeof answer.body.error?.code, 'string', said);
  assert.match(answer.body.error?.message ?? '', /^\S.{8,}[.)]$/s, said);
  assert.doesNotMatch(answer.body.error?.message ?? '', /undefined|\[object|node_modules|SQLITE|FST_/, said);
}

async function refuse(cases: Case[]): Promise<void> {
  const was = await snapshot();
  for (const { name, method, path, token, body, raw, headers, status, code } of cases) {
    const options = {
      ...(token !== undefined && { token }),
      ...(body !== undefined && { body }),
      ...(raw !== undefined && { raw }),
      ...(headers !== undefined && { headers }),
    };
    assertRefused(`${method} ${path} ${name}`, await posthorn.call(method, path, options), {
      ...(status !== undefined && { status }),
      ...(code !== undefined && { code }),
    });
  }
  assert.equal(await snapshot(), was, 'something was changed');
}

interface Document {
  paths: Record<string, Record<string, { security?: unknown[]; requestBody?: unknown }>>;
}

/** Whose call it is: a route that only people have is called by somebody who signed in. */
async function callerOf(path: string): Promise<Pick<Case, 'token' | 'headers'>> {
  if (path !== '/v1/user/password') return {};
  const link = await posthorn.call<{ url: string }>('POST', '/v1/sign-in-links', { body: {} });
  const token = new URL(link.body.url).hash.slice(1);
  const { headers } = await posthorn.call('POST', '/v1/sign-in', { token: null, body: { token } });
  const cookie = (headers.get('set-cookie') ?? '').split(';')[0] ?? '';
  return { token: null, headers: { cookie, 'sec-fetch-site': 'same-origin' } };
}

/** Every route of the OpenAPI document, with ids that exist where that is what the path asks for. */
async function routes(): Promise<{ method: string; path: string; isPublic: boolean; hasBody: boolean }[]> {
  const { body } = await posthorn.call<Document>('GET', '/openapi.json');
  return Object.entries(body.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, route]) => ({
      method: method.toUpperCase(),
      path: path
        .replace('/webhooks/{id}', `/webhooks/${webhookId}`)
        .replace('{idOrName}', 'site')
        .replace('{idOrSlug}', 'default')
        .replace(/\{[^}]+\}/g, 'unknown0000'),
      isPublic: Array.isArray(route.security) && route.security.length === 0,
      hasBody: route.requestBody !== undefined,
    })),
  );
}

test('every route refuses a call without a token, with an unknown one, and with one of no form', async () => {
  const guarded = (await routes()).filter(({ isPublic }) => !isPublic);
  assert.ok(guarded.length > 25);
  await refuse(
    guarded.flatMap(({ method, path }) => [
      { name: 'without a token', method, path, token: null, status: 401, code: 'unauthorized' },
      {
        name: 'unknown token',
        method,
        path,
        token: 'Unknown00000000000000000',
        status: 403,
        code: 'forbidden',
      },
      {
        name: 'token of no form',
        method,
        path,
        token: null,
        headers: { authorization: 'Basic eA==' },
        status: 401,
      },
    ]),
  );
});

test('every route with a body refuses broken JSON, other media types, hostile keys, bad UTF-8 and scalars', async () => {
  const writing = (await routes()).filter(({ hasBody }) => hasBody);
  assert.ok(writing.length > 10);
  const callers = new Map(
    await Promise.all(writing.map(async ({ path }) => [path, await callerOf(path)] as const)),
  );
  const cases = writing.flatMap(({ method, path }): Case[] => [
    { name: 'broken JSON', method, path, raw: '{"a":', status: 400, code: 'bad_request' },
    { name: 'JSON with a comma too many', method, path, raw: '{"a":1,}', status: 400 },
    {
      name: 'a media type that is not JSON',
      method,
      path,
      raw: 'a=1',
      headers: { 'content-type': 'text/plain' },
      status: 415,
    },
    {
      name: 'a form',
      method,
      path,
      raw: 'a=1',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      status: 415,
    },
    { name: 'a prototype key', method, path, raw: '{"__proto__":{"x":1}}', status: 400 },
    { name: 'a constructor key', method, path, raw: '{"constructor":{"prototype":{"x":1}}}', status: 400 },
    {
      name: 'invalid UTF-8',
      method,
      path,
      raw: Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d]),
      status: 400,
    },
    { name: 'a number for a body', method, path, raw: '5', status: 400 },
    { name: 'a text for a body', method, path, raw: '"x"', status: 400 },
    { name: 'too deep', method, path, raw: `${'{"a":'.repeat(70)}1${'}'.repeat(70)}`, status: 400 },
    { name: 'a number beyond JavaScript', method, path, raw: '{"a":1e999}', status: 400 },
  ]);
  await refuse(
    cases.map((one) => {
      const caller = callers.get(one.path);
      return { ...one, ...caller, headers: { ...caller?.headers, ...one.headers } };
    }),
  );
});

/** A path without its version, which does not matter. */
const plain = (path: string) => path.replace(/^\/v\d+/, '');

test('every path refuses methods that it does not have', async () => {
  const all = await routes();
  const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'];
  const missing = [...new Set(all.map(({ path }) => path))].flatMap((path) =>
    methods
      .filter((method) => !all.some((route) => plain(route.path) === plain(path) && route.method === method))
      .map((method) => ({ name: 'method', method, path, status: 404, code: 'not_found' })),
  );
  assert.ok(missing.length > 50);
  await refuse(missing);
});

test('webhooks refuse what can’t be one', async () => {
  const good = { url: 'https://example.com/hook', events: ['deployment.created'] };
  const create = (name: string, body: unknown, code?: string): Case => ({
    name,
    method: 'POST',
    path: '/v1/webhooks',
    body,
    ...(code === undefined ? { status: 400 } : { code }),
  });
  const patch = (name: string, body: unknown): Case => ({
    name,
    method: 'PATCH',
    path: `/v1/webhooks/${webhookId}`,
    body,
    status: 400,
  });
  await refuse([
    create('nothing', {}),
    create('no url', { events: good.events }),
    create('no events', { url: good.url }),
    create('url a number', { ...good, url: 5 }),
    create('url null', { ...good, url: null }),
    create('url an array', { ...good, url: ['https://example.com'] }),
    create('url empty', { ...good, url: '' }, 'invalid_url'),
    create('url of no form', { ...good, url: 'nonsense' }, 'invalid_url'),
    create('url relative', { ...good, url: '/hook' }, 'invalid_url'),
    create('url ftp', { ...good, url: 'ftp://example.com/' }, 'invalid_url'),
    create('url javascript', { ...good, url: 'javascript:alert(1)' }, 'invalid_url'),
    create('url file', { ...good, url: 'file:///etc/passwd' }, 'invalid_url'),
    create('url with credentials', { ...good, url: 'https://user:pass@example.com/' }, 'invalid_url'),
    create('url too long', { ...good, url: `https://example.com/${'a'.repeat(2_048)}` }, 'invalid_url'),
    create('url private', { ...good, url: 'http://10.0.0.1/' }, 'blocked_address'),
    create('url metadata', { ...good, url: 'http://169.254.169.254/latest' }, 'blocked_address'),
    create('url in decimal', { ...good, url: 'http://167772161/' }, 'blocked_address'),
    create('url with a control character', { ...good, url: 'https://exam\u0000ple.com/' }, 'invalid_url'),
    create('events a text', { ...good, events: 'deployment.created' }),
    create('events an object', { ...good, events: {} }),
    create('events of numbers', { ...good, events: [1] }),
    create('events empty', { ...good, events: [] }, 'invalid_event'),
    create('events unknown', { ...good, events: ['deployment.exploded'] }, 'invalid_event'),
    create('events attack.detected', { ...good, events: ['attack.detected'] }, 'invalid_event'),
    create('events with a prototype name', { ...good, events: ['__proto__'] }, 'invalid_event'),
    create('events too many', { ...good, events: Array.from({ length: 501 }, () => 'deployment.created') }),
    create('projectIds a text', { ...good, projectIds: projectId }),
    create('projectIds of numbers', { ...good, projectIds: [1] }),
    create('projectIds with a slash', { ...good, projectIds: ['../x'] }),
    create('projectIds unknown', { ...good, projectIds: ['prj_unknown'] }, 'invalid_project'),
    create(
      'projectIds 51',
      { ...good, projectIds: Array.from({ length: 51 }, (_, i) => `prj_${i}`) },
      'invalid_project',
    ),
    create(
      'project events with a selection',
      { ...good, events: ['project.created'], projectIds: [projectId] },
      'invalid_event',
    ),
    create('an array', [good]),
    patch('nothing', {}),
    patch('url a number', { url: 1 }),
    patch('url private', { url: 'http://192.168.0.1/' }),
    patch('enabled a text', { enabled: 'yes' }),
    patch('enabled null', { enabled: null }),
    patch('events empty', { events: [] }),
    patch('events unknown', { events: ['x'] }),
    patch('ordering unknown', { ordering: 'sometimes' }),
    patch('maxConcurrency zero', { maxConcurrency: 0 }),
    patch('maxConcurrency a text', { maxConcurrency: '5' }),
    patch('maxConcurrency a fraction', { maxConcurrency: 1.5 }),
    patch('ratePerSecond negative', { ratePerSecond: -1 }),
    {
      name: 'unknown',
      method: 'GET',
      path: '/v1/webhooks/account_hook_unknown',
      status: 404,
      code: 'not_found',
    },
    { name: 'unknown', method: 'DELETE', path: '/v1/webhooks/account_hook_unknown', status: 404 },
    {
      name: 'unknown',
      method: 'PATCH',
      path: '/v1/webhooks/account_hook_unknown',
      body: { enabled: false },
      status: 404,
    },
    { name: 'odd id', method: 'GET', path: '/v1/webhooks/%00', status: 404 },
    { name: 'odd id', method: 'GET', path: '/v1/webhooks/%ff', status: 400 },
    { name: 'odd id', method: 'GET', path: "/v1/webhooks/'%20or%201=1--", status: 404 },
    { name: 'long id', method: 'GET', path: `/v1/webhooks/${'a'.repeat(600)}`, status: 414 },
    { name: 'unknown', method: 'POST', path: '/v1/webhooks/account_hook_unknown/test', status: 404 },
    {
      name: 'unknown type',
      method: 'POST',
      path: `/v1/webhooks/${webhookId}/test`,
      body: { type: 'x' },
      status: 400,
      code: 'invalid_event',
    },
    {
      name: 'type a number',
      method: 'POST',
      path: `/v1/webhooks/${webhookId}/test`,
      body: { type: 1 },
      status: 400,
    },
    {
      name: 'overlap negative',
      method: 'POST',
      path: `/v1/webhooks/${webhookId}/rotate-secret`,
      body: { overlap: -1 },
      status: 400,
    },
    {
      name: 'overlap a text',
      method: 'POST',
      path: `/v1/webhooks/${webhookId}/rotate-secret`,
      body: { overlap: '60' },
      status: 400,
    },
  ]);
});

test('publishing refuses what is no event', async () => {
  const good = { type: 'deployment.succeeded', payload: deploymentPayload() };
  const publish = (name: string, body: unknown, status = 400): Case => ({
    name,
    method: 'POST',
    path: '/v1/events',
    body,
    status,
  });
  await refuse([
    publish('nothing', {}),
    publish('null', null),
    publish('no type', { payload: good.payload }),
    publish('type a number', { ...good, type: 1 }),
    publish('type unknown', { ...good, type: 'x.y' }),
    publish('no payload', { type: good.type }),
    publish('payload null', { ...good, payload: null }),
    publish('payload an array', { ...good, payload: [] }),
    publish('payload a text', { ...good, payload: 'x' }),
    publish('payload without a required field', {
      ...good,
      payload: { ...good.payload, deployment: undefined },
    }),
    publish('payload with a wrong type', { ...good, payload: { ...good.payload, regions: 'iad1' } }),
    publish('projectId a number', { ...good, projectId: 1 }),
    publish('projectId empty', { ...good, projectId: '' }),
    publish('projectId with a space', { ...good, projectId: 'a b' }),
    publish('region a number', { ...good, region: 1 }),
    publish('region too long', { ...good, region: 'x'.repeat(65) }),
    publish('id a number', { ...good, id: 1 }),
    publish('id empty', { ...good, id: '' }),
    publish('id too long', { ...good, id: 'x'.repeat(129) }),
    publish('id with a slash', { ...good, id: 'a/b' }),
    publish('id with a control character', { ...good, id: 'a\u0007' }),
    publish('id types', { ...good, id: 'types' }),
    publish('id null', { ...good, id: null }),
    publish('createdAt a word', { ...good, createdAt: 'yesterday' }),
    publish('createdAt an hour ago', { ...good, createdAt: Date.now() - 3_600_000 }),
    publish('createdAt tomorrow', { ...good, createdAt: Date.now() + 86_400_000 }),
    publish('createdAt an object', { ...good, createdAt: {} }),
    publish('an empty array', []),
    publish('an array with a bad one', [good, { ...good, type: 'x' }]),
    publish('an array of arrays', [[good]]),
    publish(
      '1,001 events',
      Array.from({ length: 1_001 }, () => good),
      413,
    ),
    publish(
      'an event over 1 MiB',
      { ...good, payload: { ...good.payload, more: 'x'.repeat(1_048_600) } },
      413,
    ),
    publish(
      'one id twice with other content',
      [
        { ...good, id: 'twice' },
        { ...good, id: 'twice', region: 'fra1' },
      ],
      409,
    ),
    {
      name: 'a request over 16 MiB',
      method: 'POST',
      path: '/v1/events',
      raw: `{"a":"${'x'.repeat(17 * 1_048_576)}"}`,
      status: 413,
    },
    { name: 'unknown team', method: 'POST', path: '/v1/events?teamId=team_unknown', body: good, status: 404 },
    { name: 'another version', method: 'POST', path: '/v2/events', body: good, status: 404 },
    { name: 'no version', method: 'POST', path: '/events', body: good, status: 404 },
    { name: 'audit log', method: 'GET', path: '/v3/events', status: 404 },
    { name: 'types', method: 'GET', path: '/v1/events/types', status: 404 },
    { name: 'types', method: 'GET', path: '/v3/events/types', status: 404 },
    { name: 'unknown', method: 'GET', path: '/v1/events/unknown', status: 404 },
  ]);
});

test('lists refuse pages, times and filters that make no sense', async () => {
  const list = (query: string): Case[] =>
    ['/v1/events', `/v1/webhooks/${webhookId}/deliveries`].map((path) => ({
      name: query,
      method: 'GET',
      path: `${path}?${query}`,
      status: 400,
    }));
  await refuse([
    ...[
      'limit=0',
      'limit=-1',
      'limit=101',
      'limit=x',
      'limit=1.5',
      'since=never',
      'until=%00',
      'cursor=!!!',
      'cursor=AAAA',
    ].flatMap(list),
    { name: 'state', method: 'GET', path: `/v1/webhooks/${webhookId}/deliveries?state=lost`, status: 400 },
    { name: 'limit twice', method: 'GET', path: '/v1/events?limit=1&limit=2', status: 400 },
    { name: 'unknown webhook', method: 'GET', path: '/v1/webhooks/unknown/deliveries', status: 404 },
    { name: 'unknown', method: 'GET', path: '/v1/deliveries/dlv_unknown', status: 404 },
    { name: 'unknown', method: 'GET', path: `/v1/deliveries/dlv_${'x'.repeat(29)}`, status: 404 },
    { name: 'unknown', method: 'POST', path: `/v1/deliveries/dlv_${'x'.repeat(29)}/redeliver`, status: 404 },
    { name: 'unknown team', method: 'GET', path: '/v1/webhooks?teamId=team_unknown', status: 404 },
    { name: 'unknown slug', method: 'GET', path: '/v1/webhooks?slug=unknown', status: 404 },
  ]);
});

test('a team’s token gets 403 for another team and 404 for its things', async () => {
  const { body } = await posthorn.call('POST', '/v1/tokens', { body: { name: 'member', role: 'MEMBER' } });
  const { token } = body;
  await refuse([
    {
      name: 'foreign team',
      method: 'GET',
      path: `/v1/webhooks?teamId=${foreignTeamId}`,
      token,
      status: 403,
      code: 'forbidden',
    },
    { name: 'foreign slug', method: 'GET', path: '/v1/webhooks?slug=foreign', token, status: 403 },
    { name: 'unknown team', method: 'GET', path: '/v1/webhooks?teamId=team_unknown', token, status: 403 },
    { name: 'foreign webhook', method: 'GET', path: `/v1/webhooks/${foreignWebhookId}`, token, status: 404 },
    {
      name: 'foreign webhook',
      method: 'DELETE',
      path: `/v1/webhooks/${foreignWebhookId}`,
      token,
      status: 404,
    },
    { name: 'publishing', method: 'POST', path: '/v1/events', token, body: {}, status: 403 },
    {
      name: 'creating teams',
      method: 'POST',
      path: '/v1/teams',
      token,
      body: { slug: 'x', name: 'x', plan: 'pro' },
      status: 403,
    },
  ]);
});

test('HTTP itself broken: an answer or a closed connection, and the process goes on', async () => {
  const { hostname, port } = new URL(posthorn.url);
  const speak = (bytes: string) =>
    new Promise<string>((resolve) => {
      let heard = '';
      const socket = connect(Number(port), hostname, () => socket.write(bytes, 'latin1'));
      socket.on('data', (chunk) => {
        heard += chunk.toString('latin1');
        socket.end();
      });
      socket.on('close', () => resolve(heard));
      socket.on('error', () => resolve(heard));
    });
  const auth = `authorization: Bearer ${adminToken}\r\nhost: x\r\n`;
  const said = await Promise.all([
    speak('nonsense\r\n\r\n'),
    speak('GET /v1/webhooks HTTP/1.1\r\nbad header\r\n\r\n'),
    speak(`GET /v1/webhooks HTTP/1.1\r\n${auth}x: ${'y'.repeat(40_000)}\r\n\r\n`),
    speak(
      `POST /v1/events HTTP/1.1\r\n${auth}content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nZZ\r\n`,
    ),
    speak(`POST /v1/events HTTP/1.1\r\n${auth}content-length: 5\r\ncontent-length: 6\r\n\r\n{}`),
  ]);
  for (const answer of said) assert.match(answer, /^HTTP\/1\.1 4\d\d /);
  assert.equal((await posthorn.call('GET', '/healthz')).status, 200);
});
