// The Store on SQLite, as the HTTP thread sees it: calls made while a commit is under way share the next one. At
// most one turn is with the writer thread at a time; what waits behind it is the group of the next commit.
import { Worker } from 'node:worker_threads';
import {
  type CompiledQuery,
  DummyDriver,
  Kysely,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely';
import type { Tables } from '../control/tables.ts';
import { StoreError, StoreUnavailable } from '../errors.ts';
import type {
  AcceptGroup,
  AcceptOutcome,
  AttemptRecord,
  Change,
  ChangeOutcome,
  ClaimRequest,
  ClaimResult,
  EndpointRow,
  FinishOutcome,
  Lease,
  RedeliverOutcome,
  Step,
  Store,
  StoreFigures,
} from '../store.ts';
import type { Question, Reply } from './reader.ts';
import * as wire from './wire.ts';

/** How many events and attempts one commit carries at the most: a few milliseconds of the writer's time. */
const eventsPerTurn = 1_000;
const attemptsPerTurn = 1_000;
const earlyFlight = Number(process.env['EARLY'] ?? 16);

interface Waiting<Item, Result> {
  item: Item;
  resolve(result: Result): void;
  reject(error: Error): void;
}

type WaitingAccept = Waiting<AcceptGroup, AcceptOutcome>;
type WaitingFinish = Waiting<AttemptRecord, FinishOutcome>;
type WaitingOperation = Waiting<wire.Operation, wire.OperationResult>;

interface Batch {
  accepts: WaitingAccept[];
  finishes: WaitingFinish[];
  operations: WaitingOperation[];
}

const endpointColumns = `tag, id, kind, team_id AS "teamId", version, url, secret_sealed AS "secretSealed",
  old_secret_sealed AS "oldSecretSealed", old_secret_until AS "oldSecretUntil", enabled, removed_at AS "removedAt",
  max_concurrency AS "maxConcurrency", rate_per_second AS "ratePerSecond", ordering`;

class SqliteStore implements Store {
  readonly queries = new Kysely<Tables>({
    dialect: {
      createAdapter: () => new SqliteAdapter(),
      createDriver: () => new DummyDriver(),
      createIntrospector: (db) => new SqliteIntrospector(db),
      createQueryCompiler: () => new SqliteQueryCompiler(),
    },
  });
  readonly #writer: Worker;
  readonly #reader: Worker;
  #accepts: WaitingAccept[] = [];
  #finishes: WaitingFinish[] = [];
  #operations: WaitingOperation[] = [];
  /** Parts of a turn that broke, each tried alone before anything else. */
  #retries: Batch[] = [];
  #flying: Batch | null = null;
  #scheduled = false;
  #gone: Error | null = null;
  readonly #questions = new Map<number, Waiting<null, unknown[]>>();
  #question = 0;
  readonly #closed: Promise<void>;

  constructor(writer: Worker, reader: Worker) {
    this.#writer = writer;
    this.#reader = reader;
    let closed = () => {};
    this.#closed = new Promise((resolve) => {
      closed = resolve;
    });
    writer.on('message', (message: wire.Answer | 'closed') => {
      if (message !== 'closed') this.#land(message);
    });
    writer.on('error', (error) => this.#lose(error));
    writer.on('exit', () => {
      this.#lose(new StoreUnavailable('The store was closed.'));
      closed();
    });
    reader.on('message', (reply: Reply) => this.#hear(reply));
    reader.on('error', (error) => this.#lose(error));
  }

  accept(item: AcceptGroup): Promise<AcceptOutcome> {
    return new Promise((resolve, reject) => {
      this.#accepts.push({ item, resolve, reject });
      this.#schedule();
    });
  }

  finish(item: AttemptRecord): Promise<FinishOutcome> {
    return new Promise((resolve, reject) => {
      this.#finishes.push({ item, resolve, reject });
      this.#schedule();
    });
  }

  #operate(item: wire.Operation): Promise<wire.OperationResult> {
    return new Promise((resolve, reject) => {
      this.#operations.push({ item, resolve, reject });
      this.#schedule();
    });
  }

  setLaneOpen(tag: string, open: boolean): void {
    this.#operate({ kind: 'open', tag, open }).catch(ignoreLostHint);
  }

  async claim(request: ClaimRequest): Promise<ClaimResult> {
    const answer = await this.#operate({ kind: 'claim', request });
    if (answer.kind !== 'claim') throw new Error('The writer answered a claim with something else.');
    return answer.result;
  }

  async release(leases: Lease[], at: number): Promise<void> {
    await this.#operate({ kind: 'release', leases, at });
  }

  async holdLane(tag: string, at: number): Promise<void> {
    await this.#operate({ kind: 'hold', tag, at });
  }

  async redeliver(key: string, now: number, audit: Step): Promise<RedeliverOutcome> {
    const answer = await this.#operate({ kind: 'redeliver', key, now, audit: plainStep(audit) });
    if (answer.kind !== 'redeliver') throw new Error('The writer answered a redelivery with something else.');
    return answer.outcome;
  }

  async change(change: Change): Promise<ChangeOutcome> {
    const answer = await this.#operate({
      kind: 'change',
      change: { ...change, steps: change.steps.map(plainStep) },
    });
    if (answer.kind !== 'change') throw new Error('The writer answered a change with something else.');
    return answer.outcome;
  }

  async cancelRemoved(now: number, limit: number): Promise<number> {
    const answer = await this.#operate({ kind: 'cancel', now, limit });
    return answer.kind === 'cancel' ? answer.count : 0;
  }

  async sweep(now: number): Promise<void> {
    await this.#operate({ kind: 'sweep', now });
  }

  async figures(): Promise<StoreFigures> {
    const answer = await this.#operate({ kind: 'figures' });
    if (answer.kind !== 'figures') throw new Error('The writer answered for figures with something else.');
    return answer.figures;
  }

  async ping(): Promise<void> {
    await this.#operate({ kind: 'figures' });
  }

  async endpoints(tags: string[]): Promise<EndpointRow[]> {
    if (tags.length === 0) return [];
    const marks = tags.map(() => '?').join(', ');
    const rows = await this.#ask<
      Omit<EndpointRow, 'enabled' | 'removed'> & { enabled: number; removedAt: number | null }
    >(`SELECT ${endpointColumns} FROM endpoints WHERE tag IN (${marks})`, tags);
    return rows.map(({ enabled, removedAt, ...row }) => ({
      ...row,
      enabled: enabled === 1,
      removed: removedAt !== null,
    }));
  }

  read<Row>(query: CompiledQuery<Row>): Promise<Row[]> {
    return this.#ask<Row>(query.sql, [...query.parameters]);
  }

  #ask<Row>(sql: string, parameters: unknown[]): Promise<Row[]> {
    if (this.#gone !== null) return Promise.reject(this.#gone);
    const number = ++this.#question;
    return new Promise((resolve, reject) => {
      this.#questions.set(number, { item: null, resolve: resolve as (rows: unknown[]) => void, reject });
      this.#reader.postMessage({ number, sql, parameters } satisfies Question);
    });
  }

  #hear(reply: Reply): void {
    const waiting = this.#questions.get(reply.number);
    this.#questions.delete(reply.number);
    if ('rows' in reply) waiting?.resolve(reply.rows);
    else waiting?.reject(new StoreUnavailable(`The store could not read: ${reply.message}.`));
  }

  #schedule(): void {
    if (this.#flying !== null) return;
    if (this.#accepts.length >= earlyFlight) {
      this.#fly();
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
    if (this.#gone !== null) {
      const gone = this.#gone;
      for (const batch of [this.#take(), ...this.#retries.splice(0)]) rejectAll(batch, gone);
      return;
    }
    const batch = this.#retries.shift() ?? this.#take();
    if (batch.accepts.length + batch.finishes.length + batch.operations.length === 0) return;
    this.#flying = batch;
    const events = wire.encodeEvents(batch.accepts.map(({ item }) => item));
    const attempts = wire.encodeAttempts(batch.finishes.map(({ item }) => item));
    const turn: wire.Turn = {
      groups: events.groups,
      events: events.events,
      eventBodies: events.bodies,
      finishes: attempts.finishes,
      finishBodies: attempts.bodies,
      operations: batch.operations.map(({ item }) => item),
    };
    this.#writer.postMessage(turn, [events.bodies.buffer, attempts.bodies.buffer]);
  }

  #take(): Batch {
    let count = 0;
    let events = 0;
    while (count < this.#accepts.length && events < eventsPerTurn) {
      events += this.#accepts[count]?.item.events.length ?? 0;
      count += 1;
    }
    const accepts = this.#accepts.length === count ? this.#accepts : this.#accepts.splice(0, count);
    if (accepts === this.#accepts) this.#accepts = [];
    const all = this.#finishes.length <= attemptsPerTurn;
    const finishes = all ? this.#finishes : this.#finishes.splice(0, attemptsPerTurn);
    if (all) this.#finishes = [];
    const operations = this.#operations;
    this.#operations = [];
    return { accepts, finishes, operations };
  }

  #land(answer: wire.Answer): void {
    const batch = this.#flying;
    this.#flying = null;
    if (batch === null) return;
    if (answer.kind === 'failed') this.#afterFailure(batch, answer.message);
    else {
      const accepted = wire.decodeAccepts(answer.accepts);
      // Births are handed over in this order; who waits for an accept hears of it before its first attempt starts.
      for (let i = 0; i < batch.accepts.length; i++) batch.accepts[i]?.resolve(accepted[i] as AcceptOutcome);
      for (let i = 0; i < batch.finishes.length; i++) {
        batch.finishes[i]?.resolve(wire.decodeFinish(answer.finishes[i] as number));
      }
      for (let i = 0; i < batch.operations.length; i++) {
        batch.operations[i]?.resolve(answer.operations[i] as wire.OperationResult);
      }
    }
    if (this.#waitingCount() > 0) this.#schedule();
  }

  /** A broken turn committed nothing. Its parts go again one by one; a part that breaks alone is refused. */
  #afterFailure(batch: Batch, message: string): void {
    const parts: Batch[] = [
      ...batch.accepts.map((accept) => ({ accepts: [accept], finishes: [], operations: [] })),
      ...batch.finishes.map((finish) => ({ accepts: [], finishes: [finish], operations: [] })),
      ...batch.operations.map((operation) => ({ accepts: [], finishes: [], operations: [operation] })),
    ];
    if (parts.length === 1) rejectAll(batch, new StoreUnavailable(`The store could not write: ${message}.`));
    else this.#retries.push(...parts);
  }

  #waitingCount(): number {
    return this.#accepts.length + this.#finishes.length + this.#operations.length + this.#retries.length;
  }

  #lose(error: Error): void {
    if (this.#gone !== null) return;
    this.#gone = error instanceof StoreUnavailable ? error : new StoreUnavailable(error.message);
    for (const waiting of this.#questions.values()) waiting.reject(this.#gone);
    this.#questions.clear();
    if (this.#flying !== null) rejectAll(this.#flying, this.#gone);
    this.#flying = null;
    this.#schedule();
  }

  /** Writes what waits, then closes the file. */
  async close(): Promise<void> {
    while (this.#gone === null && (this.#flying !== null || this.#waitingCount() > 0)) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.#reader.postMessage('close');
    this.#writer.postMessage('close');
    await this.#closed;
  }
}

/** Compiled queries carry more than the writer needs, some of which can't be cloned. */
function plainStep(step: Step): Step {
  return {
    ...step,
    query: { sql: step.query.sql, parameters: step.query.parameters } as CompiledQuery<unknown>,
  };
}

function rejectAll(batch: Batch, error: Error): void {
  for (const { reject } of [...batch.accepts, ...batch.finishes, ...batch.operations]) reject(error);
}

/** A lane's state is a hint to the store; when it is lost the store itself is gone, which its callers hear. */
function ignoreLostHint(error: unknown): void {
  if (!(error instanceof StoreUnavailable)) throw error;
}

function startWorker(file: string, workerData: object): Promise<Worker> {
  const worker = new Worker(new URL(file, import.meta.url), { workerData });
  return new Promise((resolve, reject) => {
    worker.once('message', () => resolve(worker));
    worker.once('error', (error) => reject(new StoreError(error.message)));
  });
}

export interface SqliteOptions {
  /** The file; its folder exists. */
  path: string;
  /** Epoch ms, for what is due at once because the process before died. */
  now: number;
  /** Whether this process sends; else what it accepts waits for one that does. */
  delivers: boolean;
}

/**
 * Opens (and migrates) the SQLite file and takes it for this process.
 * @throws StoreError with a sentence for the operator
 */
export async function openSqliteStore(options: SqliteOptions): Promise<Store> {
  const { path } = options;
  const writer = await startWorker('./writer.ts', options);
  const reader = new Worker(new URL('./reader.ts', import.meta.url), { workerData: { path } });
  return new SqliteStore(writer, reader);
}
