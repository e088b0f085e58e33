// What the command line does to a store besides starting a node on it: migrate, back up, restore. Each answers what it
// did, for the person who asked.
import { join } from 'node:path';
import { systemClock } from './clock.ts';
import { readSettings, type Settings } from './config.ts';
import { databaseFile, findSecretKeys, keyFileName, prepareDataDir } from './first-start.ts';
import { keyRow } from './platform/reseal.ts';
import { StoreError } from './store/errors.ts';
import type { Migrated } from './store/migrations.ts';
import { migratePostgres } from './store/open.ts';
import { backUp, type Copy, restore } from './store/sqlite/copies.ts';
import { migrateSqlite } from './store/sqlite/open.ts';
import { Vault } from './vault.ts';

type Environment = Record<string, string | undefined>;

/**
 * Brings the schema up to date and does nothing else.
 * @throws SettingsError, StartError, StoreError with one sentence for the operator
 */
export async function migrateStore(env: Environment): Promise<string> {
  const settings = readSettings(env);
  if (settings.databaseUrl !== null) {
    const { host, pathname } = new URL(settings.databaseUrl);
    return tell(`The database ${pathname.slice(1)} on ${host}`, await migratePostgres(settings));
  }
  // A store without its keys would not start.
  prepareDataDir(settings);
  const path = storePath(settings);
  return tell(`The store ${path}`, migrateSqlite(path));
}

function tell(store: string, { ran, schema }: Migrated): string {
  return ran.length === 0
    ? `${store} has schema ${schema} already; there was nothing to do.\n`
    : `${store} now has schema ${schema}. Ran ${ran.join(', ')}.\n`;
}

const storePath = (settings: Settings): string => join(settings.dataDir, databaseFile);

const copyOf = ({ schema, events, pending, bytes }: Copy): string =>
  `schema ${schema}, ${events} events, ${pending} unfinished deliveries, ${(bytes / 1_048_576).toFixed(1)} MiB`;

/**
 * Copies the store into `file` while a server may run on it.
 * @throws SettingsError, StoreError with one sentence for the operator
 */
export async function backUpStore(env: Environment, file: string): Promise<string> {
  const settings = readSettings(env);
  if (settings.databaseUrl !== null) {
    throw new StoreError(
      'The store is in PostgreSQL, which makes its own backups: run pg_dump --format=custom --file=<file> "$DATABASE_URL", and keep the secret key apart from it.',
    );
  }
  const copy = await backUp(storePath(settings), file);
  const key = settings.secretKeys.length > 0 ? 'POSTHORN_SECRET_KEY' : join(settings.dataDir, keyFileName);
  return `The backup ${file} is whole: ${copyOf(copy)}.
Keep the secret key (${key}) too, apart from it: without the key the secrets in it can't be opened.
`;
}

/**
 * Puts a backup in the store's place; the old store is kept beside it, unless `force`.
 * @throws SettingsError, StartError, StoreError with one sentence for the operator
 */
export async function restoreStore(env: Environment, file: string, force: boolean): Promise<string> {
  const settings = readSettings(env);
  if (settings.databaseUrl !== null) {
    throw new StoreError(
      'The store is in PostgreSQL, which restores its own backups: stop every node, make an empty database, run pg_restore --no-owner --dbname="$DATABASE_URL" <file>, and start with the secret key of then.',
    );
  }
  const path = storePath(settings);
  const stamp = new Date(systemClock.now()).toISOString().replaceAll(/[-:]|\.\d+/g, '');
  const keys = findSecretKeys(settings);
  const { copy, kept } = await restore({ path, file, force, stamp });
  const fingerprint = copy.meta.get(keyRow);
  const fits = fingerprint === undefined || (keys.length > 0 && new Vault(keys).hasKey(fingerprint));
  const lines = [
    `The store ${path} is the one of ${file}: ${copyOf(copy)}.`,
    ...(kept === null ? [] : [`The store that was there is kept as ${kept}.`]),
    fits
      ? 'Start Posthorn: what was unfinished then is sent again.'
      : `Its secrets were encrypted with another key than this server's: before the start put the key of then into ${join(settings.dataDir, keyFileName)}, or into POSTHORN_SECRET_KEY.`,
  ];
  return `${lines.join('\n')}\n`;
}
