// The `posthorn` command as a person or a supervisor meets it: real processes, through npm where npm is in the way.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { settingsTable, version } from '@posthorn/server';
import { deploymentPayload } from '../../server/test/support/posthorn.ts';
import { startReceiver } from '../../server/test/support/receiver.ts';

const root = new URL('../../../', import.meta.url).pathname;
const entry = new URL('../src/main.ts', import.meta.url).pathname;
const token = 'Operator0000000000000000';
const keyA = Buffer.alloc(32, 7).toString('base64');
const keyB = Buffer.alloc(32, 9).toString('hex');

interface Run {
  child: ChildProcess;
  stdout(): string;
  stderr(): string;
  /** Resolves with the match once stdout has it; rejects if the process ends before. */
  prints(pattern: RegExp): Promise<RegExpExecArray>;
  /** The exit code, or the signal that ended it. */
  ended: Promise<number | NodeJS.Signals | null>;
}

function newDataDir(t: TestContext): string {
  const dataDir = mkdtempSync(join(tmpdir(), 'posthorn-cli-'));
  t.after(() => rmSync(dataDir, { recursive: true, force: true }));
  return dataDir;
}

/** Runs a command in the workspace with no setting of Posthorn's but those in `env`. */
function run(t: TestContext, command: string, args: string[], env: Record<string, string> = {}): Run {
  const clean = Object.entries(process.env).filter(([name]) => !/^(?:POSTHORN_|DATABASE_URL$)/.test(name));
  const child = spawn(command, args, {
    cwd: root,
    env: { ...Object.fromEntries(clean), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [out, err] = ['', ''];
  const watchers = new Set<() => void>();
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
    for (const look of watchers) look();
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text;
  });
  const ended = new Promise<number | NodeJS.Signals | null>((resolve) => {
    child.once('close', (code, signal) => resolve(signal ?? code));
  });
  t.after(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  return {
    child,
    stdout: () => out,
    stderr: () => err,
    ended,
    prints: (pattern) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const found = pattern.exec(out);
          if (found === null) return;
          watchers.delete(look);
          resolve(found);
        };
        watchers.add(look);
        look();
        child.once('close', () => reject(new Error(`ended before it printed ${pattern}:\n${out}${err}`)));
      }),
  };
}

const posthorn = (t: TestContext, args: string[], env?: Record<string, string>) =>
  run(t, process.execPath, [entry, ...args], env);

const listening = /^Posthorn \S+ listens on (http:\/\/\S+)$/m;
const started = /"msg":"started"/;

