// How much each scenario does: the quick run, which a change can wait for, and the full one.

/** Sizes are events unless the name says otherwise. */
export interface Plan {
  rounds: number;
  throughput: { fanout: number; warmUp: number; events: number }[];
  latency: { ratePerSecond: number; warmUp: number; seconds: number };
  /** None where the scenario is not part of the run. */
  fairness: FairnessPlan[];
  backlog: {
    /** Deliveries that wait, once for each number of teams that they are spread over. */
    deliveries: number;
    teams: number[];
    /** The closed loop whose rate the drain is held to. */
    steady: { rounds: number; events: number };
    /** The endpoint without a backlog. */
    ratePerSecond: number;
    seconds: number;
  } | null;
  recovery: {
    /** Events that are published during the outage, each for one of the endpoints. */
    waiting: number;
    endpoints: number;
    /** The outage lasts so long at least. */
    outageSeconds: number;
    /** The limits of a third of the endpoints each; the last third has none. */
    maxConcurrency: number;
    ratePerSecond: number;
    /** The healthy endpoint. */
    warmUp: number;
    healthyPerSecond: number;
    seconds: number;
  } | null;
  history: {
    attempts: number;
    /** The part of them that belongs to the webhook that is measured; the rest is spread over `teams`. */
    shareOfOne: number;
    teams: number;
    warmUp: number;
    ratePerSecond: number;
    /** By way of claims: an ordered webhook gets one after another, on PostgreSQL about 190 a second. */
    claimedPerSecond: number;
    seconds: number;
    lists: number;
  } | null;
  /** Throughput once more, to many endpoints, and to endpoints that speak TLS. */
  endpoints: Plan['throughput'] | null;
  tls: Plan['throughput'] | null;
  sustained: {
    /** The closed loop that says what the target carries, and the share of it that is then kept up. */
    warmUp: number;
    share: number;
    minutes: number;
  } | null;
  /** Rows in each large table of PostgreSQL while the plans of the hot statements are looked at. */
  plans: { rows: number } | null;
  replay: {
    /** Deliveries of the past, all of one webhook. */
    events: number;
    /** Deliveries a second that they are made again at, once each; null: as fast as their endpoint takes them. */
    rates: (number | null)[];
    /** The endpoint that is measured beside it, in rounds of so many seconds. */
    ratePerSecond: number;
    seconds: number;
  } | null;
}

export interface FairnessPlan {
  /** `mixed`: they hang, reset, drip or never stop sending. `silent`: each on an address of its own, never answering. */
  hostile: 'mixed' | 'silent';
  ratePerSecond: number;
  seconds: number;
  teams: number;
  endpointsPerTeam: number;
  /** Events per second that are published to the hostile endpoints, each in one of their teams. */
  hostileRatePerSecond: number;
  /** How long the hostile endpoints do their worst before the healthy one is measured. */
  leadSeconds: number;
}

/**
 * The warm-up is as long as the full plan's: after 6,000 and 1,000 events the compiler is still at work in the first round,
 * which took half as much processor time again as the third (49.7 and 39.3 µs per delivery at fan-out 10 on SQLite); after
 * 3,000 at fan-out 10 it still took 39 where later ones took 30 to 34, and the relay's 18 for 15 to 17. Rounds last a second
 * and a half at the least: in shorter ones the machine's own moods showed (a relay of 47,000 to 69,000 in one run).
 */
export const quickPlan: Plan = {
  rounds: 3,
  throughput: [
    { fanout: 1, warmUp: 20_000, events: 24_000 },
    { fanout: 10, warmUp: 10_000, events: 8_000 },
  ],
  latency: { ratePerSecond: 200, warmUp: 2_000, seconds: 3 },
  fairness: [],
  backlog: null,
  recovery: null,
  history: null,
  plans: null,
  replay: null,
  endpoints: null,
  tls: null,
  sustained: null,
};

export const fullPlan: Plan = {
  rounds: 5,
  throughput: [
    { fanout: 1, warmUp: 20_000, events: 60_000 },
    { fanout: 10, warmUp: 10_000, events: 12_000 },
  ],
  latency: { ratePerSecond: 200, warmUp: 4_000, seconds: 15 },
  fairness: [
    {
      hostile: 'mixed',
      ratePerSecond: 200,
      seconds: 15,
      teams: 15,
      endpointsPerTeam: 20,
      hostileRatePerSecond: 30,
      leadSeconds: 20,
    },
    {
      hostile: 'silent',
      ratePerSecond: 200,
      seconds: 15,
      teams: 50,
      endpointsPerTeam: 20,
      hostileRatePerSecond: 30,
      leadSeconds: 40,
    },
  ],
  backlog: {
    deliveries: 1_000_000,
    teams: [1_000, 1],
    steady: { rounds: 3, events: 40_000 },
    ratePerSecond: 200,
    seconds: 15,
  },
  recovery: {
    waiting: 100_000,
    endpoints: 30,
    outageSeconds: 60,
    maxConcurrency: 4,
    ratePerSecond: 200,
    warmUp: 10_000,
    healthyPerSecond: 200,
    seconds: 30,
  },
  history: {
    attempts: 10_000_000,
    shareOfOne: 0.1,
    teams: 50,
    warmUp: 5_000,
    ratePerSecond: 200,
    claimedPerSecond: 50,
    seconds: 15,
    lists: 200,
  },
  plans: { rows: 1_000_000 },
  replay: { events: 100_000, rates: [1_000, null], ratePerSecond: 200, seconds: 15 },
  endpoints: [{ fanout: 100, warmUp: 1_000, events: 1_200 }],
  tls: [
    { fanout: 1, warmUp: 20_000, events: 30_000 },
    { fanout: 10, warmUp: 10_000, events: 12_000 },
  ],
  sustained: { warmUp: 30_000, share: 0.5, minutes: 10 },
};
