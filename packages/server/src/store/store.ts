// The Store seam: everything Posthorn keeps. Two halves: the hot path (accept, claim, finish …), whose statements
// are hand-written per dialect, and the control plane (`read`, `change`), written once with Kysely in control/.
// Every write is durable when its promise resolves; implementations share commits between callers.
import type { CompiledQuery } from 'kysely';
import type { ReplayCursor, ReplayState } from '../core/replay.ts';
import type { Queries } from './control/tables.ts';

// Accepting -----------------------------------------------------------------------------------------------

/** An event to be stored. `uid` sorts by time and equals `id` where Posthorn made the id. */
export interface NewEvent {
  uid: string;
  id: string;
  teamId: string;
  type: string;
  projectId: string | null;
  region: string | null;
  createdAt: number;
  /** Whether the publisher chose `createdAt`; only then is it part of the content. */
  createdAtGiven: boolean;
  acceptedAt: number;
  body: Uint8Array;
  /** The tag of the one endpoint that a test event is for, subscribed or not; null for all that match. */
  only: string | null;
}

/** A delivery that was made with the event. Leased ones are ours to send at once; the rest wait to be claimed. */
export interface Birth {
  tag: string;
  version: number;
  leased: boolean;
}

export type Accepted =
  | { kind: 'stored'; births: Birth[] }
  /** The id was there already with the same content (core/content.ts), from this commit or an earlier one. */
  | { kind: 'known'; createdAt: number; deliveries: number };

export type AcceptOutcome =
  | { kind: 'stored'; events: Accepted[] }
  /** The event at `index` has a known id with other content: nothing of the group was stored. */
  | { kind: 'conflict'; index: number };

/** Events that are stored together or not at all, one group per publish call. */
export interface AcceptGroup {
  events: NewEvent[];
}

// Delivering ----------------------------------------------------------------------------------------------

/** A delivery taken from the store for an attempt. */
export interface Claimed {
  key: string;
  tag: string;
  version: number;
  type: string;
  /** Attempts made so far; the next one's number is one more. */
  attempts: number;
  createdAt: number;
  /** Whether this attempt stands outside the schedule (a redelivery of a finished delivery). */
  extra: boolean;
  /** Set where a replay made it: live deliveries go first. */
  replay?: Replayed;
  body: Uint8Array;
}

/** How a delivery that a replay made stands in its schedule. */
export interface Replayed {
  /** When the replay made it, epoch ms. */
  at: number;
  /** Attempts made before, which do not count in the schedule. */
  from: number;
}

export interface ClaimRequest {
  now: number;
  /**
   * Lanes with work in the store and room in memory: how many live deliveries each can take, and how many that a replay
   * made, which stand behind all live ones however long they have been due.
   */
  lanes: { tag: string; count: number; replayed: number }[];
  /** How many other due lanes to look at, and how many deliveries of either kind to take of each. */
  others: { lanes: number; each: number };
}

export interface ClaimResult {
  claimed: Claimed[];
  /** For each lane looked at: whether more is due now, of live deliveries and of those that a replay made. */
  looked: { tag: string; more: boolean; moreReplayed: boolean }[];
  /** When the next lane's marker is due (real time), null if none waits. */
  nextDueAt: number | null;
}

/** What an attempt leads to. `retry` carries the time of the next attempt. */
export type Next = { kind: 'delivered' } | { kind: 'failed' } | { kind: 'retry'; at: number };

/** A delivery that this process holds, and the length of its event's body. */
export interface Lease {
  key: string;
  tag: string;
  bytes: number;
}

/** One finished attempt and the state it causes, written in one commit. */
export interface AttemptRecord extends Lease {
  number: number;
  extra: boolean;
  /** Whether the next of its order may wait for it. */
  ordered: boolean;
  next: Next;
  startedAt: number;
  durationMs: number;
  status: number | null;
  cause: string | null;
  detail: string | null;
  timings: string;
  url: string;
  requestHeaders: string;
  responseHeaders: string | null;
  responseBody: Uint8Array | null;
  truncated: boolean;
}

/**
 * `written`: the attempt and its state are stored; `dueAt` is when the store next has work for this lane on account
 * of it (a retry, the next in order, a redelivery asked for meanwhile), null if none. `lost`: the lease was no
 * longer ours and nothing was written.
 */
export type FinishOutcome = { kind: 'written'; dueAt: number | null } | { kind: 'lost' };

/** What the sender needs to know of an endpoint. Secrets are sealed. */
export interface EndpointRow {
  tag: string;
  id: string;
  kind: string;
  teamId: string;
  version: number;
  url: string;
  secretSealed: Uint8Array;
  oldSecretSealed: Uint8Array | null;
  oldSecretUntil: number | null;
  enabled: boolean;
  removed: boolean;
  maxConcurrency: number | null;
  ratePerSecond: number | null;
  ordering: 'none' | 'project' | 'all';
}

