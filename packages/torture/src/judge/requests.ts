// The receiver's record, request by request, gathered for each delivery.
import type { AttemptView, ReceivedLine, ReceiverLine } from './history.ts';

export interface Request extends ReceivedLine {
  /** Epoch ms at which it ended for the receiver; infinite where it never did. */
  endedAt: number;
  how: 'answered' | 'broken' | null;
}

export const keyOf = (hook: string, event: string): string => `${hook} ${event}`;

/** The requests for each hook and event, in the order in which they came. */
export function readRequests(lines: readonly ReceiverLine[]): Map<string, Request[]> {
  const byNumber = new Map<number, Request>();
  const byKey = new Map<string, Request[]>();
  for (const line of lines) {
    if (line.kind === 'end') {
      const request = byNumber.get(line.n);
      if (request !== undefined) Object.assign(request, { endedAt: line.at, how: line.how });
      continue;
    }
    const request: Request = { ...line, endedAt: Number.POSITIVE_INFINITY, how: null };
    byNumber.set(line.n, request);
    const key = keyOf(line.hook, line.event);
    const list = byKey.get(key);
    if (list === undefined) byKey.set(key, [request]);
    else list.push(request);
  }
  return byKey;
}

/** When a request was surely over for its sender too: it ended here, or its sender's timeout passed. */
export const overAt = (request: Request, timeoutMs: number): number =>
  Math.min(request.endedAt, request.at + timeoutMs);

/**
 * Pairs attempts and requests by the attempt's name (its trace). A sender that finds its connection closed sends once more,
 * as the same attempt: then an attempt has two requests.
 */
export function pairByTrace(attempts: readonly AttemptView[], requests: readonly Request[]) {
  const traces = new Set(attempts.map(({ trace }) => trace));
  const came = new Set(requests.map(({ trace }) => trace));
  return {
    without: attempts.filter(({ trace }) => !came.has(trace)),
    unrecorded: requests.filter(({ trace }) => !traces.has(trace)),
  };
}
