// The journal's calls with their answers, and what each may have done: certainly, perhaps, or nothing.
import type { AnswerBody, Call, JournalEntry } from './history.ts';

export interface JudgedCall {
  what: Call;
  /** Places in the journal: the call, and its answer (infinite where none came). */
  from: number;
  to: number;
  /** Epoch ms of the call, and of its answer (infinite where none came). */
  at: number;
  endAt: number;
  /** `done`: a 2xx. `refused`: a 4xx, which changes nothing. `doubtful`: no answer, or a 5xx. */
  outcome: 'done' | 'refused' | 'doubtful';
  status: number | null;
  body: AnswerBody | null;
}

export function readCalls(journal: readonly JournalEntry[]): JudgedCall[] {
  const calls = new Map<number, JudgedCall>();
  for (const entry of journal) {
    if (entry.kind === 'call') {
      calls.set(entry.call, {
        what: entry.what,
        from: entry.seq,
        to: Number.POSITIVE_INFINITY,
        at: entry.at,
        endAt: Number.POSITIVE_INFINITY,
        outcome: 'doubtful',
        status: null,
        body: null,
      });
    } else if (entry.kind === 'answer') {
      const call = calls.get(entry.call);
      const { status, body } = entry;
      if (call === undefined || status === null) continue;
      const outcome = status < 300 ? 'done' : status < 500 ? 'refused' : 'doubtful';
      Object.assign(call, {
        outcome,
        status,
        body,
        ...(outcome === 'doubtful' ? {} : { to: entry.seq, endAt: entry.at }),
      });
    }
  }
  return [...calls.values()];
}

/** The calls of one kind. */
export const callsOf = <Op extends Call['op']>(calls: readonly JudgedCall[], op: Op) =>
  calls.filter((call): call is JudgedCall & { what: Extract<Call, { op: Op }> } => call.what.op === op);
