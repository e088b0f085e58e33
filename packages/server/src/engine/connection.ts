// One connection to one origin, carrying one request at a time: opens the socket, writes, reads, and knows which
// request opened it and how long each stage took. Every address is judged here, after name resolution and before
// a packet is sent: nobody resolves IP literals, so they are judged at the same place.
import { connect as connectTcp, isIP, type Socket, type TcpNetConnectOpts } from 'node:net';
import { connect as connectTls, type SecureContext } from 'node:tls';
import type { LRUCache } from 'lru-cache';
import type { Clock } from '../clock.ts';
import { AnswerReader } from './answer-reader.ts';
import type { Exchange } from './exchange.ts';
import { type GuardOptions, judgeConnection } from './guard.ts';
import { ExchangeFailure, failureOfLookup, type Stage } from './network-cause.ts';
import type { RequestWriter } from './request-writer.ts';
import type { Resolver } from './resolver.ts';
import type { SendResponse } from './sender.ts';

/** Where a webhook's URL leads, read once. */
export interface Target {
  /** Scheme, host and port: connections are shared within it. */
  origin: string;
  /** Without brackets and without a trailing dot: for lookups, SNI and the certificate. */
  host: string;
  port: number;
  secure: boolean;
  /** Host and port for sentences. */
  label: string;
  /** What every request to this very URL begins with (`beginHead`); a connection serves its whole origin. */
  head: Buffer;
}

export interface ConnectionWiring {
  clock: Clock;
  resolver: Resolver;
  guard: GuardOptions;
  secureContext: SecureContext;
  /** The last TLS session of an origin, which spares the next connection half of the handshake. */
  sessions: LRUCache<string, Buffer>;
  writer: RequestWriter;
  /** All sockets are read into these bytes, one at a time. */
  received: Buffer;
  /** Called when a connection without a request on it was closed. */
  onIdleClosed(connection: Connection): void;
}

/** An address gets this long, or a quarter of the whole time, before the next one of the name is tried. */
const ADDRESS_ATTEMPT_MS = 1_000;
const TCP_KEEP_ALIVE_MS = 60_000;

export class Connection {
  readonly target: Target;
  readonly #wiring: ConnectionWiring;
  readonly #reader = new AnswerReader();
  #socket: Socket | null = null;
  #exchange: Exchange | null = null;
  #destroyed = false;
  stage: Stage = 'resolving';
  /** Monotonic ms of when the socket was opened. */
  openedAt = 0;
  /** Monotonic ms until which it may lie idle: then the other side may close it at any time. */
  idleUntil = 0;

  constructor(target: Target, wiring: ConnectionWiring) {
    this.target = target;
    this.#wiring = wiring;
  }

  /** Whether a request may be put on it at `now` (monotonic ms). */
  isReusable(now: number): boolean {
    return !this.#destroyed && this.stage === 'open' && now < this.idleUntil && this.unsentBytes === 0;
  }

  /** Bytes of the request that the kernel has not taken yet. */
  get unsentBytes(): number {
    return this.#socket?.writableLength ?? 0;
  }

  /** What has come of an answer whose head is complete; null before. */
  partial(): SendResponse | null {
    return this.#reader.status === 0 ? null : this.#reader.response(true);
  }

  /** Sends the exchange's request; what follows is told to the exchange, never before this returned. */
  run(exchange: Exchange): void {
    this.#exchange = exchange;
    exchange.begin(this);
    if (this.#socket === null) this.#open();
    else this.#send(this.#socket, exchange, exchange.startedAt);
  }

  /** The exchange is over and the connection free. */
  detach(): void {
    this.#exchange = null;
    this.#reader.reset();
  }

  /** Closes the socket at once, whatever it is doing. */
  destroy(): void {
    this.#destroyed = true;
    this.#exchange = null;
    this.#socket?.destroy();
  }

  #send(socket: Socket, exchange: Exchange, now: number): void {
    exchange.markSent(now);
    this.#wiring.writer.write(socket, exchange.target, exchange.request);
  }

  /** Reads the first `length` of the bytes that all sockets share. */
  #receive(length: number): void {
    const exchange = this.#exchange;
    if (exchange === null) {
      // Nobody asked: a 408 before the other side closes, or worse.
      this.#lose(null);
      return;
    }
    const { clock, received } = this.#wiring;
    const now = clock.monotonic();
    exchange.markReceived(now);
    const reading = this.#reader.take(received, length);
    if (reading === 'more') return;
    if (reading === 'invalid') {
      exchange.fail(new ExchangeFailure('invalid_response', null));
      return;
    }
    this.idleUntil = now + this.#reader.keepAliveMs;
    // An answer that comes before the request was taken in whole leaves the rest of it in the way. TLS says only in the event
    // loop's next round that it has written, by when a near receiver has answered: there it is looked at before the next
    // request. Judged here, each delivery opened a connection of its own (6,500 a second on two cores in place of 34,600).
    const isClean = reading === 'whole' && (this.target.secure || this.unsentBytes === 0);
    exchange.answer(this.#reader.response(false), now, isClean);
  }

