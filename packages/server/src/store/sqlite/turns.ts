// One thread's line to the writer thread: calls made while a turn is under way share the next one. At most one turn
// of a line is with the writer at a time; what waits behind it is the group of the next commit.
import type { MessagePort, Worker } from 'node:worker_threads';
import type { Clock, Timer } from '../../clock.ts';
import { StoreUnavailable } from '../errors.ts';
import type { AcceptGroup, AcceptOutcome, AttemptRecord, FinishOutcome } from '../store.ts';
import { AttemptPack, noAttempts, type PackedAttempts, takeApart } from './attempt-pack.ts';
import * as wire from './wire.ts';

/** How many events and attempts one turn carries at the most: a few milliseconds of the writer's time. */
const eventsPerTurn = 1_000;
const attemptsPerTurn = 1_000;
/**
 * And while others publish a little, so that they wait for about a millisecond. With 64 attempts, and 64 deliveries a claim, in
 * place of 200 and 128, while 300,000 deliveries at 1,000 endpoints were worked off: another endpoint's p50 2.9 ms for 4.8, p95
 * 10.4 for 16.3, p99 22 for 28, and a tenth fewer deliveries a second (21,800 for 24,100).
 */
const attemptsPerShortTurn = 64;
/**
 * An idle writer is given work once this much waits, and else at the end of the event loop's round: it then works
 * while the rest of the round's requests are read. Not where a publish call makes many deliveries, since then sending is what
 * everybody waits for, and a commit of all that there is costs least: 29.6 µs for 30.3 at fan-out 10 (eight processes each).
 */
const enoughForATurn = 32;
const manyDeliveries = 4;
/**
 * Finished attempts alone wait this long for company: nobody waits for their commit, and a commit of many touches few
 * more pages than a commit of one. CPU per delivery of the whole process at fan-out 1 and 10, one run
 * each: 226 and 132 µs with 5 ms, 202 and 119 µs with 20 ms. A turn of 1,000 and not 512 of them: 33.8 µs for 35.2 at
 * fan-out 10; feeding an idle writer from 32 publish calls on and not from 8: 0.041 commits an event for 0.044, and one or
 * two hundredths of the relay more at both fan-outs (medians of 5 and 7 rounds taken in turn).
 */
const finishesWaitMs = 20;

/** A pack that grew beyond this, for answers that said much, is not kept. */
const mostSpareBytes = 1_048_576;

interface Waiting<Item, Result> {
  item: Item;
  resolve(result: Result): void;
  reject(error: Error): void;
}

type Accepts = Waiting<AcceptGroup, AcceptOutcome>[];
type Operations = Waiting<wire.Operation, wire.OperationResult>[];
type Done = (outcome: FinishOutcome | Error) => void;

/** Attempts that wait for their turn, and who is told of each. */
interface Finishes {
  pack: AttemptPack;
  done: Done[];
}

/** One turn. */
interface Batch {
  accepts: Accepts;
  attempts: PackedAttempts;
  /** Of `attempts`, in their order. */
  done: Done[];
  operations: Operations;
}

const nothing: Batch = { accepts: [], attempts: noAttempts, done: [], operations: [] };
const sizeOf = ({ accepts, done, operations }: Batch): number =>
  accepts.length + done.length + operations.length;

export class Turns {
  readonly #port: MessagePort | Worker;
  readonly #clock: Clock;
  #accepts: Accepts = [];
  /** Each as full as a turn may be, but for the last. */
  #finishes: Finishes[] = [];
  #operations: Operations = [];
  /** The pack of `#flying`, and one to be filled. */
  #flyingPack: AttemptPack | null = null;
  #sparePack: AttemptPack | null = null;
  /** Parts of a turn that broke, each tried alone before anything else. */
  readonly #parts: Batch[] = [];
  #flying: Batch | null = null;
  #isBriskTime = false;
  /** Whether the events of the last turn made many deliveries each. */
  #makesMany = false;
  #scheduled = false;
  #companyTimer: Timer | null = null;
  #gone: Error | null = null;
  #onEmpty: (() => void) | null = null;
  /** Resolves when the other end is closed. */
  readonly closed: Promise<void>;

