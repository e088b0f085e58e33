// One-time sign-in links in the store: only the hash of what stands in the link.
import type { Step, Store } from '../store.ts';
import type { NewRow, Row } from './tables.ts';

export function insertSignInLink(store: Store, row: NewRow<'sign_in_links'>): Step {
  return { query: store.queries.insertInto('sign_in_links').values(row).compile(), rows: 1 };
}

export async function findSignInLink(store: Store, hash: string): Promise<Row<'sign_in_links'> | null> {
  const rows = await store.read(
    store.queries.selectFrom('sign_in_links').selectAll().where('hash', '=', hash).compile(),
  );
  return rows[0] ?? null;
}

/** Uses a link that is neither used nor run out; of those who try at once one does, the others fail with `used`. */
export function useSignInLink(store: Store, hash: string, at: number): Step {
  return {
    query: store.queries
      .updateTable('sign_in_links')
      .set({ used_at: at })
      .where('hash', '=', hash)
      .where('used_at', 'is', null)
      .where('expires_at', '>', at)
      .compile(),
    rows: 1,
    otherwise: 'used',
  };
}
