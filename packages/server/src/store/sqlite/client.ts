// The Store on SQLite: the whole of it for the thread that opened it, and the delivering half for another thread that
// is given a port. Both talk to the one writer thread, whose commits they share.
import { MessageChannel, type MessagePort, type Worker } from 'node:worker_threads';
import {
  type CompiledQuery,
  DummyDriver,
  Kysely,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
  sql,
} from 'kysely';
import { systemClock as clock } from '../../clock.ts';
import { startThread } from '../../thread.ts';
import { replayPage } from '../control/replays.ts';
import type { Tables } from '../control/tables.ts';
import { StoreError, StoreUnavailable } from '../errors.ts';
import { lookFor } from '../replay-page.ts';
import type {
  AcceptGroup,
  AcceptOutcome,
  AttemptRecord,
  Backlog,
  Change,
  ChangeOutcome,
  ClaimRequest,
  ClaimResult,
  DeliveryStore,
  EndpointRow,
  FeedPosition,
  FeedRequest,
  FeedResult,
  FinishOutcome,
  Lease,
  RedeliverOutcome,
  ReplayRequest,
  ReplayStep,
  RunningReplay,
  Step,
  Store,
  StoreDescription,
  StoreFigures,
} from '../store.ts';
import { EndpointReader } from './endpoint-reader.ts';
import { feedPosition, readFeed } from './feed.ts';
import type { Question, ReaderData, Reply } from './reader.ts';
import { Turns } from './turns.ts';
import * as wire from './wire.ts';

/** How many deliveries a claim takes, and while others publish a little, who wait for the turn that it is part of. */
const longClaim = 128;
const shortClaim = 32;
/** Somebody who asks for figures waits for so many batches of them at the most. */
const mostRounds = 8;
const queries = new Kysely<Tables>({
  dialect: {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  },
});

class SqliteDeliveries implements DeliveryStore {
  /** One process has the file, and nobody else takes anything over. */
  readonly leaseEndsAt = Number.POSITIVE_INFINITY;
  /**
   * While 300,000 deliveries at 1,000 endpoints were worked off and 200 events a second published to another: its p50, p95 and p99
   * 3, 9 and 16 ms without pauses and with claims of 64, 2.1, 5.5 and 10 with these, and 17,000 deliveries a second for 20,000, of
   * 14,000 in the closed loop. Pauses twice as long made no difference; claims of 64 with them 1.9, 6.4 and 13.
   */
  readonly claimPause = 2;
  protected readonly turns: Turns;
  readonly #endpoints: EndpointReader;

  constructor(turns: Turns, path: string) {
    this.turns = turns;
    this.#endpoints = new EndpointReader(path);
  }

  get claimSize(): number {
    return this.turns.isBriskTime ? shortClaim : longClaim;
  }

  finish(record: AttemptRecord, done: (outcome: FinishOutcome | Error) => void): void {
    this.turns.finish(record, done);
  }

  async claim(request: ClaimRequest): Promise<ClaimResult> {
    return wire.decodeClaim(await this.turns.operate({ kind: 'claim', request }, 'claim'));
  }

  async release(leases: Lease[], at: number): Promise<void> {
    await this.turns.operate({ kind: 'release', leases, at }, 'done');
  }

  setLaneOpen(tag: string, open: boolean): void {
    this.turns.operate({ kind: 'open', tag, open }, 'done').catch(ignoreLostHint);
  }

  async holdLane(tag: string, at: number): Promise<void> {
    await this.turns.operate({ kind: 'hold', tag, at }, 'done');
  }

  async endpoints(tags: string[]): Promise<EndpointRow[]> {
    if (this.turns.gone !== null) throw this.turns.gone;
    return this.#endpoints.read(tags);
  }

  async cancelRemoved(limit: number): Promise<number> {
    return (await this.turns.operate({ kind: 'cancel', limit }, 'cancel')).count;
  }

  async prune(before: number, limit: number): Promise<number> {
    return (await this.turns.operate({ kind: 'prune', before, limit }, 'prune')).count;
  }

  async runningReplays(): Promise<RunningReplay[]> {
    return (await this.turns.operate({ kind: 'running replays' }, 'running replays')).replays;
  }

  async makeReplayed(request: ReplayRequest): Promise<ReplayStep> {
    const { replay, most } = request;
    const page = plainQuery(replayPage(queries, replay, replay.cursor, lookFor(most)).compile());
    return (await this.turns.operate({ kind: 'replay', request, page }, 'replay')).step;
  }

  async sweep(now: number): Promise<void> {
    await this.turns.operate({ kind: 'sweep', now }, 'done');
  }

  async writeFigures(): Promise<void> {
    for (let round = 0; round < mostRounds; round++) {
      if (!(await this.turns.operate({ kind: 'write figures' }, 'more')).more) return;
    }
  }

  async pruneFigures(now: number, limit: number): Promise<number> {
    return (await this.turns.operate({ kind: 'prune figures', now, limit }, 'prune')).count;
  }

  listen(): void {}

  /** The writer goes last: whoever leaves the file last folds the log into it, which a reader can't. */
  async close(): Promise<void> {
    await this.turns.drain();
    this.#endpoints.close();
    await this.turns.close();
  }
}

interface Asked {
  resolve(rows: unknown[]): void;
  reject(error: Error): void;
}

class SqliteStore extends SqliteDeliveries implements Store {
  readonly queries = queries;
  readonly #writer: Worker;
  readonly #reader: Worker;
  /** Resolves when the reader has answered everything and ended. */
  readonly #readerEnd: Promise<void>;
  readonly #asked = new Map<number, Asked>();
  #questions = 0;

  readonly #path: string;

