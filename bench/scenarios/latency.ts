// Latency: events leave at fixed times whatever the answers do, and each is timed from when it should have
// left to when the sink has it. The disk's own fsync is timed beside it, in the same seconds.
import { spreadOf } from '../percentiles.ts';
import type { Plan } from '../plan.ts';
import { type Row, roundFigure, spreadColumns } from '../results.ts';
import { type Measured, measureInTurn, type Setting } from './rounds.ts';

const fanout = 1;

export async function measureLatency(setting: Setting, plan: Plan['latency']): Promise<Row[]> {
  const events = plan.ratePerSecond * plan.seconds;
  const order = { events, ratePerSecond: plan.ratePerSecond, probeFsync: true };
  const measured = await measureInTurn(setting, fanout, plan.warmUp, order);
  return measured.map((target) => toRow(target, plan.ratePerSecond, events));
}

function toRow({ store, rounds, peakRssMb, account }: Measured, ratePerSecond: number, events: number): Row {
  const latency = (figure: 'p50Ms' | 'p95Ms' | 'p99Ms'): Record<string, number | null> =>
    spreadColumns(figure, spreadOf(rounds.map((round) => round.latency[figure])));
  return {
    scenario: 'latency',
    store,
    fanout,
    rounds: rounds.length,
    events,
    ratePerSecond,
    deliveriesPerSecond: roundFigure(spreadOf(rounds.map((round) => round.deliveriesPerSecond)).median),
    relayRatio: null,
    p50Ms: null,
    p95Ms: null,
    p99Ms: null,
    ...latency('p50Ms'),
    ...latency('p95Ms'),
    ...latency('p99Ms'),
    maxMs: roundFigure(spreadOf(rounds.map((round) => round.latency.maxMs)).max),
    fsyncP50Ms: roundFigure(spreadOf(rounds.map((round) => round.fsync.p50Ms)).median),
    fsyncP99Ms: null,
    ...spreadColumns('fsyncP99Ms', spreadOf(rounds.map((round) => round.fsync.p99Ms))),
    ...spreadColumns(
      'p99BeyondFsyncMs',
      spreadOf(rounds.map((round) => round.latency.p99Ms - round.fsync.p99Ms)),
    ),
    cpuMicrosPerDelivery: roundFigure(spreadOf(rounds.map((round) => round.cpuMicrosPerDelivery)).median),
    peakRssMb: roundFigure(peakRssMb),
    ...account,
  };
}
