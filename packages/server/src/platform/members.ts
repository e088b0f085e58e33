// Members: who belongs to a team and with which role. A team that has an owner keeps one, and a person's tokens
// never may more than the person.
import { ApiError } from '../errors.ts';
import {
  deleteMember,
  findFirstOwner,
  findMember,
  insertMember,
  type MemberRow,
  updateMember,
} from '../store/control/members.ts';
import { deleteSessionsWithoutTeam } from '../store/control/sessions.ts';
import type { MemberRole, Row } from '../store/control/tables.ts';
import { findTeam, lockTeam } from '../store/control/teams.ts';
import { revokeTokensOf } from '../store/control/tokens.ts';
import { findUser, hasWayIn, insertUser } from '../store/control/users.ts';
import { type Actor, demand, type Role } from './actor.ts';
import { commit, type Platform, tryCommit } from './platform.ts';
import { defaultSlug } from './teams.ts';
import { newUser } from './users.ts';

export const memberRoles: readonly MemberRole[] = [
  'OWNER',
  'MEMBER',
  'DEVELOPER',
  'SECURITY',
  'BILLING',
  'VIEWER',
];

/** How far each role goes. */
const ranks: Record<MemberRole, number> = {
  OWNER: 3,
  MEMBER: 2,
  DEVELOPER: 1,
  SECURITY: 0,
  BILLING: 0,
  VIEWER: 0,
};

const isMemberRole = (role: Role): role is MemberRole => Object.hasOwn(ranks, role);

/** Whether someone with the role `own` may give the role `other` away: never above their own. */
export function reaches(own: Role, other: Role): boolean {
  if (own === 'OPERATOR') return true;
  return isMemberRole(own) && isMemberRole(other) && ranks[own] >= ranks[other];
}

const lastOwner = {
  code: 'conflict',
  message: 'This is the team’s last owner. Make somebody else an owner first.',
} as const;

/** @throws ApiError not_found */
export async function needMember(platform: Platform, team: Row<'teams'>, userId: string): Promise<MemberRow> {
  const member = await findMember(platform.store, team.id, userId);
  if (member === null) throw new ApiError('not_found', `The team ${team.slug} has no member ${userId}.`);
  return member;
}

/** Adds the person with an e-mail address to the team; a user is made for an address that is new. */
export async function addMember(
  platform: Platform,
  actor: Actor,
  team: Row<'teams'>,
  email: string,
  role: MemberRole,
): Promise<MemberRow> {
  demandReach(actor, role);
  const { store } = platform;
  const at = platform.clock.now();
  const known = await findUser(store, 'email', email.toLowerCase());
  // Who has an account may have got it by another team's invitation, which proves no address.
  if (actor.role !== 'OPERATOR' && known !== null && (await hasWayIn(store, known.id, at))) {
    throw new ApiError(
      'conflict',
      `Somebody with the address ${known.email} has an account. Invite them with POST /v1/invitations: they show that it is theirs by signing in.`,
    );
  }
  const user = known ?? newUser(email, at);
  const outcome = await tryCommit(platform, actor, {
    teamId: team.id,
    action: 'member.added',
    subject: user.id,
    detail: { email: user.email, role },
    steps: [
      ...(known === null ? [insertUser(store, user)] : []),
      insertMember(store, { team_id: team.id, user_id: user.id, role, created_at: at }),
    ],
    at,
  });
  if (outcome.kind === 'done') {
    const { email: address, username, name } = user;
    return { user_id: user.id, role, created_at: at, email: address, username, name };
  }
  // Somebody else made the user between the look-up and the commit.
  if (outcome.reason === 'email') return addMember(platform, actor, team, email, role);
  throw new ApiError(
    'conflict',
    `${user.email} is a member of the team already. PATCH the member to change the role.`,
  );
}

/** Gives a member another role; the member's own tokens above it are revoked. */
export async function changeRole(
  platform: Platform,
  actor: Actor,
  team: Row<'teams'>,
  member: MemberRow,
  role: MemberRole,
): Promise<void> {
  demandReach(actor, role);
  const { store } = platform;
  const at = platform.clock.now();
  const above = memberRoles.filter((other) => ranks[other] > ranks[role]);
  await commit(
    platform,
    actor,
    {
      teamId: team.id,
      action: 'member.updated',
      subject: member.user_id,
      detail: { role, previousRole: member.role },
      steps: [
        lockTeam(store, team.id),
        updateMember(store, team.id, member.user_id, role),
        ...(above.length === 0 ? [] : [revokeTokensOf(store, team.id, member.user_id, above, at)]),
      ],
      at,
    },
    { 'last owner': lastOwner },
  );
}

/** Takes a member from the team, revokes the member's own tokens for it, and ends the sessions of who has no other. */
export async function removeMember(
  platform: Platform,
  actor: Actor,
  team: Row<'teams'>,
  member: MemberRow,
): Promise<void> {
  demand(actor, 'members.write');
  const { store } = platform;
  const at = platform.clock.now();
  await commit(
    platform,
    actor,
    {
      teamId: team.id,
      action: 'member.removed',
      subject: member.user_id,
      detail: { email: member.email, role: member.role },
      steps: [
        lockTeam(store, team.id),
        deleteMember(store, team.id, member.user_id),
        revokeTokensOf(store, team.id, member.user_id, null, at),
        deleteSessionsWithoutTeam(store, member.user_id),
      ],
      at,
    },
    { 'last owner': lastOwner },
  );
}

/** The user whom a sign-in link is for: the one that was named, else the first owner of the team `default`. */
export async function needSignInUser(platform: Platform, userId: string | undefined): Promise<string> {
  const { store } = platform;
  if (userId !== undefined) {
    if ((await findUser(store, 'id', userId)) === null)
      throw new ApiError('not_found', `There is no user ${userId}.`);
    return userId;
  }
  const team = await findTeam(store, 'slug', defaultSlug);
  const owner = team === null ? null : await findFirstOwner(store, team.id);
  if (owner === null)
    throw new ApiError('bad_request', 'The team `default` has no owner; say whose link it is with userId.');
  return owner;
}

/** @throws ApiError forbidden unless the caller may give the role away */
export function demandReach(actor: Actor, role: MemberRole): void {
  demand(actor, 'members.write');
  if (!reaches(actor.role, role))
    throw new ApiError('forbidden', `The role ${actor.role} may not give the role ${role}.`);
}
