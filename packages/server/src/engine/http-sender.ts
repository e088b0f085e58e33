// The Sender in production: judges the URL, finds a connection, sends, and reports what came back. The guard at
// the address and the socket are in connection.ts, the answer's bytes in answer-reader.ts, deadline and timings in
// exchange.ts, keep-alive in connection-pool.ts.
import { createSecureContext } from 'node:tls';
import { LRUCache } from 'lru-cache';
import type { Clock } from '../clock.ts';
import { explainCause } from '../core/cause.ts';
import type { Target } from './connection.ts';
import { ConnectionPool } from './connection-pool.ts';
import { createDeadlines } from './deadlines.ts';
import { Exchange, type ExchangeOwner } from './exchange.ts';
import { judgeUrl, type Networks, type OwnAddress } from './guard.ts';
import { isClosedByPeer } from './network-cause.ts';
import { beginHead, isSendable, RequestWriter } from './request-writer.ts';
import type { Resolver } from './resolver.ts';
import type { Sender, SendResult } from './sender.ts';

export interface HttpSenderOptions {
  clock: Clock;
  resolver: Resolver;
  allowed: Networks;
  /** Where this node listens; null when it does not. */
  own: OwnAddress | null;
  maxIdleOrigins?: number;
  maxIdlePerOrigin?: number;
  /** Idle connections of all origins together. */
  maxIdle?: number;
  /** Certificate authorities in PEM, in place of the well-known ones (and NODE_EXTRA_CA_CERTS). */
  ca?: string[];
}

export interface HttpSender extends Sender {
  /** Connections open or opening, for metrics. */
  readonly counts: { busy: number; idle: number; origins: number };
}

/** URLs whose reading and verdict are remembered: both depend on nothing but the URL and the settings. */
const REMEMBERED_URLS = 10_000;
/** A session says that its certificate was good: it is not believed for longer. */
const SESSION_AGE_MS = 300_000;
const RECEIVED_BYTES = 65_536;

type Read =
  | { ok: true; target: Target }
  | { ok: false; cause: 'invalid_url' | 'blocked_address'; sentence: string };

function readTarget(url: string, options: HttpSenderOptions): Read {
  const verdict = judgeUrl(url, options);
  if (!verdict.ok) return { ok: false, cause: verdict.code, sentence: verdict.sentence };
  const { protocol, origin, hostname, port, pathname, search, host: label } = verdict.url;
  const secure = protocol === 'https:';
  const target = {
    origin,
    host: verdict.literal ?? hostname.replace(/\.$/, ''),
    port: port === '' ? (secure ? 443 : 80) : Number(port),
    secure,
    label,
    head: beginHead(pathname + search, label),
  };
  return { ok: true, target };
}

function refuse(cause: 'invalid_url' | 'blocked_address' | 'internal_error', message: string): SendResult {
  const timings = { dnsMs: null, connectMs: null, tlsMs: null, firstByteMs: null, totalMs: 0 };
  return { kind: 'broken', cause, message, response: null, timings };
}

/**
 * Creates the sender of a node: HTTP/1.1 over keep-alive connections, no redirects, certificates checked.
 *
 * Our own exchange over node's sockets, not undici, because the sender is the largest part of a delivery. Measured
 * on two cores that others used too, 20,000 POSTs of 1 KiB to a server in another process, CPU of this process per
 * request, median of 5 runs taken in turn:
 *
 *     in flight   a bare undici Agent.dispatch   this sender on undici's Client   as it is
 *            64                          27 µs                            40 µs      18 µs
 *           256                          43 µs                            48 µs      23 µs
 *
 * Bare sockets with nothing but a write and a read take 14 and 17 µs, so the system calls are most of what is left.
 * A whole delivery at fan-out 10 (signed, recorded, on SQLite) went from 152 to 116 µs, together with `HmacKey`.
 */
export function createHttpSender(options: HttpSenderOptions): HttpSender {
  const { clock, resolver, maxIdleOrigins = 1_000, maxIdlePerOrigin = 256, maxIdle = 2_000, ca } = options;
  const deadlines = createDeadlines(clock);
  const read = new LRUCache<string, Read>({ max: REMEMBERED_URLS });
  const secureContext = createSecureContext({ minVersion: 'TLSv1.2', ...(ca && { ca }) });
  const wiring = {
    clock,
    resolver,
    guard: options,
    secureContext,
    sessions: new LRUCache<string, Buffer>({
      max: maxIdleOrigins,
      ttl: SESSION_AGE_MS,
      perf: { now: () => clock.monotonic() },
    }),
    writer: new RequestWriter(),
    received: Buffer.allocUnsafeSlow(RECEIVED_BYTES),
  };
  const pool = new ConnectionPool(wiring, { maxIdleOrigins, maxIdlePerOrigin, maxIdle });
  let closing: Promise<void> | null = null;

  const owner: ExchangeOwner = {
    clock,
    onEnd(exchange, connection, clean) {
      deadlines.remove(exchange);
      if (connection === null) return;
      if (clean) pool.release(connection);
      else pool.discard(connection);
    },
    onBroken(exchange, connection, error) {
      if (!mayHaveRaced(exchange, error)) return false;
      const fresh = pool.take(exchange.target, true, clock.monotonic());
      pool.discard(connection);
      fresh.run(exchange);
      return true;
    },
  };

  return {
    get counts() {
      return pool.counts;
    },
    send(request, done) {
      let found = read.get(request.url);
      if (found === undefined) {
        found = readTarget(request.url, options);
        read.set(request.url, found);
      }
      if (closing !== null) {
        process.nextTick(done, refuse('internal_error', 'The sender is closed; this node is stopping.'));
        return;
      }
      if (!found.ok) {
        process.nextTick(done, refuse(found.cause, found.sentence));
        return;
      }
      if (!isSendable(request.headers)) {
        const context = { host: found.target.label, detail: 'its headers cannot be sent' };
        process.nextTick(done, refuse('internal_error', explainCause('internal_error', context)));
        return;
      }
      const exchange = new Exchange(request, found.target, owner, done);
      deadlines.add(exchange);
      pool.take(found.target, false, exchange.startedAt).run(exchange);
    },
    close() {
      closing ??= pool.close();
      return closing;
    },
  };
}

/**
 * The keep-alive race: the receiver closed an idle connection just as it was used again. Only a connection that
 * was used before, only when no byte of an answer came: a receiver that read the request and died before it
 * answered looks the same, so the request may arrive twice, which at-least-once allows, with one event id. It is
 * sent again once at most, since the fresh connection was not used before.
 */
function mayHaveRaced(exchange: Exchange, error: unknown): boolean {
  return !exchange.isOpener && !exchange.hasAnswerBegun && isClosedByPeer(error);
}
