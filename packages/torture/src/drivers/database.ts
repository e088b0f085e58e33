// A real PostgreSQL of the run's own, whose sessions can be ended and which can be killed and started again.
import { createServer } from 'node:net';
import pg from 'pg';
import { type PostgresServer, startPostgres } from '../../../server/test/support/postgres-server.ts';

export interface TortureDatabase {
  url: string;
  server: PostgresServer;
  /** Ends some or all sessions of Posthorn’s, in the middle of whatever they do. Answers how many. */
  endSessions(share: number): Promise<number>;
}

export async function startDatabase(): Promise<TortureDatabase> {
  const server = await startPostgres(await freePort(), ['-c', 'max_connections=200']);
  const url = await server.createDatabase('posthorn');
  return {
    url,
    server,
    async endSessions(share) {
      const admin = new pg.Client({ connectionString: url });
      admin.on('error', () => {});
      await admin.connect();
      try {
        const { rowCount } = await admin.query(
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE application_name = 'posthorn' AND datname = current_database() AND random() <= $1`,
          [share],
        );
        return rowCount ?? 0;
      } finally {
        await admin.end();
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
