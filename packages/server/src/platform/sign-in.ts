// Signing in: a one-time link becomes a session. What is refused is recorded and never says what was wrong, so that
// nobody learns who has an account.
import { ApiError } from '../errors.ts';
import { newSortableId } from '../id.ts';
import { writeAudit } from '../store/control/audit.ts';
import { listMemberships } from '../store/control/members.ts';
import { findSignInLink, useSignInLink } from '../store/control/sign-in-links.ts';
import type { Row } from '../store/control/tables.ts';
import { findUser } from '../store/control/users.ts';
import type { Step } from '../store/store.ts';
import { type Platform, tryCommit } from './platform.ts';
import { type Arrival, hashSignInToken, newSession, personOf } from './sessions.ts';

type User = Row<'users'>;

/** Somebody has signed in. The token is for the browser's cookie alone. */
export interface SignedIn {
  user: User;
  token: string;
}

const linkRefusal =
  'This link can’t be used: it was used before, has run out, or is not whole. Ask for another one.';

/**
 * Signs in with a one-time link; of calls that come at once, one does.
 * @throws ApiError forbidden
 */
export async function signInByLink(platform: Platform, token: string, arrival: Arrival): Promise<SignedIn> {
  const { store } = platform;
  const hash = hashSignInToken(token);
  const link = await findSignInLink(store, hash);
  const user = link === null ? null : await findUser(store, 'id', link.user_id);
  const at = platform.clock.now();
  if (user === null) return refuse(platform, arrival, null, linkRefusal);
  await demandTeam(platform, arrival, user);
  const signedIn = await startSession(platform, user, arrival, [useSignInLink(store, hash, at)]);
  return signedIn ?? refuse(platform, arrival, user.id, linkRefusal);
}

/**
 * Starts a session together with what entitles to it.
 * @param proof steps that fail where somebody else was faster
 * @returns null when one of them failed
 */
async function startSession(
  platform: Platform,
  user: User,
  arrival: Arrival,
  proof: Step[],
): Promise<SignedIn | null> {
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
  return outcome.kind === 'done' ? { user, token } : null;
}

/** Whoever belongs to no team has nothing to sign in to. */
async function demandTeam(platform: Platform, arrival: Arrival, user: User): Promise<void> {
  const memberships = await listMemberships(platform.store, user.id);
  if (memberships.length > 0) return;
  await refuse(
    platform,
    arrival,
    user.id,
    'This account belongs to no team any more. Ask an owner for an invitation.',
  );
}

/** Records that somebody was not let in, and says so. */
async function refuse(
  platform: Platform,
  { method, address }: Arrival,
  userId: string | null,
  message: string,
): Promise<never> {
  const { store, clock } = platform;
  const now = clock.now();
  const audit = writeAudit(store, {
    id: newSortableId(now),
    teamId: null,
    action: 'sign-in.refused',
    actor: 'visitor',
    subject: userId ?? 'unknown',
    detail: { method },
    address,
    at: now,
  });
  await store.change({ steps: [audit], events: [], touched: [], now });
  throw new ApiError('forbidden', message);
}