  /** @param closing the event of `port` that says that nothing more will come */
  constructor(port: MessagePort | Worker, closing: 'exit' | 'close', clock: Clock) {
    this.#port = port;
    this.#clock = clock;
    this.closed = new Promise((resolve) => {
      port.on(closing as 'close', () => {
        this.lose(new StoreUnavailable('The store was closed.'));
        resolve();
      });
    });
    port.on('message', (answer: wire.Answer) => this.#land(answer));
    port.on('error' as 'messageerror', (error: Error) => this.lose(error));
  }

  /** Why the store is gone for this process, null while it is there. */
  get gone(): Error | null {
    return this.#gone;
  }

  accept(item: AcceptGroup): Promise<AcceptOutcome> {
    return new Promise((resolve, reject) => {
      this.#accepts.push({ item, resolve, reject });
      this.#schedule();
    });
  }

  finish(record: AttemptRecord, done: Done): void {
    let last = this.#finishes.at(-1);
    if (last === undefined || last.pack.size >= this.#mostAttempts) {
      last = { pack: this.#sparePack ?? new AttemptPack(), done: [] };
      this.#sparePack = null;
      this.#finishes.push(last);
    }
    last.pack.add(record);
    last.done.push(done);
    this.#schedule();
  }

  get #mostAttempts(): number {
    return this.#isBriskTime ? attemptsPerShortTurn : attemptsPerTurn;
  }

  /** Has the writer carry out an operation and answer with a result of its kind. */
  async operate<Kind extends wire.OperationResult['kind']>(
    item: wire.Operation,
    kind: Kind,
  ): Promise<Extract<wire.OperationResult, { kind: Kind }>> {
    const result = await new Promise<wire.OperationResult>((resolve, reject) => {
      this.#operations.push({ item, resolve, reject });
      this.#schedule();
    });
    if (result.kind !== kind) throw new Error(`The writer answered ${item.kind} with ${result.kind}.`);
    return result as Extract<wire.OperationResult, { kind: Kind }>;
  }

  #schedule(): void {
    if (this.#flying !== null) return;
    const others = this.#accepts.length + this.#operations.length;
    const isFull = (this.#finishes[0]?.pack.size ?? 0) >= this.#mostAttempts;
    const isEnough = isFull || (others >= enoughForATurn && !this.#makesMany);
    // When the store is gone all are refused, in a later round: nobody is told before the call has returned.
    if (isEnough && this.#gone === null) {
      this.#fly();
      return;
    }
    if (others + this.#parts.length === 0) {
      this.#companyTimer ??= this.#clock.after(finishesWaitMs, () => {
        this.#companyTimer = null;
        this.#fly();
      });
      return;
    }
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#fly();
    });
  }

  /** Sends what waits as one turn. */
  #fly(): void {
    if (this.#flying !== null) return;
    this.#companyTimer?.cancel();
    this.#companyTimer = null;
    if (this.#gone !== null) {
      for (const part of this.#parts.splice(0)) rejectAll(part, this.#gone);
      for (let batch = this.#take(); sizeOf(batch) > 0; batch = this.#take()) rejectAll(batch, this.#gone);
      return;
    }
    const batch = this.#parts.shift() ?? this.#take();
    if (sizeOf(batch) === 0) return;
    this.#flying = batch;
    const events = wire.encodeEvents(batch.accepts.map(({ item }) => item));
    const turn: wire.Turn = {
      attempts: batch.attempts,
      groups: events.groups,
      events: events.events,
      eventBodies: events.bodies,
      operations: batch.operations.map(({ item }) => item),
    };
    this.#port.postMessage(turn, [events.bodies.buffer]);
  }

  #take(): Batch {
    const accepts = this.#accepts;
    let groups = 0;
    for (let events = 0; groups < accepts.length && events < eventsPerTurn; groups++) {
      events += accepts[groups]?.item.events.length ?? 0;
    }
    this.#accepts = accepts.splice(groups);
    const operations = this.#operations;
    this.#operations = [];
    const finishes = this.#finishes.shift();
    if (finishes === undefined) return { ...nothing, accepts, operations };
    const { pack, done } = finishes;
    this.#flyingPack = pack;
    return { accepts, attempts: pack.packed(), done, operations };
  }

  #land(answer: wire.Answer): void {
    const batch = this.#flying;
    this.#flying = null;
    if (batch === null) return;
    // A broken turn committed nothing. Its parts go again one by one; a part that breaks alone is refused.
    const isAlone = sizeOf(batch) === 1;
    if (answer.kind === 'failed' && !isAlone) this.#parts.push(...partsOf(batch));
    // Before anybody is told, who may have the next pack sent at once.
    this.#freePack();
    if (answer.kind === 'failed') {
      if (isAlone) rejectAll(batch, new StoreUnavailable(answer.message));
    } else {
      this.#isBriskTime = answer.isBriskTime;
      const accepted = wire.decodeAccepts(answer.names, answer.accepts);
      if (accepted.length > 0) this.#makesMany = countBirths(accepted) > manyDeliveries * accepted.length;
      for (let i = 0; i < batch.accepts.length; i++) batch.accepts[i]?.resolve(accepted[i] as AcceptOutcome);
      for (let i = 0; i < batch.done.length; i++) {
        batch.done[i]?.(wire.decodeFinish(answer.finishes[i] as number));
      }
      for (let i = 0; i < batch.operations.length; i++) {
        batch.operations[i]?.resolve(answer.operations[i] as wire.OperationResult);
      }
    }
    if (this.#isEmpty()) this.#onEmpty?.();
    else this.#schedule();
  }

  /** What was in the flying pack is written, or copied for another try. */
  #freePack(): void {
    const pack = this.#flyingPack;
    this.#flyingPack = null;
    if (pack === null || pack.capacity > mostSpareBytes) return;
    pack.clear();
    this.#sparePack = pack;
  }

  #isEmpty(): boolean {
    const waiting = this.#accepts.length + this.#finishes.length + this.#operations.length;
    return this.#flying === null && this.#parts.length + waiting === 0;
  }

  /** Refuses everything from now on. */
  lose(error: Error): void {
    if (this.#gone !== null) return;
    this.#gone = error instanceof StoreUnavailable ? error : new StoreUnavailable(error.message);
    if (this.#flying !== null) rejectAll(this.#flying, this.#gone);
    this.#flying = null;
    this.#schedule();
    this.#onEmpty?.();
  }

  /** Resolves when everything that was asked for is written. */
  async drain(): Promise<void> {
    if (this.#gone !== null || this.#isEmpty()) return;
    await new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
    });
  }

  /** Waits until everything that was asked for is written, then closes this line. */
  async close(): Promise<void> {
    await this.drain();
    this.#port.postMessage('close');
    await this.closed;
  }
}

const countBirths = (outcomes: AcceptOutcome[]): number =>
  outcomes
    .flatMap((outcome) => (outcome.kind === 'stored' ? outcome.events : []))
    .reduce((sum, event) => sum + (event.kind === 'stored' ? event.births.length : 0), 0);

function partsOf(batch: Batch): Batch[] {
  return [
    ...batch.accepts.map((accept) => ({ ...nothing, accepts: [accept] })),
    ...takeApart(batch.attempts).map((attempts, index) => ({
      ...nothing,
      attempts,
      done: batch.done.slice(index, index + 1),
    })),
    ...batch.operations.map((operation) => ({ ...nothing, operations: [operation] })),
  ];
}

function rejectAll(batch: Batch, error: Error): void {
  for (const { reject } of [...batch.accepts, ...batch.operations]) reject(error);
  for (const done of batch.done) done(error);
}
