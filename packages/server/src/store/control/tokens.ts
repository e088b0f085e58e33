// Tokens in the store: hashed, never in the clear. A revoked one stays as a row and is found no more.
import type { Step, Store } from '../store.ts';
import { type PageOf, readTimePage, type TimePage } from './pages.ts';
import type { NewRow, Row } from './tables.ts';

export type TokenRow = Row<'tokens'>;

export async function findToken(store: Store, hash: string): Promise<TokenRow | null> {
  const rows = await store.read(
    store.queries.selectFrom('tokens').selectAll().where('hash', '=', hash).compile(),
  );
  return rows[0] ?? null;
}

/** A token that is not revoked, by its id; `teamId` null looks in every team and among those without one. */
export async function findTokenById(
  store: Store,
  id: string,
  teamId: string | null,
): Promise<TokenRow | null> {
  let query = store.queries
    .selectFrom('tokens')
    .selectAll()
    .where('id', '=', id)
    .where('revoked_at', 'is', null);
  if (teamId !== null) query = query.where('team_id', '=', teamId);
  const rows = await store.read(query.compile());
  return rows[0] ?? null;
}

/**
 * Tokens that are not revoked, newest first.
 * @param teamless whether those for every team are listed too
 */
export function listTokens(
  store: Store,
  teamId: string,
  teamless: boolean,
  page: TimePage,
): Promise<PageOf<TokenRow>> {
  return readTimePage(page, ({ limit, since, until }) => {
    let query = store.queries
      .selectFrom('tokens')
      .selectAll()
      .where('revoked_at', 'is', null)
      .where((eb) =>
        teamless
          ? eb.or([eb('team_id', '=', teamId), eb('team_id', 'is', null)])
          : eb('team_id', '=', teamId),
      )
      .orderBy('created_at', 'desc')
      .orderBy('id')
      .limit(limit);
    if (since !== null) query = query.where('created_at', '>=', since);
    if (until !== null) query = query.where('created_at', '<', until);
    return store.read(query.compile());
  });
}

export function touchToken(store: Store, id: string, at: number): Step {
  return {
    query: store.queries.updateTable('tokens').set({ last_used_at: at }).where('id', '=', id).compile(),
  };
}

export function insertToken(store: Store, row: NewRow<'tokens'>): Step {
  return { query: store.queries.insertInto('tokens').values(row).compile(), rows: 1 };
}

/** Revokes a token that is not revoked yet; fails with `revoked`. */
export function revokeToken(store: Store, id: string, at: number): Step {
  return {
    query: store.queries
      .updateTable('tokens')
      .set({ revoked_at: at })
      .where('id', '=', id)
      .where('revoked_at', 'is', null)
      .compile(),
    rows: 1,
    otherwise: 'revoked',
  };
}

/** Revokes a person's tokens of a team: all, or those with one of the `roles`. */
export function revokeTokensOf(
  store: Store,
  teamId: string,
  userId: string,
  roles: readonly TokenRow['role'][] | null,
  at: number,
): Step {
  let query = store.queries
    .updateTable('tokens')
    .set({ revoked_at: at })
    .where('team_id', '=', teamId)
    .where('user_id', '=', userId)
    .where('revoked_at', 'is', null);
  if (roles !== null) query = query.where('role', 'in', [...roles]);
  return { query: query.compile() };
}
