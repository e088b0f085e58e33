// A database for a test: one server for a test process, on a port of its own, started when it is first needed.
import { createServer } from 'node:net';
import { after } from 'node:test';
import { startPostgres } from './postgres-server.ts';

export interface Database {
  url: string;
}

let server: ReturnType<typeof start> | null = null;
let count = 0;

/** A port of loopback that nobody listens on. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const bound = probe.address();
      probe.close(() => resolve(typeof bound === 'object' && bound !== null ? bound.port : 0));
    });
  });
}

const start = async () => startPostgres(await freePort(), ['-c', 'max_connections=200']);

after(async () => {
  const started = await server?.catch(() => null);
  await started?.stop();
});

/** Creates an empty database. */
export async function createDatabase(): Promise<Database> {
  server ??= start();
  const started = await server;
  return { url: await started.createDatabase(`posthorn_${++count}`) };
}
