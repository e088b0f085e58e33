// A lane's breaker: after a run of failures the lane rests and is tried with one delivery at a time.
//
//   closed ── `threshold` failures in a row ──▶ open ── its time is over ──▶ probing
//     ▲                                          ▲                            │ │
//     └──────────── the probe succeeds ──────────┼────────────────────────────┘ │
//                                                └──── the probe fails ─────────┘  (rests twice as long)

/** How long the first rest lasts, and the longest. */
const firstRestMs = 1_000;
const longestRestMs = 60_000;

export type Breaker =
  | { kind: 'closed'; failures: number }
  | { kind: 'open'; untilMs: number; restMs: number }
  | { kind: 'probing'; restMs: number };

export const closedBreaker: Breaker = { kind: 'closed', failures: 0 };

/** The breaker as it is at `nowMs` (monotonic): an open one whose rest is over is ready to probe. */
export function wake(breaker: Breaker, nowMs: number): Breaker {
  return breaker.kind === 'open' && nowMs >= breaker.untilMs
    ? { kind: 'probing', restMs: breaker.restMs }
    : breaker;
}

export function afterSuccess(breaker: Breaker): Breaker {
  return breaker.kind === 'closed' && breaker.failures === 0 ? breaker : closedBreaker;
}

/** @param threshold failures in a row that open it */
export function afterFailure(breaker: Breaker, threshold: number, nowMs: number): Breaker {
  switch (breaker.kind) {
    case 'closed':
      return breaker.failures + 1 >= threshold
        ? { kind: 'open', untilMs: nowMs + firstRestMs, restMs: firstRestMs }
        : { kind: 'closed', failures: breaker.failures + 1 };
    case 'probing': {
      const restMs = Math.min(breaker.restMs * 2, longestRestMs);
      return { kind: 'open', untilMs: nowMs + restMs, restMs };
    }
    case 'open':
      // An attempt that was under way when the breaker opened: it tells nothing new.
      return breaker;
  }
}
