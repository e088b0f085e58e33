// `posthorn start` as a person or a supervisor meets it, in real processes: what it prints, how it stops, why it
// refuses to start.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { version } from '@posthorn/server';
import { deploymentPayload } from '../../server/test/support/posthorn.ts';
import { startReceiver } from '../../server/test/support/receiver.ts';
import { type Running, runPosthorn } from './command.ts';

const token = 'Operator0000000000000000';
const keyA = Buffer.alloc(32, 7).toString('base64');
const keyB = Buffer.alloc(32, 9).toString('hex');

function newDataDir(t: TestContext): string {
  const dataDir = mkdtempSync(join(tmpdir(), 'posthorn-cli-'));
  t.after(() => rmSync(dataDir, { recursive: true, force: true }));
  return dataDir;
}

/** Runs `posthorn start` on a free port, with no setting but those in `env`. */
const run = (t: TestContext, env: Record<string, string>): Running =>
  runPosthorn(t, ['start'], { POSTHORN_ALLOWED_NETWORKS: '127.0.0.0/8', ...env });

const started = /"msg":"started"/;

/** Starts it, and resolves with its address. */
async function start(t: TestContext, env: Record<string, string>): Promise<{ server: Running; url: string }> {
  const server = run(t, env);
  return { server, url: await server.address() };
}

