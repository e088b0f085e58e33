// Replay: a hundred thousand deliveries of the past are made again, at a rate and as fast as their endpoint takes them,
// and what another endpoint notices of it.
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { databaseFile } from '../../packages/server/src/first-start.ts';
import { type Measurement, TestBed } from '../bed.ts';
import { nowUs } from '../event.ts';
import { spreadOf } from '../percentiles.ts';
import type { Plan } from '../plan.ts';
import { type Home, openHome, type Posthorn, readId, startAt } from '../posthorn.ts';
import { readPeakRssMb } from '../proc.ts';
import { type Row, roundFigure, spreadColumns } from '../results.ts';
import type { SeedOrder } from '../seed.ts';
import { stores } from '../targets.ts';
import { createTeams } from '../teams.ts';
import { Worker } from '../worker.ts';
import type { Setting } from './rounds.ts';

type ReplayPlan = NonNullable<Plan['replay']>;

/** Numbers for the events of the past, far from those of the healthy endpoint. */
const pastFirstSeq = 1_000_000_000;
const lookEveryMs = 100;

export async function measureReplay(setting: Setting, plan: ReplayPlan): Promise<Row[]> {
  const rows: Row[] = [];
  for (const { store, settings } of stores) {
    if (!setting.targets.some((target) => target.store === store)) continue;
    for (const rate of plan.rates) {
      const home = await openHome(store, mkdtempSync(join(setting.dir, 'run-')));
      try {
        rows.push(await measureOne(home, settings, setting, rate, plan));
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
  { profileDir, rounds }: Setting,
  rate: number | null,
  plan: ReplayPlan,
): Promise<Row> {
  const bed = await TestBed.open(1);
  const [sink, ports] = await Worker.serve('sink.ts', ['1']);
  const { webhookId, order } = await prepare(home, settings, bed, ports[0] ?? 0, plan);
  const seed = Worker.start('seed.ts', [JSON.stringify(order)]);
  await seed.next('seeded');
  await seed.stop();

  const posthorn = await startAt(home, settings, profileDir);
  try {
    const events = plan.ratePerSecond * plan.seconds;
    const measure = () => bed.run(posthorn, { events, ratePerSecond: plan.ratePerSecond, fsyncDir: null });
    await bed.run(posthorn, { events, ratePerSecond: null, fsyncDir: null });
    const alone: Measurement[] = [];
    for (let round = 0; round < rounds; round++) alone.push(await measure());

    sink.send({ kind: 'expect', firstSeq: pastFirstSeq, count: plan.events });
    await sink.next('expecting');
    const startedUs = nowUs();
    const states = ['delivered'];
    const begun = await posthorn.call('POST', `/v1/webhooks/${webhookId}/replay`, {
      since: 0,
      states,
      ...(rate !== null && { rate }),
    });
    // Rounds that the replay does not last for say nothing about it; the first is measured in any case.
    const beside: Measurement[] = [];
    do beside.push(await measure());
    while (beside.length < rounds && (await isRunning(posthorn, readId(begun))));
    while (await isRunning(posthorn, readId(begun))) await delay(lookEveryMs);
    const drained = await sink.next('drained');
    const seconds = (drained.lastReceivedUs - startedUs) / 1_000_000;
    sink.send({ kind: 'tally' });
    const tally = await sink.next('tally');
    const account = (await bed.close())(home.store);
    return {
      scenario: 'replay',
      store: home.store,
      fanout: 1,
      rounds: beside.length,
      events: plan.events,
      replayRate: rate,
      replaySeconds: roundFigure(seconds),
      deliveriesPerSecond: roundFigure(drained.delivered / seconds),
      relayRatio: null,
      ratePerSecond: plan.ratePerSecond,
      p50Ms: roundFigure(spreadOf(beside.map(({ latency }) => latency.p50Ms)).median),
      p95Ms: roundFigure(spreadOf(beside.map(({ latency }) => latency.p95Ms)).median),
      p99Ms: null,
      ...spreadColumns('p99Ms', spreadOf(beside.map(({ latency }) => latency.p99Ms))),
      aloneP50Ms: roundFigure(spreadOf(alone.map(({ latency }) => latency.p50Ms)).median),
      ...spreadColumns('aloneP99Ms', spreadOf(alone.map(({ latency }) => latency.p99Ms))),
      fsyncP99Ms: null,
      cpuMicrosPerDelivery: null,
      peakRssMb: roundFigure(readPeakRssMb(posthorn.pid)),
      lost: account.lost + (tally.phases[0]?.lost ?? 0),
      duplicates: account.duplicates + (tally.phases[0]?.duplicates ?? 0),
      invented: account.invented + tally.invented,
    };
  } finally {
    await posthorn.stop();
    await sink.stop();
  }
}

/** A healthy endpoint, and a team whose webhook has a past to be seeded. */
async function prepare(
  home: Home,
  settings: Record<string, string>,
  bed: TestBed,
  port: number,
  plan: ReplayPlan,
): Promise<{ webhookId: string; order: SeedOrder }> {
  const posthorn = await startAt(home, settings, null);
  try {
    for (const url of bed.endpoints) await posthorn.subscribe(url);
    const teamIds = await createTeams(posthorn, 1, 'past');
    const webhookId = await posthorn.subscribe(`http://127.0.0.1:${port}/hook`, teamIds[0]);
    const order: SeedOrder = {
      path: join(home.dataDir, databaseFile),
      databaseUrl: home.database?.url ?? null,
      state: 'delivered',
      teamIds,
      firstSeq: pastFirstSeq,
      events: plan.events,
    };
    return { webhookId, order };
  } finally {
    await posthorn.stop();
  }
}

/** Whether a replay has more to make. */
async function isRunning(posthorn: Posthorn, id: string): Promise<boolean> {
  const replay = (await posthorn.call('GET', `/v1/replays/${id}`)) as { state: string };
  return replay.state === 'running';
}
