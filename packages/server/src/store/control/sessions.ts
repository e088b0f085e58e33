// Sessions in the store: hashed, never in the clear. A session that ends is deleted.
import type { Step, Store } from '../store.ts';
import type { NewRow, Row } from './tables.ts';

export type SessionRow = Row<'sessions'>;

/** A session with its user. */
export type SessionWithUser = SessionRow & Pick<Row<'users'>, 'email' | 'username' | 'name'>;

/** A session that has not run out at `now`, by the hash of its token. */
export async function findSession(store: Store, hash: string, now: number): Promise<SessionWithUser | null> {
  const rows = await store.read(
    store.queries
      .selectFrom('sessions')
      .innerJoin('users', 'users.id', 'sessions.user_id')
      .selectAll('sessions')
      .select(['users.email', 'users.username', 'users.name'])
      .where('sessions.hash', '=', hash)
      .where('sessions.expires_at', '>', now)
      .compile(),
  );
  return rows[0] ?? null;
}

/** A user's sessions that have not run out at `now`, newest first. */
export function listSessions(store: Store, userId: string, now: number): Promise<SessionRow[]> {
  return store.read(
    store.queries
      .selectFrom('sessions')
      .selectAll()
      .where('user_id', '=', userId)
      .where('expires_at', '>', now)
      .orderBy('created_at', 'desc')
      .orderBy('id')
      .compile(),
  );
}

/** Adds a session, and ends the oldest of its user where that makes more than `most`. */
export function insertSession(store: Store, row: NewRow<'sessions'>, most: number): Step[] {
  const newest = store.queries
    .selectFrom('sessions as s')
    .select('s.id')
    .where('s.user_id', '=', row.user_id)
    .orderBy('s.created_at', 'desc')
    .orderBy('s.id')
    .limit(most - 1);
  return [
    {
      query: store.queries
        .deleteFrom('sessions')
        .where('user_id', '=', row.user_id)
        .where('id', 'not in', newest)
        .compile(),
    },
    { query: store.queries.insertInto('sessions').values(row).compile(), rows: 1 },
  ];
}

/** Notes that a session was used, and until when that keeps it. */
export function touchSession(store: Store, id: string, at: number, expiresAt: number): Step {
  return {
    query: store.queries
      .updateTable('sessions')
      .set({ last_seen_at: at, expires_at: expiresAt })
      .where('id', '=', id)
      .compile(),
  };
}

/** Ends one of a user's sessions; fails with `ended` where there is none of that id. */
export function deleteSession(store: Store, userId: string, id: string): Step {
  return {
    query: store.queries.deleteFrom('sessions').where('id', '=', id).where('user_id', '=', userId).compile(),
    rows: 1,
    otherwise: 'ended',
  };
}

/** Ends all of a user's sessions but `keep`. */
export function deleteSessionsOf(store: Store, userId: string, keep: string | null): Step {
  let query = store.queries.deleteFrom('sessions').where('user_id', '=', userId);
  if (keep !== null) query = query.where('id', '<>', keep);
  return { query: query.compile() };
}

/** Ends the sessions of a user who belongs to no team any more. */
export function deleteSessionsWithoutTeam(store: Store, userId: string): Step {
  const memberships = store.queries.selectFrom('members').select('user_id').where('user_id', '=', userId);
  const query = store.queries
    .deleteFrom('sessions')
    .where('user_id', '=', userId)
    .where((eb) => eb.not(eb.exists(memberships)));
  return { query: query.compile() };
}
