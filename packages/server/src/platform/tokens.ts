// Tokens: who may call. Stored hashed; found by hash; a look-up is remembered for a second, so that what is revoked
// on another node stops working here too.
import { createHash, timingSafeEqual } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Clock } from '../clock.ts';
import { findToken, touchToken } from '../store/control/tokens.ts';
import type { Store } from '../store/store.ts';
import type { Actor, Role } from './actor.ts';

const rememberMs = 1_000;
/** `last_used_at` is written at most this often. */
const touchMs = 60_000;

interface Known {
  actor: Omit<Actor, 'address'> | null;
  readAt: number;
  expiresAt: number | null;
}

export const hashToken = (token: string): string => createHash('sha256').update(token).digest('hex');

export class TokenBook {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #adminHash: Buffer;
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
    const known = this.#known.get(token);
    if (known !== undefined && this.#clock.monotonic() - known.readAt < rememberMs)
      return this.#unexpired(known);
    return this.#look(token);
  }

  async #look(token: string): Promise<Omit<Actor, 'address'> | null> {
    const hash = hashToken(token);
    const readAt = this.#clock.monotonic();
    if (timingSafeEqual(Buffer.from(hash, 'hex'), this.#adminHash)) {
      const actor = {
        tokenId: 'operator',
        name: 'operator',
        role: 'OPERATOR' as const,
        teamId: null,
        userId: null,
      };
      this.#known.set(token, { actor, readAt, expiresAt: null });
      return actor;
    }
    const row = await findToken(this.#store, hash);
    if (row === null || row.revoked_at !== null) return null;
    const known: Known = {
      actor: {
        tokenId: row.id,
        name: row.name,
        role: row.role as Role,
        teamId: row.team_id,
        userId: row.user_id,
      },
      readAt,
      expiresAt: row.expires_at,
    };
    this.#known.set(token, known);
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
