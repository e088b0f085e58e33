// One delivery: whether it stands where it must, whether its attempts and its requests tell the same story, whether each
// request is right to the byte, and whether what came twice had a reason.
import { createHash } from 'node:crypto';
import type { Expected } from './expected.ts';
import type { AttemptView, DeliveryView } from './history.ts';
import type { Hook } from './hooks.ts';
import type { Case } from './judge.ts';
import { isAbout, type Replay } from './replays.ts';
import { overAt, pairByTrace, type Request } from './requests.ts';

export interface DeliveryCase {
  hook: Hook;
  /** Hook and event. */
  key: string;
  event: Expected;
  delivery: DeliveryView | null;
  requests: Request[];
  /** The bytes that must have come; null where they are not known. */
  body: string | null;
  /** Whether there must be such a delivery. */
  must: boolean;
  /** Whether the product may have pruned it, so that the receiver's record alone tells of it. */
  mayBePruned: boolean;
}

export function judgeDelivery(one: Case, { hook, key, event, ...rest }: DeliveryCase): void {
  const { delivery, requests, body, must, mayBePruned } = rest;
  const replays = hook.replays.filter((replay) => isAbout(replay, 'failed', event, one.terms.skewMs).may);
  const succeeded = requests.some(({ success }) => success !== 'no');
  if (delivery === null) {
    const isTold = mayBePruned && (succeeded || isOver(one, requests) || wasRemoved(one, hook, requests));
    if (must && !isTold) one.count('lost', `${key} has no delivery`);
  } else {
    judgeState(one, hook, key, delivery, requests, succeeded, replays);
    for (const replay of replays) {
      if (isAbout(replay, 'failed', event, one.terms.skewMs).must)
        judgeReplay(one, hook, key, delivery, requests, replay, replays);
    }
  }
  if (delivery?.log !== null && delivery !== null) judgeLog(one, key, delivery.log, delivery, requests);
  judgeBytes(one, hook, key, requests, body);
  judgeRepeats(one, key, requests, delivery?.log ?? [], replays);
}

/** Whether the receiver saw the end of the schedule: all of its attempts, or a 410. */
const isOver = (one: Case, requests: readonly Request[]): boolean =>
  requests.length >= one.terms.attempts || requests.some(({ status }) => status === 410);

/** Whether its webhook may have been gone before its schedule was over. */
const wasRemoved = (one: Case, hook: Hook, requests: Request[]): boolean =>
  hook.removedFrom < Number.POSITIVE_INFINITY && requests.length < one.terms.attempts;

function judgeState(
  one: Case,
  hook: Hook,
  key: string,
  delivery: DeliveryView,
  requests: Request[],
  succeeded: boolean,
  replays: readonly Replay[],
): void {
  const { state, attempts, lastStatus } = delivery;
  const redeliveries = one.redeliveries.get(key) ?? [];
  switch (state) {
    case 'pending':
      one.count('lost', `${key} is pending for ever, after ${attempts} attempts`);
      break;
    case 'delivered':
      if (!succeeded)
        one.count('falselyDelivered', `${key} is delivered, and no request was answered with success`);
      break;
    case 'failed': {
      const over = attempts >= one.terms.attempts || lastStatus === 410 || isOver(one, requests);
      if (!over) one.count('lost', `${key} failed after ${attempts} attempts of ${one.terms.attempts}`);
      break;
    }
    case 'canceled':
      if (hook.removedFrom === Number.POSITIVE_INFINITY)
        one.count('lost', `${key} was canceled, and its webhook is there`);
      break;
  }
  const before = one.seen.get(key)?.at(-1)?.state;
  const sentAgain = redeliveries.length > 0 || replays.length > 0;
  const mayChange = before === 'failed' && state === 'delivered' && sentAgain;
  if (before !== undefined && before !== 'pending' && before !== state && !mayChange) {
    one.count('changedBack', `${key} was ${before} and is ${state}`);
  }
  // A redelivery that was answered has made an attempt more than there were.
  for (const { what, outcome } of redeliveries) {
    if (what.op !== 'redeliver' || outcome !== 'done' || state === 'canceled') continue;
    if (attempts <= what.attempts && hook.removedFrom === Number.POSITIVE_INFINITY) {
      one.count('lost', `a redelivery of ${key} was accepted and not made (${attempts} attempts)`);
    }
  }
}

/** What was seen as failed before a replay of such began has been sent again, by a whole schedule of its own. */
function judgeReplay(
  one: Case,
  hook: Hook,
  key: string,
  delivery: DeliveryView,
  requests: readonly Request[],
  { from, at }: Replay,
  all: readonly Replay[],
): void {
  const before = one.seen.get(key)?.findLast(({ seq }) => seq < from);
  if (before?.state !== 'failed' || hook.removedFrom < Number.POSITIVE_INFINITY) return;
  const { state, attempts, lastStatus } = delivery;
  const made = attempts - before.attempts;
  // Whether it was this replay that sent it: one that is over may have attempts on their way still.
  const others = [...all, ...(one.redeliveries.get(key) ?? [])];
  const alone = others.every((other) => other.from >= from);
  if (made <= 0) one.count('lost', `a replay of ${key} was accepted and not made (${attempts} attempts)`);
  else if (alone && !requests.some((request) => request.at >= at))
    one.count('lost', `a replay of ${key} was made, and no request came`);
  else if (state === 'failed' && lastStatus !== 410 && made < one.terms.attempts)
    one.count('lost', `a replay of ${key} ended after ${made} attempts of ${one.terms.attempts}`);
}

