// How much each scenario does: the quick run, which a change can wait for, and the full one.

/** Sizes are events unless the name says otherwise. */
export interface Plan {
  rounds: number;
  throughput: { fanout: number; warmUp: number; events: number }[];
  latency: { ratePerSecond: number; warmUp: number; seconds: number };
  /** Null where the scenario is not part of the run. */
  fairness: {
    ratePerSecond: number;
    seconds: number;
    teams: number;
    endpointsPerTeam: number;
    /** Events per second that are published to the hostile endpoints, each in one of their teams. */
    hostileRatePerSecond: number;
    /** How long the hostile endpoints do their worst before the healthy one is measured. */
    leadSeconds: number;
  } | null;
  /** The numbers of deliveries at which a list is timed. */
  history: { deliveries: number[]; lists: number } | null;
}

export const quickPlan: Plan = {
  rounds: 3,
  throughput: [
    { fanout: 1, warmUp: 6_000, events: 12_000 },
    { fanout: 10, warmUp: 1_000, events: 2_000 },
  ],
  latency: { ratePerSecond: 200, warmUp: 2_000, seconds: 3 },
  fairness: null,
  history: null,
};

export const fullPlan: Plan = {
  rounds: 5,
  throughput: [
    { fanout: 1, warmUp: 20_000, events: 60_000 },
    { fanout: 10, warmUp: 3_000, events: 10_000 },
  ],
  latency: { ratePerSecond: 200, warmUp: 4_000, seconds: 15 },
  fairness: {
    ratePerSecond: 200,
    seconds: 15,
    teams: 15,
    endpointsPerTeam: 20,
    hostileRatePerSecond: 30,
    leadSeconds: 20,
  },
  history: { deliveries: [1_000, 100_000], lists: 200 },
};
