// Migrations on PostgreSQL: numbered, forward only, under an advisory lock, so that of nodes that start together one
// does them and the others wait. Partitions of history are made here too, a week ahead, and again by the keeper.
import { readdirSync, readFileSync } from 'node:fs';
import { StoreError } from '../errors.ts';
import type { Connections, Run } from './connection.ts';
import { firstNumberAt } from './numbers.ts';

const migrationsFolder = new URL('../migrations/', import.meta.url);
/** Any number that is ours: 'posthorn' read as hexadecimal of its first letters. */
const lockNumber = 0x70_6f_73_74;
const dayMs = 86_400_000;
const daysAhead = 7;

const plain = (run: Run, text: string, values: unknown[] = []) => run({ name: null, text, values });

/**
 * Brings the schema up to date.
 * @throws StoreError when the server is too old, or the schema is of a newer Posthorn
 */
export async function migrate(connections: Connections): Promise<void> {
  const { rows } = await connections.run({ name: null, text: 'SHOW server_version_num', values: [] });
  const version = Number((rows[0] as { server_version_num: string }).server_version_num);
  if (version < 150_000) {
    throw new StoreError(
      `The PostgreSQL server is version ${Math.floor(version / 10_000)}. Posthorn needs 15 or newer.`,
    );
  }
  await connections.transaction(async (run) => {
    await plain(run, 'SET LOCAL lock_timeout = 0');
    await plain(run, 'SET LOCAL statement_timeout = 0');
    await plain(run, 'SELECT pg_advisory_xact_lock($1)', [lockNumber]);
    await plain(
      run,
      'CREATE TABLE IF NOT EXISTS migrations (number int PRIMARY KEY, name text NOT NULL, at bigint NOT NULL)',
    );
    const known = await plain(run, 'SELECT coalesce(max(number), 0) AS number FROM migrations');
    const current = (known.rows[0] as { number: number }).number;
    const files = readdirSync(migrationsFolder)
      .filter((name) => name.endsWith('.postgres.sql'))
      .toSorted();
    const newest = Number.parseInt(files.at(-1) ?? '0', 10);
    if (current > newest) {
      throw new StoreError(
        `The database was written by a newer Posthorn (schema ${current}, this one knows ${newest}). Start that version, or restore a backup.`,
      );
    }
    for (const name of files) {
      const number = Number.parseInt(name, 10);
      if (number <= current) continue;
      await plain(run, readFileSync(new URL(name, migrationsFolder), 'utf8'));
      await plain(
        run,
        'INSERT INTO migrations (number, name, at) VALUES ($1, $2, floor(extract(epoch FROM now()) * 1000))',
        [number, name],
      );
    }
    await makePartitions(run);
  });
}

/** Makes the partitions of today and the days to come that are missing. In a transaction. */
async function makePartitions(run: Run): Promise<void> {
  const { rows } = await plain(run, 'SELECT floor(extract(epoch FROM now()) * 1000)::int8 AS now');
  const today = Math.floor((rows[0] as { now: number }).now / dayMs);
  const there = await plain(run, "SELECT relname FROM pg_class WHERE relname LIKE 'events\\_p%'");
  const names = new Set(there.rows.map(({ relname }) => relname));
  for (let day = today; day <= today + daysAhead; day++) {
    const name = new Date(day * dayMs).toISOString().slice(0, 10).replaceAll('-', '');
    if (names.has(`events_p${name}`)) continue;
    const bound = (at: number) => firstNumberAt(at * dayMs);
    for (const table of ['events', 'deliveries', 'attempts']) {
      await plain(
        run,
        `CREATE TABLE ${table}_p${name} PARTITION OF ${table} FOR VALUES FROM (${bound(day)}) TO (${bound(day + 1)})`,
      );
    }
  }
}

/** Makes partitions ahead; whoever comes second finds them there. */
export async function keepPartitions(connections: Connections): Promise<void> {
  await connections.transaction(async (run) => {
    await plain(run, 'SELECT pg_advisory_xact_lock($1)', [lockNumber]);
    await makePartitions(run);
  });
}
