// The Store on PostgreSQL: the whole of it for the thread that opened it, and the delivering half for the thread that
// sends. Each has its own sessions; they share a node's name, and tell each other what they hold.
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import {
  type CompiledQuery,
  DummyDriver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
} from 'kysely';
import { systemClock as clock, type Timer } from '../../clock.ts';
import { newAlphanumeric } from '../../id.ts';
import { lookFor, type ReplayCandidate, replayPage } from '../control/replays.ts';
import type { Tables } from '../control/tables.ts';
import { StoreError, StoreUnavailable } from '../errors.ts';
import type { Migrated } from '../migrations.ts';
import type {
  AcceptGroup,
  AcceptOutcome,
  AttemptRecord,
  Backlog,
  Change,
  ChangeOutcome,
  ClaimRequest,
  ClaimResult,
  DeliveryListener,
  DeliveryStore,
  EndpointRow,
  FeedPosition,
  FeedRequest,
  FeedResult,
  FinishOutcome,
  Lease,
  News,
  RedeliverOutcome,
  ReplayRequest,
  ReplayStep,
  RunningReplay,
  Step,
  Store,
  StoreDescription,
  StoreFigures,
} from '../store.ts';
import { type AcceptItem, acceptBatch, bytesOf, idsOf, planAccept, readGroup, readKnown } from './accept.ts';
import { Batches } from './batches.ts';
import { applyChange } from './change.ts';
import { claim, nobody } from './claim.ts';
import { type ConnectionOptions, Connections, codeOf, divisionByZero, stateOf } from './connection.ts';
import { deliverBatch, isPlain } from './deliver.ts';
import { feedPosition, readFeed } from './feed.ts';
import { FigureWriter, pruneFigures, readBacklogs, recount } from './figures.ts';
import { cancelRemoved, finishBatch, keyOfRecord, release } from './finish.ts';
import { followHints, Hints, SenderHints } from './hints.ts';
import { keepPartitions, migrate } from './migrate.ts';
import {
  enterNode,
  freeBorn,
  freeClaimed,
  leaseMs,
  leaveNode,
  renewLease,
  renewMs,
  rescue,
} from './nodes.ts';
import { byRowBelowMs, Pruner } from './prune.ts';
import { ReplayMaker } from './replay.ts';
import { certificateTroubles } from './tls.ts';
import { holdLane, readEndpoints, readFigures, redeliver, sweep } from './upkeep.ts';

/** How many publish calls and attempts one statement carries at the most. */
const callsPerStatement = 500;
const attemptsPerStatement = 512;
/** And of how many bytes: what a statement carries must reach the database within a publisher's deadline. */
const bytesPerStatement = 4 * 1024 * 1024;
/** Finished attempts wait this long for company: nobody waits for their commit. */
const finishesWaitMs = 10;
const enoughFinishes = 256;
const partitionsEveryMs = 3_600_000;
/**
 * So many sessions of each thread are open, and have planned their statements, before the node says that it is ready. Two
 * accepts, or a claim and a batch of attempts, are under way at once while a little is published.
 */
const warmSessions = 2;
/** Other nodes hear of new work on this channel, from each node at most once in so many ms. */
const workChannel = 'posthorn_work';
/** And of a change of what they keep in memory on this one, with its name. */
const newsChannel = 'posthorn_news';
const notifyEveryMs = 20;
/** How long, and how often, deliveries are looked for whose publish was not answered, ms. */
const doubtMs = 15_000;
const doubtEveryMs = 1_000;
/** A node believes in its lease for so much less than the database does. */
const leaseMarginMs = 1_000;

const queries = new Kysely<Tables>({
  dialect: {
    createAdapter: () => new PostgresAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: (db) => new PostgresIntrospector(db),
    createQueryCompiler: () => new PostgresQueryCompiler(),
  },
});

