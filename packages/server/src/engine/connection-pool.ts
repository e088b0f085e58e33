// The connections of all origins. A request gets the one that was used last, or a new one: there is no cap in
// use, or endpoints on one host would block one another (lanes cap). Only what is idle is bounded.
import type { Timer } from '../clock.ts';
import { Connection, type ConnectionWiring, type Target } from './connection.ts';

export interface PoolLimits {
  /** Origins with idle connections only; beyond it the least recently used one's are closed. */
  maxIdleOrigins: number;
  maxIdlePerOrigin: number;
  maxIdle: number;
}

interface Origin {
  key: string;
  /** The last is the one used last. */
  idle: Connection[];
  busy: number;
}

/** A connection is not used for longer, so that a name's new addresses are found although it is never idle. */
const MAX_AGE_MS = 300_000;
/** How often connections that lay idle too long are looked for. One that is about to be used is always looked at. */
const SWEEP_MS = 1_000;

export class ConnectionPool {
  readonly #wiring: ConnectionWiring;
  readonly #limits: PoolLimits;
  readonly #origins = new Map<string, Origin>();
  /** Those without a busy connection, least recently used first. */
  readonly #idleOrigins = new Map<string, Origin>();
  #idle = 0;
  #busy = 0;
  #whenIdle: (() => void) | null = null;
  #sweeping: Timer | null = null;

  constructor(wiring: Omit<ConnectionWiring, 'onIdleClosed'>, limits: PoolLimits) {
    this.#limits = limits;
    this.#wiring = { ...wiring, onIdleClosed: (connection) => this.#forget(connection) };
  }

  /** How many connections are open or opening, and of how many origins. */
  get counts(): { busy: number; idle: number; origins: number } {
    return { busy: this.#busy, idle: this.#idle, origins: this.#origins.size };
  }

  /**
   * A connection for one request at `now` (monotonic ms): an idle one unless `fresh`. Give it back with `release`
   * or `discard`.
   */
  take(target: Target, fresh: boolean, now: number): Connection {
    let origin = this.#origins.get(target.origin);
    if (origin === undefined) {
      origin = { key: target.origin, idle: [], busy: 0 };
      this.#origins.set(target.origin, origin);
    } else if (origin.busy === 0) this.#idleOrigins.delete(origin.key);
    origin.busy += 1;
    this.#busy += 1;
    let connection = fresh ? undefined : origin.idle.pop();
    while (connection !== undefined) {
      this.#idle -= 1;
      if (connection.isReusable(now)) return connection;
      connection.destroy();
      connection = origin.idle.pop();
    }
    return new Connection(target, this.#wiring);
  }

  /** The request on it ended well: the connection is kept for another, within the limits. */
  release(connection: Connection): void {
    const origin = this.#origins.get(connection.target.origin);
    connection.detach();
    const isOld = connection.idleUntil - connection.openedAt > MAX_AGE_MS;
    const isFull = origin === undefined || origin.idle.length >= this.#limits.maxIdlePerOrigin;
    if (isFull || isOld || this.#whenIdle !== null) connection.destroy();
    else {
      origin.idle.push(connection);
      this.#idle += 1;
      this.#sweeping ??= this.#wiring.clock.after(SWEEP_MS, () => this.#sweep());
    }
    this.#countDown(origin);
    this.#bound(origin);
  }

  /** The request on it ended badly: the connection is closed. */
  discard(connection: Connection): void {
    connection.destroy();
    this.#countDown(this.#origins.get(connection.target.origin));
  }

  /** Closes what is idle; resolves when what is busy has ended too. Nothing may be taken afterwards. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#whenIdle = resolve;
      this.#sweeping?.cancel();
      for (const origin of this.#origins.values()) this.#closeIdle(origin);
      if (this.#busy === 0) resolve();
    });
  }

  #countDown(origin: Origin | undefined): void {
    this.#busy -= 1;
    if (origin !== undefined) {
      origin.busy -= 1;
      this.#settle(origin);
    }
    if (this.#busy === 0) this.#whenIdle?.();
  }

  /** Moves an origin without busy connections to where it belongs: the idle ones, or nowhere. */
  #settle(origin: Origin): void {
    if (origin.busy > 0) return;
    if (origin.idle.length > 0) this.#idleOrigins.set(origin.key, origin);
    else {
      this.#idleOrigins.delete(origin.key);
      this.#origins.delete(origin.key);
    }
  }

  #closeIdle(origin: Origin): void {
    this.#idle -= origin.idle.length;
    for (const connection of origin.idle.splice(0)) connection.destroy();
    this.#settle(origin);
  }

  /** Closes what is idle beyond the limits, least recently used first; `last` is where one just became idle. */
  #bound(last: Origin | undefined): void {
    const [oldest] = this.#idleOrigins.size > this.#limits.maxIdleOrigins ? this.#idleOrigins.values() : [];
    if (oldest !== undefined) this.#closeIdle(oldest);
    if (this.#idle <= this.#limits.maxIdle) return;
    const [origin = last] = this.#idleOrigins.values();
    const connection = origin?.idle.shift();
    if (origin === undefined || connection === undefined) return;
    this.#idle -= 1;
    connection.destroy();
    this.#settle(origin);
  }

  /** Closes what has been idle for as long as the other side keeps it. */
  #sweep(): void {
    const now = this.#wiring.clock.monotonic();
    for (const origin of this.#origins.values()) {
      const kept = origin.idle.filter((connection) => connection.isReusable(now));
      if (kept.length === origin.idle.length) continue;
      for (const connection of origin.idle) if (!connection.isReusable(now)) connection.destroy();
      this.#idle -= origin.idle.length - kept.length;
      origin.idle = kept;
      this.#settle(origin);
    }
    this.#sweeping = this.#idle === 0 ? null : this.#wiring.clock.after(SWEEP_MS, () => this.#sweep());
  }

  /** An idle connection was closed by the other side, or it spoke without being asked. */
  #forget(connection: Connection): void {
    const origin = this.#origins.get(connection.target.origin);
    const index = origin?.idle.indexOf(connection) ?? -1;
    connection.destroy();
    if (origin === undefined || index < 0) return;
    origin.idle.splice(index, 1);
    this.#idle -= 1;
    this.#settle(origin);
  }
}
