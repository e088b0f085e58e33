// Passwords in the store: only their hashes, apart from the users.
import type { Step, Store } from '../store.ts';
import type { NewRow, Row } from './tables.ts';

export async function findPassword(store: Store, userId: string): Promise<Row<'passwords'> | null> {
  const rows = await store.read(
    store.queries.selectFrom('passwords').selectAll().where('user_id', '=', userId).compile(),
  );
  return rows[0] ?? null;
}

/** Gives a user their first password; fails with `password` where there is one already. */
export function insertPassword(store: Store, row: NewRow<'passwords'>): Step {
  return {
    query: store.queries.insertInto('passwords').values(row).compile(),
    rows: 1,
    otherwise: 'password',
  };
}

/** Replaces a password; fails with `password` where it is not the one that was read. */
export function replacePassword(store: Store, read: Row<'passwords'>, hash: string, at: number): Step {
  return {
    query: store.queries
      .updateTable('passwords')
      .set({ hash, changed_at: at })
      .where('user_id', '=', read.user_id)
      .where('hash', '=', read.hash)
      .compile(),
    rows: 1,
    otherwise: 'password',
  };
}

/** Makes sure that a password is still the one that was read; fails with `password`. */
export const holdPassword = (store: Store, read: Row<'passwords'>): Step =>
  replacePassword(store, read, read.hash, read.changed_at);
