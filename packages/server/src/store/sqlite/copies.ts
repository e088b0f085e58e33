// Copies of a SQLite store: made while a server runs on it, judged, and put back in place. A copy is the store of one
// moment; what is half done here (killed, disk full) leaves nothing under the name that was asked for.
import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { dirname, resolve } from 'node:path';
import { backup, DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { systemClock as clock } from '../../clock.ts';
import { StoreError } from '../errors.ts';
import { missingFrom, readMigrations } from '../migrations.ts';
import { takeOwnership } from './ownership.ts';

/** What is known of a copy that has been judged good. */
export interface Copy {
  schema: number;
  events: number;
  /** Deliveries that are not finished. */
  pending: number;
  bytes: number;
  /** The rows of `meta`. */
  meta: Map<string, string>;
}

/**
 * Pages that are copied in one go (of 8 KiB: 1 MiB), and how long the copy then rests, in parts of the time that took:
 * a server on the same disk and the same two cores keeps the other half. Publish latency at 200 events/s beside the copy
 * of a store of 130 MiB is printed by test/backup.test.ts.
 */
const pagesAtOnce = 128;
const restParts = 1;

const words = new Int32Array(new SharedArrayBuffer(4));
/** Holds this thread up, and with it the copy: the next pages are asked for when it returns. */
const pause = (ms: number) => Atomics.wait(words, 0, 0, ms);
const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** A connection that changes nothing, not even beside the file where there is no log to be read with it. */
function openAsItIs(file: string): DatabaseSync {
  const log = `${file}-wal`;
  const hasLog = existsSync(log) && statSync(log).size > 0;
  const url = pathToFileURL(file);
  url.search = hasLog ? '' : '?immutable=1';
  return new DatabaseSync(url, { readOnly: true, timeout: 5_000 });
}

/** Copies the store as it is at this moment into `draft`, page by page, resting where others work. */
async function copyPages(from: DatabaseSync, draft: string, rests: boolean): Promise<void> {
  closeSync(openSync(draft, 'wx', 0o600));
  // A snapshot: without it each commit of the server would make the copy begin again.
  from.exec('BEGIN');
  from.prepare('SELECT count(*) FROM sqlite_schema').get();
  let startedAt = clock.monotonic();
  await backup(from, draft, {
    rate: pagesAtOnce,
    progress() {
      if (rests) pause((clock.monotonic() - startedAt) * restParts);
      startedAt = clock.monotonic();
    },
  });
  from.exec('COMMIT');
  syncPath(draft);
}

function syncPath(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/**
 * Copies the store into a new file, which a server on the store hardly notices.
 * @throws StoreError when there is no store, the file is there already, or the copy could not be made whole
 */
export async function backUp(path: string, file: string): Promise<Copy> {
  if (!existsSync(path)) {
    throw new StoreError(
      `There is no store at ${path}. Set POSTHORN_DATA_DIR to the server's data directory.`,
    );
  }
  if (existsSync(file)) throw new StoreError(`${file} is there already. Give the backup another name.`);
  const draft = `${file}.part`;
  try {
    rmSync(draft, { force: true });
    const from = new DatabaseSync(path, { readOnly: true, timeout: 5_000 });
    try {
      await copyPages(from, draft, true);
    } finally {
      from.close();
    }
    const copy = judge(draft, `The store ${path}`);
    linkSync(draft, file);
    rmSync(draft);
    syncPath(dirname(resolve(file)));
    return copy;
  } catch (error) {
    rmSync(draft, { force: true });
    if (error instanceof StoreError) throw error;
    throw new StoreError(
      `The backup ${file} could not be made (${textOf(error)}). See that its directory can be written and has room for a file of the store's size.`,
    );
  }
}

/**
 * Whether a file is a whole store that this Posthorn can start on.
 * @param name how the file is called in the sentence of the error
 * @throws StoreError when it is not
 */
function judge(file: string, name: string): Copy {
  let db: DatabaseSync | null = null;
  try {
    db = openAsItIs(file);
    const verdict = db.prepare('PRAGMA quick_check(1)').get() as { quick_check: string };
    if (verdict.quick_check !== 'ok')
      throw new Error(verdict.quick_check.replaceAll(/\*+[^*]*\*+\s*|\n/g, ''));
    const { tables } = db
      .prepare(
        `SELECT count(*) AS tables FROM sqlite_schema
          WHERE type = 'table' AND name IN ('migrations', 'meta', 'events', 'deliveries', 'attempts', 'pending')`,
      )
      .get() as { tables: number };
    if (tables < 6) {
      throw new StoreError(
        `${name} is a SQLite database, but not a store of Posthorn's. Give the right file.`,
      );
    }
    const applied = db.prepare('SELECT number, name FROM migrations ORDER BY number').all();
    missingFrom(readMigrations('sqlite'), applied as { number: number; name: string }[]);
    const meta = db.prepare('SELECT name, value FROM meta').all() as { name: string; value: string }[];
    const counted = db
      .prepare(
        `SELECT (SELECT count(*) FROM events) AS events,
                (SELECT count(*) FROM pending) + (SELECT count(*) FROM born) AS pending`,
      )
      .get() as { events: number; pending: number };
    return {
      ...counted,
      schema: applied.length,
      bytes: statSync(file).size,
      meta: new Map(meta.map(({ name: key, value }) => [key, value])),
    };
  } catch (error) {
    if (error instanceof StoreError) throw error;
    throw new StoreError(`${name} is damaged (${textOf(error)}). Use another backup.`);
  } finally {
    db?.close();
  }
}

const header = 'SQLite format 3\0';

function hasHeader(file: string): boolean {
  const bytes = Buffer.alloc(header.length);
  const fd = openSync(file, 'r');
  try {
    readSync(fd, bytes);
  } finally {
    closeSync(fd);
  }
  return bytes.toString('latin1') === header;
}

/** @throws StoreError when there is no such file or it is no SQLite database at all */
function demandDatabase(file: string): void {
  let isDatabase: boolean;
  try {
    isDatabase = hasHeader(file);
  } catch (error) {
    throw new StoreError(`The backup ${file} can't be read (${textOf(error)}). Give the right file.`);
  }
  if (!isDatabase) {
    throw new StoreError(
      `${file} is no backup of Posthorn's: it is not a SQLite database. Give the right file.`,
    );
  }
}

export interface Restoring {
  /** Where the store belongs. */
  path: string;
  file: string;
  /** Does away with the store that is there, which is else kept under another name. */
  force: boolean;
  /** Ends the name that the old store is kept under. */
  stamp: string;
}

/**
 * Puts a backup in the store's place. The old store is kept beside it, and stays in place until the new one is whole.
 * @returns the copy, and where the old store is (null: there was none, or it was not wanted)
 * @throws StoreError when a server runs on the store or the file is not a store that can be started
 */
export async function restore({
  path,
  file,
  force,
  stamp,
}: Restoring): Promise<{ copy: Copy; kept: string | null }> {
  demandDatabase(file);
  if (resolve(file) === resolve(path))
    throw new StoreError(`${file} is the store itself. Give a backup of it.`);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const lock = takeOwnership(path);
  const draft = `${path}.restoring`;
  try {
    for (const end of ['', '-journal', '-wal', '-shm']) rmSync(draft + end, { force: true });
    const from = openAsItIs(file);
    try {
      await copyPages(from, draft, false);
    } finally {
      from.close();
    }
    const copy = judge(draft, `The backup ${file}`);
    return { copy, kept: putInPlace(draft, path, force ? null : `${path}.before-${stamp}`) };
  } catch (error) {
    rmSync(draft, { force: true });
    if (error instanceof StoreError) throw error;
    const text = textOf(error);
    throw new StoreError(
      /malformed|not a database|corrupt/i.test(text)
        ? `The backup ${file} is damaged (${text}). Use another backup; nothing was changed.`
        : `The backup ${file} could not be restored (${text}); the store is as it was. See that its directory can be written and has room.`,
    );
  } finally {
    lock.close();
  }
}

/**
 * The old store's log is folded into it first, so that it is one whole file; then the new one takes the name at one stroke.
 * A damaged store's log can't be folded in, and is kept beside it.
 */
function putInPlace(draft: string, path: string, keptName: string | null): string | null {
  if (!existsSync(path)) {
    for (const end of ['-wal', '-shm']) rmSync(path + end, { force: true });
    renameSync(draft, path);
    syncPath(dirname(path));
    return null;
  }
  if (hasHeader(path)) foldLog(path);
  if (keptName === null) rmSync(`${path}-wal`, { force: true });
  else {
    linkSync(path, keptName);
    if (existsSync(`${path}-wal`)) renameSync(`${path}-wal`, `${keptName}-wal`);
  }
  rmSync(`${path}-shm`, { force: true });
  renameSync(draft, path);
  syncPath(dirname(path));
  return keptName;
}

/** Has SQLite write the log into the file. Where it can't, both are kept as they are. */
function foldLog(path: string): void {
  let old: DatabaseSync | null = null;
  try {
    old = new DatabaseSync(path, { timeout: 0 });
    old.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  } catch {
    // Damaged.
  } finally {
    old?.close();
  }
}
