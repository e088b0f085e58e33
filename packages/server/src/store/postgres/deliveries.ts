// What both threads of a node do with PostgreSQL: the delivering half of the store, each on sessions of its own.
import { DummyDriver, Kysely, PostgresAdapter, PostgresIntrospector, PostgresQueryCompiler } from 'kysely';
import { systemClock as clock } from '../../clock.ts';
import { replayPage } from '../control/replays.ts';
import type { Tables } from '../control/tables.ts';
import { StoreError } from '../errors.ts';
import { lookFor, type ReplayCandidate } from '../replay-page.ts';
import type {
  AttemptRecord,
  ClaimRequest,
  ClaimResult,
  DeliveryListener,
  DeliveryStore,
  EndpointRow,
  FinishOutcome,
  Lease,
  ReplayRequest,
  ReplayStep,
  RunningReplay,
} from '../store.ts';
import { Batches } from './batches.ts';
import { claim, nobody } from './claim.ts';
import type { ConnectionOptions, Connections } from './connection.ts';
import { deliverBatch, isPlain } from './deliver.ts';
import { FigureWriter, pruneFigures, recount } from './figures.ts';
import { cancelRemoved, finishBatch, keyOfRecord, release } from './finish.ts';
import type { Hints } from './hints.ts';
import { freeClaimed, Rescuer } from './nodes.ts';
import { byRowBelowMs, Pruner } from './prune.ts';
import { ReplayMaker } from './replay.ts';
import { holdLane, readEndpoints, sweep } from './upkeep.ts';

const attemptsPerStatement = 512;
/** How many bytes a statement carries at the most: they must reach the database within a publisher's deadline. */
export const bytesPerStatement = 4 * 1024 * 1024;
/**
 * Finished attempts wait so long for company, ms; those that delivered so much longer for each node, since nobody waits for their
 * commit. In turn with 10 ms for all: 10,500 and 11,600 deliveries a second of one node in a closed loop, and 8,700 and 9,500;
 * statements that write them, of one, two and three nodes: 45, 90 and 126 a second before, 35, 35 and 32 so.
 */
const finishesWaitMs = 10;
const deliveriesWaitMs = 50;
const mostDeliveriesWaitMs = 200;
/**
 * A node alone writes so many without waiting for more, others as many as a statement takes. Three nodes, deliveries a second in
 * turn: 256 9,600, 512 10,000, 1,024 9,900 (means of four rounds, 0.0160, 0.0139 and 0.0136 statements for a delivery); one: 256
 * 12,100, 512 11,600 (three rounds).
 */
const enoughAlone = 256;
/**
 * So many sessions of a thread have planned its statements before a node that accepts says that it is ready, and before one that
 * sends takes its first delivery. An accept and a change that causes events, or a claim and a batch of attempts, are under way
 * at once.
 */
export const warmSessions = 2;

export const queries = new Kysely<Tables>({
  dialect: {
    createAdapter: () => new PostgresAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: (db) => new PostgresIntrospector(db),
    createQueryCompiler: () => new PostgresQueryCompiler(),
  },
});

export interface PostgresOptions {
  connection: ConnectionOptions;
  /** Epoch ms, for what is due at once because its node has died. */
  now: number;
  /** Whether this node sends; else what it accepts waits for one that does. */
  delivers: boolean;
  /** Below this retention, ms, events are pruned one by one and not by days. */
  pruneByRowBelowMs?: number;
}

export class PostgresDeliveries implements DeliveryStore {
  readonly claimSize = 128;
  /**
   * While 250,000 deliveries at 1,000 endpoints were worked off and 200 events a second published to another, on two cores with the
   * database, that one's p99 and deliveries a second, of 6,500 in the closed loop: with claims of 128 (and 128 of other lanes) and
   * pauses as long as they took 20 ms and 10,200; with 32 of other lanes 19 and 9,600; with claims of 64 beside them 18 and 8,700;
   * claims of 96 and pauses twice as long 15 and 8,600; these 12 to 15 (six runs) and 8,000 to 8,500. Pauses three times as
   * long, or claims of 32 and 16 of other lanes: 13 and 8,000 or 7,300. No gain beside these: statements of 96 delivered
   * attempts, attempts that are not written when a claim begins, 8 or 12 starts in a millisecond at the most.
   */
  readonly shortClaimSize = 64;
  readonly claimPause = 2;
  protected readonly connections: Connections;
  protected readonly hints: Hints;
  protected readonly rescuer: Rescuer;
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
    this.rescuer = new Rescuer(connections.run, clock);
    this.#pruner = new Pruner(connections, pruneByRowBelowMs);
    this.#figures = new FigureWriter(connections.run, hints.tally, clock);
    this.#replayMaker = new ReplayMaker(connections.run, hints);
    const batches = (write: typeof finishBatch, waitMs: () => number) =>
      new Batches<AttemptRecord, FinishOutcome>({
        clock,
        most: attemptsPerStatement,
        mostBytes: bytesPerStatement,
        bytesOf: ({ responseBody }) => responseBody?.length ?? 0,
        waitMs,
        enough: () => (this.hints.others === 0 ? enoughAlone : attemptsPerStatement),
        keysOf: keyOfRecord,
        run: async (records) => {
          const outcomes = await write(this.connections.run, records, this.#name, this.hints);
          this.count(records.length);
          return outcomes;
        },
      });
    this.#deliveries = batches(deliverBatch, () =>
      Math.min(deliveriesWaitMs * (1 + this.hints.others), mostDeliveriesWaitMs),
    );
    this.#finishes = batches(finishBatch, () => finishesWaitMs);
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
    const plain = isPlain(record);
    // Of two results of one attempt the first is written.
    if (!plain) this.#deliveries.flushFor(record.key);
    (plain ? this.#deliveries : this.#finishes).add(record).then(done, done);
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

  async endpoints(tags: string[]): Promise<EndpointRow[]> {
    const rows = await readEndpoints(this.connections.run, tags);
    for (const { kind, tag, teamId } of rows) if (kind === 'webhook') this.hints.learn(tag, teamId);
    return rows;
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
    await this.rescuer.sweep(now);
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
