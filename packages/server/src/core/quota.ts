// How much may be taken in a time: a token bucket kept as one number (the generic cell rate algorithm, as ATM networks
// have it). It holds one window's worth and fills evenly. Whoever finds one left may take several at once, and then
// waits until they are paid for: on average nobody gets more than the quota.

export interface Quota {
  /** So many in a window, and so many at once after a quiet time. */
  limit: number;
  windowMs: number;
}

/** When all that was taken is paid for, monotonic ms. */
export type Meter = number;

export const freshMeter: Meter = Number.NEGATIVE_INFINITY;

export interface Verdict {
  admitted: boolean;
  meter: Meter;
  /** How many are left. */
  remaining: number;
  /** Until none is missing any more, ms. */
  resetMs: number;
  /** Until one is left, ms; 0 where one is. */
  retryMs: number;
}

/** Takes `count` (at least 1) at `nowMs`, or refuses all of them. */
export function take(meter: Meter, { limit, windowMs }: Quota, count: number, nowMs: number): Verdict {
  const msEach = windowMs / limit;
  const judge = (admitted: boolean, paidAtMs: number): Verdict => {
    const owedMs = Math.max(0, paidAtMs - nowMs);
    return {
      admitted,
      meter: paidAtMs,
      // What rounding leaves of a whole one is a whole one.
      remaining: Math.max(0, Math.floor((windowMs - owedMs) / msEach + 1e-6)),
      resetMs: owedMs,
      retryMs: Math.max(0, owedMs + msEach - windowMs),
    };
  };
  const before = judge(true, meter);
  if (before.remaining < 1) return { ...before, admitted: false };
  return judge(true, Math.max(meter, nowMs) + count * msEach);
}
