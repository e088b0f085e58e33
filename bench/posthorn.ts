// A real Posthorn: `npm start` on an empty data directory with default durability, driven through its API as
// its operator would.
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { eventType } from './event.ts';
import { type Database, startDatabase } from './postgres.ts';
import { findYoungestDescendant } from './proc.ts';
import type { Store } from './results.ts';
import type { Running } from './targets.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const readyWithinMs = 30_000;
const stopWithinMs = 90_000;

/** Where a Posthorn keeps its things from one start to the next: a data directory, and on PostgreSQL a database. */
export interface Home {
  store: Store;
  dataDir: string;
  logPath: string;
  database: Database | null;
  close(): Promise<void>;
}

export interface Posthorn extends Running {
  /** From `npm start` until `/readyz` said yes. */
  readyMs: number;
  /** Creates a webhook for the benchmark's event, in the default team or in `teamId`; resolves to its id. */
  subscribe(url: string, teamId?: string): Promise<string>;
  /** Calls the API as operator and resolves to the answer's JSON; throws at any status but a 2xx. */
  call(method: string, path: string, body?: unknown): Promise<unknown>;
}

/** Makes an empty home in a new folder of `dir`; the log of what runs there is `server.log`. */
export async function openHome(store: Store, dir: string): Promise<Home> {
  const folder = mkdtempSync(join(dir, `${store}-`));
  const database = store === 'postgres' ? await startDatabase(await findFreePort()) : null;
  return {
    store,
    dataDir: join(folder, 'data'),
    logPath: join(folder, 'server.log'),
    database,
    close: async () => database?.stop(),
  };
}

/** Starts Posthorn in a new home of its own, which ends with it. */
export async function startPosthorn(
  store: Store,
  settings: Record<string, string>,
  dir: string,
  profileDir: string | null,
): Promise<Posthorn> {
  const home = await openHome(store, dir);
  try {
    const posthorn = await startAt(home, settings, profileDir);
    const stopAll = async () => {
      try {
        await posthorn.stop();
      } finally {
        await home.close();
      }
    };
    return { ...posthorn, stop: stopAll };
  } catch (error) {
    await home.close();
    throw error;
  }
}

/** Starts Posthorn in a home that may have been used before. Its `stop` leaves the home as it is. */
export async function startAt(
  home: Home,
  settings: Record<string, string>,
  profileDir: string | null,
): Promise<Posthorn> {
  const { store, dataDir, logPath, database } = home;
  const port = await findFreePort();
  const token = randomBytes(12).toString('hex');
  const log = openSync(logPath, 'a');
  const startedAt = performance.now();
  const child = spawn('npm', ['start'], {
    cwd: root,
    stdio: ['ignore', log, log],
    env: {
      ...withoutSettings(process.env),
      POSTHORN_DATA_DIR: dataDir,
      POSTHORN_PORT: String(port),
      POSTHORN_ALLOWED_NETWORKS: '127.0.0.0/8',
      POSTHORN_ADMIN_TOKEN: token,
      ...settings,
      ...(database === null ? {} : { DATABASE_URL: database.url }),
      // Reaches the server and not npm itself, which may run on a Node that lacks these options.
      ...(profileDir === null ? {} : { npm_config_node_options: `--cpu-prof --cpu-prof-dir=${profileDir}` }),
    },
  });
  closeSync(log);
  await becomeReady(child, port, logPath);
  const readyMs = performance.now() - startedAt;

  const call = async (method: string, path: string, body?: unknown): Promise<unknown> => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${text}`);
    return text === '' ? null : JSON.parse(text);
  };

  return {
    store,
    port,
    token,
    pid: findYoungestDescendant(child.pid ?? 0),
    databasePid: database?.pid ?? null,
    dataPath: database?.dataPath ?? dataDir,
    readyMs,
    commits: () => readCommits(port),
    call,
    async subscribe(url, teamId) {
      const query = teamId === undefined ? '' : `?teamId=${teamId}`;
      return readId(await call('POST', `/v1/webhooks${query}`, { url, events: [eventType] }));
    },
    stop: () => stop(child, logPath),
  };
}

/** How many commits the store made so far. */
async function readCommits(port: number): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${port}/metrics`);
  return Number(/^posthorn_store_commits_total (\d+)/m.exec(await response.text())?.[1] ?? Number.NaN);
}

/** The id in an answer that made something. */
export function readId(answer: unknown): string {
  if (typeof answer === 'object' && answer !== null && 'id' in answer && typeof answer.id === 'string') {
    return answer.id;
  }
  throw new Error(`no id in ${JSON.stringify(answer)}`);
}

/** The environment without any setting of Posthorn that happens to be in it. */
function withoutSettings(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(env).filter(([name]) => !name.startsWith('POSTHORN_') && name !== 'DATABASE_URL'),
  );
}

async function becomeReady(child: ChildProcess, port: number, logPath: string): Promise<void> {
  const deadline = performance.now() + readyWithinMs;
  while (!(await isReady(port))) {
    if (child.exitCode !== null || performance.now() > deadline) {
      child.kill('SIGTERM');
      throw new Error(`npm start did not become ready:\n${readFileSync(logPath, 'utf8').slice(-2000)}`);
    }
    await delay(50);
  }
}

async function isReady(port: number): Promise<boolean> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/readyz`);
    await response.arrayBuffer();
    return response.status === 200;
  } catch {
    // Nothing listens yet.
    return false;
  }
}

async function stop(child: ChildProcess, logPath: string): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    const exited = once(child, 'exit', { signal: AbortSignal.timeout(stopWithinMs) });
    child.kill('SIGTERM');
    await exited;
  }
  if (child.exitCode !== 0) {
    const log = readFileSync(logPath, 'utf8').slice(-2000);
    throw new Error(`npm start ended with ${child.exitCode ?? child.signalCode}:\n${log}`);
  }
}

async function findFreePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no free port');
  return address.port;
}
