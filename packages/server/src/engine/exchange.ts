// One request and what comes back, on whichever connection it is: the deadline over everything, the timings, and
// one end, answered or broken. The bytes are connection.ts's business.
import type { Clock } from '../clock.ts';
import { type Cause, type CauseContext, explainCause } from '../core/cause.ts';
import type { Connection, Target } from './connection.ts';
import type { Expiring } from './deadlines.ts';
import { readError, type Stage } from './network-cause.ts';
import type { SendRequest, SendResponse, SendResult, Timings } from './sender.ts';

/** What a deadline that passes before the request is on its way means. */
const causeOfStage: Record<Stage, Cause> = {
  resolving: 'dns_timeout',
  connecting: 'timeout_connecting',
  tls: 'timeout_tls',
  open: 'timeout_connecting',
};

export interface ExchangeOwner {
  clock: Clock;
  /** The exchange has ended; `clean` when its connection may carry another. */
  onEnd(exchange: Exchange, connection: Connection | null, clean: boolean): void;
  /** Whether the exchange was put on a fresh connection, because the one it was on proved to be closed. */
  onBroken(exchange: Exchange, connection: Connection, error: unknown): boolean;
}

export class Exchange implements Expiring {
  readonly request: SendRequest;
  readonly target: Target;
  readonly timeoutMs: number;
  readonly #owner: ExchangeOwner;
  readonly #done: (result: SendResult) => void;
  readonly #startedAt: number;
  #connection: Connection | null = null;
  #sentAt = 0;
  #firstByteAt = 0;
  readonly dueAt: number;
  dnsMs: number | null = null;
  connectMs: number | null = null;
  tlsMs: number | null = null;
  /** Whether the connection was opened for this exchange, not used again. */
  isOpener = false;

  constructor(
    request: SendRequest,
    target: Target,
    owner: ExchangeOwner,
    done: (result: SendResult) => void,
  ) {
    this.request = request;
    this.target = target;
    this.timeoutMs = request.timeoutMs;
    this.#owner = owner;
    this.#done = done;
    this.#startedAt = owner.clock.monotonic();
    this.dueAt = this.#startedAt + request.timeoutMs;
  }

  /** Whether any byte of an answer came. */
  get hasAnswerBegun(): boolean {
    return this.#firstByteAt !== 0;
  }

  /** When it began, monotonic ms: near enough to now for a connection that is open already. */
  get startedAt(): number {
    return this.#startedAt;
  }

  /** A connection takes the exchange on, the first or a fresh one after a closed one. */
  begin(connection: Connection): void {
    this.#connection = connection;
    this.isOpener = false;
    this.#sentAt = 0;
  }

  /** The connection had to be opened for this exchange. */
  markOpened(): void {
    this.isOpener = true;
  }

  /** The request is being written, at `now` (monotonic ms). */
  markSent(now: number): void {
    this.#sentAt = now;
  }

  /** Bytes of an answer came, at `now` (monotonic ms). */
  markReceived(now: number): void {
    if (this.#firstByteAt === 0) this.#firstByteAt = now;
  }

  /** The answer is over at `now` (monotonic ms); `clean` when the connection may be used again. */
  answer(response: SendResponse, now: number, clean: boolean): void {
    this.#leave(clean);
    this.#done({ kind: 'answered', response, timings: this.#timings(now) });
  }

  /** The connection could not be opened, was lost, or carried what is no answer. */
  fail(error: unknown): void {
    const connection = this.#connection;
    if (connection === null || this.#owner.onBroken(this, connection, error)) return;
    const { cause, detail } = readError(error, connection.stage);
    this.#break(cause, { detail });
  }

  expire(): void {
    if (this.#connection !== null) this.#break(this.#causeOfDeadline(), { timeoutMs: this.timeoutMs });
  }

  #causeOfDeadline(): Cause {
    if (this.#connection?.partial()) return 'timeout_reading_response';
    if (this.#sentAt !== 0) {
      return (this.#connection?.unsentBytes ?? 0) > 0 ? 'timeout_sending' : 'timeout_waiting_for_response';
    }
    return causeOfStage[this.#connection?.stage ?? 'connecting'];
  }

  #timings(now: number): Timings {
    return {
      dnsMs: this.dnsMs,
      connectMs: this.connectMs,
      tlsMs: this.tlsMs,
      firstByteMs: this.#firstByteAt === 0 ? null : this.#firstByteAt - this.#sentAt,
      totalMs: now - this.#startedAt,
    };
  }

  #break(cause: Cause, context: Omit<CauseContext, 'host'>): void {
    const message = explainCause(cause, { host: this.target.label, ...context });
    const response = this.#connection?.partial() ?? null;
    const timings = this.#timings(this.#owner.clock.monotonic());
    this.#leave(false);
    this.#done({ kind: 'broken', cause, message, response, timings });
  }

  #leave(clean: boolean): void {
    const connection = this.#connection;
    this.#connection = null;
    this.#owner.onEnd(this, connection, clean);
  }
}
