// A real PostgreSQL of the run's own, whose sessions can be ended and which can be killed and started again.
import { createServer } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { type PostgresServer, startPostgres } from '../../../server/test/support/postgres-server.ts';

export interface TortureDatabase {
  url: string;
  server: PostgresServer;
  /** Ends some or all sessions of Posthorn’s, in the middle of whatever they do. */
  endSessions(share: number): Promise<void>;
  /** Kills the process behind one of Posthorn’s sessions with SIGKILL. */
  killBackend(choose: (pids: number[]) => number): Promise<void>;
  /** Resolves when it takes connections. */
  whenReady(): Promise<void>;
}

const ours = "application_name = 'posthorn' AND datname = current_database()";

export async function startDatabase(): Promise<TortureDatabase> {
  const server = await startPostgres(await freePort(), ['-c', 'max_connections=200']);
  const url = await server.createDatabase('posthorn');
  const ask = async (sql: string, values: unknown[] = []) => {
    const admin = new pg.Client({ connectionString: url });
    admin.on('error', () => {});
    await admin.connect();
    try {
      return (await admin.query<{ pid: number }>(sql, values)).rows;
    } finally {
      await admin.end();
    }
  };
  return {
    url,
    server,
    async endSessions(share) {
      await ask(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE ${ours} AND random() <= $1`, [
        share,
      ]);
    },
    async killBackend(choose) {
      const pids = (await ask(`SELECT pid FROM pg_stat_activity WHERE ${ours}`)).map(({ pid }) => pid);
      if (pids.length > 0) process.kill(choose(pids), 'SIGKILL');
    },
    async whenReady() {
      for (;;) {
        const isReady = await ask('SELECT 1').then(
          () => true,
          () => false,
        );
        if (isReady) return;
        await pause(50);
      }
    },
  };
}

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
