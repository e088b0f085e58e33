// Users in the store: the people behind memberships and tokens.
import type { Step, Store } from '../store.ts';
import type { NewRow, Row } from './tables.ts';

export async function findUser(
  store: Store,
  by: 'id' | 'email',
  value: string,
): Promise<Row<'users'> | null> {
  const rows = await store.read(
    store.queries.selectFrom('users').selectAll().where(by, '=', value).compile(),
  );
  return rows[0] ?? null;
}

/** Fails with `email` when somebody has that address already. */
export function insertUser(store: Store, row: NewRow<'users'>): Step {
  return { query: store.queries.insertInto('users').values(row).compile(), rows: 1, otherwise: 'email' };
}
