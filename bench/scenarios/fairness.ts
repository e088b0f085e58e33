// Fairness: one healthy endpoint, timed alone, and then beside hundreds that hang, reset, drip or never stop
// sending while events keep coming for them, on the same running Posthorn.
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Measurement, TestBed } from '../bed.ts';
import { hostileAddress } from '../listen.ts';
import { spreadOf } from '../percentiles.ts';
import type { FairnessPlan } from '../plan.ts';
import { type Posthorn, startPosthorn } from '../posthorn.ts';
import { readPeakRssMb } from '../proc.ts';
import { type Row, roundFigure, spreadColumns } from '../results.ts';
import { stores } from '../targets.ts';
import { createTeams } from '../teams.ts';
import { Worker } from '../worker.ts';
import type { Setting } from './rounds.ts';

/** Numbers for the events of hostile endpoints, far from those that the sink expects. */
const hostileFirstSeq = 1_000_000_000;
const hostileConnections = 8;

export async function measureFairness(setting: Setting, plans: FairnessPlan[]): Promise<Row[]> {
  const rows: Row[] = [];
  for (const { store, settings } of stores) {
    if (!setting.targets.some((target) => target.store === store)) continue;
    for (const plan of plans) {
      const dir = mkdtempSync(join(setting.dir, 'run-'));
      const posthorn = await startPosthorn(store, settings, dir, setting.profileDir);
      try {
        rows.push(await measureOne(posthorn, setting.rounds, plan));
      } finally {
        await posthorn.stop();
      }
    }
  }
  return rows;
}

async function measureOne(posthorn: Posthorn, rounds: number, plan: FairnessPlan): Promise<Row> {
  const bed = await TestBed.open(1);
  for (const url of bed.endpoints) await posthorn.subscribe(url);
  const events = plan.ratePerSecond * plan.seconds;
  const measure = async (): Promise<Measurement[]> => {
    const measurements: Measurement[] = [];
    for (let round = 0; round < rounds; round++) {
      measurements.push(
        await bed.run(posthorn, { events, ratePerSecond: plan.ratePerSecond, fsyncDir: null }),
      );
    }
    return measurements;
  };
  await bed.run(posthorn, { events, ratePerSecond: null, fsyncDir: null });
  const alone = await measure();

  const teams = await createTeams(posthorn, plan.teams, 'hostile');
  const endpoints = plan.teams * plan.endpointsPerTeam;
  const [hostile, ports] = await Worker.serve('hostile.ts', [plan.hostile, String(endpoints)]);
  for (const [at, port] of ports.entries()) {
    const url = `http://${hostileAddress(plan.hostile, at)}:${port}/hook`;
    await posthorn.subscribe(url, teams[at % teams.length]);
  }
  const generator = Worker.start('generator.ts');
  // More events than the measuring takes time for: the generator is stopped when it is over.
  generator.send({
    kind: 'publish',
    port: posthorn.port,
    token: posthorn.token,
    paths: teams.map((team) => `/v1/events?teamId=${team}`),
    connections: hostileConnections,
    firstSeq: hostileFirstSeq,
    count: plan.hostileRatePerSecond * (plan.leadSeconds + rounds * plan.seconds) * 10,
    ratePerSecond: plan.hostileRatePerSecond,
  });
  await delay(plan.leadSeconds * 1000);
  const beside = await measure();
  await generator.stop();
  const peakRssMb = readPeakRssMb(posthorn.pid);
  const account = (await bed.close())(posthorn.store);
  await hostile.stop();

  return {
    scenario: 'fairness',
    store: posthorn.store,
    fanout: 1,
    rounds,
    events,
    hostile: plan.hostile,
    hostileEndpoints: endpoints,
    ratePerSecond: plan.ratePerSecond,
    hostileDeliveriesPerSecond: plan.hostileRatePerSecond * plan.endpointsPerTeam,
    deliveriesPerSecond: roundFigure(spreadOf(beside.map((round) => round.deliveriesPerSecond)).median),
    relayRatio: null,
    p50Ms: roundFigure(median(beside, 'p50Ms')),
    p95Ms: roundFigure(median(beside, 'p95Ms')),
    p99Ms: null,
    ...spreadColumns('p99Ms', spreadOf(beside.map(({ latency }) => latency.p99Ms))),
    aloneP50Ms: roundFigure(median(alone, 'p50Ms')),
    ...spreadColumns('aloneP99Ms', spreadOf(alone.map(({ latency }) => latency.p99Ms))),
    fsyncP99Ms: null,
    cpuMicrosPerDelivery: null,
    peakRssMb: roundFigure(peakRssMb),
    ...account,
  };
}

function median(measurements: Measurement[], figure: 'p50Ms' | 'p95Ms' | 'p99Ms'): number {
  return spreadOf(measurements.map(({ latency }) => latency[figure])).median;
}
