// The whole Store on SQLite, for the thread that opens it. Another thread is given a port for the delivering half of it
// (deliveries.ts); both talk to the one writer thread, whose commits they share.
import { MessageChannel, type MessagePort, type Worker } from 'node:worker_threads';
import { type CompiledQuery, sql } from 'kysely';
import { systemClock as clock } from '../../clock.ts';
import { startThread } from '../../thread.ts';
import { StoreError, StoreUnavailable } from '../errors.ts';
import type {
  AcceptGroup,
  AcceptOutcome,
  Backlog,
  Change,
  ChangeOutcome,
  FeedPosition,
  FeedRequest,
  FeedResult,
  RedeliverOutcome,
  Step,
  Store,
  StoreDescription,
  StoreFigures,
} from '../store.ts';
import { type SqliteAttachment, SqliteDeliveries } from './deliveries.ts';
import { feedPosition, readFeed } from './feed.ts';
import { plainQuery, queries } from './queries.ts';
import type { Question, ReaderData, Reply } from './reader.ts';
import { Turns } from './turns.ts';

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

const plainStep = (step: Step): Step => ({ ...step, query: plainQuery(step.query) });

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
