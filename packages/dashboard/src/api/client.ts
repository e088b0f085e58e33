// The one way to the API: an error becomes one sentence, a pause that the server asks for is kept, and a session that
// ends in the middle is waited for (session-gate.ts) and the call made again, so that nothing typed is lost.
import { pause } from '../app/clock.ts';
import { endedSession } from './session-gate.ts';

/** An answer other than success, or none. `message` is a sentence for people. */
export class ApiFailure extends Error {
  override name = 'ApiFailure';
  /** The HTTP status; 0 when no answer came. */
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

export type QueryValue = string | number | boolean | null | undefined;

export interface CallOptions {
  query?: Record<string, QueryValue>;
  body?: unknown;
  signal?: AbortSignal | undefined;
  /** Calls of signing in handle a 401 themselves. */
  anonymous?: boolean;
}

const timeoutMs = 30_000;
const mostTries = 4;
/** A longer pause is the person's to take, who is told. */
const longestPauseMs = 10_000;

const unanswered =
  'Posthorn does not answer. Check that it runs and that you are online; what you typed is still here.';

/**
 * Calls the API.
 * @throws ApiFailure with one sentence
 */
export async function call<Answer>(method: string, path: string, options: CallOptions = {}): Promise<Answer> {
  for (let tries = 1; ; tries++) {
    const outcome = await attempt<Answer>(method, path, options);
    if (outcome.kind === 'answer') return outcome.answer;
    const { failure, retryAfterMs } = outcome;
    options.signal?.throwIfAborted();
    if (failure.status === 401 && options.anonymous !== true) {
      if (!(await endedSession(options.signal))) throw failure;
      continue;
    }
    const pauseMs = retryAfterMs ?? 300 * 2 ** tries;
    if (tries >= mostTries || pauseMs > longestPauseMs || !isWorthRepeating(method, failure.status)) {
      throw failure;
    }
    await pause(pauseMs, options.signal);
  }
}

/** 429 says that nothing was done. What else failed may have been done, so only reading is repeated. */
function isWorthRepeating(method: string, status: number): boolean {
  if (status === 429) return true;
  return method === 'GET' && (status === 0 || status === 502 || status === 503 || status === 504);
}

type Outcome<Answer> =
  | { kind: 'answer'; answer: Answer }
  | { kind: 'failure'; failure: ApiFailure; retryAfterMs: number | null };

async function attempt<Answer>(
  method: string,
  path: string,
  { query, body, signal }: CallOptions,
): Promise<Outcome<Answer>> {
  const deadline = AbortSignal.timeout(timeoutMs);
  try {
    const response = await fetch(addressOf(path, query), {
      method,
      signal: signal === undefined ? deadline : AbortSignal.any([signal, deadline]),
      headers: body === undefined ? {} : { 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (response.ok) return { kind: 'answer', answer: (text === '' ? null : JSON.parse(text)) as Answer };
    return {
      kind: 'failure',
      failure: readFailure(response.status, text),
      retryAfterMs: readRetryAfter(response.headers.get('retry-after')),
    };
  } catch {
    signal?.throwIfAborted();
    return { kind: 'failure', failure: new ApiFailure(0, 'no_answer', unanswered), retryAfterMs: null };
  }
}

export function addressOf(path: string, query: CallOptions['query'] = {}): string {
  const given = Object.entries(query).filter(
    ([, value]) => value !== undefined && value !== null && value !== '',
  );
  const search = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return search === '' ? path : `${path}?${search}`;
}

function readFailure(status: number, text: string): ApiFailure {
  try {
    const { error } = JSON.parse(text) as { error: { code: string; message: string } };
    return new ApiFailure(status, error.code, error.message);
  } catch {
    return new ApiFailure(
      status,
      'unreadable',
      `The server, or something in front of it, answered ${status} without saying why. Try again in a moment.`,
    );
  }
}

/** Seconds, as Retry-After has them; a date is not sent by Posthorn. */
function readRetryAfter(header: string | null): number | null {
  const seconds = Number(header ?? Number.NaN);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds * 1_000 : null;
}

/** The sentence of any failure. */
export function sentenceOf(error: unknown): string {
  if (error instanceof ApiFailure) return error.message;
  return 'Something in this page failed. Reload it; if that does not help, the browser’s console says what it was.';
}
