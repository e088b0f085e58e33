// Sessions: who has signed in. Stored hashed; a look-up is remembered for a second, with what its person is in which
// team, so that what ends or changes on another node counts here too.
import { hash as digest } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Clock } from '../clock.ts';
import { ApiError } from '../errors.ts';
import { newSessionId, newSignInToken } from '../id.ts';
import { listMemberships, type Membership } from '../store/control/members.ts';
import {
  deleteSession,
  findSession,
  insertSession,
  type SessionRow,
  type SessionWithUser,
  touchSession,
} from '../store/control/sessions.ts';
import type { Step, Store } from '../store/store.ts';
import type { Actor } from './actor.ts';
import { commit, type Platform } from './platform.ts';
import { defaultSlug } from './teams.ts';

const rememberMs = 1_000;
/** `last_seen_at` is written at most this often. */
const touchMs = 60_000;
const dayMs = 24 * 60 * 60_000;
/** A session that is not used for this long ends. */
const idleMs = 7 * dayMs;
/** And however much it is used, it ends after this long. */
export const lifetimeMs = 30 * dayMs;
/** The most sessions of one person; beyond them the oldest ends. */
const mostSessions = 50;
const mostUserAgent = 300;

/** What signs somebody in is stored as this. */
export const hashSignInToken = (token: string): string => digest('sha256', token, 'hex');

/** Somebody who signed in, and what they are in which team. */
export interface Session {
  id: string;
  user: { id: string; email: string; username: string; name: string | null };
  createdAt: number;
  expiresAt: number;
  memberships: Membership[];
  /** The owner that the first start made, as long as they own the team `default`. */
  isOperator: boolean;
}

interface Known {
  session: Session;
  readAt: number;
}

export class SessionBook {
  readonly #store: Store;
  readonly #clock: Clock;
  /** By hash, as in the store. */
  readonly #known = new LRUCache<string, Known>({ max: 10_000 });

  constructor(store: Store, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** Whose session this is; null for an unknown one and one that has ended. */
  async find(token: string): Promise<Session | null> {
    const hash = hashSignInToken(token);
    const readAt = this.#clock.monotonic();
    const now = this.#clock.now();
    const known = this.#known.get(hash);
    if (known !== undefined && readAt - known.readAt < rememberMs)
      return known.session.expiresAt > now ? known.session : null;
    const row = await findSession(this.#store, hash, now);
    if (row === null) {
      this.#known.delete(hash);
      return null;
    }
    const memberships = await listMemberships(this.#store, row.user_id);
    const session = readSession(row, memberships);
    if (now - row.last_seen_at >= touchMs) {
      session.expiresAt = expiryOf(row.created_at, now);
      const steps = [touchSession(this.#store, row.id, now, session.expiresAt)];
      await this.#store.change({ steps, events: [], touched: [], now });
    }
    this.#known.set(hash, { session, readAt });
    return session;
  }

  /** Forgets what was remembered, after a session or a membership changed on this node. */
  forget(): void {
    this.#known.clear();
  }
}

const expiryOf = (createdAt: number, now: number): number => Math.min(now + idleMs, createdAt + lifetimeMs);

function readSession(row: SessionWithUser, memberships: Membership[]): Session {
  const { user_id: id, email, username, name } = row;
  return {
    id: row.id,
    user: { id, email, username, name },
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    memberships,
    isOperator: isOperator(id, memberships),
  };
}

/** The one who owns the server: made with the team `default`, and still its owner. */
export function isOperator(userId: string, memberships: Membership[]): boolean {
  return memberships.some(
    ({ team, role }) => team.slug === defaultSlug && team.creator_id === userId && role === 'OWNER',
  );
}

/**
 * What a session is in the team of a call: by `teamId` or `slug`, else by the team in the path, else in the first
 * that its person joined. The operator is the operator in every team.
 * @throws ApiError forbidden for a team that the person does not belong to
 */
export function actorIn(
  session: Session,
  query: { teamId?: string; slug?: string },
  pathTeam: string | undefined,
): Omit<Actor, 'address'> {
  const { id, user, memberships } = session;
  const of = (role: Actor['role'], teamId: string | null) => ({
    tokenId: id,
    name: user.name ?? user.username,
    role,
    teamId,
    userId: user.id,
  });
  if (session.isOperator) return of('OPERATOR', null);
  const { teamId, slug } = query;
  const asked = teamId || slug;
  const found = asked
    ? memberships.find(({ team }) => (teamId ? team.id === teamId : team.slug === slug))
    : (memberships.find(({ team }) => team.id === pathTeam || team.slug === pathTeam) ?? memberships[0]);
  if (found !== undefined) return of(found.role, found.team.id);
  throw new ApiError(
    'forbidden',
    asked
      ? 'You do not belong to the team that was asked for.'
      : 'You belong to no team any more. Ask an owner for an invitation.',
  );
}

/** The person of a session outside any team, as audit records name them. */
export const personOf = ({ id, user }: Pick<Session, 'id' | 'user'>, address: string | null): Actor => ({
  tokenId: id,
  name: user.name ?? user.username,
  role: 'VIEWER',
  teamId: null,
  userId: user.id,
  address,
});

/** Where a session comes from, and how its person came in. */
export interface Arrival {
  method: SessionRow['method'];
  address: string | null;
  userAgent: string | null;
  /** The session that the same browser had before, which ends with this one's start. */
  replaces: Session | null;
}

/** A new session: its token, which only the browser gets, and the steps that store it. */
export function newSession(
  store: Store,
  userId: string,
  arrival: Arrival,
  at: number,
): { id: string; token: string; steps: Step[] } {
  const token = newSignInToken();
  const id = newSessionId();
  const { method, address, userAgent, replaces } = arrival;
  const row: SessionRow = {
    id,
    hash: hashSignInToken(token),
    user_id: userId,
    method,
    address,
    user_agent: userAgent?.slice(0, mostUserAgent) ?? null,
    created_at: at,
    last_seen_at: at,
    expires_at: expiryOf(at, at),
  };
  // Whether it is still there makes no difference.
  const before =
    replaces === null ? [] : [{ query: deleteSession(store, replaces.user.id, replaces.id).query }];
  return { id, token, steps: [...before, ...insertSession(store, row, mostSessions)] };
}

/** Ends one of the caller's sessions. */
export async function endSession(
  platform: Platform,
  actor: Actor,
  session: Session,
  id: string,
): Promise<void> {
  await commit(
    platform,
    actor,
    {
      teamId: null,
      action: id === session.id ? 'session.ended' : 'session.revoked',
      subject: id,
      steps: [deleteSession(platform.store, session.user.id, id)],
      at: platform.clock.now(),
    },
    { ended: { code: 'not_found', message: `You have no session ${id}.` } },
  );
}
