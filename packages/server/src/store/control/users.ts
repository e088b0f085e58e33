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

/** Whether somebody can be this user already: by a password, an identity or a session that has not run out. */
export async function hasWayIn(store: Store, id: string, now: number): Promise<boolean> {
  const { queries } = store;
  const ways = [
    queries.selectFrom('passwords').select('user_id').where('user_id', '=', id).compile(),
    queries.selectFrom('identities').select('user_id').where('user_id', '=', id).limit(1).compile(),
    queries
      .selectFrom('sessions')
      .select('user_id')
      .where('user_id', '=', id)
      .where('expires_at', '>', now)
      .limit(1)
      .compile(),
  ];
  const found = await Promise.all(ways.map((way) => store.read(way)));
  return found.some((rows) => rows.length > 0);
}

/** Fails with `email` when somebody has that address already. */
export function insertUser(store: Store, row: NewRow<'users'>): Step {
  return { query: store.queries.insertInto('users').values(row).compile(), rows: 1, otherwise: 'email' };
}
