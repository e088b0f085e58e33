// A clock that stands still until a test moves it. Timers fire in order of their time while it is moved.
import type { Clock, Timer } from '../../src/clock.ts';

interface Waiting {
  at: number;
  run(): void;
}

export class FakeClock implements Clock {
  #wall: number;
  #monotonic = 1_000;
  #waiting: Waiting[] = [];
  /** What `random` answers. */
  chance = 0.5;

  /** @param now epoch ms */
  constructor(now = Date.UTC(2026, 0, 15, 12)) {
    this.#wall = now;
  }

  now(): number {
    return this.#wall;
  }

  monotonic(): number {
    return this.#monotonic;
  }

  random(): number {
    return this.chance;
  }

  after(delayMs: number, run: () => void): Timer {
    const waiting = { at: this.#monotonic + Math.max(0, delayMs), run };
    this.#waiting.push(waiting);
    return {
      cancel: () => {
        this.#waiting = this.#waiting.filter((other) => other !== waiting);
      },
    };
  }

  /** How many timers are set. */
  get timers(): number {
    return this.#waiting.length;
  }

  /** Moves time on; each timer fires at its own time, and what it sets off is done before the next. */
  async advance(ms: number): Promise<void> {
    const until = this.#monotonic + ms;
    for (;;) {
      await settle();
      const next = this.#waiting.filter(({ at }) => at <= until).toSorted((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.#waiting = this.#waiting.filter((other) => other !== next);
      this.#move(next.at - this.#monotonic);
      next.run();
    }
    this.#move(until - this.#monotonic);
    await settle();
  }

  /** Moves the wall clock alone, as an operator or a time server does. */
  jump(ms: number): void {
    this.#wall += ms;
  }

  #move(ms: number): void {
    this.#monotonic += ms;
    this.#wall += ms;
  }
}

/** Lets everything run that waits for nothing but its turn in the event loop. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 12; turn++) await new Promise((resolve) => setImmediate(resolve));
}
