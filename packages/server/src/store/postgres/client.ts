// The Store on PostgreSQL: the whole of it, for the thread that opened it; sender.ts has the other thread's half. They share
// a node's name, and tell each other what they hold.
import { MessageChannel } from 'node:worker_threads';
import type { CompiledQuery } from 'kysely';
import { systemClock as clock, type Timer } from '../../clock.ts';
import { newAlphanumeric } from '../../id.ts';
import { StoreUnavailable } from '../errors.ts';
import type { Migrated } from '../migrations.ts';
import type {
  AcceptGroup,
  AcceptOutcome,
  Backlog,
  Change,
  ChangeOutcome,
  FeedPosition,
  FeedRequest,
  FeedResult,
  News,
  RedeliverOutcome,
  Step,
  Store,
  StoreDescription,
  StoreFigures,
} from '../store.ts';
import { type AcceptItem, acceptBatch, bytesOf, idsOf, planAccept, readGroup, readKnown } from './accept.ts';
import { Batches } from './batches.ts';
import { applyChange } from './change.ts';
import { type ConnectionOptions, Connections, divisionByZero, stateOf } from './connection.ts';
import {
  bytesPerStatement,
  PostgresDeliveries,
  type PostgresOptions,
  queries,
  warmSessions,
} from './deliveries.ts';
import { feedPosition, readFeed } from './feed.ts';
import { readBacklogs } from './figures.ts';
import { followHints, Hints } from './hints.ts';
import { migrate } from './migrate.ts';
import { enterNode, freeBorn, ignoreLostHint, newsChannel, takeOverAtStart, workChannel } from './nodes.ts';
import type { PostgresAttachment } from './sender.ts';
import { explain } from './troubles.ts';
import { readFigures, redeliver } from './upkeep.ts';

/** How many publish calls one statement carries at the most. */
const callsPerStatement = 500;
/**
 * While calls share statements they wait so long for company, ms for each other node that is alive and at the most: each has
 * the fewer calls, and the database as many statements as they make of them, at 3 ms of processor time each where three nodes,
 * the database and who publishes share two cores. They go before that once as many wait as `enoughOfLately` of the most that
 * lately went together: nobody else may come before those have their answers.
 * Three nodes, deliveries a second and statements for a delivery: each time 3.5 ms for each other node, as it was, 9,800 and
 * 0.0168 (nine rounds of 12 s), and in turn with it, ms for two others and share: 7 and 0.65 10,400 and 0.0176; 10 and 0.55
 * 10,400 and 0.0162; 10 and 0.65 10,200 and 0.0161; 10 and 0.7 10,400 and 0.0157; 12 and 0.8 10,100 and 0.0146; 15 and 0.65
 * 10,600 and 0.0138; 20 and 0.75 10,100 and 0.0129. Before that, the wait alone: 0.0193 and 10,100 with 2.5, 0.0160 and 10,100
 * with 3.5, 0.0143 and 9,900 with 5, 0.0120 and 8,600 with 8. No gain: to go once nobody had come for 2, 3 or 4 ms, or as soon
 * as as many waited as had just gone (0.016 to 0.023); to wait 0.7, 1 or 1.4 times as long as a statement takes (9,600, 8,800
 * and 7,800). One alone does not wait: with 5 ms a publish took 20 for 19 and nothing was gained.
 */
const gatherMs = 6;
const enoughOfLately = 0.65;
const mostGatherMs = 20;
/** Other nodes hear of new work from each node at most once in so many ms. */
const notifyEveryMs = 20;
/** How long, and how often, deliveries are looked for whose publish was not answered, ms. */
const doubtMs = 15_000;
const doubtEveryMs = 1_000;

/** Whether a publish call made deliveries that nobody holds. */
const leavesWork = (outcome: AcceptOutcome | 'again'): boolean =>
  outcome !== 'again' &&
  outcome.kind === 'stored' &&
  outcome.events.some((event) => event.kind === 'stored' && event.births.some(({ leased }) => !leased));