function judgeLog(
  one: Case,
  key: string,
  log: readonly AttemptView[],
  delivery: DeliveryView,
  requests: readonly Request[],
): void {
  if (new Set(log.map(({ number }) => number)).size !== log.length) {
    one.count('misrecorded', `${key} has two attempts of one number`);
  }
  if (log.length !== delivery.attempts) {
    one.count('misrecorded', `${key} counts ${delivery.attempts} attempts and lists ${log.length}`);
  }
  if (log.some(({ trace }) => trace === null)) return;
  const { without, unrecorded } = pairByTrace(log, requests);
  for (const { number, status } of without) {
    // Without an answer the request may not have arrived.
    if (status !== null) one.count('misrecorded', `attempt ${number} of ${key} (${status}) has no request`);
  }
  for (const request of unrecorded) {
    if (isExcused(one, request)) continue;
    one.count('misrecorded', `a request of ${key} at ${request.at} (${request.plan}) is in no attempt`);
  }
  for (const { number, status, trace } of log) {
    const came = requests.filter((request) => request.trace === trace);
    if (status === null || came.length === 0 || came.some((request) => request.status === status)) continue;
    one.count('misrecorded', `attempt ${number} of ${key} says ${status}, it was ${came[0]?.status}`);
  }
}

/** Whether a fault can have taken the result of a request: from its arrival until its record had to be stored. */
function isExcused(one: Case, request: Request): boolean {
  const { timeoutMs, graceMs } = one.terms;
  return one.faults.touched(request.node, request.at - graceMs, overAt(request, timeoutMs) + graceMs);
}

export const sha256Of = (body: string): string => createHash('sha256').update(body).digest('base64url');

function judgeBytes(
  one: Case,
  hook: Hook,
  key: string,
  requests: readonly Request[],
  body: string | null,
): void {
  if (body === null || requests.length === 0) return;
  const hash = sha256Of(body);
  for (const request of requests) {
    if (request.sha256 !== hash) one.count('wrongBytes', `a request of ${key} has another body`);
    else if (!isSigned(one, hook, request, body)) {
      one.count('wrongBytes', `a request of ${key} at ${request.at} has a wrong signature`);
    }
  }
}

/** Whether a request is signed by what may have signed it when its attempt began. */
function isSigned({ terms }: Case, hook: Hook, request: Request, body: string): boolean {
  const { changeLagMs, graceMs, skewMs, timeoutMs } = terms;
  const second = terms.signedAt(request.signatures);
  const from = second ?? request.at - timeoutMs - graceMs;
  const to = second === null ? request.at : second + 1_000;
  return hook.secrets
    .possible(from - skewMs, to + skewMs, changeLagMs)
    .some((keys) => terms.isSigned(keys, body, request.signatures));
}

/** What came after a success is a duplicate, unless it was asked for. */
function judgeRepeats(
  one: Case,
  key: string,
  requests: readonly Request[],
  log: readonly AttemptView[],
  replays: readonly Replay[],
): void {
  const asked = (one.redeliveries.get(key) ?? []).map(({ at }) => at);
  // A replay of what failed is a reason only where something had.
  if (isOver(one, requests)) asked.push(...replays.map(({ at }) => at));
  const traces = new Map<string | null, AttemptView>(log.map((attempt) => [attempt.trace, attempt]));
  let success: Request | null = null;
  for (const [index, request] of requests.entries()) {
    // A sender that found its connection broken has sent once more, as the same attempt.
    const sameAttempt =
      request.trace !== null &&
      requests.slice(0, index).some(({ trace, success: went }) => trace === request.trace && went === 'no');
    if (success !== null && !sameAttempt) {
      const at = asked.findIndex((time) => time <= request.at);
      if (at >= 0) asked.splice(at, 1);
      else {
        one.countDuplicate();
        if (
          !isExcused(one, success) &&
          !hasTimedOut(one, traces.get(success.trace)) &&
          success.how !== 'broken'
        ) {
          one.count(
            'unexplained',
            `${key} came again at ${request.at} from node ${request.node}, after a success at ${success.at} from node ${success.node}`,
          );
        }
      }
    }
    if (request.success === 'yes') success = request;
  }
}

/** The sender had given up when the answer came. */
const hasTimedOut = (one: Case, attempt: AttemptView | undefined): boolean =>
  attempt !== undefined &&
  attempt.status === null &&
  (attempt.error ?? '').startsWith('timeout_') &&
  attempt.durationMs >= one.terms.timeoutMs * 0.9;