/** Starts it on a free port, and resolves with its address. */
async function start(t: TestContext, env: Record<string, string>): Promise<{ server: Run; url: string }> {
  const server = posthorn(t, ['start'], {
    POSTHORN_PORT: '0',
    POSTHORN_ALLOWED_NETWORKS: '127.0.0.0/8',
    ...env,
  });
  const [, url = ''] = await server.prints(listening);
  return { server, url };
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
function sentenceOf({ stderr }: Run): string {
  assert.match(stderr(), /^[^\n]+\.\n$/);
  return stderr().trim();
}

test('a first start prints the token with its file and the link alone on its line; a later one neither', async (t) => {
  const dataDir = newDataDir(t);
  const { server, url } = await start(t, { POSTHORN_DATA_DIR: dataDir });
  await server.prints(started);
  const lines = server.stdout().split('\n');
  const kept = readFileSync(join(dataDir, 'admin-token'), 'utf8').trim();
  assert.equal(lines[0], `Posthorn ${version} listens on ${url}`);
  assert.equal(lines.filter((line) => line === kept).length, 1, 'the token, once, alone on its line');
  assert.ok(server.stdout().includes(join(dataDir, 'admin-token')));
  const links = lines.filter((line) => line.startsWith(`${url}/app/sign-in#`));
  assert.equal(links.length, 1);
  assert.match(links[0]?.slice(`${url}/app/sign-in#`.length) ?? '', /^[A-Za-z0-9]{32}$/);
  assert.equal((await call(url, '/v2/user', undefined, kept)).status, 200, 'the token works');
  server.child.kill('SIGTERM');
  assert.equal(await server.ended, 0);

  const again = await start(t, { POSTHORN_DATA_DIR: dataDir });
  await again.server.prints(started);
  assert.ok(!again.server.stdout().includes(kept));
  assert.doesNotMatch(again.server.stdout(), /sign-in/);
  assert.equal((await call(again.url, '/v2/user', undefined, kept)).status, 200, 'the token still works');
});

test('a token from the setting is not printed', async (t) => {
  const { server } = await start(t, { POSTHORN_DATA_DIR: newDataDir(t), POSTHORN_ADMIN_TOKEN: token });
  await server.prints(started);
  assert.ok(!server.stdout().includes(token));
  assert.match(server.stdout(), /\/app\/sign-in#/, 'the link is');
});

test('links name the public address', async (t) => {
  const { server } = await start(t, {
    POSTHORN_DATA_DIR: newDataDir(t),
    POSTHORN_PUBLIC_URL: 'https://hooks.example.com/',
  });
  await server.prints(/^https:\/\/hooks\.example\.com\/app\/sign-in#[A-Za-z0-9]{32}$/m);
});

test('a key that does not fit stops the start; a rotation keeps every secret working', async (t) => {
  const receiver = await startReceiver();
  t.after(() => receiver.close());
  const env = { POSTHORN_DATA_DIR: newDataDir(t), POSTHORN_ADMIN_TOKEN: token };
  const first = await start(t, { ...env, POSTHORN_SECRET_KEY: keyA });
  const { id, secret } = await createWebhook(first.url, `${receiver.url}/hook`);
  first.server.child.kill('SIGTERM');
  assert.equal(await first.server.ended, 0);

  const wrong = posthorn(t, ['start'], { ...env, POSTHORN_PORT: '0', POSTHORN_SECRET_KEY: keyB });
  assert.equal(await wrong.ended, 1);
  assert.match(sentenceOf(wrong), /secret key does not fit this store/);

  const { url } = await start(t, { ...env, POSTHORN_SECRET_KEY: `${keyB},${keyA}` });
  assert.equal((await call(url, `/v1/webhooks/${id}/test`, {})).status, 202);
  const { headers, body } = await receiver.next();
  assert.equal(headers['x-vercel-signature'], createHmac('sha1', secret).update(body).digest('hex'));
});

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`${signal} sent to npm start ends the server, with 0`, async (t) => {
    const server = run(t, 'npm', ['start'], { POSTHORN_PORT: '0', POSTHORN_DATA_DIR: newDataDir(t) });
    const [, url = ''] = await server.prints(listening);
    server.child.kill(signal);
    assert.equal(await server.ended, 0);
    await assert.rejects(fetch(`${url}/healthz`), 'nothing listens any more');
  });
}

test('npm start passes the exit code and the sentence of a refused start on', async (t) => {
  const server = run(t, 'npm', ['start'], { POSTHORN_PROT: '1', POSTHORN_DATA_DIR: newDataDir(t) });
  assert.equal(await server.ended, 1);
  assert.match(server.stderr(), /^There is no setting POSTHORN_PROT; did you mean POSTHORN_PORT\?$/m);
});

/** A server with one attempt under way at a receiver that never answers. */
async function startBusy(t: TestContext, stopTimeout: string): Promise<Run> {
  const receiver = await startReceiver();
  t.after(() => receiver.close());
  receiver.script('hang');
  const { server, url } = await start(t, {
    POSTHORN_DATA_DIR: newDataDir(t),
    POSTHORN_ADMIN_TOKEN: token,
    POSTHORN_STOP_TIMEOUT: stopTimeout,
    POSTHORN_TIMEOUT: '10m',
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
  assert.equal(await server.ended, 0);
  assert.ok(performance.now() - sentAt < 15_000, 'far from the attempt’s own 10 minutes');
});

for (const [signal, code] of [
  ['SIGTERM', 143],
  ['SIGINT', 130],
] as const) {
  test(`a second ${signal} ends it at once, with ${code}`, async (t) => {
    const server = await startBusy(t, '10m');
    server.child.kill('SIGTERM');
    await server.prints(/"msg":"stopping"/);
    server.child.kill(signal);
    assert.equal(await server.ended, code);
  });
}

test('a port that is taken stops the start with a sentence', async (t) => {
  const squatter = createServer().listen(0, '127.0.0.1');
  t.after(() => squatter.close());
  await new Promise((resolve) => squatter.once('listening', resolve));
  const address = squatter.address();
  assert.ok(address !== null && typeof address === 'object');
  const server = posthorn(t, ['start'], {
    POSTHORN_DATA_DIR: newDataDir(t),
    POSTHORN_PORT: String(address.port),
  });
  assert.equal(await server.ended, 1);
  assert.match(sentenceOf(server), /POSTHORN_PORT/);
});

test('a host that is not this machine’s stops the start with a sentence', async (t) => {
  const server = posthorn(t, ['start'], {
    POSTHORN_DATA_DIR: newDataDir(t),
    POSTHORN_PORT: '0',
    POSTHORN_HOST: '192.0.2.1',
  });
  assert.equal(await server.ended, 1);
  assert.match(sentenceOf(server), /POSTHORN_HOST/);
});

test('what the command does not know is refused with 2', async (t) => {
  for (const [args, says] of [
    [['strat'], /^Unknown command 'strat'/],
    [['start', '--port=80'], /^Unknown option '--port=80'/],
    [['start', 'now'], /^Too many arguments/],
    [['--loud'], /^Unknown option '--loud'/],
  ] as const) {
    const command = posthorn(t, [...args]);
    assert.equal(await command.ended, 2, args.join(' '));
    assert.match(command.stderr(), says);
    assert.equal(command.stdout(), '');
  }
});

test('start --help lists every setting with its default, and fits a terminal', async (t) => {
  const help = run(t, 'npm', ['start', '--silent', '--', '--help']);
  assert.equal(await help.ended, 0);
  const lines = help.stdout().split('\n');
  for (const { name, meaning } of settingsTable) {
    const at = lines.findIndex((line) => line.trim() === name);
    assert.ok(at >= 0, name);
    assert.equal(lines[at + 1]?.trim(), meaning);
    assert.match(lines[at + 2] ?? '', /^ +Default: \S/);
  }
  for (const line of lines) assert.ok(line.length <= 106, line);
});

test('--version prints the version', async (t) => {
  const command = posthorn(t, ['--version']);
  assert.equal(await command.ended, 0);
  assert.equal(command.stdout(), `${version}\n`);
});
