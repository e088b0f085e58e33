// What a replay must, and may, have made again: by what it asked for, when each event was accepted, and what was seen of
// its deliveries before.
import type { JudgedCall } from './calls.ts';
import type { Expected } from './expected.ts';
import type { Call, ReplayState } from './history.ts';

export interface Replay {
  /** Places in the journal: the call, its answer, and where it was seen to be over; infinite where they are not there. */
  from: number;
  to: number;
  overAt: number;
  /** Epoch ms of the call. */
  at: number;
  answered: boolean;
  what: Extract<Call, { op: 'replay' }>;
}

/** Null for a call that changed nothing. `over` has the places where replays were seen to be over, by their ids. */
export function readReplay(call: JudgedCall, over: ReadonlyMap<string, number>): Replay | null {
  const { what, from, to, at, outcome, body } = call;
  if (what.op !== 'replay' || outcome === 'refused') return null;
  const overAt = over.get(body?.id ?? '') ?? Number.POSITIVE_INFINITY;
  return { from, to, overAt, at, answered: outcome === 'done', what };
}

/** Whether an event is in a replay's period: certainly, or perhaps. Events marked test are in none. */
export function isAbout(
  { what, answered, from, to }: Replay,
  state: ReplayState,
  event: Expected,
  skewMs: number,
): { must: boolean; may: boolean } {
  if (event.only !== null || !what.states.includes(state)) return { must: false, may: false };
  const { fromAt, toAt } = event;
  return {
    must:
      answered &&
      event.accepted &&
      event.to < from &&
      fromAt >= what.since + skewMs &&
      toAt <= what.until - skewMs,
    may: event.from < to && fromAt <= what.until + skewMs && toAt >= what.since - skewMs,
  };
}
