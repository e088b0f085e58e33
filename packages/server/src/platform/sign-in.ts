// Signing in: a one-time link, or an e-mail address and a password, becomes a session. What is refused never says
// what was wrong, so that nobody learns who has an account.
import { listMemberships } from '../store/control/members.ts';
import { findPassword, holdPassword } from '../store/control/passwords.ts';
import { findSignInLink, useSignInLink } from '../store/control/sign-in-links.ts';
import type { Row } from '../store/control/tables.ts';
import { findUser } from '../store/control/users.ts';
import type { Step } from '../store/store.ts';
import { verifyPassword } from './passwords.ts';
import { type Platform, tryCommit } from './platform.ts';
import { refuse } from './refusals.ts';
import { type Arrival, hashSignInToken, newSession, personOf } from './sessions.ts';
import { demandTry, pardon } from './throttle.ts';

type User = Row<'users'>;

/** Somebody has signed in. The token is for the browser's cookie alone. */
export interface SignedIn {
  user: User;
  token: string;
}

/** `refused` tells which step of the proof failed. */
export type StartedSession = ({ kind: 'signed in' } & SignedIn) | { kind: 'refused'; reason: string };

const linkRefusal =
  'This link can’t be used: it was used before, has run out, or is not whole. Ask for another one.';
const passwordRefusal = 'The e-mail address or the password is wrong.';

/**
 * Signs in with a one-time link; of calls that come at once, one does.
 * @throws ApiError forbidden, or rate_limited
 */
export async function signInByLink(platform: Platform, token: string, arrival: Arrival): Promise<SignedIn> {
  const { store } = platform;
  const one = { account: null, address: arrival.address };
  await demandTry(platform, one);
  const hash = hashSignInToken(token);
  const link = await findSignInLink(store, hash);
  const user = link === null ? null : await findUser(store, 'id', link.user_id);
  if (user === null) return turnAway(platform, arrival, null, linkRefusal);
  await demandTeam(platform, arrival, user);
  const proof = [useSignInLink(store, hash, platform.clock.now()), ...pardon(store, one)];
  const outcome = await startSession(platform, user, arrival, proof);
  return outcome.kind === 'signed in' ? outcome : turnAway(platform, arrival, user.id, linkRefusal);
}

/**
 * Signs in with an e-mail address and a password.
 * @throws ApiError forbidden, or rate_limited
 */
export async function signInByPassword(
  platform: Platform,
  email: string,
  password: string,
  arrival: Arrival,
): Promise<SignedIn> {
  const { store } = platform;
  const one = { account: email, address: arrival.address };
  await demandTry(platform, one);
  const user = await findUser(store, 'email', email.toLowerCase());
  const known = user === null ? null : await findPassword(store, user.id);
  const isRight = await verifyPassword(password, known?.hash ?? null);
  if (user === null || known === null || !isRight) {
    return turnAway(platform, arrival, user?.id ?? null, passwordRefusal);
  }
  await demandTeam(platform, arrival, user);
  // A password that was changed meanwhile starts no session: those of before have just been ended.
  const proof = [holdPassword(store, known), ...pardon(store, one)];
  const outcome = await startSession(platform, user, arrival, proof);
  return outcome.kind === 'signed in' ? outcome : turnAway(platform, arrival, user.id, passwordRefusal);
}

/**
 * Starts a session together with what entitles to it.
 * @param proof steps that fail where somebody else was faster
 */
export async function startSession(
  platform: Platform,
  user: User,
  arrival: Arrival,
  proof: Step[],
): Promise<StartedSession> {
  const at = platform.clock.now();
  const { id, token, steps } = newSession(platform.store, user.id, arrival, at);
  const outcome = await tryCommit(platform, personOf({ id, user }, arrival.address), {
    teamId: null,
    action: 'session.started',
    subject: id,
    detail: { method: arrival.method },
    steps: [...proof, ...steps],
    at,
  });
  return outcome.kind === 'done' ? { kind: 'signed in', user, token } : outcome;
}

/** Whoever belongs to no team has nothing to sign in to. */
async function demandTeam(platform: Platform, arrival: Arrival, user: User): Promise<void> {
  const memberships = await listMemberships(platform.store, user.id);
  if (memberships.length > 0) return;
  await turnAway(
    platform,
    arrival,
    user.id,
    'This account belongs to no team any more. Ask an owner for an invitation.',
  );
}

const turnAway = (
  platform: Platform,
  { method, address }: Arrival,
  userId: string | null,
  message: string,
): Promise<never> => refuse(platform, { action: 'sign-in.refused', method, address, userId }, message);
