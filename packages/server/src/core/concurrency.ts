// How many requests a lane may have under way: additive increase, multiplicative decrease (AIMD, Chiu and Jain
// 1989) with a fast start: one more per success until the first sign of trouble, then one more per round.

export const startLimit = 2;

export interface Concurrency {
  limit: number;
  /** Whether the lane has not yet met trouble, and so still grows by one with each success. */
  fresh: boolean;
  /** Nothing shrinks the limit again before this time (monotonic ms): one round of trouble counts once. */
  calmUntilMs: number;
}

export const freshConcurrency: Concurrency = { limit: startLimit, fresh: true, calmUntilMs: 0 };

/** After a success. `ceiling` is the most a lane may reach. */
export function grow(current: Concurrency, ceiling: number): Concurrency {
  if (current.limit >= ceiling) return current;
  const step = current.fresh ? 1 : 1 / current.limit;
  return { ...current, limit: Math.min(ceiling, current.limit + step) };
}

/** After a timeout, a 429 or a 503 that took `tookMs`: half, at least one, once per round. */
export function shrink(current: Concurrency, nowMs: number, tookMs: number): Concurrency {
  if (nowMs < current.calmUntilMs) return current.fresh ? { ...current, fresh: false } : current;
  return {
    limit: Math.max(1, current.limit / 2),
    fresh: false,
    calmUntilMs: nowMs + Math.min(tookMs, 5_000),
  };
}