class PostgresStore extends PostgresDeliveries implements Store {
  readonly queries = queries;
  readonly #options: PostgresOptions;
  readonly #accepts: Batches<AcceptItem, AcceptOutcome | 'again'>;
  #notifyTimer: Timer | null = null;
  #hear: (news: News) => void = () => {};
  /** Events (by uid) whose publish was not answered, and until when they are looked for, monotonic ms. */
  readonly #doubtful = new Map<string, number>();
  #doubtTimer: Timer | null = null;

  constructor(connections: Connections, hints: Hints, options: PostgresOptions, node: string | null) {
    super(connections, hints, node, options.pruneByRowBelowMs);
    this.#options = options;
    this.#accepts = new Batches({
      clock,
      most: callsPerStatement,
      mostBytes: bytesPerStatement,
      bytesOf,
      waitMs: (last) => (last > 1 ? Math.min(this.hints.others * gatherMs, mostGatherMs) : 0),
      enough: (lately) => enoughOfLately * lately,
      keysOf: idsOf,
      run: (items) => this.#acceptAll(items),
    });
  }

  /** See `warmSessions`. */
  warm(): Promise<void> {
    return this.connections.warm(warmSessions, (run) => planAccept(run, this.node, this.hints));
  }

  async #acceptAll(items: AcceptItem[]): Promise<(AcceptOutcome | 'again')[]> {
    try {
      const outcomes = await acceptBatch(this.connections.run, items, this.node, this.hints);
      this.count(items.length);
      if (outcomes.some(leavesWork)) this.#notifySoon();
      return outcomes;
    } catch (error) {
      if (error instanceof StoreUnavailable) this.#doubt(items);
      const [item] = items;
      if (items.length > 1 || item === undefined || stateOf(error) !== divisionByZero) throw error;
      // Some ids of this call were there already, and the statement stored none of its events.
      const own = item.distinct.flatMap((event, at) =>
        event.uid !== event.id && item.outcomes[at] === null ? [{ item, event, at }] : [],
      );
      const conflict = (await readKnown(this.connections.run, own)).get(item);
      return [conflict === undefined ? 'again' : { kind: 'conflict', index: item.first.indexOf(conflict) }];
    }
  }

  /**
   * A publish without an answer may have been done all the same, its deliveries held by this node, which does not know.
   * For as long as the database may still be at it they are looked for, and freed.
   */
  #doubt(items: AcceptItem[]): void {
    const until = clock.monotonic() + doubtMs;
    for (const { distinct } of items) for (const { uid } of distinct) this.#doubtful.set(uid, until);
    this.#doubtTimer ??= clock.after(doubtEveryMs, () => void this.#settleDoubts());
  }

  async #settleDoubts(): Promise<void> {
    const now = clock.monotonic();
    const uids = [...this.#doubtful.keys()];
    try {
      if (this.node !== null) await freeBorn(this.connections.run, clock.now(), this.node, uids);
      for (const [uid, until] of this.#doubtful) if (until < now) this.#doubtful.delete(uid);
    } catch (error) {
      ignoreLostHint(error);
    }
    this.#doubtTimer =
      this.#doubtful.size === 0 ? null : clock.after(doubtEveryMs, () => void this.#settleDoubts());
  }

  /** Tells other nodes that there is work, at most once in a while, and never inside a commit. */
  #notifySoon(): void {
    this.#notifyTimer ??= clock.after(notifyEveryMs, () => {
      this.#notifyTimer = null;
      this.connections.run({ name: null, text: `NOTIFY ${workChannel}`, values: [] }).catch(ignoreLostHint);
    });
  }

  async accept(group: AcceptGroup): Promise<AcceptOutcome> {
    const item = readGroup(group);
    if ('kind' in item) return item;
    for (;;) {
      const outcome = await this.#accepts.add(item);
      if (outcome !== 'again') return outcome;
    }
  }

  async redeliver(key: string, now: number, audit: Step): Promise<RedeliverOutcome> {
    const outcome = await this.connections.transaction((run) =>
      redeliver(run, { key, now, audit, tally: this.hints.tally }),
    );
    this.count(0);
    return outcome;
  }

  async change(change: Change): Promise<ChangeOutcome> {
    const outcome = await applyChange(this.connections, change, this.node, this.hints);
    this.count(0);
    if (outcome.kind === 'done' && change.tells !== undefined) this.#tell(change.tells);
    return outcome;
  }

  #tell(news: News): void {
    this.connections
      .run({ name: null, text: 'SELECT pg_notify($1, $2)', values: [newsChannel, news] })
      .catch(ignoreLostHint);
  }

  onNews(hear: (news: News) => void): void {
    this.#hear = hear;
  }

  async read<Row>({ sql, parameters }: CompiledQuery<Row>): Promise<Row[]> {
    const { rows } = await this.connections.run({ name: null, text: sql, values: [...parameters] });
    return rows as Row[];
  }

  feedPosition(): Promise<FeedPosition> {
    return feedPosition(this.connections.run);
  }

  readFeed(request: FeedRequest): Promise<FeedResult> {
    return readFeed(this.connections.run, request);
  }

  async figures(): Promise<StoreFigures> {
    await this.flushFinishes();
    const { commits, commitRows } = this;
    return { ...(await readFigures(this.connections.run)), held: this.hints.total, commits, commitRows };
  }

  backlogs(tags: string[]): Promise<Backlog[]> {
    return readBacklogs(this.connections.run, tags);
  }

  async describe(): Promise<StoreDescription> {
    const { rows } = await this.connections.run({
      name: null,
      text: `SELECT current_setting('server_version') AS version, pg_database_size(current_database()) AS "sizeBytes"`,
      values: [],
    });
    return { kind: 'postgres', ...(rows[0] as Omit<StoreDescription, 'kind'>) };
  }

  async ping(): Promise<void> {
    await this.flushFinishes();
    await this.connections.run({ name: null, text: 'SELECT 1', values: [] });
  }

  /** What another thread of this process needs for a delivering half of its own. */
  connect(): PostgresAttachment {
    const { port1, port2 } = new MessageChannel();
    followHints(this.hints, port1, {
      onName: (node) => {
        this.node = node;
      },
      onNews: (news) => this.#hear(news),
    });
    return { kind: 'postgres', port: port2, options: this.#options, node: this.node };
  }

  override async close(): Promise<void> {
    this.#notifyTimer?.cancel();
    this.#doubtTimer?.cancel();
    await this.#accepts.drain();
    await super.close();
  }
}

/**
 * Connects to the database, brings its schema up to date and enters this node.
 * @throws StoreError with a sentence for the operator
 */
export async function openPostgresStore(options: PostgresOptions): Promise<PostgresStore> {
  const connections = new Connections(options.connection);
  try {
    await migrate(connections);
    const node = options.delivers ? newAlphanumeric(16) : null;
    if (node !== null) await enterNode(connections.run, node);
    const living = await takeOverAtStart(connections.run, options.now);
    const hints = new Hints();
    hints.noteLiving(living, node !== null);
    const store = new PostgresStore(connections, hints, options, node);
    await store.warm();
    return store;
  } catch (error) {
    await connections.close();
    throw explain(error);
  }
}

/**
 * Brings the schema up to date and does nothing else.
 * @throws StoreError with a sentence for the operator
 */
export async function migratePostgresStore(connection: ConnectionOptions): Promise<Migrated> {
  const connections = new Connections(connection);
  try {
    return await migrate(connections);
  } catch (error) {
    throw explain(error);
  } finally {
    await connections.close();
  }
}

export type { PostgresStore };
