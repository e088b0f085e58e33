// The numbered migrations of both dialects, forward only, and which of them a store still needs.
import { readdirSync, readFileSync } from 'node:fs';
import { StoreError } from './errors.ts';

const folderOfOurs = new URL('./migrations/', import.meta.url);

export interface Migration {
  number: number;
  /** The file's name. */
  name: string;
  sql: string;
}

/** What bringing a schema up to date did: the names of the files that were run, in order, and where it stands now. */
export interface Migrated {
  ran: string[];
  schema: number;
}

/** Every migration of a dialect, in order. @throws StoreError when the numbers have a gap */
export function readMigrations(dialect: 'sqlite' | 'postgres', folder = folderOfOurs): Migration[] {
  const names = readdirSync(folder)
    .filter((name) => name.endsWith(`.${dialect}.sql`))
    .toSorted();
  return names.map((name, index) => {
    const number = Number.parseInt(name, 10);
    if (number !== index + 1) {
      throw new StoreError(
        `This installation of Posthorn is not whole: of its migrations number ${index + 1} is missing. Install it anew.`,
      );
    }
    return { number, name, sql: readFileSync(new URL(name, folder), 'utf8') };
  });
}

/**
 * The migrations that a store still needs.
 * @param applied what its table of migrations says, in the order of the numbers
 * @throws StoreError when the store is newer than this Posthorn, or not of its line
 */
export function missingFrom(
  all: readonly Migration[],
  applied: readonly { number: number; name: string }[],
): Migration[] {
  const newest = applied.at(-1)?.number ?? 0;
  if (newest > all.length) {
    throw new StoreError(
      `The database was written by a newer Posthorn (schema ${newest}, this one knows ${all.length}). Start that version, or restore a backup.`,
    );
  }
  for (const [index, { number, name }] of applied.entries()) {
    if (number !== index + 1) {
      throw new StoreError(
        `The database has schema ${newest}, but migration ${index + 1} was never run on it, so nobody can say what it holds. Restore a backup.`,
      );
    }
    const known = all[index]?.name;
    if (known !== name) {
      throw new StoreError(
        `The database was written by another build of Posthorn: its migration ${number} is ${name}, here it is ${known}. Start that build, or restore a backup.`,
      );
    }
  }
  return all.slice(applied.length);
}
