// Where a look at the markers and at a lane begins on this node. What is gone leaves versions behind that every reader walks
// past, for as long as somebody's transaction is open: who begins behind them does not. Hints only: a floor that is too high
// costs time, since all markers are looked at every few seconds, and each unclaimed delivery has one (available-at.ts).
import type { Clock } from '../../clock.ts';
import { atOnce, beginning } from './available-at.ts';

/** How often all markers are looked at, whatever the floors say, ms. */
const wholeEveryMs = 5_000;
/**
 * A marker has its number before it is there for others to see, for as long as its commit takes. Numbers that were given
 * within the last so many ms are looked for, and so are times.
 */
const commitMs = 2_000;
const mostPlaces = 50_000;

/** What a claim has seen of markers: the first that it left, of each kind, and the last number that was given. */
export interface Seen {
  number: number | null;
  dueAt: number | null;
  lastNumber: number;
}

export class Floors {
  /** Markers for at once with lower numbers are gone. */
  number = 0;
  /** Markers for times before are gone, epoch ms. */
  dueAt = atOnce + 1;
  readonly #clock: Clock;
  readonly #places = new Map<string, number>();
  #wholeAt = Number.NEGATIVE_INFINITY;
  /** Numbers that were given before moments of the past: the newer moment, and the one that counts. */
  #newer = { at: Number.NEGATIVE_INFINITY, number: 0 };
  #older = 0;
  #lowered = Number.POSITIVE_INFINITY;
  #lastNow = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Goes back to the beginning when that is due; called before a claim at `now` that looks at all lanes. */
  begin(now: number): void {
    const at = this.#clock.monotonic();
    const back = now < this.#lastNow;
    this.#lastNow = now;
    this.#lowered = Number.POSITIVE_INFINITY;
    if (!back && at - this.#wholeAt < wholeEveryMs) return;
    this.#wholeAt = at;
    this.number = 0;
    this.dueAt = atOnce + 1;
  }

  /** Raises the floors to what such a claim at `now` has seen. */
  raise(now: number, { number, dueAt, lastNumber }: Seen): void {
    const at = this.#clock.monotonic();
    // A server that took another's place may have given fewer.
    if (lastNumber < this.#newer.number) this.#older = 0;
    if (at - this.#newer.at >= commitMs) {
      this.#older = Math.min(this.#newer.number, lastNumber);
      this.#newer = { at, number: lastNumber };
    }
    this.number = Math.min(number ?? Number.POSITIVE_INFINITY, this.#older);
    this.dueAt = Math.max(
      atOnce + 1,
      Math.min(dueAt ?? Number.POSITIVE_INFINITY, now - commitMs, this.#lowered),
    );
  }

  /** Something that this node has written is due at `at`. */
  lower(at: number): void {
    this.#lowered = Math.min(this.#lowered, at);
    this.dueAt = Math.min(this.dueAt, Math.max(at, atOnce + 1));
  }

  /** From where on a lane may have something unclaimed, in its own time. */
  placeOf(tag: string): number {
    return this.#places.get(tag) ?? beginning;
  }

  /** Hears where a look at a lane found its first, or null for nothing. */
  setPlace(tag: string, place: number): void {
    if (this.#places.size >= mostPlaces && !this.#places.has(tag)) this.#places.clear();
    this.#places.set(tag, place);
  }

  forget(tag: string): void {
    this.#places.delete(tag);
  }
}
