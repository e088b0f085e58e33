// Opens the SQLite file and brings its schema up to date. Durability first: WAL with synchronous=FULL, so that a
// commit that was answered survives a power cut.
import { DatabaseSync } from 'node:sqlite';
import { StoreError } from '../errors.ts';
import { type Migrated, missingFrom, readMigrations } from '../migrations.ts';
import { takeOwnership } from './ownership.ts';

/** Opens the file for reading only, on a connection of its own. */
export function openReader(path: string): DatabaseSync {
  const db = new DatabaseSync(path, { readOnly: true, timeout: 5_000 });
  db.exec('PRAGMA query_only = 1; PRAGMA cache_size = -32000; PRAGMA mmap_size = 268435456;');
  return db;
}

/**
 * Opens the file for writing and migrates it. Whoever calls it owns the file (ownership.ts).
 * @throws StoreError when another process has it, or when it was written by a newer version.
 */
export const openWriter = (path: string): DatabaseSync => open(path).db;

/**
 * Brings the schema up to date and does nothing else.
 * @param folder where the migrations are, for tests
 * @throws StoreError as `openWriter`, and when a Posthorn runs on the file
 */
export function migrateSqlite(path: string, folder?: URL): Migrated {
  const lock = takeOwnership(path);
  try {
    const { db, migrated } = open(path, folder);
    db.close();
    return migrated;
  } finally {
    lock.close();
  }
}

/**
 * Pages of 8 KiB in place of 16: a commit writes each page that it touched whole. At fan-out 1 and 10 8.4 and 2.5 KB were
 * written per delivery for 9.8 and 3.2, the processor time of the first was a seventh less; with 4 KiB 6.3 and 2.4 KB, and no
 * other gain. A store that is there keeps its own. A page cache of 24 MB is as fast as one of 64 in both,
 * and one of 16 as one of 24 (500,000 worked off at 14,900 and 15,300 a second, 15,400 and 14,900 with 24).
 * Checkpoints are not made by commits but by checkpoints.ts.
 */
function open(path: string, folder?: URL): { db: DatabaseSync; migrated: Migrated } {
  let db: DatabaseSync | null = null;
  try {
    db = new DatabaseSync(path, { timeout: 5_000 });
    db.exec(
      'PRAGMA page_size = 8192; PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;',
    );
    db.exec('PRAGMA cache_size = -16000; PRAGMA temp_store = MEMORY; PRAGMA wal_autocheckpoint = 0;');
    return { db, migrated: migrate(db, folder) };
  } catch (error) {
    db?.close();
    throw explain(error, path);
  }
}

/** What to say of a trouble with the file that the operator can mend; null for any other. */
export function troubleWith(path: string, text: string): string | null {
  if (/locked|busy/i.test(text)) {
    return `The database ${path} is in use by another process. Stop that one first, or choose another POSTHORN_DATA_DIR.`;
  }
  if (/not a database|malformed|corrupt/i.test(text)) {
    return `The database ${path} is damaged (${text}). Restore it from a backup with "posthorn restore <file>", which keeps the damaged one, or choose another POSTHORN_DATA_DIR.`;
  }
  if (/\bfull\b|no space/i.test(text)) {
    return `There is no room on the disk of the database ${path} (${text}). Make room there; nothing is lost meanwhile.`;
  }
  if (/readonly|read-only|unable to open|i\/o error/i.test(text)) {
    return `The database ${path} can't be written (${text}). See that this user may write it and its directory, or choose another POSTHORN_DATA_DIR.`;
  }
  return null;
}

/** What to say of a file that could not be opened. */
export function explain(error: unknown, path: string): StoreError {
  if (error instanceof StoreError) return error;
  const text = error instanceof Error ? error.message : String(error);
  return new StoreError(
    troubleWith(path, text) ?? `The database ${path} can't be brought up to date: ${text}.`,
  );
}

/** Each migration runs once, in its own transaction: a start that is killed leaves whole ones, and the next goes on. */
function migrate(db: DatabaseSync, folder: URL | undefined): Migrated {
  const all = readMigrations('sqlite', folder);
  db.exec(
    'CREATE TABLE IF NOT EXISTS migrations (number INTEGER PRIMARY KEY, name TEXT NOT NULL, at INTEGER NOT NULL)',
  );
  const applied = db.prepare('SELECT number, name FROM migrations ORDER BY number').all();
  const missing = missingFrom(all, applied as { number: number; name: string }[]);
  for (const { number, name, sql } of missing) {
    db.exec('BEGIN IMMEDIATE');
    // A migration may put a rule in other words where the schema keeps its text.
    db.enableDefensive(false);
    try {
      db.exec(sql);
      db.prepare("INSERT INTO migrations (number, name, at) VALUES (?, ?, unixepoch('subsec') * 1000)").run(
        number,
        name,
      );
      db.exec('COMMIT');
    } catch (error) {
      if (db.isTransaction) db.exec('ROLLBACK');
      throw error;
    } finally {
      db.enableDefensive(true);
    }
  }
  return { ran: missing.map(({ name }) => name), schema: all.length };
}
