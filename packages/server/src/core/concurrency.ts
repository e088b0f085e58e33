// How many requests a lane may have under way: additive increase, multiplicative decrease (AIMD, Chiu and Jain 1989) with
// TCP's slow start (Jacobson 1988). It starts with two and one more per success; after trouble it is halved, and grows by
// one per round. After an outage it starts with two again, and with one more per success only up to half of what it had.

export const startLimit = 2;

export interface Concurrency {
  limit: number;
  /** Below this the lane grows by one with each success, which doubles it each round; from there on by one a round. */
  slowStartTo: number;
  /** Nothing shrinks the limit again before this time (monotonic ms): one round of trouble counts once. */
  calmUntilMs: number;
}

export const freshConcurrency: Concurrency = {
  limit: startLimit,
  slowStartTo: Number.POSITIVE_INFINITY,
  calmUntilMs: 0,
};

/** After a success. `ceiling` is the most a lane may reach. */
export function grow(current: Concurrency, ceiling: number): Concurrency {
  if (current.limit >= ceiling) return current;
  const step = current.limit < current.slowStartTo ? 1 : 1 / current.limit;
  return { ...current, limit: Math.min(ceiling, current.limit + step) };
}

/** After a timeout, a 429 or a 503 that took `tookMs`: half, at least one, once per round. */
export function shrink(current: Concurrency, nowMs: number, tookMs: number): Concurrency {
  if (nowMs < current.calmUntilMs) {
    return current.slowStartTo <= current.limit ? current : { ...current, slowStartTo: current.limit };
  }
  const limit = Math.max(1, current.limit / 2);
  return { limit, slowStartTo: limit, calmUntilMs: nowMs + Math.min(tookMs, 5_000) };
}

/** When the breaker closes: an endpoint that has just come back meets a ramp and not all that has waited for it. */
export function restart(current: Concurrency): Concurrency {
  return { ...current, limit: startLimit, slowStartTo: Math.max(startLimit, current.limit / 2) };
}
