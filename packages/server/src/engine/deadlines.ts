// One timer for the deadlines of all requests under way. Requests of equal length end in the order they began,
// so there is a queue for each length and only its head is looked at: adding and removing cost a set operation.
import type { Clock } from '../clock.ts';

/** How late a deadline may be noticed, ms. */
const DEADLINE_TICK_MS = 25;

export interface Expiring {
  /** Monotonic ms. */
  readonly dueAt: number;
  /** How long before `dueAt` it is added, ms. */
  readonly timeoutMs: number;
  /** Called once when the deadline has passed, unless it was removed before. */
  expire(): void;
}

export interface Deadlines {
  add(expiring: Expiring): void;
  /** Harmless for what has expired or was never added. */
  remove(expiring: Expiring): void;
}

export function createDeadlines(clock: Clock): Deadlines {
  const queues = new Map<number, Set<Expiring>>();
  let isTicking = false;

  function tick(): void {
    const now = clock.monotonic();
    for (const [timeoutMs, queue] of queues) {
      for (const expiring of queue) {
        if (expiring.dueAt > now) break;
        queue.delete(expiring);
        expiring.expire();
      }
      if (queue.size === 0) queues.delete(timeoutMs);
    }
    isTicking = queues.size > 0;
    if (isTicking) clock.after(DEADLINE_TICK_MS, tick);
  }

  return {
    add(expiring) {
      let queue = queues.get(expiring.timeoutMs);
      if (queue === undefined) {
        queue = new Set();
        queues.set(expiring.timeoutMs, queue);
      }
      queue.add(expiring);
      if (isTicking) return;
      isTicking = true;
      clock.after(DEADLINE_TICK_MS, tick);
    },
    remove(expiring) {
      queues.get(expiring.timeoutMs)?.delete(expiring);
    },
  };
}
