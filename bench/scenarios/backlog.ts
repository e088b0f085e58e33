// Backlog: a start with a million deliveries waiting. How soon it is ready, how fast it works them off, in how much
// memory, and what an endpoint without a backlog notices of it. Once spread over many teams, once all on one endpoint.
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { databaseFile } from '../../packages/server/src/first-start.ts';
import { type Account, TestBed } from '../bed.ts';
import { nowUs } from '../event.ts';
import { spreadOf } from '../percentiles.ts';
import type { Plan } from '../plan.ts';
import { type Home, openHome, type Posthorn, startAt } from '../posthorn.ts';
import { readCpuUs, readPeakRssMb } from '../proc.ts';
import { type Row, roundFigure } from '../results.ts';
import type { SeedOrder } from '../seed.ts';
import { stores } from '../targets.ts';
import { createTeams } from '../teams.ts';
import { Worker } from '../worker.ts';
import type { Setting } from './rounds.ts';

type BacklogPlan = NonNullable<Plan['backlog']>;

/** Numbers for the events that wait, far from those of the healthy endpoint. */
const waitingFirstSeq = 1_000_000_000;

export async function measureBacklog(setting: Setting, plan: BacklogPlan): Promise<Row[]> {
  const rows: Row[] = [];
  for (const { store, settings } of stores) {
    if (!setting.targets.some((target) => target.store === store)) continue;
    for (const teams of plan.teams) {
      const home = await openHome(store, mkdtempSync(join(setting.dir, 'run-')));
      try {
        rows.push(await measureOne(home, settings, setting.profileDir, teams, plan));
      } finally {
        await home.close();
      }
    }
  }
  return rows;
}

async function measureOne(
  home: Home,
  settings: Record<string, string>,
  profileDir: string | null,
  teams: number,
  plan: BacklogPlan,
): Promise<Row> {
  const bed = await TestBed.open(1);
  const [sink, ports] = await Worker.serve('sink.ts', ['1']);
  const healthy = (posthorn: Posthorn) =>
    bed.run(posthorn, {
      events: plan.ratePerSecond * plan.seconds,
      ratePerSecond: plan.ratePerSecond,
      fsyncDir: null,
    });

  // The steady rate and the healthy endpoint alone, then a stop.
  const before = await startAt(home, settings, null);
  let teamIds: string[];
  let steady: number;
  let aloneP99Ms: number;
  try {
    for (const url of bed.endpoints) await before.subscribe(url);
    teamIds = await createTeams(before, teams, 'waiting');
    for (const teamId of teamIds) await before.subscribe(`http://127.0.0.1:${ports[0]}/hook`, teamId);
    const rates: number[] = [];
    for (let round = 0; round < plan.steady.rounds; round++) {
      const measured = await bed.run(before, {
        events: plan.steady.events,
        ratePerSecond: null,
        fsyncDir: null,
      });
      rates.push(measured.deliveriesPerSecond);
    }
    steady = spreadOf(rates).median;
    aloneP99Ms = (await healthy(before)).latency.p99Ms;
  } finally {
    await before.stop();
  }

  const order: SeedOrder = {
    path: join(home.dataDir, databaseFile),
    databaseUrl: home.database?.url ?? null,
    state: 'waiting',
    teamIds,
    firstSeq: waitingFirstSeq,
    events: plan.deliveries,
  };
  const seed = Worker.start('seed.ts', [JSON.stringify(order)]);
  await seed.next('seeded');
  await seed.stop();

  sink.send({ kind: 'expect', firstSeq: waitingFirstSeq, count: plan.deliveries });
  await sink.next('expecting');
  const startedUs = nowUs();
  const posthorn = await startAt(home, settings, profileDir);
  let account: Account;
  try {
    const beside = await healthy(posthorn);
    const drained = await sink.next('drained');
    const cpuUs = readCpuUs(posthorn.pid);
    const peakRssMb = readPeakRssMb(posthorn.pid);
    const drainSeconds = (drained.lastReceivedUs - startedUs) / 1_000_000 - posthorn.readyMs / 1000;
    const rate = drained.delivered / drainSeconds;
    sink.send({ kind: 'tally' });
    const tally = await sink.next('tally');
    account = (await bed.close())(home.store);
    return {
      scenario: 'backlog',
      store: home.store,
      fanout: 1,
      rounds: 1,
      events: plan.deliveries,
      teams,
      readyMs: roundFigure(posthorn.readyMs),
      deliveriesPerSecond: roundFigure(rate),
      relayRatio: null,
      steadyPerSecond: roundFigure(steady),
      steadyRatio: roundFigure(rate / steady),
      p50Ms: roundFigure(beside.latency.p50Ms),
      p95Ms: roundFigure(beside.latency.p95Ms),
      p99Ms: roundFigure(beside.latency.p99Ms),
      aloneP99Ms: roundFigure(aloneP99Ms),
      fsyncP99Ms: null,
      cpuMicrosPerDelivery: roundFigure(cpuUs / drained.delivered),
      peakRssMb: roundFigure(peakRssMb),
      lost: account.lost + (tally.phases[0]?.lost ?? 0),
      duplicates: account.duplicates + (tally.phases[0]?.duplicates ?? 0),
      invented: account.invented + tally.invented,
    };
  } finally {
    await posthorn.stop();
    await sink.stop();
  }
}
