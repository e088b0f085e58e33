// What is remembered for a second and used all the time is read again before its second is over, and what is in use is read
// together: the store is asked as often for a thousand as for one. With ten teams and three nodes on one PostgreSQL
// 93 of 230 statements a second were reads of one team or one endpoint.

/** A node hears of its own changes at once and of others' within this time, ms. */
export const rememberMs = 1_000;
/**
 * What is in use is read again from this age on, ms, while what is known of it still serves: beside a backlog the store takes
 * tens of milliseconds, and who sent much would wait for it once a second. Another endpoint's p99 beside 300,000 deliveries
 * that were worked off was 38 ms without this.
 */
const renewMs = 500;
/** So many are read in one statement at the most; the rest goes in the next. */
const mostTogether = 1_000;

export class Renewals {
  /** Used since it was read: goes with the first whose time it is, so that all come to go together. */
  readonly #used = new Set<string>();
  /** Asked for again and not answered yet, nor noted a second time. */
  readonly #asked = new Set<string>();

  /**
   * Notes that `key` was used `ageMs` after it was read.
   * @returns what is to be read again now, together; null for nothing
   */
  use(key: string, ageMs: number): string[] | null {
    if (this.#asked.has(key)) return null;
    this.#used.add(key);
    if (ageMs < renewMs) return null;
    const due = [...this.#used].slice(0, mostTogether);
    for (const one of due) {
      this.#used.delete(one);
      this.#asked.add(one);
    }
    return due;
  }

  /** After `key` was read, or is known no more: from now on it is noted again. */
  forget(key: string): void {
    this.#used.delete(key);
    this.#asked.delete(key);
  }
}
