// Which store there is: PostgreSQL where DATABASE_URL is set, else SQLite in the data directory. Everything above knows
// only the seam in store.ts. The one in use is loaded alone.
import { StoreError } from './errors.ts';
import type { Migrated } from './migrations.ts';
import type { PostgresAttachment } from './postgres/sender.ts';
import type { SqliteAttachment } from './sqlite/deliveries.ts';
import type { DeliveryStore, Store } from './store.ts';

/** A publisher waits no longer than this for a session with the database. */
const mostConnectMs = 1_000;

export interface StoreOptions {
  /** The SQLite file, used where there is no `databaseUrl`. */
  path: string;
  databaseUrl: string | null;
  /** Sessions with PostgreSQL that each of the two threads may have. */
  databaseConnections: number;
  databaseTimeoutMs: number;
  /** Epoch ms, for what is due at once because the process before died. */
  now: number;
  /** Whether this process sends; else what it accepts waits for one that does. */
  delivers: boolean;
}

/** What another thread of this process needs for a delivering half of its own; `port` is to be transferred. */
export type StoreAttachment = SqliteAttachment | PostgresAttachment;

/** The whole store, which can also connect another thread of this process. */
export type OpenedStore = Store & { connect(): StoreAttachment };

/**
 * Opens the store and brings its schema up to date.
 * @throws StoreError with a sentence for the operator
 */
export async function openStore(options: StoreOptions): Promise<OpenedStore> {
  const { path, databaseUrl, now, delivers } = options;
  if (databaseUrl === null) {
    const { openSqliteStore } = await import('./sqlite/client.ts');
    return openSqliteStore({ path, now, delivers });
  }
  const { openPostgresStore } = await import('./postgres/client.ts');
  return openPostgresStore({ connection: connectionOf(databaseUrl, options), now, delivers });
}

const connectionOf = (
  url: string,
  { databaseConnections, databaseTimeoutMs }: Pick<StoreOptions, 'databaseConnections' | 'databaseTimeoutMs'>,
) => ({
  url,
  size: databaseConnections,
  deadlineMs: databaseTimeoutMs,
  connectMs: Math.min(mostConnectMs, databaseTimeoutMs),
});

/**
 * Brings the schema of the PostgreSQL store up to date and does nothing else.
 * @throws StoreError with a sentence for the operator
 */
export async function migratePostgres(
  options: Pick<StoreOptions, 'databaseUrl' | 'databaseConnections' | 'databaseTimeoutMs'>,
): Promise<Migrated> {
  if (options.databaseUrl === null) throw new StoreError('DATABASE_URL is not set.');
  const { migratePostgresStore } = await import('./postgres/client.ts');
  return migratePostgresStore(connectionOf(options.databaseUrl, options));
}

/** The delivering half of the store, in the thread that was given an attachment. */
export async function attachDeliveryStore(attachment: StoreAttachment): Promise<DeliveryStore> {
  if (attachment.kind === 'sqlite') {
    const sqlite = await import('./sqlite/deliveries.ts');
    return sqlite.attachDeliveryStore(attachment);
  }
  const { attachPostgres } = await import('./postgres/sender.ts');
  return attachPostgres(attachment);
}
