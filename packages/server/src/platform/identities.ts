// Signing in as an identity of the OpenID provider. An identity is somebody here only through an invitation for the
// address that the provider vouches for.

import { findIdentity, insertIdentity } from '../store/control/identities.ts';
import { listMemberships } from '../store/control/members.ts';
import type { Row } from '../store/control/tables.ts';
import { findUser, hasWayIn, insertUser } from '../store/control/users.ts';
import type { Step } from '../store/store.ts';
import { findInvited, type Invited, join } from './invitations.ts';
import type { Identity } from './open-id.ts';
import { auditOf, type Platform } from './platform.ts';
import { recordRefusal } from './refusals.ts';
import { type Arrival, personOf } from './sessions.ts';
import { type StartedSession, startSession } from './sign-in.ts';
import { pardon } from './throttle.ts';
import { newUser } from './users.ts';

type User = Row<'users'>;

/** Why an identity is not let in. The dashboard has a sentence for each. */
export type IdentityRefusal =
  | 'oidc_unknown'
  | 'oidc_unverified'
  | 'invitation_gone'
  | 'invitation_email'
  | 'sign_in_first'
  | 'no_team';

/** Who came, and with what they joined, if they did. */
type Outcome =
  | { kind: 'refused'; code: IdentityRefusal; userId: string | null }
  | { kind: 'started'; session: Promise<StartedSession> };

const refused = (code: IdentityRefusal, userId: string | null = null): Outcome => ({
  kind: 'refused',
  code,
  userId,
});

/**
 * Signs in as an identity, and accepts an invitation where there is one.
 * @returns the session, or why there is none; that is recorded
 */
export async function signInByIdentity(
  platform: Platform,
  identity: Identity,
  invitation: string | null,
  arrival: Arrival,
): Promise<Extract<StartedSession, { kind: 'signed in' }> | { kind: 'refused'; code: IdentityRefusal }> {
  const user = await findIdentity(platform.store, identity.issuer, identity.subject);
  const outcome =
    invitation === null
      ? await comeBack(platform, user, arrival)
      : await comeInvited(platform, identity, user, invitation, arrival);
  if (outcome.kind === 'started') {
    const session = await outcome.session;
    if (session.kind === 'signed in') return session;
    // Somebody was faster: the invitation is used, or the address or the identity is somebody's by now.
    return turnAway(platform, arrival, user?.id ?? null, 'invitation_gone');
  }
  return turnAway(platform, arrival, outcome.userId, outcome.code);
}

async function comeBack(platform: Platform, user: User | null, arrival: Arrival): Promise<Outcome> {
  if (user === null) return refused('oidc_unknown');
  const memberships = await listMemberships(platform.store, user.id);
  if (memberships.length === 0) return refused('no_team', user.id);
  return { kind: 'started', session: startSession(platform, user, arrival, pardonOf(platform, arrival)) };
}

async function comeInvited(
  platform: Platform,
  identity: Identity,
  user: User | null,
  token: string,
  arrival: Arrival,
): Promise<Outcome> {
  const invited = await findInvited(platform, token);
  if (invited === null) return refused('invitation_gone', user?.id);
  const { email } = invited.row;
  if (user !== null) {
    if (user.email !== email) return refused('invitation_email', user.id);
    return { kind: 'started', session: join(platform, invited, user, pardonOf(platform, arrival), arrival) };
  }
  if (identity.email === null || !identity.emailVerified) return refused('oidc_unverified');
  if (identity.email !== email) return refused('invitation_email');
  return becomeSomebody(platform, identity, invited, arrival);
}

/** A new identity becomes the user with its address: a new one, one that nobody has been yet, or the one signed in. */
async function becomeSomebody(
  platform: Platform,
  identity: Identity,
  invited: Invited,
  arrival: Arrival,
): Promise<Outcome> {
  const { store, clock } = platform;
  const at = clock.now();
  const known = await findUser(store, 'email', invited.row.email);
  const isSignedIn = known !== null && arrival.replaces?.user.id === known.id;
  // Whoever has had the account until now may not be who has the address.
  if (known !== null && !isSignedIn && (await hasWayIn(store, known.id, at)))
    return refused('sign_in_first', known.id);
  const user: User = known ?? { ...newUser(invited.row.email, at), name: identity.name };
  const { issuer, subject } = identity;
  const steps: Step[] = [
    ...(known === null ? [insertUser(store, user)] : []),
    insertIdentity(store, { issuer, subject, user_id: user.id, created_at: at }),
    auditOf(platform, personOf({ id: user.id, user }, arrival.address), {
      teamId: null,
      action: 'identity.added',
      subject: user.id,
      detail: { issuer, subject },
      at,
    }),
    ...pardonOf(platform, arrival),
  ];
  return { kind: 'started', session: join(platform, invited, user, steps, arrival) };
}

const pardonOf = ({ store }: Platform, { address }: Arrival): Step[] =>
  pardon(store, { account: null, address });

async function turnAway(
  platform: Platform,
  { method, address }: Arrival,
  userId: string | null,
  code: IdentityRefusal,
): Promise<{ kind: 'refused'; code: IdentityRefusal }> {
  await recordRefusal(platform, { action: 'sign-in.refused', method, address, userId, code });
  return { kind: 'refused', code };
}
