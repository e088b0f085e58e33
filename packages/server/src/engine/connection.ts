// One connection to one origin: an undici Client of its own, so that it is known which request opened it, how
// long each stage took, and whether it was used before. Every address is judged here, after name resolution and
// before a packet is sent: undici asks no lookup for IP literals, so they are judged at the same place.
import { connect as connectTcp, isIP, type Socket, type TcpNetConnectOpts } from 'node:net';
import { connect as connectTls, type SecureContext } from 'node:tls';
import { type buildConnector, Client } from 'undici';
import type { Clock } from '../clock.ts';
import type { Exchange } from './exchange.ts';
import { type GuardOptions, judgeConnection } from './guard.ts';
import { ConnectFailure, failureOfLookup, type Stage } from './network-cause.ts';
import type { Resolver } from './resolver.ts';

/** Where a webhook's URL leads, read once. */
export interface Target {
  /** Scheme, host and port: connections are shared within it. */
  origin: string;
  /** Without brackets and without a trailing dot: for lookups, SNI and the certificate. */
  host: string;
  port: number;
  secure: boolean;
  path: string;
  /** Host and port for sentences. */
  label: string;
}

export interface ConnectionWiring {
  clock: Clock;
  resolver: Resolver;
  guard: GuardOptions;
  secureContext: SecureContext;
  /** Called when a connection without a request on it was closed. */
  onIdleClosed(connection: Connection): void;
}

/** An address gets this long, or a quarter of the whole time, before the next one of the name is tried. */
const ADDRESS_ATTEMPT_MS = 1_000;
const TCP_KEEP_ALIVE_MS = 60_000;

const ignore = (): void => undefined;

export class Connection {
  readonly target: Target;
  readonly #wiring: ConnectionWiring;
  readonly #client: Client;
  #socket: Socket | null = null;
  #exchange: Exchange | null = null;
  #destroyed = false;
  stage: Stage = 'resolving';
  /** Monotonic ms of the last time a socket was opened. */
  openedAt = 0;

  constructor(target: Target, wiring: ConnectionWiring) {
    this.target = target;
    this.#wiring = wiring;
    this.#client = new Client(target.origin, {
      connect: (_options, callback) => this.#open(callback),
      allowH2: false,
      pipelining: 1,
      // The exchange's own deadline covers everything; these would only cost timers.
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: 4_000,
      keepAliveMaxTimeout: 60_000,
      keepAliveTimeoutThreshold: 1_000,
      maxHeaderSize: 16_384,
    });
    this.#client.on('disconnect', () => {
      this.#socket = null;
      if (this.#exchange === null && !this.#destroyed) wiring.onIdleClosed(this);
    });
  }

  /** Whether the socket is open and no request is on it. */
  get isReusable(): boolean {
    return !this.#destroyed && this.#socket !== null && !this.#socket.destroyed;
  }

  /** Bytes of the request that the kernel has not taken yet. */
  get unsentBytes(): number {
    return this.#socket?.writableLength ?? 0;
  }

  /** Sends the exchange's request; what follows is told to the exchange. */
  run(exchange: Exchange): void {
    this.#exchange = exchange;
    exchange.begin(this);
    this.#client.dispatch(
      {
        path: this.target.path,
        method: 'POST',
        headers: exchange.request.headers,
        body: exchange.request.body,
      },
      exchange,
    );
  }

  /** The exchange is over and the connection free. */
  detach(): void {
    this.#exchange = null;
  }

  /** Closes the socket at once, whatever it is doing. */
  destroy(): void {
    if (this.#destroyed) return;
    this.#destroyed = true;
    this.#exchange = null;
    this.#socket?.destroy();
    this.#client.destroy(null, ignore);
  }

  #open(callback: buildConnector.Callback): void {
    const { clock, resolver } = this.#wiring;
    const { host } = this.target;
    const startedAt = clock.monotonic();
    this.stage = 'resolving';
    this.#exchange?.markOpened();
    if (isIP(host) !== 0) {
      this.#connect([host], callback);
      return;
    }
    resolver.lookup(host, (found) => {
      if (this.#destroyed) return;
      if (this.#exchange) this.#exchange.dnsMs = clock.monotonic() - startedAt;
      if (found.kind === 'addresses') this.#connect(found.addresses, callback);
      else callback(failureOfLookup(found), null);
    });
  }

  /** Connects to the first permitted address that answers. */
  #connect(addresses: readonly string[], callback: buildConnector.Callback): void {
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
      callback(new ConnectFailure('blocked_address', refusal), null);
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
      callback,
    );
  }

  #createSocket(options: TcpNetConnectOpts): Socket {
    const { host, secure } = this.target;
    if (!secure) return connectTcp(options);
    return connectTls({
      ...options,
      // An empty name sends no SNI: RFC 6066 allows names only. The certificate is then checked for the address.
      servername: isIP(host) === 0 ? host : '',
      ALPNProtocols: ['http/1.1'],
      secureContext: this.#wiring.secureContext,
      rejectUnauthorized: true,
    });
  }

  #listen(socket: Socket, callback: buildConnector.Callback): void {
    const { clock } = this.#wiring;
    const startedAt = clock.monotonic();
    let connectedAt = startedAt;
    let waiting = true;
    this.#socket = socket;
    this.stage = 'connecting';
    const finish = (): void => {
      waiting = false;
      this.stage = 'open';
      this.openedAt = clock.monotonic();
      callback(null, socket);
    };
    socket.once('connect', () => {
      connectedAt = clock.monotonic();
      if (this.#exchange) this.#exchange.connectMs = connectedAt - startedAt;
      if (this.target.secure) this.stage = 'tls';
      else finish();
    });
    if (this.target.secure) {
      socket.once('secureConnect', () => {
        if (this.#exchange) this.#exchange.tlsMs = clock.monotonic() - connectedAt;
        finish();
      });
    }
    socket.on('error', (error) => {
      // After the connection stands, undici's own listener tells the exchange.
      if (!waiting) return;
      waiting = false;
      if (!this.#destroyed) callback(error, null);
    });
  }
}
