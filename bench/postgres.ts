// A PostgreSQL of its own for a run, with default durability and the one setting that docs/postgres.md asks for, its data on the
// disk of the system's temporary files.
import { tmpdir } from 'node:os';
import { startPostgres } from '../packages/server/test/support/postgres-server.ts';

const settings = ['-c', 'backend_flush_after=256kB'];

export interface Database {
  url: string;
  /** The server's first process, whose children do the work. */
  pid: number;
  /** On the disk that it writes to. */
  dataPath: string;
  stop(): Promise<void>;
}

/** Starts a server on `port` with an empty database. */
export async function startDatabase(port: number): Promise<Database> {
  const { pid, createDatabase, stop } = await startPostgres(port, settings);
  return { url: await createDatabase('posthorn'), pid, dataPath: tmpdir(), stop };
}
