// What has run out and is of no use to anybody: sessions, sign-in links, invitations, tries at signing in.
import type { Step, Store } from '../store.ts';

/** Deletes all of it. */
export function deleteExpired(store: Store, now: number): Step[] {
  const { queries } = store;
  return [
    queries.deleteFrom('sessions').where('expires_at', '<=', now),
    queries.deleteFrom('sign_in_links').where('expires_at', '<=', now),
    queries.deleteFrom('invitations').where('expires_at', '<=', now),
    queries.deleteFrom('sign_in_tries').where('count_until', '<=', now),
  ].map((query) => ({ query: query.compile() }));
}