  /** The other side closed its half: that ends an answer without a length, and breaks any other. */
  #finish(): void {
    const exchange = this.#exchange;
    if (exchange !== null && this.#reader.end() === 'last') {
      exchange.answer(this.#reader.response(false), this.#wiring.clock.monotonic(), false);
    } else this.#lose(null);
  }

  #lose(error: Error | null): void {
    if (this.#destroyed) return;
    if (this.#exchange === null) this.#wiring.onIdleClosed(this);
    else this.#exchange.fail(error ?? new ExchangeFailure('connection_closed', null));
  }

  #open(): void {
    const { clock, resolver } = this.#wiring;
    const { host } = this.target;
    const startedAt = clock.monotonic();
    this.#exchange?.markOpened();
    if (isIP(host) !== 0) {
      this.#connect([host]);
      return;
    }
    resolver.lookup(host, (found) => {
      if (this.#destroyed) return;
      if (this.#exchange) this.#exchange.dnsMs = clock.monotonic() - startedAt;
      if (found.kind === 'addresses') this.#connect(found.addresses);
      else this.#failLater(failureOfLookup(found));
    });
  }

  /** What is known at once is told later: `send` may not have returned. */
  #failLater(failure: ExchangeFailure): void {
    process.nextTick(() => this.#lose(failure));
  }

  /** Connects to the first permitted address that answers. */
  #connect(addresses: readonly string[]): void {
    const { host, port } = this.target;
    const permitted: string[] = [];
    let refusal: string | null = null;
    for (const address of addresses) {
      const verdict = judgeConnection(host, address, port, this.#wiring.guard);
      if (verdict.ok) permitted.push(address);
      else refusal ??= verdict.sentence;
    }
    const [first, ...others] = permitted;
    if (first === undefined) {
      this.#failLater(new ExchangeFailure('blocked_address', refusal));
      return;
    }
    const quarterMs = Math.ceil((this.#exchange?.timeoutMs ?? 4 * ADDRESS_ATTEMPT_MS) / 4);
    this.#listen(
      this.#createSocket({
        host: first,
        port,
        noDelay: true,
        keepAlive: true,
        keepAliveInitialDelay: TCP_KEEP_ALIVE_MS,
        onread: {
          buffer: this.#wiring.received,
          callback: (length) => {
            if (!this.#destroyed) this.#receive(length);
            return true;
          },
        },
        ...(others.length > 0 && {
          // Not a literal, so that node asks `lookup` and tries what it says in turn.
          host,
          autoSelectFamily: true,
          autoSelectFamilyAttemptTimeout: Math.max(10, Math.min(ADDRESS_ATTEMPT_MS, quarterMs)),
          lookup: (_host, _options, done) => {
            process.nextTick(
              done,
              null,
              permitted.map((address) => ({ address, family: isIP(address) })),
            );
          },
        }),
      }),
    );
  }

  #createSocket(options: TcpNetConnectOpts): Socket {
    const { host, origin, secure } = this.target;
    if (!secure) return connectTcp(options);
    const { secureContext, sessions } = this.#wiring;
    const session = sessions.get(origin);
    const socket = connectTls({
      ...options,
      // An empty name sends no SNI: RFC 6066 allows names only. The certificate is then checked for the address.
      servername: isIP(host) === 0 ? host : '',
      ALPNProtocols: ['http/1.1'],
      secureContext,
      rejectUnauthorized: true,
      ...(session && { session }),
    });
    socket.on('session', (latest) => sessions.set(origin, latest));
    return socket;
  }

  #listen(socket: Socket): void {
    const { clock } = this.#wiring;
    const startedAt = clock.monotonic();
    let connectedAt = startedAt;
    this.#socket = socket;
    this.stage = 'connecting';
    const start = (): void => {
      this.stage = 'open';
      this.openedAt = clock.monotonic();
      const exchange = this.#exchange;
      if (exchange === null) return;
      // Late by a pause of the process, whose timers have not told yet: nobody sends under a lease that is over.
      if (this.openedAt >= exchange.dueAt || exchange.request.mayGo?.() === false) exchange.expire();
      else this.#send(socket, exchange, this.openedAt);
    };
    socket.once('connect', () => {
      connectedAt = clock.monotonic();
      if (this.#exchange) this.#exchange.connectMs = connectedAt - startedAt;
      if (this.target.secure) this.stage = 'tls';
      else start();
    });
    if (this.target.secure) {
      socket.once('secureConnect', () => {
        if (this.#exchange) this.#exchange.tlsMs = clock.monotonic() - connectedAt;
        start();
      });
    }
    socket.on('end', () => {
      // Before that, node's own error says more.
      if (this.stage === 'open') this.#finish();
    });
    socket.on('error', (error) => this.#lose(error));
    socket.on('close', () => this.#lose(null));
  }
}
