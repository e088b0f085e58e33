// A real Posthorn process for whole-system tests: started by the command line, reached over HTTP, stopped by signals.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const entry = new URL('../../../cli/src/main.ts', import.meta.url).pathname;

export const adminToken = 'Operator0000000000000000';

export interface Answer<Body = unknown> {
  status: number;
  headers: Headers;
  body: Body;
}

export interface CallOptions {
  token?: string | null;
  body?: unknown;
  /** Sent as they are, in place of `body`. */
  raw?: string | Uint8Array;
  headers?: Record<string, string>;
}

export interface Posthorn {
  url: string;
  dataDir: string;
  process: ChildProcess;
  /** What the process has printed so far. */
  output(): string;
  // biome-ignore lint/suspicious/noExplicitAny: what an answer holds is what the test asserts
  call<Body = any>(method: string, path: string, options?: CallOptions): Promise<Answer<Body>>; // oxlint-disable-line typescript/no-explicit-any
  /** Sends a signal and resolves with the exit code, or the signal that ended the process. */
  end(signal?: NodeJS.Signals): Promise<number | NodeJS.Signals | null>;
  /** Ends the process if it still runs, and removes its data. */
  close(): Promise<void>;
}

export function newDataDir(): string {
  return mkdtempSync(join(tmpdir(), 'posthorn-test-'));
}

/** Starts a process and waits until it is ready. Without `dataDir` it gets a new one of its own; `flags` are for Node. */
export async function startPosthorn(
  env: Record<string, string> = {},
  dataDir = newDataDir(),
  flags: string[] = [],
): Promise<Posthorn> {
  const { child, output, ended } = launch(env, dataDir, ['start'], flags);
  const url = await new Promise<string>((resolve, reject) => {
    const look = () => {
      const found = /http:\/\/(?:127\.0\.0\.1|\[::1\]|localhost|0\.0\.0\.0):\d+/.exec(output());
      if (found !== null) resolve(found[0]);
    };
    child.stdout?.on('data', look);
    child.once('exit', () => reject(new Error(`Posthorn ended before it was ready:\n${output()}`)));
  });

  const posthorn: Posthorn = {
    url,
    dataDir,
    process: child,
    output,
    async call(method, path, options = {}) {
      const { token = adminToken, body, raw, headers = {} } = options;
      const payload = raw ?? (body === undefined ? undefined : JSON.stringify(body));
      const response = await fetch(url + path, {
        method,
        redirect: 'manual',
        headers: {
          ...(token === null ? {} : { authorization: `Bearer ${token}` }),
          ...(payload === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(payload === undefined ? {} : { body: payload as string }),
      });
      const text = await response.text();
      const isJson = response.headers.get('content-type')?.includes('json') ?? false;
      return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text };
    },
    end(signal = 'SIGTERM') {
      child.kill(signal);
      return ended;
    },
    async close() {
      child.kill('SIGKILL');
      await ended;
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
  for (;;) {
    const { status } = await posthorn.call('GET', '/readyz');
    if (status === 200) return posthorn;
  }
}

/** Starts a process that is expected to end by itself: what it says, and its exit code. One that runs is killed. */
export async function startRefused(
  env: Record<string, string>,
  dataDir: string,
): Promise<{ code: number | NodeJS.Signals | null; output: string }> {
  const { child, output, ended } = launch(env, dataDir);
  child.stdout?.on('data', () => {
    if (output().includes('listens on')) child.kill('SIGKILL');
  });
  return { code: await ended, output: output() };
}

/** Runs another command than `start` to its end. */
export async function runCommand(
  args: string[],
  dataDir: string,
  env: Record<string, string> = {},
): Promise<{ code: number | NodeJS.Signals | null; output: string }> {
  const { ended, output } = launch(env, dataDir, args);
  return { code: await ended, output: output() };
}

function launch(env: Record<string, string>, dataDir: string, args = ['start'], flags: string[] = []) {
  const child = spawn(process.execPath, [...flags, entry, ...args], {
    env: {
      ...cleanEnvironment(),
      POSTHORN_PORT: '0',
      POSTHORN_DATA_DIR: dataDir,
      POSTHORN_ADMIN_TOKEN: adminToken,
      POSTHORN_ALLOWED_NETWORKS: '127.0.0.0/8,::1/128',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let printed = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
  });
  // Its last words may come after its exit, so `close` is what ends it.
  const ended = new Promise<number | NodeJS.Signals | null>((resolve) => {
    child.once('close', (code, signal) => resolve(signal ?? code));
  });
  return { child, ended, output: () => printed };
}

/** The environment without any setting of Posthorn's. */
function cleanEnvironment(): Record<string, string | undefined> {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(POSTHORN_|DATABASE_URL$)/.test(name)),
  );
}

/** A payload of `deployment.succeeded` that validates. */
export function deploymentPayload(seq = 0, projectId = 'prj_test') {
  return {
    team: { id: 'team_test' },
    user: { id: 'userTest0000000000000000' },
    deployment: { id: `dpl_${seq}`, meta: { seq: String(seq) }, url: 'site.example.app', name: 'site' },
    links: { deployment: 'https://example.com/d', project: 'https://example.com/p' },
    target: 'production',
    project: { id: projectId },
    plan: 'pro',
    regions: ['iad1'],
  };
}
