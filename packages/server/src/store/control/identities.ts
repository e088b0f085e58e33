// Identities in the store: who somebody is at the OpenID provider, by its issuer and the subject there.
import type { Step, Store } from '../store.ts';
import type { NewRow, Row } from './tables.ts';

/** The user whose identity it is. */
export async function findIdentity(
  store: Store,
  issuer: string,
  subject: string,
): Promise<Row<'users'> | null> {
  const rows = await store.read(
    store.queries
      .selectFrom('identities')
      .innerJoin('users', 'users.id', 'identities.user_id')
      .selectAll('users')
      .where('identities.issuer', '=', issuer)
      .where('identities.subject', '=', subject)
      .compile(),
  );
  return rows[0] ?? null;
}

/** Fails with `identity` when it is somebody's already. */
export function insertIdentity(store: Store, row: NewRow<'identities'>): Step {
  return {
    query: store.queries.insertInto('identities').values(row).compile(),
    rows: 1,
    otherwise: 'identity',
  };
}