export type RedeliverOutcome = 'queued' | 'canceled' | 'disabled' | 'missing';

// Replaying -----------------------------------------------------------------------------------------------

/** What of the past is to be made again for one endpoint. Times are epoch ms, both inclusive. */
export interface ReplayQuery {
  tag: string;
  teamId: string;
  since: number;
  until: number;
  /** No event of the period has a smaller number in the store. */
  seqFrom: number;
  /** Null for all types. */
  types: string[] | null;
  states: ReplayState[];
  /** What happens to a delivery from then on does not count. */
  createdAt: number;
}

/** A replay that this process may go on with. */
export interface RunningReplay extends ReplayQuery {
  id: string;
  /** Deliveries a second; null: as many as the lane takes. */
  rate: number | null;
  cursor: ReplayCursor;
  /** A number that the store knows what it read by. */
  turn: number;
}

export interface ReplayRequest {
  replay: RunningReplay;
  /** How many deliveries to make at the most. */
  most: number;
  now: number;
  /** Events accepted before this time (epoch ms) are passed over. */
  keptSince: number;
}

/** Whether a replay has gone on. */
export type ReplayStep =
  | {
      kind: 'made';
      /** What this process holds from now on. */
      claimed: Claimed[];
      /** Whether the store has work for the lane now, beside what is held. */
      due: boolean;
      /** The replay as it stands now; null: it is done. */
      next: RunningReplay | null;
    }
  /** It was stopped, or something else came between; nothing was made. Read what runs anew. */
  | { kind: 'stale' };

// Control plane -------------------------------------------------------------------------------------------

/** One statement of a change. `rows` is how many rows it must affect (or return), else all is rolled back. */
export interface Step {
  query: CompiledQuery;
  rows?: number;
  /** What the caller is told when `rows` did not hold or a unique key was taken. */
  otherwise?: string;
}

/** A change of the control plane, its audit record and its events: one commit. */
export interface Change {
  steps: Step[];
  events: NewEvent[];
  /** Tags of endpoints that the change touches, whose lanes and cached rows are looked at anew. */
  touched: string[];
  /** What other nodes hear of once the change is made (`onNews`). */
  tells?: News;
  now: number;
}

/** What of the control plane is kept in memory, and is to be read anew when another node has changed it. */
export type News = 'event types';

export type ChangeOutcome =
  | { kind: 'done'; rows: Record<string, unknown>[][]; births: Birth[][] }
  | { kind: 'refused'; step: number; reason: string };

/** Figures for /metrics, kept as counters and never counted from rows. */
export interface StoreFigures {
  pending: number;
  /** Pending deliveries that are leased to a node. */
  held: number;
  /** The key of the oldest pending delivery, which begins with its time (id.ts). */
  oldestKey: string | null;
  waitingLanes: number;
  commits: number;
  /** Publish calls and attempts that those commits carried. */
  commitRows: number;
}

/** What of an endpoint is unfinished. */
export interface Backlog {
  tag: string;
  pending: number;
  /** The key of the oldest, which begins with its time (id.ts). */
  oldestKey: string | null;
}

/** What kind of store this is, for operators. */
export interface StoreDescription {
  kind: 'sqlite' | 'postgres';
  version: string;
  sizeBytes: number;
}

/**
 * A place in the order in which commits became visible to readers, as text: the same on every node of a store, and good
 * after a restart. What becomes visible after it is in no read up to it, and in one read from it.
 */
export type FeedPosition = string;

export interface FeedRequest {
  teamIds: string[];
  from: FeedPosition;
  /** Null: up to the present. Else a place that this store has given, not before `from`. */
  until: FeedPosition | null;
  /** How many rows of each kind, of all teams, are looked at; some more where one commit made them. */
  limit: number;
}

interface FeedPlace {
  /** The event's team, and of attempts and cancellations the endpoint's. */
  teamId: string;
  /** From here everything after this row, and nothing before it, is still to come; rows of one commit may share one. */
  position: FeedPosition;
  /** The number of the event where the row has it. */
  eventSeq: number | null;
}

/** What has happened; `key` is a delivery's. */
export type FeedRow =
  | (FeedPlace & {
      kind: 'event';
      uid: string;
      id: string;
      type: string;
      projectId: string | null;
      createdAt: number;
      acceptedAt: number;
      deliveries: number;
    })
  | (FeedPlace & {
      kind: 'attempt';
      key: string;
      number: number;
      startedAt: number;
      durationMs: number;
      status: number | null;
      cause: string | null;
    })
  /** A delivery that ended without an attempt, since its endpoint was removed. */
  | (FeedPlace & { kind: 'canceled'; key: string });