class PostgresDeliveries implements DeliveryStore {
  readonly claimSize = 128;
  /**
   * While 200,000 deliveries at 1,000 endpoints were worked off and 200 events a second published to another, on two cores with the
   * database: that one's p50 10 ms without pauses, 7.8 with half as long ones and 5.2 with these (p95 25, 19, 15), and 14,600, 11,700
   * and 11,200 deliveries a second, of 8,300 in the closed loop.
   */
  readonly claimPause = 1;
  protected readonly connections: Connections;
  protected readonly hints: Hints;
  /** The name under which this node holds deliveries; null for one that does not send. */
  protected node: string | null;
  /** Attempts that delivered, and all others. */
  readonly #deliveries: Batches<AttemptRecord, FinishOutcome>;
  readonly #finishes: Batches<AttemptRecord, FinishOutcome>;
  readonly #closedLanes = new Set<string>();
  #claimLost = false;
  readonly #releases = new Set<Promise<void>>();
  readonly #pruner: Pruner;
  readonly #figures: FigureWriter;
  readonly #replayMaker: ReplayMaker;
  protected commits = 0;
  protected commitRows = 0;

  constructor(connections: Connections, hints: Hints, node: string | null, pruneByRowBelowMs = byRowBelowMs) {
    this.connections = connections;
    this.hints = hints;
    this.node = node;
    this.#pruner = new Pruner(connections, pruneByRowBelowMs);
    this.#figures = new FigureWriter(connections.run, hints.tally, clock);
    this.#replayMaker = new ReplayMaker(connections.run, hints);
    const batches = (write: typeof finishBatch) =>
      new Batches<AttemptRecord, FinishOutcome>({
        clock,
        most: attemptsPerStatement,
        mostBytes: bytesPerStatement,
        bytesOf: ({ responseBody }) => responseBody?.length ?? 0,
        waitMs: finishesWaitMs,
        enough: enoughFinishes,
        keysOf: keyOfRecord,
        run: async (records) => {
          const outcomes = await write(this.connections.run, records, this.#name, this.hints);
          this.count(records.length);
          return outcomes;
        },
      });
    this.#deliveries = batches(deliverBatch);
    this.#finishes = batches(finishBatch);
  }

  protected count(rows: number): void {
    this.commits += 1;
    this.commitRows += rows;
    this.#figures.soon();
  }

  get #name(): string {
    if (this.node === null) throw new StoreError('This node does not send.');
    return this.node;
  }

