// Throughput: 64 connections publish as fast as they are answered; counted are deliveries at the sink, from the
// first event sent to the last delivery received. The same to a hundred endpoints, and to endpoints that speak TLS.
import { spreadOf } from '../percentiles.ts';
import type { Plan } from '../plan.ts';
import { type Row, roundFigure, spreadColumns } from '../results.ts';
import { type Measured, measureInTurn, type Setting } from './rounds.ts';

export async function measureThroughput(
  setting: Setting,
  plan: Plan['throughput'],
  scenario: 'throughput' | 'endpoints' | 'tls' = 'throughput',
): Promise<Row[]> {
  const rows: Row[] = [];
  for (const { fanout, warmUp, events } of plan) {
    const order = { events, ratePerSecond: null, probeFsync: false };
    const measured = await measureInTurn(setting, fanout, warmUp, order, scenario === 'tls');
    const relay = measured.find(({ store }) => store === 'relay');
    rows.push(...measured.map((target) => ({ ...toRow(target, relay, fanout, events), scenario })));
  }
  return rows;
}

function toRow(target: Measured, relay: Measured | undefined, fanout: number, events: number): Row {
  const { store, rounds, account } = target;
  const rate = spreadOf(rounds.map((round) => round.deliveriesPerSecond));
  const relayRates = relay?.rounds.map((round) => round.deliveriesPerSecond) ?? [];
  // Each round against the relay's run just before it, and the medians against each other.
  const ratio = spreadOf(
    rounds.map((round, at) => round.deliveriesPerSecond / (relayRates[at] ?? Number.NaN)),
  );
  const median = (figure: 'p50Ms' | 'p95Ms' | 'p99Ms'): number | null =>
    roundFigure(spreadOf(rounds.map(({ latency }) => latency[figure])).median);
  return {
    scenario: 'throughput',
    store,
    fanout,
    rounds: rounds.length,
    events,
    deliveriesPerSecond: null,
    ...spreadColumns('deliveriesPerSecond', rate),
    ...spreadColumns('relayRatio', ratio),
    relayRatio: roundFigure(rate.median / spreadOf(relayRates).median),
    ...spreadColumns('acceptedPerSecond', spreadOf(rounds.map((round) => round.acceptedPerSecond))),
    p50Ms: median('p50Ms'),
    p95Ms: median('p95Ms'),
    p99Ms: median('p99Ms'),
    fsyncP99Ms: null,
    cpuMicrosPerDelivery: null,
    ...spreadColumns('cpuMicrosPerDelivery', spreadOf(rounds.map((round) => round.cpuMicrosPerDelivery))),
    peakRssMb: roundFigure(target.peakRssMb),
    ...spreadColumns('generatorSinkCpuShare', spreadOf(rounds.map((round) => round.generatorSinkCpuShare))),
    bytesWrittenPerDelivery: roundFigure(
      spreadOf(rounds.map((round) => round.bytesWrittenPerDelivery)).median,
    ),
    commitsPerEvent: roundFigure(spreadOf(rounds.map((round) => round.commitsPerEvent)).median),
    ...account,
  };
}