export interface FeedResult {
  /** In order: of one kind by commit, and an event before its attempts unless more were there than the limit. */
  rows: FeedRow[];
  position: FeedPosition;
  /** Whether there is more before `until`. */
  more: boolean;
  /** `from` is no place in this store's order: another store's, or from before a restore. `position` is where it goes on. */
  lost: boolean;
}

/** What a store tells the one who delivers. */
export interface DeliveryListener {
  /** Another node has made work: time to look at what is due. */
  onWork(): void;
  /** The lease of this process has ended: what it held is no longer its own. */
  onLeaseLost(): void;
}

/** The half of the store that whoever delivers works with. Several threads and nodes may each hold one. */
export interface DeliveryStore {
  /** Monotonic ms (`Clock`) from which on nothing may be sent: others may have taken it over by then. */
  readonly leaseEndsAt: number;
  /** How many deliveries one claim should ask for at the most; and while a little is published, since that waits for it. */
  readonly claimSize: number;
  readonly shortClaimSize: number;
  /** How long to pause after a full short claim while a little is published, in times of what the claim took; after others in proportion. */
  readonly claimPause: number;
  listen(listener: DeliveryListener): void;
  claim(request: ClaimRequest): Promise<ClaimResult>;
  /**
   * Writes an attempt down and tells `done` once, never before `finish` has returned; an Error says that nothing was
   * written. No promise, since there is one of these for each delivery.
   */
  finish(record: AttemptRecord, done: (outcome: FinishOutcome | Error) => void): void;
  /** Gives unsent deliveries back, due at `at` (epoch ms): no attempt is used up. */
  release(leases: Lease[], at: number): Promise<void>;
  /** Whether the lane of `tag` may be given deliveries at birth (its breaker is closed). */
  setLaneOpen(tag: string, open: boolean): void;
  /** Moves a lane's marker so that nobody looks at it before `at`. */
  holdLane(tag: string, at: number): Promise<void>;
  endpoints(tags: string[]): Promise<EndpointRow[]>;
  /** Writes up to `limit` pending deliveries of removed endpoints as canceled. Returns how many there were. */
  cancelRemoved(limit: number): Promise<number>;
  /**
   * Deletes events accepted before `before` (epoch ms) with all that belongs to them, oldest first, looking at up to
   * `limit` of them; those with an unfinished delivery stay. Answers zero when there is nothing more to look at.
   */
  prune(before: number, limit: number): Promise<number>;
  /** Writes what was counted for the figures and is not written yet: a store does so by itself once a second. */
  writeFigures(): Promise<void>;
  /** Deletes up to `limit` rows of each kind of figures that are too old at `now`; answers how many there were. */
  pruneFigures(now: number, limit: number): Promise<number>;
  /** Replays of enabled endpoints that are not done and that nobody else makes, oldest first. */
  runningReplays(): Promise<RunningReplay[]>;
  /**
   * Makes deliveries of a replay again and moves it on, in one commit. What is made is held by this process, save where
   * the store has work of the delivery already.
   */
  makeReplayed(request: ReplayRequest): Promise<ReplayStep>;
  /** Rebuilds markers that a crash may have lost. */
  sweep(now: number): Promise<void>;
  /** Writes what waits, then lets go of the store. */
  close(): Promise<void>;
}

export interface Store extends DeliveryStore {
  /** Stores each group, all or nothing, matches its events and makes their deliveries in the same commit. */
  accept(group: AcceptGroup): Promise<AcceptOutcome>;
  /** Makes one attempt due now; `audit` is written in the same commit. */
  redeliver(key: string, now: number, audit: Step): Promise<RedeliverOutcome>;

  /** Builds the control plane's queries in this store's dialect. */
  readonly queries: Queries;
  /** Runs one query on a snapshot that contains every commit answered so far. */
  read<Row>(query: CompiledQuery<Row>): Promise<Row[]>;
  change(change: Change): Promise<ChangeOutcome>;
  /**
   * Has `hear` called when a node has changed what others keep in memory: a hint, which may be lost. A store that only
   * one process has gives none.
   */
  onNews(hear: (news: News) => void): void;

  /** The present's place in the order of commits. */
  feedPosition(): Promise<FeedPosition>;
  /** What became visible to these teams after a place in the order of commits. Nothing is lost, whoever wrote it. */
  readFeed(request: FeedRequest): Promise<FeedResult>;

  figures(): Promise<StoreFigures>;
  /** The backlog of each of `tags`, in their order. */
  backlogs(tags: string[]): Promise<Backlog[]>;
  describe(): Promise<StoreDescription>;
  /** Resolves if the store answers. */
  ping(): Promise<void>;
}
