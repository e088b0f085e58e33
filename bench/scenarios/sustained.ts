// Sustained: minute after minute at a fixed rate, half of what the closed loop carries, with a retention so short that what
// is old is deleted meanwhile: checkpoints, vacuum and pruning are in the figures. Open loop, fan-out 1.
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { type Measurement, TestBed } from '../bed.ts';
import { spreadOf } from '../percentiles.ts';
import type { Plan } from '../plan.ts';
import { readPeakRssMb } from '../proc.ts';
import { type Row, roundFigure } from '../results.ts';
import type { Target } from '../targets.ts';
import type { Setting } from './rounds.ts';

type SustainedPlan = NonNullable<Plan['sustained']>;

/** What is older than this is deleted; no retry may lie beyond it. */
const retention = { POSTHORN_RETENTION: '2m', POSTHORN_RETRY_SCHEDULE: '1s,5s,20s' };

export async function measureSustained(setting: Setting, plan: SustainedPlan): Promise<Row[]> {
  const rows: Row[] = [];
  for (const target of setting.targets) {
    if (target.store !== 'relay') rows.push(await measure(setting, target, plan));
  }
  return rows;
}

async function measure(setting: Setting, target: Target, plan: SustainedPlan): Promise<Row> {
  const dir = mkdtempSync(join(setting.dir, 'sustained-'));
  const bed = await TestBed.open(1);
  const running = await target.start(bed.endpoints, dir, setting.profileDir, retention);
  const minutes: Measurement[] = [];
  let peakRssMb: number;
  let ratePerSecond: number;
  try {
    const closed = { events: plan.warmUp, ratePerSecond: null, fsyncDir: null };
    await bed.run(running, closed);
    const { deliveriesPerSecond } = await bed.run(running, closed);
    ratePerSecond = Math.round(deliveriesPerSecond * plan.share);
    for (let minute = 0; minute < plan.minutes; minute++) {
      minutes.push(await bed.run(running, { events: 60 * ratePerSecond, ratePerSecond, fsyncDir: null }));
    }
    peakRssMb = readPeakRssMb(running.pid);
  } finally {
    await running.stop();
  }
  const account = (await bed.close())(target.store);
  const p99 = (minute: Measurement | undefined) => roundFigure(minute?.latency.p99Ms ?? Number.NaN);
  const median = (of: (minute: Measurement) => number) => roundFigure(spreadOf(minutes.map(of)).median);
  return {
    scenario: 'sustained',
    store: target.store,
    fanout: 1,
    rounds: minutes.length,
    events: 60 * ratePerSecond,
    ratePerSecond,
    deliveriesPerSecond: median(({ deliveriesPerSecond }) => deliveriesPerSecond),
    relayRatio: null,
    p50Ms: median(({ latency }) => latency.p50Ms),
    p95Ms: median(({ latency }) => latency.p95Ms),
    p99Ms: median(({ latency }) => latency.p99Ms),
    firstP99Ms: p99(minutes[0]),
    lastP99Ms: p99(minutes.at(-1)),
    worstP99Ms: roundFigure(spreadOf(minutes.map(({ latency }) => latency.p99Ms)).max),
    fsyncP99Ms: null,
    cpuMicrosPerDelivery: median(({ cpuMicrosPerDelivery }) => cpuMicrosPerDelivery),
    bytesWrittenPerDelivery: median(({ bytesWrittenPerDelivery }) => bytesWrittenPerDelivery),
    commitsPerEvent: median(({ commitsPerEvent }) => commitsPerEvent),
    peakRssMb: roundFigure(peakRssMb),
    ...account,
  };
}