  finish(record: AttemptRecord, done: (outcome: FinishOutcome | Error) => void): void {
    (isPlain(record) ? this.#deliveries : this.#finishes).add(record).then(done, done);
  }

  async claim(request: ClaimRequest): Promise<ClaimResult> {
    this.#deliveries.flush();
    this.#finishes.flush();
    const node = this.node ?? nobody;
    if (this.#claimLost) {
      await freeClaimed(this.connections.run, request.now, node, this.hints.keys());
      this.#claimLost = false;
    }
    try {
      return await claim(this.connections.run, request, node, this.hints);
    } catch (error) {
      // It may have been done all the same; then nobody knows of what it took.
      this.#claimLost = true;
      throw error;
    }
  }

  async release(leases: Lease[], at: number): Promise<void> {
    const releasing = release(this.connections.run, leases, at, this.#name, this.hints);
    this.#releases.add(releasing);
    try {
      await releasing;
    } finally {
      this.#releases.delete(releasing);
    }
  }

  /** Whoever sends in another thread is told there; see PostgresSender. */
  get leaseEndsAt(): number {
    return Number.POSITIVE_INFINITY;
  }

  listen(_listener: DeliveryListener): void {}

  setLaneOpen(tag: string, open: boolean): void {
    if (open) this.#closedLanes.delete(tag);
    else this.#closedLanes.add(tag);
    this.hints.setOpen(tag, open);
    if (!open) return;
    // What was born meanwhile has no marker of its own.
    this.hints.floors.forget(tag);
    this.#noteRest(tag, null);
  }

  #noteRest(tag: string, until: number | null): void {
    this.hints.tally.rests(tag, until);
    this.#figures.soon();
  }

  async holdLane(tag: string, at: number): Promise<void> {
    if (this.#closedLanes.has(tag)) this.#noteRest(tag, at);
    // The markers of what goes back at this moment are to be among those that are taken away.
    await Promise.allSettled(this.#releases);
    await holdLane(this.connections.run, tag, at);
    this.hints.floors.lower(at);
  }

  endpoints(tags: string[]): Promise<EndpointRow[]> {
    return readEndpoints(this.connections.run, tags);
  }

  cancelRemoved(limit: number): Promise<number> {
    return cancelRemoved(this.connections.run, limit, this.hints.tally);
  }

  writeFigures(): Promise<void> {
    return this.#figures.flush();
  }

  pruneFigures(now: number, limit: number): Promise<number> {
    return pruneFigures(this.connections.run, now, limit);
  }

  prune(before: number, limit: number): Promise<number> {
    return this.#pruner.prune(before, limit, clock.now());
  }

  runningReplays(): Promise<RunningReplay[]> {
    return this.#replayMaker.running(this.#name);
  }

  async makeReplayed(request: ReplayRequest): Promise<ReplayStep> {
    const { replay } = request;
    const readPage = async (most: number) => {
      const { sql, parameters } = replayPage(queries, replay, replay.cursor, lookFor(most)).compile();
      const page = { name: null, text: sql, values: [...parameters] };
      return (await this.connections.run(page)).rows as unknown as ReplayCandidate[];
    };
    const step = await this.#replayMaker.make(request, readPage, this.#name);
    if (step.kind === 'made') this.count(0);
    return step;
  }

  async sweep(now: number): Promise<void> {
    // Whatever a dead node's last words were: nothing sleeps for ever.
    await rescue(this.connections.run, now, this.node !== null);
    await sweep(this.connections.run, now, [...this.#closedLanes]);
    // What was counted before goes first: added afterwards it would be counted twice.
    await this.writeFigures();
    await recount(this.connections.run, now);
  }

  async close(): Promise<void> {
    await this.flushFinishes();
    await this.#figures.close();
    await this.connections.close();
  }

  protected async flushFinishes(): Promise<void> {
    await Promise.all([this.#deliveries.drain(), this.#finishes.drain()]);
  }
}

/** Whether a publish call made deliveries that nobody holds. */
const leavesWork = (outcome: AcceptOutcome | 'again'): boolean =>
  outcome !== 'again' &&
  outcome.kind === 'stored' &&
  outcome.events.some((event) => event.kind === 'stored' && event.births.some(({ leased }) => !leased));

/** A notification that is lost is made up for by those who look by themselves. */
function ignoreLostHint(error: unknown): void {
  if (!(error instanceof StoreUnavailable)) throw error;
}

class PostgresStore extends PostgresDeliveries implements Store {
  readonly queries = queries;
  readonly #options: PostgresOptions;
  readonly #accepts: Batches<AcceptItem, AcceptOutcome | 'again'>;
  #notifyTimer: Timer | null = null;
  #hear: (news: News) => void = () => {};
  /** Events (by uid) whose publish was not answered, and until when they are looked for, monotonic ms. */
  readonly #doubtful = new Map<string, number>();
  #doubtTimer: Timer | null = null;

  constructor(connections: Connections, options: PostgresOptions, node: string | null) {
    super(connections, new Hints(), node, options.pruneByRowBelowMs);
    this.#options = options;
    this.#accepts = new Batches({
      clock,
      most: callsPerStatement,
      mostBytes: bytesPerStatement,
      bytesOf,
      waitMs: 0,
      enough: 1,
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

/** The half of a node that sends: renews its lease and takes over what dead nodes held. */
class PostgresSender extends PostgresDeliveries {
  readonly #told: SenderHints;
  #timer: Timer | null = null;
  #partitionsAt = Number.NEGATIVE_INFINITY;
  #closed = false;
  #listener: DeliveryListener | null = null;
  #leaseEndsAt: number;

  constructor(connections: Connections, hints: SenderHints, node: string | null) {
    super(connections, hints, node);
    this.#told = hints;
    // Entered by the other thread a moment ago, and renewed at once.
    this.#leaseEndsAt = node === null ? Number.POSITIVE_INFINITY : clock.monotonic() + leaseMs / 2;
    // One session for both threads of the node.
    this.connections.listen({
      [workChannel]: () => this.#listener?.onWork(),
      [newsChannel]: (news) => hints.tellNews(news as News),
    });
    this.#tick();
  }

  /** See `warmSessions`. */
  warm(): Promise<void> {
    const nothing = { now: clock.now(), lanes: [], others: { lanes: 0, each: 0 } };
    return this.connections.warm(warmSessions, async (run) => {
      await claim(run, nothing, nobody, this.hints);
      await deliverBatch(run, [], nobody, this.hints);
      await finishBatch(run, [], nobody, this.hints);
    });
  }

  override get leaseEndsAt(): number {
    return this.#leaseEndsAt;
  }

  override listen(listener: DeliveryListener): void {
    this.#listener = listener;
  }

  #tick(): void {
    void this.#keep().finally(() => {
      if (!this.#closed) this.#timer = clock.after(renewMs, () => this.#tick());
    });
  }

  /** Renews the lease, takes over, makes partitions. A database that is away is asked again the next time. */
  async #keep(): Promise<void> {
    const askedAt = clock.monotonic();
    try {
      if (this.node !== null) await this.#renew(this.node, askedAt);
      await rescue(this.connections.run, clock.now(), false);
      if (askedAt - this.#partitionsAt < partitionsEveryMs) return;
      await keepPartitions(this.connections);
      this.#partitionsAt = askedAt;
    } catch (error) {
      ignoreLostHint(error);
    }
  }

  async #renew(node: string, askedAt: number): Promise<void> {
    if (!(await renewLease(this.connections.run, node))) {
      // Others may have taken over what this node held. It goes on under a new name.
      const next = newAlphanumeric(16);
      await enterNode(this.connections.run, next);
      this.node = next;
      this.#told.rename(next);
      this.#listener?.onLeaseLost();
    }
    this.#leaseEndsAt = askedAt + leaseMs - leaseMarginMs;
  }

  override async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    await this.flushFinishes();
    if (this.node !== null) await leaveNode(this.connections.run, this.node).catch(ignoreLostHint);
    await super.close();
    this.#told.close();
  }
}

export interface PostgresOptions {
  connection: ConnectionOptions;
  /** Epoch ms, for what is due at once because its node has died. */
  now: number;
  /** Whether this node sends; else what it accepts waits for one that does. */
  delivers: boolean;
  /** Below this retention, ms, events are pruned one by one and not by days. */
  pruneByRowBelowMs?: number;
}

export interface PostgresAttachment {
  kind: 'postgres';
  port: MessagePort;
  options: PostgresOptions;
  node: string | null;
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
    await rescue(connections.run, options.now, true);
    const store = new PostgresStore(connections, options, node);
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

/** What to say of a database that could not be opened, by the code of its error. */
const startTroubles: Record<string, string> = {
  ...certificateTroubles,
  '28P01': 'refuses the password. Check user and password in DATABASE_URL.',
  '28000': 'refuses this user. Check the user in DATABASE_URL, and pg_hba.conf on the server.',
  '3D000': 'does not exist on that server. Create it, or check the name in DATABASE_URL.',
  '42501':
    "does not let this user make or change tables. Grant it CREATE on the schema, or use the tables' owner.",
  '25006': 'takes no writes, as a standby does. Let DATABASE_URL lead to the primary.',
  '53100': 'has no room left on its disk. Make room there.',
  '53300': 'has no session left. Raise max_connections there, or lower POSTHORN_DATABASE_CONNECTIONS.',
  ENOTFOUND: 'has a host that no name server knows. Check the host in DATABASE_URL.',
};

/** Where the code does not say it, by the message. */
const spokenTroubles: [RegExp, string][] = [
  [/no encryption/, 'speaks to this user over TLS only. Add sslmode=verify-full to DATABASE_URL.'],
  [/valid client certificate/, 'wants a certificate of ours. Add sslcert and sslkey to DATABASE_URL.'],
  [
    /does not support SSL/,
    'speaks no TLS. Turn it on there (ssl = on), or use sslmode=disable in DATABASE_URL.',
  ],
];

function explain(error: unknown): Error {
  if (error instanceof StoreError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const spoken = spokenTroubles.find(([pattern]) => pattern.test(message))?.[1];
  const trouble = spoken ?? startTroubles[codeOf(error) ?? ''];
  if (trouble !== undefined) return new StoreError(`The database of DATABASE_URL ${trouble}`);
  return new StoreError(
    `The database of DATABASE_URL can't be used. ${message} Check its host and port, and that PostgreSQL runs there.`,
  );
}

/** The delivering half of the store, in a thread that was given an attachment by `connect`. */
export async function attachPostgres({ port, options, node }: PostgresAttachment): Promise<DeliveryStore> {
  const sender = new PostgresSender(new Connections(options.connection), new SenderHints(port), node);
  if (node !== null) await sender.warm();
  return sender;
}

export type { PostgresStore };
