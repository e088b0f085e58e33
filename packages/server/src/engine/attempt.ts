// One attempt, as a chain: prepare (headers, signatures) → send → settle (what came back, what it leads to) →
// record. No stage can be skipped: a record is made of a settled result, and a settled result of a sent request.
import { type Cause, causeOfStatus } from '../core/cause.ts';
import { decideNext } from '../core/delivery.ts';
import { eventIdOf } from '../core/envelope.ts';
import { headerOf } from '../core/header-lines.ts';
import { signStandard, signVercel } from '../core/signing.ts';
import type { AttemptRecord, Replayed } from '../store/store.ts';
import type { Endpoint } from './endpoints.ts';
import type { SendRequest, SendResponse, SendResult } from './sender.ts';

/** A delivery in this process's hands, waiting for its attempt or in it. */
export interface Task {
  key: string;
  tag: string;
  version: number;
  type: string;
  /** The number that its next attempt gets, from 1. */
  number: number;
  createdAt: number;
  extra: boolean;
  /** Set where a replay made it. */
  replay?: Replayed;
  body: Buffer;
}

export interface AttemptSettings {
  scheduleMs: readonly number[];
  timeoutMs: number;
  signatureHeader: string;
  userAgent: string;
}

/** Builds the request. While a rotation overlaps, Vercel's header keeps the old secret and Standard Webhooks' has both. */
export function prepare(
  task: Task,
  endpoint: Endpoint,
  settings: AttemptSettings,
  now: number,
  traceparent: string,
  mayGo: () => boolean,
): SendRequest {
  const { body } = task;
  const id = eventIdOf(body);
  const timestamp = Math.floor(now / 1000);
  const old = endpoint.oldKey !== null && now < endpoint.oldKey.until ? endpoint.oldKey.key : null;
  const standard = signStandard(endpoint.key, id, timestamp, body);
  return {
    url: endpoint.url,
    headers:
      `content-type: application/json\r\nuser-agent: ${settings.userAgent}\r\n` +
      `${settings.signatureHeader}: ${signVercel(old ?? endpoint.key, body)}\r\n` +
      `webhook-id: ${id}\r\nwebhook-timestamp: ${timestamp}\r\nwebhook-signature: ${standard}` +
      `${old === null ? '' : ` ${signStandard(old, id, timestamp, body)}`}\r\ntraceparent: ${traceparent}\r\n`,
    body,
    timeoutMs: settings.timeoutMs,
    mayGo,
  };
}

/** What came back, judged: success only for a 2xx answer within the deadline. */
export interface Settled {
  success: boolean;
  status: number | null;
  cause: Cause | null;
  /** What the system said of it, for the record: an error's text, a redirect's target. */
  detail: string | null;
  /** The answer's Retry-After, which only a failure can have. */
  retryAfter: string | null;
  /** Trouble that calls for fewer requests at once: timeouts, 429, 503. */
  overloaded: boolean;
}

export function settle(result: SendResult): Settled {
  if (result.kind === 'broken') {
    const { cause, message, response } = result;
    const overloaded = cause.startsWith('timeout_');
    const status = response?.status ?? null;
    return { success: false, status, cause, detail: message, retryAfter: retryAfterOf(response), overloaded };
  }
  const { status, headers } = result.response;
  const cause = causeOfStatus(status);
  if (cause === null)
    return { success: true, status, cause, detail: null, retryAfter: null, overloaded: false };
  const detail = cause === 'redirect' ? headerOf(headers, 'location') : null;
  const retryAfter = retryAfterOf(result.response);
  return { success: false, status, cause, detail, retryAfter, overloaded: status === 429 || status === 503 };
}

const retryAfterOf = (response: SendResponse | null): string | null =>
  response === null ? null : headerOf(response.headers, 'retry-after');

/** The record of a settled attempt and the state it causes. */
export function record(
  task: Task,
  endpoint: Endpoint,
  request: SendRequest,
  result: SendResult,
  settled: Settled,
  at: { startedAt: number; now: number; random: number },
  settings: AttemptSettings,
): AttemptRecord {
  const { response, timings } = result;
  const next = decideNext(settled, {
    scheduleMs: settings.scheduleMs,
    number: task.number - (task.replay?.from ?? 0),
    extra: task.extra && task.replay === undefined,
    createdAt: task.replay?.at ?? task.createdAt,
    now: at.now,
    random: at.random,
  });
  return {
    key: task.key,
    tag: task.tag,
    bytes: task.body.length,
    number: task.number,
    extra: task.extra,
    ordered: endpoint.ordered,
    next,
    startedAt: at.startedAt,
    durationMs: roundMs(timings.totalMs),
    status: settled.status,
    cause: settled.cause,
    detail: settled.detail,
    timings: `${textMs(timings.dnsMs)},${textMs(timings.connectMs)},${textMs(timings.tlsMs)},${textMs(timings.firstByteMs)}`,
    url: request.url,
    requestHeaders: request.headers,
    responseHeaders: response === null ? null : response.headers,
    responseBody: response === null || response.body.length === 0 ? null : response.body,
    truncated: response?.truncated ?? false,
  };
}

const roundMs = (ms: number): number => Math.round(ms * 100) / 100;
const textMs = (ms: number | null): string => (ms === null ? '' : String(roundMs(ms)));
