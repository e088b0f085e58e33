// Invitations: an owner's link for one e-mail address and one role, used once. Whoever accepts becomes a user with
// that address; where there is one already, they prove to be it. It counts as long as the inviter may still give
// the role.
import { ApiError } from '../errors.ts';
import { newInvitationId, newSignInToken } from '../id.ts';
import {
  deleteInvitation,
  findInvitation,
  findInvitationById,
  type InvitationRow,
  insertInvitation,
} from '../store/control/invitations.ts';
import { findMember, insertMember, listMemberships } from '../store/control/members.ts';
import { findPassword, insertPassword } from '../store/control/passwords.ts';
import type { MemberRole, Row } from '../store/control/tables.ts';
import { findTeam } from '../store/control/teams.ts';
import { findTokenById } from '../store/control/tokens.ts';
import { findUser, insertUser } from '../store/control/users.ts';
import type { Step } from '../store/store.ts';
import { type Actor, demand } from './actor.ts';
import { demandReach, reaches } from './members.ts';
import { hashPassword, judgePassword, verifyPassword } from './passwords.ts';
import { auditOf, commit, type Platform } from './platform.ts';
import { refuse } from './refusals.ts';
import { type Arrival, hashSignInToken, isOperator, personOf } from './sessions.ts';
import { type SignedIn, startSession } from './sign-in.ts';
import { demandTry, pardon } from './throttle.ts';
import { newUser } from './users.ts';

type User = Row<'users'>;

const lifetimeMs = 7 * 24 * 60 * 60_000;

/** An invitation that can be accepted, and its team. */
export interface Invited {
  row: InvitationRow;
  team: Row<'teams'>;
}

/**
 * Invites an e-mail address; an invitation that it had to the team before counts no more.
 * @returns the invitation, and its link, which is in this answer only
 */
export async function createInvitation(
  platform: Platform,
  actor: Actor,
  publicUrl: string,
  team: Row<'teams'>,
  email: string,
  role: MemberRole,
): Promise<{ row: InvitationRow; url: string }> {
  demandReach(actor, role);
  const { store } = platform;
  const address = email.toLowerCase();
  const user = await findUser(store, 'email', address);
  if (user !== null && (await findMember(store, team.id, user.id)) !== null) {
    throw new ApiError(
      'conflict',
      `${address} is a member of the team already. PATCH the member to change the role.`,
    );
  }
  const at = platform.clock.now();
  const token = newSignInToken();
  const row: InvitationRow = {
    id: newInvitationId(),
    hash: hashSignInToken(token),
    team_id: team.id,
    email: address,
    role,
    invited_by: actor.userId ?? actor.tokenId,
    inviter: actor.name,
    created_at: at,
    expires_at: at + lifetimeMs,
  };
  await commit(platform, actor, {
    teamId: team.id,
    action: 'invitation.created',
    subject: row.id,
    detail: { email: address, role },
    steps: insertInvitation(store, row),
    at,
  });
  return { row, url: `${publicUrl}/app/invitation#${token}` };
}

/** Takes an invitation back; `scope` is the one team whose invitations the caller may reach, null for all. */
export async function revokeInvitation(
  platform: Platform,
  actor: Actor,
  id: string,
  scope: string | null,
): Promise<void> {
  demand(actor, 'members.write');
  const { store } = platform;
  const missing = { code: 'not_found', message: `There is no invitation ${id}.` } as const;
  const row = await findInvitationById(store, id, scope);
  if (row === null) throw new ApiError(missing.code, missing.message);
  await commit(
    platform,
    actor,
    {
      teamId: row.team_id,
      action: 'invitation.revoked',
      subject: id,
      detail: { email: row.email, role: row.role },
      steps: [deleteInvitation(store, row.id, row.hash)],
      at: platform.clock.now(),
    },
    { invitation: missing },
  );
}

/** The invitation of a token, null where it can't be accepted (any more). */
export async function findInvited(platform: Platform, token: string): Promise<Invited | null> {
  const { store, clock } = platform;
  const row = await findInvitation(store, hashSignInToken(token), clock.now());
  const team = row === null ? null : await findTeam(store, 'id', row.team_id);
  if (row === null || team === null || !(await mayStillInvite(platform, row))) return null;
  return { row, team };
}

/** Whether the inviter still may give the role: nobody leaves a way in behind that is wider than their own. */
async function mayStillInvite({ store, clock }: Platform, row: InvitationRow): Promise<boolean> {
  const { invited_by: inviter, team_id: teamId, role } = row;
  if (inviter === 'operator') return true;
  if (inviter.startsWith('tok_')) {
    const token = await findTokenById(store, inviter, teamId);
    const isAlive = token !== null && (token.expires_at === null || token.expires_at > clock.now());
    return isAlive && reaches(token.role, role);
  }
  const memberships = await listMemberships(store, inviter);
  const own = memberships.find(({ team }) => team.id === teamId);
  return isOperator(inviter, memberships) || (own !== undefined && reaches(own.role, role));
}