  constructor(writer: Worker, reader: Worker, path: string) {
    const turns = new Turns(writer, 'exit', clock);
    super(turns, path);
    this.#path = path;
    this.#writer = writer;
    this.#reader = reader;
    reader.on('message', (reply: Reply) => this.#hear(reply));
    reader.on('error', (error) => turns.lose(error));
    this.#readerEnd = new Promise((resolve) => {
      reader.on('exit', () => {
        turns.lose(new StoreUnavailable('The store was closed.'));
        this.#forsake();
        resolve();
      });
    });
  }

  accept(group: AcceptGroup): Promise<AcceptOutcome> {
    return this.turns.accept(group);
  }

  async redeliver(key: string, now: number, audit: Step): Promise<RedeliverOutcome> {
    const operation = { kind: 'redeliver', key, now, audit: plainStep(audit) } as const;
    return (await this.turns.operate(operation, 'redeliver')).outcome;
  }

  /** There are no others. */
  onNews(): void {}

  async change(change: Change): Promise<ChangeOutcome> {
    const plain = { ...change, steps: change.steps.map(plainStep) };
    return (await this.turns.operate({ kind: 'change', change: plain }, 'change')).outcome;
  }

  async figures(): Promise<StoreFigures> {
    return (await this.turns.operate({ kind: 'figures' }, 'figures')).figures;
  }

  async backlogs(tags: string[]): Promise<Backlog[]> {
    return (await this.turns.operate({ kind: 'backlogs', tags }, 'backlogs')).backlogs;
  }

  async describe(): Promise<StoreDescription> {
    const asked = sql<{ version: string; sizeBytes: number }>`
      SELECT sqlite_version() AS version, page_count * page_size AS "sizeBytes"
        FROM pragma_page_count, pragma_page_size`;
    const [found] = await this.read(asked.compile(this.queries));
    return { kind: 'sqlite', version: found?.version ?? '', sizeBytes: found?.sizeBytes ?? 0 };
  }

  async ping(): Promise<void> {
    await this.turns.operate({ kind: 'ping' }, 'done');
  }

  read<Row>(query: CompiledQuery<Row>): Promise<Row[]> {
    return this.#ask(query.sql, query.parameters) as Promise<Row[]>;
  }

  feedPosition(): Promise<FeedPosition> {
    return feedPosition((text, parameters) => this.#ask(text, parameters));
  }

  readFeed(request: FeedRequest): Promise<FeedResult> {
    return readFeed((text, parameters) => this.#ask(text, parameters), request);
  }

  #ask(text: string, parameters: readonly unknown[]): Promise<unknown[]> {
    if (this.turns.gone !== null) return Promise.reject(this.turns.gone);
    const number = ++this.#questions;
    return new Promise((resolve, reject) => {
      this.#asked.set(number, { resolve, reject });
      this.#reader.postMessage({ number, sql: text, parameters: [...parameters] } satisfies Question);
    });
  }

  #hear(reply: Reply): void {
    const asked = this.#asked.get(reply.number);
    this.#asked.delete(reply.number);
    if ('rows' in reply) asked?.resolve(reply.rows);
    else asked?.reject(new StoreUnavailable(reply.message));
  }

  #forsake(): void {
    for (const { reject } of this.#asked.values())
      reject(this.turns.gone ?? new StoreUnavailable('The store was closed.'));
    this.#asked.clear();
  }

  /** A port for another thread, with which `attachDeliveryStore` makes it a store of its own. */
  connect(): SqliteAttachment {
    const { port1, port2 } = new MessageChannel();
    this.#writer.postMessage({ connect: port1 }, [port1]);
    return { kind: 'sqlite', port: port2, path: this.#path };
  }

  override async close(): Promise<void> {
    await this.turns.drain();
    this.#reader.postMessage('close');
    await this.#readerEnd;
    await super.close();
  }
}

/** Compiled queries carry more than the writer needs, some of which can't be cloned. */
const plainQuery = <Row>(query: CompiledQuery<Row>) =>
  ({ sql: query.sql, parameters: query.parameters }) as CompiledQuery<Row>;
const plainStep = (step: Step): Step => ({ ...step, query: plainQuery(step.query) });

/** A lane's state is a hint to the store; when it is lost the store itself is gone, which its callers hear. */
function ignoreLostHint(error: unknown): void {
  if (!(error instanceof StoreUnavailable)) throw error;
}

function startWriter(data: WriterData): Promise<Worker> {
  const worker = startThread(new URL('./writer.ts', import.meta.url), {
    workerData: data,
    transferList: [data.checkpoints],
    youngMb: 12,
  });
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

/** What the writer thread is given; its port leads to the reader thread. */
export type WriterData = SqliteOptions & { checkpoints: MessagePort };

/** What another thread needs for a delivering half of its own; `port` is to be transferred. */
export interface SqliteAttachment {
  kind: 'sqlite';
  port: MessagePort;
  path: string;
}

/**
 * Opens (and migrates) the SQLite file and takes it for this process.
 * @throws StoreError with a sentence for the operator
 */
export async function openSqliteStore(options: SqliteOptions): Promise<SqliteStore> {
  const { port1, port2 } = new MessageChannel();
  const writer = await startWriter({ ...options, checkpoints: port1 });
  const reader = startThread(new URL('./reader.ts', import.meta.url), {
    workerData: { path: options.path, checkpoints: port2 } satisfies ReaderData,
    transferList: [port2],
    youngMb: 12,
  });
  return new SqliteStore(writer, reader, options.path);
}

/** The delivering half of the store, in a thread that was given a port by `connect`. */
export function attachDeliveryStore({ port, path }: SqliteAttachment): DeliveryStore {
  return new SqliteDeliveries(new Turns(port, 'close', clock), path);
}
