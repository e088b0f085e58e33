// Opens the SQLite file and brings its schema up to date. Durability first: WAL with synchronous=FULL, so that a
// commit that was answered survives a power cut.
import { readdirSync, readFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { StoreError } from '../errors.ts';

const migrationsFolder = new URL('../migrations/', import.meta.url);

/** Opens the file for reading only, on a connection of its own. */
export function openReader(path: string): DatabaseSync {
  const db = new DatabaseSync(path, { readOnly: true, timeout: 5_000 });
  db.exec('PRAGMA query_only = 1; PRAGMA cache_size = -32000; PRAGMA mmap_size = 268435456;');
  return db;
}

/**
 * Opens the file for writing, takes it for this process alone, and migrates it.
 * @throws StoreError when another process has it, or when it was written by a newer version.
 */
export function openWriter(path: string): DatabaseSync {
  const db = new DatabaseSync(path, { timeout: 5_000 });
  try {
    db.exec(
      'PRAGMA page_size = 16384; PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;',
    );
    db.exec('PRAGMA cache_size = -65536; PRAGMA temp_store = MEMORY; PRAGMA wal_autocheckpoint = 4000;');
    migrate(db);
  } catch (error) {
    db.close();
    throw explain(error, path);
  }
  return db;
}

function explain(error: unknown, path: string): Error {
  const text = error instanceof Error ? error.message : String(error);
  if (error instanceof StoreError) return error;
  if (/locked|busy/i.test(text)) {
    return new StoreError(
      `The database ${path} is in use by another process. Stop that one first, or choose another POSTHORN_DATA_DIR.`,
    );
  }
  if (/not a database|malformed|corrupt/i.test(text)) {
    return new StoreError(
      `The database ${path} is damaged (${text}). Restore it from a backup, or choose another POSTHORN_DATA_DIR.`,
    );
  }
  return new StoreError(`The database ${path} can't be opened for writing: ${text}.`);
}

/** Numbered, forward only: each file runs once, in its own transaction. */
function migrate(db: DatabaseSync): void {
  db.exec(
    'CREATE TABLE IF NOT EXISTS migrations (number INTEGER PRIMARY KEY, name TEXT NOT NULL, at INTEGER NOT NULL)',
  );
  const row = db.prepare('SELECT coalesce(max(number), 0) AS version FROM migrations').get() as {
    version: number;
  };
  const files = readdirSync(migrationsFolder)
    .filter((name) => name.endsWith('.sqlite.sql'))
    .toSorted();
  const newest = files.length === 0 ? 0 : Number.parseInt(files.at(-1) ?? '0', 10);
  if (row.version > newest) {
    throw new StoreError(
      `The database was written by a newer Posthorn (schema ${row.version}, this one knows ${newest}). Start that version, or restore a backup.`,
    );
  }
  for (const name of files) {
    const number = Number.parseInt(name, 10);
    if (number <= row.version) continue;
    db.exec('BEGIN IMMEDIATE');
    try {
      db.exec(readFileSync(new URL(name, migrationsFolder), 'utf8'));
      db.prepare("INSERT INTO migrations (number, name, at) VALUES (?, ?, unixepoch('subsec') * 1000)").run(
        number,
        name,
      );
      db.exec('COMMIT');
    } catch (error) {
      db.exec('ROLLBACK');
      throw error;
    }
  }
}
