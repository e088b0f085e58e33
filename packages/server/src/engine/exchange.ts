// One request and what comes back: the handler that undici calls, with the bounds that undici lacks (64 KiB of
// body kept, one deadline over everything). It ends once, as answered or broken, and is told to `done` later.
import type { Dispatcher } from 'undici';
import type { Clock } from '../clock.ts';
import { type Cause, type CauseContext, explainCause } from '../core/cause.ts';
import type { Connection, Target } from './connection.ts';
import type { Expiring } from './deadlines.ts';
import { readError, type Stage } from './network-cause.ts';
import type { SendRequest, SendResponse, SendResult, Timings } from './sender.ts';

/** Bytes of an answer's body that are kept; whatever follows closes the connection. */
const MAX_BODY_BYTES = 65_536;

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
  onBroken(exchange: Exchange, connection: Connection, error: Error): boolean;
}

export class Exchange implements Dispatcher.DispatchHandler, Expiring {
  readonly request: SendRequest;
  readonly target: Target;
  readonly timeoutMs: number;
  readonly #owner: ExchangeOwner;
  readonly #done: (result: SendResult) => void;
  readonly #startedAt: number;
  #connection: Connection | null = null;
  #ended = false;
  #sentAt = 0;
  #firstByteAt = 0;
  #status = 0;
  #headers: string[] = [];
  #body: Uint8Array = new Uint8Array(0);
  #bodyLength = 0;
  dueAt = 0;
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
  }

  /** Whether any byte of an answer came. */
  get hasAnswerBegun(): boolean {
    return this.#firstByteAt !== 0;
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

  onRequestStart(): void {
    this.#sentAt = this.#owner.clock.monotonic();
  }

  onResponseStarted(): void {
    if (this.#firstByteAt === 0) this.#firstByteAt = this.#owner.clock.monotonic();
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number): void {
    // 103 Early Hints and the like come before the answer proper.
    if (status < 200) return;
    this.#status = status;
    const raw = controller.rawHeaders;
    if (!Array.isArray(raw)) return;
    for (const part of raw) this.#headers.push(typeof part === 'string' ? part : part.toString('latin1'));
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#ended) return;
    const room = MAX_BODY_BYTES - this.#bodyLength;
    const kept = chunk.length > room ? chunk.subarray(0, room) : chunk;
    if (this.#bodyLength === 0) this.#body = kept;
    else this.#append(kept);
    this.#bodyLength += kept.length;
    if (kept.length < chunk.length) this.#answer(true);
  }

  onResponseEnd(): void {
    if (!this.#ended) this.#answer(false);
  }

  onResponseError(_controller: Dispatcher.DispatchController | null, error: Error): void {
    const connection = this.#connection;
    if (this.#ended) return;
    if (connection && this.#owner.onBroken(this, connection, error)) return;
    const { cause, detail } = readError(error, connection?.stage ?? 'open');
    this.#break(cause, { detail });
  }

  expire(): void {
    if (!this.#ended) this.#break(this.#causeOfDeadline(), { timeoutMs: this.timeoutMs });
  }

  /** Copies into one growing buffer: a body of 65,536 one-byte chunks must not keep 65,536 objects alive. */
  #append(chunk: Uint8Array): void {
    const needed = this.#bodyLength + chunk.length;
    if (this.#body.length < needed) {
      const grown = Buffer.allocUnsafeSlow(
        Math.min(MAX_BODY_BYTES, Math.max(needed, 2 * this.#bodyLength, 1_024)),
      );
      grown.set(this.#body.subarray(0, this.#bodyLength));
      this.#body = grown;
    }
    this.#body.set(chunk, this.#bodyLength);
  }

  #causeOfDeadline(): Cause {
    if (this.#status !== 0) return 'timeout_reading_response';
    if (this.#sentAt !== 0) {
      return (this.#connection?.unsentBytes ?? 0) > 0 ? 'timeout_sending' : 'timeout_waiting_for_response';
    }
    return causeOfStage[this.#connection?.stage ?? 'connecting'];
  }

  #response(truncated: boolean): SendResponse {
    const body = this.#body.subarray(0, this.#bodyLength);
    return { status: this.#status, headers: this.#headers, body, truncated };
  }

  #timings(): Timings {
    return {
      dnsMs: this.dnsMs,
      connectMs: this.connectMs,
      tlsMs: this.tlsMs,
      firstByteMs: this.#firstByteAt === 0 ? null : this.#firstByteAt - this.#sentAt,
      totalMs: this.#owner.clock.monotonic() - this.#startedAt,
    };
  }

  #answer(truncated: boolean): void {
    this.#end(
      { kind: 'answered', response: this.#response(truncated), timings: this.#timings() },
      !truncated,
    );
  }

  #break(cause: Cause, context: Omit<CauseContext, 'host'>): void {
    const message = explainCause(cause, { host: this.target.label, ...context });
    const response = this.#status === 0 ? null : this.#response(true);
    this.#end({ kind: 'broken', cause, message, response, timings: this.#timings() }, false);
  }

  #end(result: SendResult, clean: boolean): void {
    this.#ended = true;
    if (!clean) this.#leave(false);
    // Later, so that nothing `done` does or throws happens inside undici's parser, and so that undici has closed
    // the socket of a `connection: close` before the pool looks at it.
    process.nextTick(Exchange.#tell, this, result, clean);
  }

  static #tell(this: void, exchange: Exchange, result: SendResult, clean: boolean): void {
    if (clean) exchange.#leave(true);
    exchange.#done(result);
  }

  #leave(clean: boolean): void {
    this.#owner.onEnd(this, this.#connection, clean);
    this.#connection = null;
  }
}
