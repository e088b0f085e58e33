// How often somebody may call what costs others something: a bucket for each key that refills with time.
import { LRUCache } from 'lru-cache';
import type { Clock } from '../clock.ts';
import { ApiError } from '../errors.ts';

const mostKeys = 10_000;

export interface Rate {
  /** How many calls may come at once. */
  burst: number;
  /** After how long, ms, one more may come. */
  everyMs: number;
}

export class Throttle {
  readonly #clock: Clock;
  readonly #rate: Rate;
  /** When, monotonic ms, a key's bucket is full again. */
  readonly #fullAt = new LRUCache<string, number>({ max: mostKeys });

  constructor(clock: Clock, rate: Rate) {
    this.#clock = clock;
    this.#rate = rate;
  }

  /** Counts a call of `key`. @throws ApiError rate_limited, with the seconds to wait */
  take(key: string): void {
    const { burst, everyMs } = this.#rate;
    const now = this.#clock.monotonic();
    const fullAt = Math.max(now, this.#fullAt.get(key) ?? 0) + everyMs;
    const waitMs = fullAt - now - burst * everyMs;
    if (waitMs > 0) {
      const seconds = Math.ceil(waitMs / 1_000);
      throw new ApiError('rate_limited', `Too many calls of this kind; try again in ${seconds} s.`, {
        headers: { 'retry-after': String(seconds) },
      });
    }
    this.#fullAt.set(key, fullAt);
  }
}