/** The invitation of a token, which has to be one that can be accepted. */
export async function needInvited(platform: Platform, token: string): Promise<Invited> {
  const invited = await findInvited(platform, token);
  if (invited === null) throw new ApiError('not_found', goneSentence);
  return invited;
}

/** Whether somebody with the invitation's address has an account, which they then sign in to. */
export async function hasAccount({ store }: Platform, { row }: Invited): Promise<boolean> {
  return (await findUser(store, 'email', row.email)) !== null;
}

const goneSentence =
  'This invitation can’t be used: it was used or taken back, has run out, or is not whole. Ask for another one.';
const accountSentence =
  'Somebody with this e-mail address has an account already. Sign in to it, then open the invitation again.';

/** What somebody who accepts says of themselves. */
export interface Acceptance {
  name: string | null;
  /** For a new user the one to have, for a known one the one they have. */
  password: string | null;
}

/**
 * Accepts an invitation and signs in.
 * @throws ApiError forbidden, rate_limited; bad_request for a password that is too easy
 */
export async function acceptInvitation(
  platform: Platform,
  token: string,
  { name, password }: Acceptance,
  arrival: Arrival,
): Promise<SignedIn> {
  const { store, clock } = platform;
  await demandTry(platform, { account: null, address: arrival.address });
  const invited = await findInvited(platform, token);
  if (invited === null) return turnAway(platform, arrival, null, goneSentence);
  const known = await findUser(store, 'email', invited.row.email);
  if (known !== null) {
    const proof = await proveToBe(platform, known, password, arrival);
    return finish(platform, invited, known, proof, arrival);
  }
  const at = clock.now();
  const user: User = { ...newUser(invited.row.email, at), name };
  if (password !== null) judgePassword(password, user);
  const hash = password === null ? null : await hashPassword(password);
  const steps = [
    insertUser(store, user),
    ...(hash === null ? [] : [insertPassword(store, { user_id: user.id, hash, changed_at: at })]),
  ];
  return finish(platform, invited, user, steps, arrival);
}

/** Whoever has an account shows it by their session, or by their password. */
async function proveToBe(
  platform: Platform,
  user: User,
  password: string | null,
  arrival: Arrival,
): Promise<Step[]> {
  if (arrival.replaces?.user.id === user.id) return [];
  if (password === null) return turnAway(platform, arrival, user.id, accountSentence);
  const one = { account: user.email, address: null };
  await demandTry(platform, one);
  const stored = await findPassword(platform.store, user.id);
  const isRight = await verifyPassword(password, stored?.hash ?? null);
  return isRight ? pardon(platform.store, one) : turnAway(platform, arrival, user.id, accountSentence);
}

async function finish(
  platform: Platform,
  invited: Invited,
  user: User,
  steps: Step[],
  arrival: Arrival,
): Promise<SignedIn> {
  const address = { account: null, address: arrival.address };
  const outcome = await join(
    platform,
    invited,
    user,
    [...steps, ...pardon(platform.store, address)],
    arrival,
  );
  if (outcome.kind === 'signed in') return outcome;
  if (outcome.reason === 'invitation') return turnAway(platform, arrival, user.id, goneSentence);
  throw new ApiError('conflict', joinSentence(outcome.reason));
}

/** Why somebody who was invited could not join, in words. */
const joinSentence = (reason: string): string =>
  reason === 'member'
    ? 'You belong to the team already. Sign in.'
    : 'Somebody with this address came in at the same moment. Open the invitation again.';

/**
 * Makes a user a member, as the invitation says, and starts their session: one commit.
 * @param steps what makes the user, or holds what proved that they are it
 */
export function join(
  platform: Platform,
  { row, team }: Invited,
  user: User,
  steps: Step[],
  arrival: Arrival,
) {
  const { store, clock } = platform;
  const at = clock.now();
  const detail = { email: row.email, role: row.role, userId: user.id };
  return startSession(platform, user, arrival, [
    deleteInvitation(store, row.id, row.hash),
    ...steps,
    insertMember(store, { team_id: team.id, user_id: user.id, role: row.role, created_at: at }),
    auditOf(platform, personOf({ id: user.id, user }, arrival.address), {
      teamId: team.id,
      action: 'invitation.accepted',
      subject: row.id,
      detail,
      at,
    }),
  ]);
}

const turnAway = (
  platform: Platform,
  { method, address }: Arrival,
  userId: string | null,
  message: string,
): Promise<never> => refuse(platform, { action: 'invitation.refused', method, address, userId }, message);
