// Invitations in the store: only the hash of what stands in the link. One that is used or revoked is deleted.
import type { Step, Store } from '../store.ts';
import { type PageOf, readTimePage, type TimePage } from './pages.ts';
import type { NewRow, Row } from './tables.ts';

export type InvitationRow = Row<'invitations'>;

/** An invitation that has not run out at `now`, by the hash of its token. */
export async function findInvitation(store: Store, hash: string, now: number): Promise<InvitationRow | null> {
  const rows = await store.read(
    store.queries
      .selectFrom('invitations')
      .selectAll()
      .where('hash', '=', hash)
      .where('expires_at', '>', now)
      .compile(),
  );
  return rows[0] ?? null;
}

/** One by its id; `teamId` null looks in every team. */
export async function findInvitationById(
  store: Store,
  id: string,
  teamId: string | null,
): Promise<InvitationRow | null> {
  let query = store.queries.selectFrom('invitations').selectAll().where('id', '=', id);
  if (teamId !== null) query = query.where('team_id', '=', teamId);
  const rows = await store.read(query.compile());
  return rows[0] ?? null;
}

/** A team's invitations that have not run out at `now`, newest first. */
export function listInvitations(
  store: Store,
  teamId: string,
  now: number,
  page: TimePage,
): Promise<PageOf<InvitationRow>> {
  return readTimePage(page, ({ limit, since, until }) => {
    let query = store.queries
      .selectFrom('invitations')
      .selectAll()
      .where('team_id', '=', teamId)
      .where('expires_at', '>', now)
      .orderBy('created_at', 'desc')
      .orderBy('id')
      .limit(limit);
    if (since !== null) query = query.where('created_at', '>=', since);
    if (until !== null) query = query.where('created_at', '<', until);
    return store.read(query.compile());
  });
}

/** Adds an invitation in place of the one that its address had to the team. */
export function insertInvitation(store: Store, row: NewRow<'invitations'>): Step[] {
  const { queries } = store;
  const before = queries
    .deleteFrom('invitations')
    .where('team_id', '=', row.team_id)
    .where('email', '=', row.email);
  return [
    { query: before.compile() },
    { query: queries.insertInto('invitations').values(row).compile(), rows: 1, otherwise: 'invited' },
  ];
}

/** Takes an invitation back, or uses it; of those who try at once one does, the others fail with `invitation`. */
export function deleteInvitation(store: Store, id: string, hash: string): Step {
  return {
    query: store.queries.deleteFrom('invitations').where('id', '=', id).where('hash', '=', hash).compile(),
    rows: 1,
    otherwise: 'invitation',
  };
}
