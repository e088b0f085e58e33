// The pace of publishing: whoever publishes much waits a moment while this process can't keep up with sending. Else
// intake, which costs less than delivery, takes the processor from it: deliveries wait in ever longer queues, and have to
// be written down, given up and claimed again. At fan-out 10 on two cores, as fast as 64 connections publish: 30,000 to
// 36,000 deliveries a second for 44 to 40 µs of processor time each, received 580 to 52 ms after their publishing (p50).
import type { Clock } from '../clock.ts';

/** How the engine is doing, as the thread that serves HTTP can see it at any time. */
export interface EngineLoad {
  /** Deliveries in memory that wait for their turn. */
  readonly waiting: number;
  /** The part of the time since it was last asked that the engine's thread was busy, 0 to 1. */
  busy(): number;
}

/** So many deliveries may wait in memory before anybody who publishes does, and so many are left when they go on. */
const enoughWaiting = 512;
const fewWaiting = 256;
/** And only while the engine's thread has so little idle time: deliveries that wait for slow endpoints slow nobody down. */
const busyShare = 0.9;
/** How long `busy` is looked at. */
const lookMs = 10;
/** A publish call waits no longer than this, whatever the engine does. */
const mostWaitMs = 50;
/** How many deliveries a team may cause in that time before its calls wait, so that one that floods slows only itself. */
const freeDeliveries = 64;
/** How often it is looked whether those who wait may go on. */
const tickMs = 1;

interface Held {
  resolve(): void;
  since: number;
}

/** Of an engine that always keeps up. */
export const idleLoad: EngineLoad = { waiting: 0, busy: () => 0 };

export class Intake {
  readonly #load: EngineLoad;
  readonly #clock: Clock;
  #caused = new Map<string, number>();
  #causedSince = 0;
  #busy = false;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #held: Held[] = [];
  #ticking = false;

  constructor(load: EngineLoad, clock: Clock) {
    this.#load = load;
    this.#clock = clock;
  }

  /** Resolves when a team's publish call may go on; null: at once. */
  enter(teamId: string): Promise<void> | null {
    const now = this.#clock.monotonic();
    this.#forgetOld(now);
    if ((this.#caused.get(teamId) ?? 0) < freeDeliveries) return null;
    // Who comes while others wait goes on with them.
    const enough = this.#held.length === 0 ? enoughWaiting : fewWaiting;
    if (this.#load.waiting < enough || !this.#isBusy(now)) return null;
    return new Promise((resolve) => {
      this.#held.push({ resolve, since: now });
      this.#tickSoon();
    });
  }

  /** Counts deliveries that a team caused. */
  count(teamId: string, deliveries: number): void {
    this.#forgetOld(this.#clock.monotonic());
    this.#caused.set(teamId, (this.#caused.get(teamId) ?? 0) + deliveries);
  }

  #forgetOld(now: number): void {
    if (now - this.#causedSince < mostWaitMs) return;
    this.#caused = new Map();
    this.#causedSince = now;
  }

  #isBusy(now: number): boolean {
    if (now - this.#lookedAt >= lookMs) {
      this.#busy = this.#load.busy() >= busyShare;
      this.#lookedAt = now;
    }
    return this.#busy;
  }

  #tickSoon(): void {
    if (this.#ticking) return;
    this.#ticking = true;
    this.#clock.after(tickMs, () => {
      this.#ticking = false;
      this.#tick();
    });
  }

  #tick(): void {
    const now = this.#clock.monotonic();
    const isBehind = this.#load.waiting >= fewWaiting && this.#isBusy(now);
    const stays = isBehind ? this.#held.findIndex(({ since }) => now - since < mostWaitMs) : -1;
    for (const { resolve } of this.#held.splice(0, stays < 0 ? this.#held.length : stays)) resolve();
    if (this.#held.length > 0) this.#tickSoon();
  }
}
