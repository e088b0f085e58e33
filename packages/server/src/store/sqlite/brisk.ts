// A little is published while a lot is worked off: publishes then have commits of their own, and other turns are short, so
// that a publish waits for a millisecond or two and not for the attempts and claims of a whole backlog. When much is
// published, everything shares its commits, which costs least.
import { type Turn, weightOf } from './wire.ts';

/** A publish turn of more events than this is no small one. */
const fewEvents = 4;
/** How long one turn says something of the next ones, ms. */
const rememberMs = 100;
/** A turn of so many attempts, or with a claim, is worth going ahead of. */
const longAttempts = 64;

export class Brisk {
  #smallAt = Number.NEGATIVE_INFINITY;
  #largeAt = Number.NEGATIVE_INFINITY;

  /** Whether a little is published at `now` (monotonic ms). */
  isTime(now: number): boolean {
    return now - this.#smallAt < rememberMs && now - this.#largeAt >= rememberMs;
  }

  /** Of the turns of several clients that are there at `now`: which share a commit, in their order. */
  shareOut(turns: Turn[], now: number): Turn[][] {
    const small: Turn[] = [];
    const others: Turn[] = [];
    let isLong = false;
    for (const turn of turns) {
      const { events, attempts, claims, others: rest } = weightOf(turn);
      if (events > fewEvents) this.#largeAt = now;
      else if (events > 0) this.#smallAt = now;
      isLong ||= attempts > longAttempts || claims > 0;
      if (events > 0 && events <= fewEvents && attempts + claims + rest === 0) small.push(turn);
      else others.push(turn);
    }
    if (isLong && this.isTime(now) && small.length > 0) return [small, others];
    return turns.length === 0 ? [] : [turns];
  }
}