async function call(url: string, path: string, body?: unknown, bearer = token): Promise<Response> {
  return fetch(url + path, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { authorization: `Bearer ${bearer}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

async function createWebhook(url: string, target: string): Promise<{ id: string; secret: string }> {
  const answer = await call(url, '/v1/webhooks', { url: target, events: ['deployment.succeeded'] });
  assert.equal(answer.status, 200);
  return answer.json() as Promise<{ id: string; secret: string }>;
}

/** What stands on stderr as one sentence for the operator, and nothing else. */
async function sentenceOf({ ended }: Running): Promise<string> {
  const { stderr } = await ended;
  assert.match(stderr, /^[^\n]+\.\n$/);
  return stderr.trim();
}

test('a first start prints the token with its file and the link alone on its line; a later one neither', async (t) => {
  const dataDir = newDataDir(t);
  const { server, url } = await start(t, { POSTHORN_DATA_DIR: dataDir });
  await server.printed(started);
  const lines = server.stdout.split('\n');
  const kept = readFileSync(join(dataDir, 'admin-token'), 'utf8').trim();
  assert.equal(lines[0], `Posthorn ${version} listens on ${url}`);
  assert.equal(lines.filter((line) => line === kept).length, 1, 'the token, once, alone on its line');
  assert.ok(server.stdout.includes(join(dataDir, 'admin-token')));
  const links = lines.filter((line) => line.startsWith(`${url}/app/sign-in#`));
  assert.equal(links.length, 1);
  assert.match(links[0]?.slice(`${url}/app/sign-in#`.length) ?? '', /^[A-Za-z0-9]{32}$/);
  assert.equal((await call(url, '/v2/user', undefined, kept)).status, 200, 'the token works');
  server.child.kill('SIGTERM');
  assert.equal((await server.ended).code, 0);

  const again = await start(t, { POSTHORN_DATA_DIR: dataDir });
  await again.server.printed(started);
  assert.ok(!again.server.stdout.includes(kept));
  assert.doesNotMatch(again.server.stdout, /sign-in/);
  assert.equal((await call(again.url, '/v2/user', undefined, kept)).status, 200, 'the token still works');
});

test('a token from the setting is not printed', async (t) => {
  const { server } = await start(t, { POSTHORN_DATA_DIR: newDataDir(t), POSTHORN_ADMIN_TOKEN: token });
  await server.printed(started);
  assert.ok(!server.stdout.includes(token));
  assert.match(server.stdout, /\/app\/sign-in#/, 'the link is');
});

test('links name the public address', async (t) => {
  const { server } = await start(t, {
    POSTHORN_DATA_DIR: newDataDir(t),
    POSTHORN_PUBLIC_URL: 'https://hooks.example.com/',
  });
  await server.printed(/^https:\/\/hooks\.example\.com\/app\/sign-in#[A-Za-z0-9]{32}$/m);
});

test('a key that does not fit stops the start; a rotation keeps every secret working', async (t) => {
  const receiver = await startReceiver();
  t.after(() => receiver.close());
  const env = { POSTHORN_DATA_DIR: newDataDir(t), POSTHORN_ADMIN_TOKEN: token };
  const first = await start(t, { ...env, POSTHORN_SECRET_KEY: keyA });
  const { id, secret } = await createWebhook(first.url, `${receiver.url}/hook`);
  first.server.child.kill('SIGTERM');
  assert.equal((await first.server.ended).code, 0);

  const wrong = run(t, { ...env, POSTHORN_SECRET_KEY: keyB });
  assert.equal((await wrong.ended).code, 1);
  assert.match(await sentenceOf(wrong), /secret key does not fit this store/);

  // With the new key before the old one; and then without the old one, for everything was sealed again.
  for (const keys of [`${keyB},${keyA}`, keyB]) {
    const { server, url } = await start(t, { ...env, POSTHORN_SECRET_KEY: keys });
    assert.equal((await call(url, `/v1/webhooks/${id}/test`, {})).status, 202);
    const { headers, body } = await receiver.next();
    assert.equal(headers['x-vercel-signature'], createHmac('sha1', secret).update(body).digest('hex'));
    server.child.kill('SIGTERM');
    assert.equal((await server.ended).code, 0);
  }
});

/** A server with one attempt under way at a receiver that never answers. */
async function startBusy(t: TestContext, stopTimeout: string): Promise<Running> {
  const receiver = await startReceiver();
  t.after(() => receiver.close());
  receiver.script('hang');
  const { server, url } = await start(t, {
    POSTHORN_DATA_DIR: newDataDir(t),
    POSTHORN_ADMIN_TOKEN: token,
    POSTHORN_STOP_TIMEOUT: stopTimeout,
  });
  await createWebhook(url, `${receiver.url}/hook`);
  const event = { type: 'deployment.succeeded', payload: deploymentPayload() };
  assert.equal((await call(url, '/v1/events', event)).status, 202);
  await receiver.next();
  return server;
}

test('SIGTERM waits for an attempt under way no longer than POSTHORN_STOP_TIMEOUT', async (t) => {
  const server = await startBusy(t, '300ms');
  const sentAt = performance.now();
  server.child.kill('SIGTERM');
  assert.equal((await server.ended).code, 0);
  assert.ok(performance.now() - sentAt < 15_000, 'the attempt itself would have had 30 s');
});

for (const [signal, code] of [
  ['SIGTERM', 143],
  ['SIGINT', 130],
] as const) {
  test(`${signal} again ends it at once, with ${code}`, async (t) => {
    const server = await startBusy(t, '10m');
    server.child.kill('SIGTERM');
    await server.printed(/"msg":"stopping"/);
    // As an impatient person does, for the same signal twice within a moment counts once.
    const impatience = setInterval(() => server.child.kill(signal), 100);
    t.after(() => clearInterval(impatience));
    assert.equal((await server.ended).code, code);
  });
}

test('a port that is taken stops the start with a sentence', async (t) => {
  const squatter = createServer().listen(0, '127.0.0.1');
  t.after(() => squatter.close());
  await new Promise((resolve) => squatter.once('listening', resolve));
  const address = squatter.address();
  assert.ok(address !== null && typeof address === 'object');
  const server = run(t, {
    POSTHORN_DATA_DIR: newDataDir(t),
    POSTHORN_PORT: String(address.port),
  });
  assert.equal((await server.ended).code, 1);
  assert.match(await sentenceOf(server), /POSTHORN_PORT/);
});

test('a host that is not this machine’s stops the start with a sentence', async (t) => {
  const server = run(t, {
    POSTHORN_DATA_DIR: newDataDir(t),
    POSTHORN_HOST: '192.0.2.1',
  });
  assert.equal((await server.ended).code, 1);
  assert.match(await sentenceOf(server), /POSTHORN_HOST/);
});
