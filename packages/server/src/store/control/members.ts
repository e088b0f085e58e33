// Memberships in the store: who belongs to a team, and with which role. A team that has an owner keeps one.
import { sql } from 'kysely';
import type { Step, Store } from '../store.ts';
import { containing, type PageOf, readTimePage, type TimePage } from './pages.ts';
import type { MemberRole, NewRow, Row } from './tables.ts';

/** A membership with its user. */
export interface MemberRow {
  user_id: string;
  role: MemberRole;
  created_at: number;
  email: string;
  username: string;
  name: string | null;
}

export interface MemberFilter {
  role: MemberRole | null;
  /** Part of an e-mail address, user name or name. */
  search: string | null;
}

function membersOf(store: Store, teamId: string) {
  return store.queries
    .selectFrom('members')
    .innerJoin('users', 'users.id', 'members.user_id')
    .select(['members.user_id', 'members.role', 'members.created_at'])
    .select(['users.email', 'users.username', 'users.name'])
    .where('members.team_id', '=', teamId);
}

/** A team's members, newest first. */
export function listMembers(
  store: Store,
  teamId: string,
  filter: MemberFilter,
  page: TimePage,
): Promise<PageOf<MemberRow>> {
  return readTimePage(page, ({ limit, since, until }) => {
    let query = membersOf(store, teamId)
      .orderBy('members.created_at', 'desc')
      .orderBy('members.user_id')
      .limit(limit);
    if (since !== null) query = query.where('members.created_at', '>=', since);
    if (until !== null) query = query.where('members.created_at', '<', until);
    if (filter.role !== null) query = query.where('members.role', '=', filter.role);
    if (filter.search !== null) {
      const pattern = containing(filter.search.toLowerCase());
      query = query.where(
        sql<boolean>`(lower(users.email) like ${pattern} escape '\\' or lower(users.username) like ${pattern} escape '\\' or lower(users.name) like ${pattern} escape '\\')`,
      );
    }
    return store.read(query.compile());
  });
}

export async function findMember(store: Store, teamId: string, userId: string): Promise<MemberRow | null> {
  const rows = await store.read(membersOf(store, teamId).where('members.user_id', '=', userId).compile());
  return rows[0] ?? null;
}

/** A team that a user belongs to, and as what. */
export interface Membership {
  team: Row<'teams'>;
  role: MemberRole;
}

/** What a user belongs to, in the order in which they joined. */
export async function listMemberships(store: Store, userId: string): Promise<Membership[]> {
  const rows = await store.read(
    store.queries
      .selectFrom('members')
      .innerJoin('teams', 'teams.id', 'members.team_id')
      .selectAll('teams')
      .select('members.role')
      .where('members.user_id', '=', userId)
      .orderBy('members.created_at')
      .orderBy('teams.id')
      .compile(),
  );
  return rows.map(({ role, ...team }) => ({ team, role }));
}

/** The id of the team's first owner, null where it has none. */
export async function findFirstOwner(store: Store, teamId: string): Promise<string | null> {
  const rows = await store.read(
    membersOf(store, teamId)
      .where('members.role', '=', 'OWNER')
      .orderBy('members.created_at')
      .orderBy('members.user_id')
      .limit(1)
      .compile(),
  );
  return rows[0]?.user_id ?? null;
}

/** Fails with `member` when the user belongs to the team already. */
export function insertMember(store: Store, row: NewRow<'members'>): Step {
  return { query: store.queries.insertInto('members').values(row).compile(), rows: 1, otherwise: 'member' };
}

/** Gives a member another role. Fails with `last owner` where none would be left; the team's row is locked before. */
export function updateMember(store: Store, teamId: string, userId: string, role: MemberRole): Step {
  const query = store.queries
    .updateTable('members')
    .set({ role })
    .where('team_id', '=', teamId)
    .where('user_id', '=', userId)
    .where((eb) =>
      eb.or([
        eb(eb.val(role), '=', 'OWNER'),
        eb('role', '<>', 'OWNER'),
        eb.exists(otherOwners(store, teamId, userId)),
      ]),
    );
  return { query: query.compile(), rows: 1, otherwise: 'last owner' };
}

/** Takes a member from the team. Fails with `last owner` where none would be left; the team's row is locked before. */
export function deleteMember(store: Store, teamId: string, userId: string): Step {
  const query = store.queries
    .deleteFrom('members')
    .where('team_id', '=', teamId)
    .where('user_id', '=', userId)
    .where((eb) => eb.or([eb('role', '<>', 'OWNER'), eb.exists(otherOwners(store, teamId, userId))]));
  return { query: query.compile(), rows: 1, otherwise: 'last owner' };
}

/** Makes sure that a member still has the role it was read with; fails with `member`. */
export function holdMember(store: Store, teamId: string, userId: string, role: MemberRole): Step {
  const query = store.queries
    .updateTable('members')
    .set({ role })
    .where('team_id', '=', teamId)
    .where('user_id', '=', userId)
    .where('role', '=', role);
  return { query: query.compile(), rows: 1, otherwise: 'member' };
}

function otherOwners(store: Store, teamId: string, userId: string) {
  return store.queries
    .selectFrom('members as other')
    .select('other.user_id')
    .where('other.team_id', '=', teamId)
    .where('other.role', '=', 'OWNER')
    .where('other.user_id', '<>', userId);
}
