// One-time sign-in links in the store: only the hash of what stands in the link.
import type { Step, Store } from '../store.ts';
import type { NewRow } from './tables.ts';

/** Adds a link and drops those that have run out. */
export function insertSignInLink(store: Store, row: NewRow<'sign_in_links'>): Step[] {
  return [
    {
      query: store.queries.deleteFrom('sign_in_links').where('expires_at', '<', row.created_at).compile(),
    },
    { query: store.queries.insertInto('sign_in_links').values(row).compile(), rows: 1 },
  ];
}
