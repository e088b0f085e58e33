// What the benchmark's main process and its generator, sink and hostile receivers say to each other.
// Times are `nowUs` microseconds of the machine's monotonic clock, processor times are microseconds too.

/** To a generator: publish `count` events, numbered from `firstSeq`, to each path in turn. */
export interface PublishOrder {
  kind: 'publish';
  port: number;
  token: string;
  paths: string[];
  connections: number;
  firstSeq: number;
  count: number;
  /** Events per second from a fixed schedule (open loop); null: each connection as fast as it is answered. */
  ratePerSecond: number | null;
}

/** From a generator, when every event was answered. */
export interface PublishReport {
  kind: 'published';
  firstSentUs: number;
  lastAnsweredUs: number;
  /** Answers other than 202; what was refused is not expected at the sink. */
  refused: number;
  firstRefusal: string | null;
  cpuUs: number;
}

export type SinkOrder =
  /** Events `firstSeq` to `firstSeq + count - 1` will come, once to every endpoint. Answered by `Expecting` at
   * once and by `DrainReport` in the end. */
  | { kind: 'expect'; firstSeq: number; count: number }
  /** Answered by `TallyReport`. */
  | { kind: 'tally' };

/** From the sink: an order to expect was understood, publishing may begin. */
export interface Expecting {
  kind: 'expecting';
}

/** To the endpoints that are down. Answered by `RecoveryReport` when all that waited has come. */
export interface RecoveryOrder {
  kind: 'recover';
}

/** From endpoints that were down: what came since they recovered, in the order of the endpoints. */
export interface RecoveryReport {
  kind: 'recovered';
  delivered: number;
  duplicates: number;
  invented: number;
  /** Requests answered 503 before. */
  refused: number;
  firstUs: number;
  lastUs: number;
  /** The most requests at once, and a second over any ten seconds. */
  mostAtOnce: number[];
  mostPerSecond: number[];
}

/** From the sink, when all that it expected has come, or nothing new came for `stallMs`. */
export interface DrainReport {
  kind: 'drained';
  delivered: number;
  lastReceivedUs: number;
  latency: Percentiles;
  cpuUs: number;
}

/** From the sink at the end: per phase, in the order of the `expect` orders. */
export interface TallyReport {
  kind: 'tally';
  phases: { lost: number; duplicates: number }[];
  /** Requests that carry no event which any phase published. */
  invented: number;
}

export interface Percentiles {
  p50Ms: number;
  p95Ms: number;
  p99Ms: number;
  maxMs: number;
}

/** From a process that fills a store, when it has closed it again. */
export interface Seeded {
  kind: 'seeded';
  deliveries: number;
}

export type Report =
  | PublishReport
  | Expecting
  | DrainReport
  | TallyReport
  | Listening
  | Seeded
  | RecoveryReport;

/** From a process that serves, once it does. */
export interface Listening {
  kind: 'listening';
  ports: number[];
}
