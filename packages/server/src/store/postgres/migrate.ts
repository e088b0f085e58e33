// Migrations on PostgreSQL: numbered, forward only, under an advisory lock, so that of nodes that start together one
// does them and the others wait. Partitions of history are made here too, a week ahead, and again by the keeper.
import { StoreError } from '../errors.ts';
import { type Migrated, type Migration, missingFrom, readMigrations } from '../migrations.ts';
import { type Connections, type Run, stateOf } from './connection.ts';
import { firstNumberAt } from './numbers.ts';
import { demandRights } from './rights.ts';

/** Any number that is ours: 'posthorn' read as hexadecimal of its first letters. */
const lockNumber = 0x70_6f_73_74;
const dayMs = 86_400_000;
const daysAhead = 7;
/** A migration, or the wait for another node's, may take as long as it takes. */
const anyTimeMs = 2_147_483_647;
/**
 * A change of a table waits this long for those who use it, while others wait behind it; then it lets them pass and tries
 * again. So a transaction that was left open delays the change, and the change does not stop the version before, whose
 * publishers wait for a second and a half.
 */
const tableLockMs = 300;
const pauseSeconds = 1;
const mostTries = 60;
const lockNotAvailable = '55P03';

const plain = (run: Run, text: string, values: unknown[] = []) =>
  run({ name: null, text, values, deadlineMs: anyTimeMs });

/**
 * Brings the schema up to date: all that is missing, or nothing.
 * @throws StoreError when the server is too old, the schema is of a newer Posthorn, or this user lacks rights
 */
export async function migrate(connections: Connections): Promise<Migrated> {
  const { rows } = await connections.run({ name: null, text: 'SHOW server_version_num', values: [] });
  const version = Number((rows[0] as { server_version_num: string }).server_version_num);
  if (version < 150_000) {
    throw new StoreError(
      `The PostgreSQL server is version ${Math.floor(version / 10_000)}. Posthorn needs 15 or newer.`,
    );
  }
  for (let tries = 1; ; tries++) {
    try {
      return await connections.transaction((run) => migrateOnce(run));
    } catch (error) {
      if (stateOf(error) !== lockNotAvailable) throw error;
      if (tries === mostTries) {
        throw new StoreError(
          'The migration could not lock a table: something has used it for more than a minute. Look in pg_stat_activity for a transaction that was left open, end it, and start again.',
        );
      }
      // In the server: a timer of ours would not keep a process that has nothing else to do yet.
      await connections.run({ name: null, text: `SELECT pg_sleep(${pauseSeconds})`, values: [] });
    }
  }
}

const tablesOf = (all: Migration[]): string[] => [
  'migrations',
  ...all.flatMap(({ sql }) => [...sql.matchAll(/^CREATE TABLE (\w+)/gm)].map(([, name]) => name ?? '')),
];

async function migrateOnce(run: Run): Promise<Migrated> {
  await plain(run, 'SET LOCAL lock_timeout = 0');
  await plain(run, 'SET LOCAL statement_timeout = 0');
  await plain(run, 'SELECT pg_advisory_xact_lock($1)', [lockNumber]);
  await plain(run, `SET LOCAL lock_timeout = ${tableLockMs}`);
  const all = readMigrations('postgres');
  await demandRights(run, tablesOf(all));
  await plain(
    run,
    'CREATE TABLE IF NOT EXISTS migrations (number int PRIMARY KEY, name text NOT NULL, at bigint NOT NULL)',
  );
  const applied = await plain(run, 'SELECT number, name FROM migrations ORDER BY number');
  const missing = missingFrom(all, applied.rows as { number: number; name: string }[]);
  for (const { number, name, sql } of missing) {
    await plain(run, sql);
    await plain(
      run,
      'INSERT INTO migrations (number, name, at) VALUES ($1, $2, floor(extract(epoch FROM now()) * 1000))',
      [number, name],
    );
  }
  await makePartitions(run);
  return { ran: missing.map(({ name }) => name), schema: all.length };
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
