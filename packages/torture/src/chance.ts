// Chance from a seed: the same seed makes the same choices, in the tester and in the receiver.
import { createHash, randomInt } from 'node:crypto';

/** A seed for a run that was given none. */
export const newSeed = (): number => randomInt(1, 2 ** 31);

export class Chance {
  #state: number;

  /** @param seed the run's; `about` keeps the choices of one part apart from those of others */
  constructor(seed: number, about: string) {
    this.#state = createHash('sha256').update(`${seed} ${about}`).digest().readUInt32LE(0);
  }

  /** A number in [0, 1); mulberry32. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  }

  /** A whole number from `least` to `most`, both included. */
  whole(least: number, most: number): number {
    return least + Math.floor(this.next() * (most - least + 1));
  }

  /** @throws when there is nothing to choose from */
  pick<Item>(items: readonly Item[]): Item {
    const item = items[this.whole(0, items.length - 1)];
    if (item === undefined) throw new Error('There is nothing to choose from.');
    return item;
  }

  /** True with probability `share`. */
  happens(share: number): boolean {
    return this.next() < share;
  }

  /** One of the names, each as likely as its weight says. */
  weighed<Name extends string>(weights: Readonly<Record<Name, number>>): Name {
    const entries = Object.entries(weights) as [Name, number][];
    let left = this.next() * entries.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [name, weight] of entries) {
      left -= weight;
      if (left < 0) return name;
    }
    return this.pick(entries)[0];
  }
}
