// Recovery: endpoints that come back after an outage with a hundred thousand deliveries waiting. How fast these are worked
// off, whether any endpoint gets more at once or a second than its limits say, and what a healthy one notices of it.
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { TestBed } from '../bed.ts';
import { nowUs } from '../event.ts';
import type { RecoveryReport } from '../messages.ts';
import type { Plan } from '../plan.ts';
import { type Posthorn, startPosthorn } from '../posthorn.ts';
import { readPeakRssMb } from '../proc.ts';
import { type Row, roundFigure } from '../results.ts';
import { stores } from '../targets.ts';
import { createTeams } from '../teams.ts';
import { Worker } from '../worker.ts';
import type { Setting } from './rounds.ts';

type RecoveryPlan = NonNullable<Plan['recovery']>;

/** Numbers for the events that wait, far from those of the healthy endpoint. */
const waitingFirstSeq = 1_000_000_000;
const connections = 16;
/** What was tried during the outage is due again soon after it. */
const schedule = Array.from({ length: 60 }, () => '5s').join(',');
/** The most requests at once that an endpoint without a limit of its own gets. */
const laneConcurrency = 32;

export async function measureRecovery(setting: Setting, plan: RecoveryPlan): Promise<Row[]> {
  const rows: Row[] = [];
  for (const { store, settings } of stores) {
    if (!setting.targets.some((target) => target.store === store)) continue;
    const dir = mkdtempSync(join(setting.dir, 'run-'));
    const withSchedule = { ...settings, POSTHORN_RETRY_SCHEDULE: schedule };
    const posthorn = await startPosthorn(store, withSchedule, dir, setting.profileDir);
    try {
      rows.push(await measureOne(posthorn, plan));
    } finally {
      await posthorn.stop();
    }
  }
  return rows;
}

/** A third of the endpoints each: so many at once, so many a second, no limit but the lane's own. */
function limitOf(at: number, plan: RecoveryPlan): { maxConcurrency?: number; ratePerSecond?: number } {
  if (at % 3 === 0) return { maxConcurrency: plan.maxConcurrency };
  return at % 3 === 1 ? { ratePerSecond: plan.ratePerSecond } : {};
}

async function measureOne(posthorn: Posthorn, plan: RecoveryPlan): Promise<Row> {
  const { endpoints, waiting } = plan;
  const bed = await TestBed.open(1);
  for (const url of bed.endpoints) await posthorn.subscribe(url);
  const healthy = () =>
    bed.run(posthorn, {
      events: plan.healthyPerSecond * plan.seconds,
      ratePerSecond: plan.healthyPerSecond,
      fsyncDir: null,
    });
  await bed.run(posthorn, { events: plan.warmUp, ratePerSecond: null, fsyncDir: null });
  const alone = await healthy();

  const teams = await createTeams(posthorn, endpoints, 'recovering');
  const args = [endpoints, waitingFirstSeq, waiting].map(String);
  const [receivers, ports] = await Worker.serve('recovering.ts', args);
  for (const [at, port] of ports.entries()) {
    const id = await posthorn.subscribe(`http://127.0.0.1:${port}/hook`, teams[at]);
    const limit = limitOf(at, plan);
    if (Object.keys(limit).length > 0) await posthorn.call('PATCH', `/v1/webhooks/${id}`, limit);
  }
  const generator = Worker.start('generator.ts');
  const outageUs = nowUs();
  generator.send({
    kind: 'publish',
    port: posthorn.port,
    token: posthorn.token,
    paths: teams.map((team) => `/v1/events?teamId=${team}`),
    connections,
    firstSeq: waitingFirstSeq,
    count: waiting,
    ratePerSecond: null,
  });
  const published = await generator.next('published');
  await generator.stop();
  if (published.refused > 0) throw new Error(`${published.refused} refused: ${published.firstRefusal}`);
  await delay(Math.max(0, plan.outageSeconds * 1000 - (nowUs() - outageUs) / 1000));
  receivers.send({ kind: 'recover' });
  const recoveredUs = nowUs();
  const [beside, back] = await Promise.all([healthy(), receivers.next('recovered')]);
  const peakRssMb = readPeakRssMb(posthorn.pid);
  const account = (await bed.close())(posthorn.store);
  await receivers.stop();

  return {
    scenario: 'recovery',
    store: posthorn.store,
    fanout: 1,
    rounds: 1,
    events: waiting,
    endpoints,
    deliveriesPerSecond: roundFigure(back.delivered / ((back.lastUs - back.firstUs) / 1_000_000)),
    relayRatio: null,
    drainSeconds: roundFigure((back.lastUs - recoveredUs) / 1_000_000),
    ...shares(back, plan),
    p50Ms: roundFigure(beside.latency.p50Ms),
    p95Ms: roundFigure(beside.latency.p95Ms),
    p99Ms: roundFigure(beside.latency.p99Ms),
    aloneP99Ms: roundFigure(alone.latency.p99Ms),
    fsyncP99Ms: null,
    cpuMicrosPerDelivery: null,
    peakRssMb: roundFigure(peakRssMb),
    lost: account.lost + waiting - back.delivered,
    duplicates: account.duplicates + back.duplicates,
    invented: account.invented + back.invented,
  };
}

/** The greatest share of its limit that any endpoint got: at once, and a second over any ten seconds. */
function shares(
  { mostAtOnce, mostPerSecond }: RecoveryReport,
  plan: RecoveryPlan,
): Record<string, number | null> {
  let concurrency = 0;
  let rate = 0;
  for (const [at, most] of mostAtOnce.entries()) {
    const { maxConcurrency = laneConcurrency, ratePerSecond } = limitOf(at, plan);
    concurrency = Math.max(concurrency, most / maxConcurrency);
    if (ratePerSecond !== undefined) rate = Math.max(rate, (mostPerSecond[at] ?? 0) / ratePerSecond);
  }
  return { concurrencyShare: roundFigure(concurrency), rateShare: roundFigure(rate) };
}
