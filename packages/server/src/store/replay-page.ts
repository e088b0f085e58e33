// What stores do with a page of a replay: its row as they read it, and which of the candidates are made. In a file without any
// query, so that the thread that writes to SQLite need not load what builds them.
import { type ReplayCursor, type ReplayState, stateAfter } from '../core/replay.ts';
import type { Row } from './control/tables.ts';
import type { ReplayQuery, ReplayRequest, RunningReplay } from './store.ts';

export type ReplayRow = Row<'replays'>;

/** So many replays run at once; those that were begun later wait. */
export const mostRunning = 1_000;
/** Events lie in the order of their acceptance, save for what clocks jump and differ by: no more than this, ms. */
export const disorderMs = 86_400_000;

/** One delivery or event that a replay looks at. */
export interface ReplayCandidate {
  /** The cursor's `after` once this is done with. */
  position: string | number;
  /** The delivery's key. */
  key: string;
  seq: number;
  type: string;
  attempts: number;
  acceptedAt: number;
  bytes: number;
  /** Whether the store has unfinished work of the delivery. */
  waits: number;
  matches: number;
}

/** What a page leads to: the candidates to be made, and where the replay stands after them. */
export interface Choice {
  chosen: ReplayCandidate[];
  /** Null when nothing is left. */
  cursor: ReplayCursor | null;
}

/** How many keys a replay looks at for so many deliveries: a millisecond of the store's time at the most. */
export const lookFor = (most: number): number => Math.min(500, Math.max(50, most * 2));

/** Chooses what to make of a page of `lookFor(most)` keys: up to `most` of those that match and are kept. */
export function choose({ replay, most, keptSince }: ReplayRequest, page: ReplayCandidate[]): Choice {
  const { state } = replay.cursor;
  const chosen: ReplayCandidate[] = [];
  let { cursor } = replay;
  for (const candidate of page) {
    if (isBeyond(replay, state, candidate)) return { chosen, cursor: nextCursor(replay) };
    const wanted = candidate.matches === 1 && candidate.acceptedAt >= keptSince;
    if (wanted && chosen.length === most) return { chosen, cursor };
    cursor = { state, after: String(candidate.position) };
    if (wanted) chosen.push(candidate);
  }
  return { chosen, cursor: page.length < lookFor(most) ? nextCursor(replay) : cursor };
}

function nextCursor({ states, cursor }: RunningReplay): ReplayCursor | null {
  const state = stateAfter(states, cursor.state);
  return state === null ? null : { state, after: '' };
}

/** Whether nothing of a query can lie at or after an event: keys have a bound of their own. */
const isBeyond = (query: ReplayQuery, state: ReplayState, { acceptedAt }: ReplayCandidate): boolean =>
  state === 'missed' && acceptedAt > query.until + disorderMs;

/** A row as those who make the replay read it. */
export function readRunning(row: ReplayRow, turn: number): RunningReplay {
  return {
    id: row.id,
    tag: row.tag,
    teamId: row.team_id,
    since: row.since,
    until: row.until,
    seqFrom: row.seq_from,
    types: row.types === null ? null : (JSON.parse(row.types) as string[]),
    states: JSON.parse(row.states) as ReplayState[],
    createdAt: row.created_at,
    rate: row.rate,
    cursor: { state: row.walking, after: row.after },
    turn,
  };
}
