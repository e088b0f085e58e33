// A PostgreSQL of its own for a run, with default durability, its data on the disk of the system's temporary files.
import { startPostgres } from '../packages/server/test/support/postgres-server.ts';

export interface Database {
  url: string;
  /** The server's first process, whose children do the work. */
  pid: number;
  stop(): Promise<void>;
}

/** Starts a server on `port` with an empty database. */
export async function startDatabase(port: number): Promise<Database> {
  const { pid, createDatabase, stop } = await startPostgres(port);
  return { url: await createDatabase('posthorn'), pid, stop };
}
