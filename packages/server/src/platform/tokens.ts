// Tokens: who may call. Stored hashed; found by hash; a look-up is remembered for a second, so that what is revoked
// on another node stops working here too.
import { hash as digest, timingSafeEqual } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Clock } from '../clock.ts';
import { ApiError } from '../errors.ts';
import { newToken, newTokenId } from '../id.ts';
import { findMember, holdMember } from '../store/control/members.ts';
import type { Row } from '../store/control/tables.ts';
import {
  findToken,
  findTokenById,
  insertToken,
  revokeToken,
  type TokenRow,
  touchToken,
} from '../store/control/tokens.ts';
import type { Step, Store } from '../store/store.ts';
import { type Actor, demand } from './actor.ts';
import { reaches } from './members.ts';
import { commit, type Platform } from './platform.ts';

const rememberMs = 1_000;
/** `last_used_at` is written at most this often. */
const touchMs = 60_000;

interface Known {
  actor: Omit<Actor, 'address'> | null;
  readAt: number;
  expiresAt: number | null;
}

const hashToken = (token: string): string => digest('sha256', token, 'hex');

export class TokenBook {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #adminHash: Buffer;
  /** By hash, as in the store: tokens in the clear are kept nowhere. */
  readonly #known = new LRUCache<string, Known>({ max: 10_000 });
  readonly #touched = new LRUCache<string, number>({ max: 10_000 });

  /** @param adminToken the operator's token, which is never in the store */
  constructor(store: Store, clock: Clock, adminToken: string) {
    this.#store = store;
    this.#clock = clock;
    this.#adminHash = Buffer.from(hashToken(adminToken), 'hex');
  }

  /** Whose token this is; null for an unknown, revoked or expired one. */
  find(token: string): Omit<Actor, 'address'> | null | Promise<Omit<Actor, 'address'> | null> {
    const hash = hashToken(token);
    const known = this.#known.get(hash);
    if (known !== undefined && this.#clock.monotonic() - known.readAt < rememberMs)
      return this.#unexpired(known);
    return this.#look(hash);
  }

  async #look(hash: string): Promise<Omit<Actor, 'address'> | null> {
    const readAt = this.#clock.monotonic();
    if (timingSafeEqual(Buffer.from(hash, 'hex'), this.#adminHash)) {
      const actor = {
        tokenId: 'operator',
        name: 'operator',
        role: 'OPERATOR' as const,
        teamId: null,
        userId: null,
      };
      this.#known.set(hash, { actor, readAt, expiresAt: null });
      return actor;
    }
    const row = await findToken(this.#store, hash);
    if (row === null || row.revoked_at !== null) return null;
    const known: Known = {
      actor: {
        tokenId: row.id,
        name: row.name,
        role: row.role,
        teamId: row.team_id,
        userId: row.user_id,
      },
      readAt,
      expiresAt: row.expires_at,
    };
    this.#known.set(hash, known);
    await this.#touch(row.id);
    return this.#unexpired(known);
  }

  #unexpired({ actor, expiresAt }: Known): Omit<Actor, 'address'> | null {
    return expiresAt !== null && expiresAt <= this.#clock.now() ? null : actor;
  }

  async #touch(id: string): Promise<void> {
    const now = this.#clock.now();
    if (now - (this.#touched.get(id) ?? 0) < touchMs) return;
    this.#touched.set(id, now);
    await this.#store.change({ steps: [touchToken(this.#store, id, now)], events: [], touched: [], now });
  }

  /** Forgets what was remembered, after a token was revoked on this node. */
  forget(): void {
    this.#known.clear();
  }
}

export interface TokenInput {
  name: string;
  role: TokenRow['role'];
  /** Epoch ms; null for a token that doesn't expire. */
  expiresAt: number | null;
  /** The person it belongs to; null for nobody. */
  userId: string | null;
}

/**
 * Creates a token.
 * @param team the team it is for; null only for a publisher of every team
 * @returns its row, and its plain text, which is in this answer and never in another
 */
export async function createToken(
  platform: Platform,
  actor: Actor,
  team: Row<'teams'> | null,
  input: TokenInput,
): Promise<{ row: TokenRow; token: string }> {
  demand(actor, 'tokens.write');
  const { store } = platform;
  const at = platform.clock.now();
  if (actor.role !== 'OPERATOR') judgeReach(actor, input);
  if (input.expiresAt !== null && input.expiresAt <= at)
    throw new ApiError(
      'bad_request',
      'body.expiresAt lies in the past; choose a later time, or leave it out.',
    );
  const person = input.userId === null ? [] : [await judgePerson(platform, team, input.userId, input.role)];
  const token = newToken();
  const row: TokenRow = {
    id: newTokenId(),
    hash: hashToken(token),
    name: input.name,
    role: input.role,
    team_id: team?.id ?? null,
    user_id: input.userId,
    created_by: actor.userId ?? actor.tokenId,
    created_at: at,
    expires_at: input.expiresAt,
    last_used_at: null,
    revoked_at: null,
  };
  await commit(platform, actor, {
    teamId: row.team_id,
    action: 'token.created',
    subject: row.id,
    detail: { name: row.name, role: row.role, userId: row.user_id, expiresAt: row.expires_at },
    steps: [...person, insertToken(store, row)],
    at,
  });
  return { row, token };
}

/** Revokes a token; `scope` is the one team whose tokens the caller may revoke, null for all. */
export async function removeToken(
  platform: Platform,
  actor: Actor,
  id: string,
  scope: string | null,
): Promise<void> {
  demand(actor, 'tokens.write');
  const missing = { code: 'not_found', message: `There is no token ${id}.` } as const;
  const row = await findTokenById(platform.store, id, scope);
  if (row === null) throw new ApiError(missing.code, missing.message);
  const at = platform.clock.now();
  await commit(
    platform,
    actor,
    {
      teamId: row.team_id,
      action: 'token.revoked',
      subject: row.id,
      detail: { name: row.name, role: row.role },
      steps: [revokeToken(platform.store, row.id, at)],
      at,
    },
    { revoked: missing },
  );
}

function judgeReach(actor: Actor, { role, userId }: TokenInput): void {
  if (role === 'PUBLISHER')
    throw new ApiError('forbidden', 'Only the operator may create a token with the role PUBLISHER.');
  if (!reaches(actor.role, role))
    throw new ApiError('forbidden', `The role ${actor.role} may not create a token with the role ${role}.`);
  if (userId !== null && userId !== actor.userId)
    throw new ApiError(
      'forbidden',
      'Only the operator may create a token for another person; leave userId out.',
    );
}

/**
 * A person's token is for a team that the person belongs to, and may no more than the person.
 * @returns the step that makes sure of it in the commit
 */
async function judgePerson(
  platform: Platform,
  team: Row<'teams'> | null,
  userId: string,
  role: TokenInput['role'],
): Promise<Step> {
  if (role === 'PUBLISHER' || team === null)
    throw new ApiError(
      'bad_request',
      'A token with the role PUBLISHER belongs to no person; leave userId out.',
    );
  const member = await findMember(platform.store, team.id, userId);
  if (member === null)
    throw new ApiError(
      'bad_request',
      `${userId} is not a member of the team ${team.slug}; add the member first.`,
    );
  if (!reaches(member.role, role))
    throw new ApiError(
      'bad_request',
      `${userId} is ${member.role} of the team, so a token can't be ${role}.`,
    );
  return holdMember(platform.store, team.id, userId, member.role);
}
