// Endpoints as the engine uses them: read once per version, secrets opened and turned into signing keys. What is
// remembered is looked at again when a claim names a newer version, when this node changes it, and once a second (renewals.ts).
import { LRUCache } from 'lru-cache';
import type { Clock } from '../clock.ts';
import { type SigningKey, signingKey } from '../core/signing.ts';
import { Renewals, rememberMs } from '../renewals.ts';
import type { DeliveryStore, EndpointRow } from '../store/store.ts';

export interface Endpoint {
  tag: string;
  id: string;
  teamId: string;
  version: number;
  url: string;
  enabled: boolean;
  removed: boolean;
  key: SigningKey;
  /** The secret before a rotation, while both are in use; `until` is epoch ms. */
  oldKey: { key: SigningKey; until: number } | null;
  maxConcurrency: number | null;
  ratePerSecond: number | null;
  /** Whether its deliveries go in an order. */
  ordered: boolean;
}

/** Hears of an endpoint: null if there is none, or if `fault` kept it from being read. */
type Reading = (endpoint: Endpoint | null, fault: unknown) => void;

/** Opens a sealed secret. */
export type OpenSecret = (sealed: Uint8Array, place: string) => string;

/** An answer that took longer than that is read again, but no oftener than this: a store may be that slow for long. */
const mostLate = 3;

interface Known {
  endpoint: Endpoint;
  readAt: number;
}

export class EndpointBook {
  readonly #store: DeliveryStore;
  readonly #clock: Clock;
  readonly #openSecret: OpenSecret;
  readonly #renewals = new Renewals();
  readonly #known = new LRUCache<string, Known>({
    max: 20_000,
    dispose: (_, tag) => this.#renewals.forget(tag),
  });
  readonly #asked = new Map<string, Reading[]>();
  /** Endpoints that are being read; false where one was changed meanwhile, so that it has to be read again. */
  readonly #underRead = new Map<string, boolean>();
  /** How often in a row an endpoint's answer came too late. */
  readonly #late = new Map<string, number>();
  #scheduled = false;

  constructor(store: DeliveryStore, clock: Clock, openSecret: OpenSecret) {
    this.#store = store;
    this.#clock = clock;
    this.#openSecret = openSecret;
  }

  /** The endpoint as it was within the last second, at `version` or newer; null if it has to be read. */
  peek(tag: string, version: number): Endpoint | null {
    const known = this.#known.get(tag);
    if (known === undefined || known.endpoint.version < version) return null;
    const ageMs = this.#clock.monotonic() - known.readAt;
    if (ageMs >= rememberMs) return null;
    // If one can't be read again, the next who needs it hears why.
    for (const due of this.#renewals.use(tag, ageMs) ?? []) this.read(due, () => {});
    return known.endpoint;
  }

  /** Reads an endpoint; calls made in the same turn share one query. */
  read(tag: string, done: Reading): void {
    const waiting = this.#asked.get(tag);
    if (waiting !== undefined) {
      waiting.push(done);
      return;
    }
    this.#asked.set(tag, [done]);
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      void this.#readAsked();
    });
  }

  async #readAsked(): Promise<void> {
    const asked = [...this.#asked];
    this.#asked.clear();
    for (const [tag] of asked) this.#underRead.set(tag, true);
    const readAt = this.#clock.monotonic();
    let rows: EndpointRow[] = [];
    let fault: unknown = null;
    try {
      rows = await this.#store.endpoints(asked.map(([tag]) => tag));
    } catch (error) {
      fault = error;
    }
    const byTag = new Map(rows.map((row) => [row.tag, row]));
    const isLate = this.#clock.monotonic() - readAt >= rememberMs;
    for (const [tag, waiting] of asked) {
      const current = this.#underRead.get(tag) === true;
      this.#underRead.delete(tag);
      const late = isLate ? (this.#late.get(tag) ?? 0) + 1 : 0;
      if (fault === null && (!current || (late > 0 && late <= mostLate))) {
        this.#late.set(tag, late);
        for (const done of waiting) this.read(tag, done);
        continue;
      }
      this.#late.delete(tag);
      this.#answer(byTag.get(tag), readAt, fault, waiting);
    }
  }

  #answer(row: EndpointRow | undefined, readAt: number, fault: unknown, waiting: Reading[]): void {
    let endpoint: Endpoint | null = null;
    let wrong = fault;
    try {
      if (row !== undefined) endpoint = this.#open(row);
    } catch (error) {
      // A secret that does not open is this endpoint's trouble alone.
      wrong = error;
    }
    if (endpoint !== null) this.#known.set(endpoint.tag, { endpoint, readAt });
    for (const done of waiting) done(endpoint, wrong);
  }

  #open(row: EndpointRow): Endpoint {
    const { tag, id, teamId, version, url, enabled, removed, maxConcurrency, ratePerSecond } = row;
    const known = this.#known.get(tag)?.endpoint;
    if (known?.version === version) return known;
    const place = `endpoints:${tag}`;
    const oldKey =
      row.oldSecretSealed === null || row.oldSecretUntil === null
        ? null
        : { key: signingKey(this.#openSecret(row.oldSecretSealed, place)), until: row.oldSecretUntil };
    const key = signingKey(this.#openSecret(row.secretSealed, place));
    const ordered = row.ordering !== 'none';
    return {
      tag,
      id,
      teamId,
      version,
      url,
      enabled,
      removed,
      key,
      oldKey,
      maxConcurrency,
      ratePerSecond,
      ordered,
    };
  }

  /** After a change on this node: the next attempt reads it anew. */
  forget(tag: string): void {
    const known = this.#known.get(tag);
    if (known !== undefined) known.readAt = Number.NEGATIVE_INFINITY;
    if (this.#underRead.has(tag)) this.#underRead.set(tag, false);
  }
}
