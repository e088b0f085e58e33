// One process at a time has the SQLite file: it holds a lock on a file beside it, which the system lets go of when the
// process ends, however it ends.
import { DatabaseSync } from 'node:sqlite';
import { StoreError } from '../errors.ts';

/**
 * Keeps every other process off the file until the answer is closed.
 * @throws StoreError when another process has it, or the folder can't be written
 */
export function takeOwnership(path: string): DatabaseSync {
  let lock: DatabaseSync | null = null;
  try {
    lock = new DatabaseSync(`${path}.lock`, { timeout: 0 });
    lock.exec('BEGIN EXCLUSIVE');
    return lock;
  } catch (error) {
    lock?.close();
    const text = error instanceof Error ? error.message : String(error);
    if (/locked|busy/i.test(text)) {
      throw new StoreError(
        `Another Posthorn is running on ${path}. Stop that one first, or choose another POSTHORN_DATA_DIR.`,
      );
    }
    throw new StoreError(
      `The file ${path}.lock can't be written (${text}). See that this user may write in that directory and that its disk has room, or choose another POSTHORN_DATA_DIR.`,
    );
  }
}
