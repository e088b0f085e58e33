// The states of a delivery.
//
//                      2xx
//   pending ────────────────────────────▶ delivered ◀─┐
//    │  ▲  │                                          │ 2xx of a redelivery or replay
//    │  └──┘ no 2xx, schedule goes on                 │
//    │                                                │
//    ├──── no 2xx, schedule used up, or 410 ──▶ failed┘
//    └──── its endpoint was removed ─────────▶ canceled
//
// A finished state changes only by a redelivery or a replay that succeeds; one that fails leaves it as it is. A redelivery
// is one attempt; a replay has a schedule of its own, beside the state, which is what it was until a 2xx.
import { nextAttemptAt, readRetryAfter } from './retry.ts';

export type DeliveryState = 'pending' | 'delivered' | 'failed' | 'canceled';

/** What came of one attempt, as far as the state is concerned. */
export interface Outcome {
  /** The answer's status; null when there was none. */
  status: number | null;
  /** Whether a whole 2xx answer came back in time. */
  success: boolean;
  /** The answer's Retry-After header, null if it had none. */
  retryAfter: string | null;
}

export interface AttemptContext {
  scheduleMs: readonly number[];
  /** This attempt's number in the schedule, from 1. */
  number: number;
  /** Outside any schedule: a redelivery of a finished delivery. */
  extra: boolean;
  /** When the schedule began: the delivery was made, or made again by a replay. */
  createdAt: number;
  now: number;
  random: number;
}

export type NextStep = { kind: 'delivered' } | { kind: 'failed' } | { kind: 'retry'; at: number };

/** Decides what an attempt leads to. Pure. */
export function decideNext(outcome: Outcome, context: AttemptContext): NextStep {
  if (outcome.success) return { kind: 'delivered' };
  if (context.extra || outcome.status === 410) return { kind: 'failed' };
  const asks = outcome.retryAfter !== null && (outcome.status === 429 || outcome.status === 503);
  const at = nextAttemptAt({
    scheduleMs: context.scheduleMs,
    attempts: context.number,
    createdAt: context.createdAt,
    now: context.now,
    retryAfterMs: asks ? readRetryAfter(outcome.retryAfter ?? '', context.now) : null,
    random: context.random,
  });
  return at === null ? { kind: 'failed' } : { kind: 'retry', at };
}
