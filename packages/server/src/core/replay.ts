// Replays: what of the past they can make again, in which order they walk through it, and when each delivery may start.

/** In the order in which a replay walks: finished deliveries by their state, then events that have no delivery. */
export const replayStates = ['failed', 'canceled', 'delivered', 'missed'] as const;
export type ReplayState = (typeof replayStates)[number];

/** Where a replay stands: what it walks through, and the last key that it has looked at there; '' at the beginning. */
export interface ReplayCursor {
  state: ReplayState;
  after: string;
}

/** The states asked for, each once, in the order in which they are walked. */
export function inOrder(states: readonly ReplayState[]): ReplayState[] {
  return replayStates.filter((state) => states.includes(state));
}

/** Where to go on when everything of `state` has been looked at; null when that was the last. */
export function stateAfter(states: readonly ReplayState[], state: ReplayState): ReplayState | null {
  const order = inOrder(states);
  return order[order.indexOf(state) + 1] ?? null;
}

/** No event this close to the end of its retention is made again, ms: pruning may be taking it away. */
const mostRetentionMarginMs = 60_000;

/** Events accepted before this time (epoch ms) count as pruned, also where the clocks of two nodes differ. */
export function keptSince(now: number, retentionMs: number): number {
  return now - retentionMs + Math.min(mostRetentionMarginMs, retentionMs / 10);
}

/** Deliveries with a rate are made this long before they start, so that few commits make many of them. */
export const aheadMs = 250;

/** A rate, and when the next delivery may start; ms by the monotonic clock. */
export interface Pace {
  ratePerSecond: number;
  nextAtMs: number;
}

/** A pace that could not be kept is not caught up with: what was left out shifts everything after it. */
function caughtUp({ nextAtMs }: Pace, nowMs: number): number {
  return Math.max(nextAtMs, nowMs - aheadMs);
}

/** When to make the next ones: as late as half of what is made ahead, so that each step makes several. */
export const makeAtMs = ({ nextAtMs }: Pace): number => nextAtMs - aheadMs / 2;

/** How many deliveries may be made now: those that start within the next `aheadMs`, once there is need for more. */
export function allowed(pace: Pace, nowMs: number): number {
  if (nowMs < makeAtMs(pace)) return 0;
  const spanMs = nowMs + aheadMs - caughtUp(pace, nowMs);
  return Math.floor((spanMs * pace.ratePerSecond) / 1000) + 1;
}

/** When each of `count` deliveries made now starts, evenly; and the pace after them. */
export function spread(pace: Pace, nowMs: number, count: number): { startsMs: number[]; pace: Pace } {
  const from = caughtUp(pace, nowMs);
  const everyMs = 1000 / pace.ratePerSecond;
  const startsMs = Array.from({ length: count }, (_, at) => from + at * everyMs);
  return { startsMs, pace: { ...pace, nextAtMs: from + count * everyMs } };
}
