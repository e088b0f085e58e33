// The handlers that the dashboard shows, each run as it is where its runtime exists: they take what Posthorn signed and
// refuse what it did not.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';

const folder = join(import.meta.dirname, '../samples');
const secret = 'aB3dE6gH9jK2mN5pQ8sT1vW4xY7zA0cD';
// Characters that a parse and a stringify, or a wrong charset, would change.
const body =
  '{"id":"evt_1","type":"deployment.created","createdAt":1.0e3,"payload":{"name":"é \\u00e9 日本"},"region":null}';
const sign = (text: string, key = secret) => createHmac('sha1', key).update(text).digest('hex');

type Handler = (headers: Record<string, string>, body: string) => Promise<number>;

const cases: { what: string; signature: string | null; body: string; status: number }[] = [
  { what: 'what was signed', signature: sign(body), body, status: 200 },
  { what: 'another body', signature: sign(body), body: body.replace('evt_1', 'evt_2'), status: 403 },
  { what: 'another secret', signature: sign(body, 'x'.repeat(32)), body, status: 403 },
  { what: 'no signature', signature: null, body, status: 403 },
  { what: 'a short signature', signature: sign(body).slice(0, 20), body, status: 403 },
  { what: 'a signature that is no hex', signature: 'z'.repeat(40), body, status: 403 },
];

async function check(handle: Handler): Promise<void> {
  for (const one of cases) {
    const headers = {
      'content-type': 'application/json',
      ...(one.signature === null ? {} : { 'x-vercel-signature': one.signature }),
    };
    assert.equal(await handle(headers, one.body), one.status, one.what);
  }
}

/** Runs a program that listens on `PORT`. */
async function serve(t: TestContext, command: string, args: string[], path = '/webhook'): Promise<Handler> {
  const port = await freePort();
  const child = spawn(command, args, {
    cwd: folder,
    env: { ...process.env, WEBHOOK_SECRET: secret, PORT: String(port) },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let complaint = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint += text;
  });
  t.after(() => child.kill('SIGKILL'));
  await whenListening(port, child, () => complaint);
  return async (headers, text) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { method: 'POST', headers, body: text });
    await response.text();
    return response.status;
  };
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

async function whenListening(port: number, child: ChildProcess, complaint: () => string): Promise<void> {
  for (;;) {
    assert.equal(child.exitCode, null, `it ended: ${complaint()}`);
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1');
      socket.once('connect', () => socket.end(() => resolve(true)));
      socket.once('error', () => resolve(false));
    });
    if (isOpen) return;
    // Only how often it looks.
    await pause(25);
  }
}

/** Why a sample can't run here; undefined where it can. */
function missing(command: string, args: string[], name: string): string | undefined {
  return spawnSync(command, args).status === 0 ? undefined : `${name} is not installed on this machine`;
}

/** A handler in the web's own terms, as frameworks call it. */
function fromWeb(handle: (request: Request) => Response | Promise<Response>): Handler {
  return async (headers, text) => {
    process.env.WEBHOOK_SECRET = secret;
    return (await handle(new Request('http://localhost/webhook', { method: 'POST', headers, body: text })))
      .status;
  };
}

test('Next.js', async () => {
  const { POST } = (await import(join(folder, 'nextjs-route.ts'))) as {
    POST: (request: Request) => Promise<Response>;
  };
  await check(fromWeb(POST));
});

test('Hono', async () => {
  const { default: app } = (await import(join(folder, 'hono.js'))) as {
    default: { fetch(request: Request): Response | Promise<Response> };
  };
  await check(fromWeb((request) => app.fetch(request)));
});

test('Express', async (t) => check(await serve(t, process.execPath, ['express.js'])));

test('Fastify', async (t) => check(await serve(t, process.execPath, ['fastify.js'])));

test('FastAPI', {
  skip: missing('python3', ['-c', 'import fastapi, uvicorn'], 'FastAPI with uvicorn'),
}, async (t) => {
  // The sample has the name of the framework, so it is loaded by its path.
  const load =
    "import importlib.util as u, os, uvicorn; s = u.spec_from_file_location('sample', 'fastapi.py'); m = u.module_from_spec(s); s.loader.exec_module(m); uvicorn.run(m.app, port=int(os.environ['PORT']))";
  await check(await serve(t, 'python3', ['-P', '-c', load]));
});

test('Go', { skip: missing('go', ['version'], 'Go') }, async (t) => {
  const out = mkdtempSync(join(tmpdir(), 'posthorn-sample-'));
  t.after(() => rmSync(out, { recursive: true, force: true }));
  const program = join(out, 'webhook');
  const built = spawnSync('go', ['build', '-o', program, join(folder, 'main.go')], {
    encoding: 'utf8',
  });
  assert.equal(built.status, 0, built.stderr);
  await check(await serve(t, program, []));
});

test('Ruby', { skip: missing('ruby', ['--version'], 'Ruby') }, async () => {
  const harness = `
    require 'stringio'
    def run(app)
      env = { 'rack.input' => StringIO.new(STDIN.binmode.read) }
      env['HTTP_X_VERCEL_SIGNATURE'] = ENV['SIGNATURE'] if ENV.key?('SIGNATURE')
      STDERR.print app.call(env)[0]
    end
    load 'config.ru'`;
  await check(async (headers, text) => {
    const { 'x-vercel-signature': signature } = headers;
    const { stderr } = spawnSync('ruby', ['-e', harness], {
      cwd: folder,
      input: text,
      encoding: 'utf8',
      env: {
        ...process.env,
        WEBHOOK_SECRET: secret,
        ...(signature === undefined ? {} : { SIGNATURE: signature }),
      },
    });
    return Number(stderr);
  });
});

test('PHP', { skip: missing('php', ['--version'], 'PHP') }, async (t) => {
  await check(await serve(t, 'sh', ['-c', 'exec php -S "127.0.0.1:$PORT"'], '/webhook.php'));
});

test('no sample is left out of these tests', () => {
  assert.deepEqual(readdirSync(folder).toSorted(), [
    'config.ru',
    'express.js',
    'fastapi.py',
    'fastify.js',
    'hono.js',
    'main.go',
    'nextjs-route.ts',
    'webhook.php',
  ]);
});
