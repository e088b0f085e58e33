// The Sender seam: one HTTP request of a delivery and what came back. The engine hands over a finished request;
// how it travels (HTTP/1.1 in production, a fake in tests) is the business of whoever implements this.
import type { Cause } from '../core/cause.ts';

/** One request, ready to go. `headers` are `name: value` and CRLF each, as they travel; names are lower case. */
export interface SendRequest {
  url: string;
  headers: string;
  body: Uint8Array;
  /** The whole attempt's time: DNS, connect, TLS, request and response together, in ms. */
  timeoutMs: number;
  /**
   * Asked just before the first byte where a connection had to be opened: whether the request may still go. A process that
   * was paused meanwhile finds the connection open, and the delivery taken over.
   */
  mayGo?(): boolean;
}

/** Durations in ms, measured by the monotonic clock; null for a stage that was not reached or not needed. */
export interface Timings {
  /** Name resolution; null when the connection was reused or the host is a literal. */
  dnsMs: number | null;
  connectMs: number | null;
  tlsMs: number | null;
  /** From the request's first byte written to the response's first byte. */
  firstByteMs: number | null;
  totalMs: number;
}

/** What an answer looked like. `headers` are lines as received, CRLF each; `body` at most 64 KiB. */
export interface SendResponse {
  status: number;
  headers: string;
  body: Uint8Array;
  /** Whether the answer went on after `body`. */
  truncated: boolean;
}

export type SendResult =
  | { kind: 'answered'; response: SendResponse; timings: Timings }
  /** No (whole) answer: `cause` says why; `response` holds what did arrive before it broke, if anything. */
  | { kind: 'broken'; cause: Cause; message: string; response: SendResponse | null; timings: Timings };

export interface Sender {
  /** Sends and calls `done` exactly once, never synchronously before `send` returned. Never throws. */
  send(request: SendRequest, done: (result: SendResult) => void): void;
  /** Ends idle connections and lets those in use finish; `done` of requests under way is still called. */
  close(): Promise<void>;
}
