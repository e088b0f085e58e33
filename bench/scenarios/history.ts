// History: what publishing, claiming and listing cost on an empty store, and on one that keeps millions of attempts,
// most of them spread over many teams, the rest all of the one webhook that is measured.
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { databaseFile } from '../../packages/server/src/first-start.ts';
import { TestBed } from '../bed.ts';
import { nowUs } from '../event.ts';
import { percentilesOf } from '../percentiles.ts';
import type { Plan } from '../plan.ts';
import { type Home, openHome, type Posthorn, readId, startAt } from '../posthorn.ts';
import { readPeakRssMb } from '../proc.ts';
import { type Row, roundFigure } from '../results.ts';
import type { SeedOrder } from '../seed.ts';
import { stores } from '../targets.ts';
import { createTeams } from '../teams.ts';
import { Worker } from '../worker.ts';
import type { Setting } from './rounds.ts';

type HistoryPlan = NonNullable<Plan['history']>;

/** Webhooks of each team that fills the history: as many as a team may have. */
const webhooksPerTeam = 20;
const seededFirstSeq = 1_000_000_000;

export async function measureHistory(setting: Setting, plan: HistoryPlan): Promise<Row[]> {
  const rows: Row[] = [];
  for (const { store, settings } of stores) {
    if (!setting.targets.some((target) => target.store === store)) continue;
    const home = await openHome(store, mkdtempSync(join(setting.dir, 'run-')));
    try {
      rows.push(...(await measureOne(home, settings, setting.profileDir, plan)));
    } finally {
      await home.close();
    }
  }
  return rows;
}

async function measureOne(
  home: Home,
  settings: Record<string, string>,
  profileDir: string | null,
  plan: HistoryPlan,
): Promise<Row[]> {
  const bed = await TestBed.open(1);
  const first = await startAt(home, settings, null);
  let webhook: string;
  let ownTeam: string;
  let teamIds: string[];
  let empty: Row;
  try {
    webhook = await first.subscribe(bed.endpoints[0] ?? '');
    ownTeam = readId(await first.call('GET', '/v2/teams/default'));
    await bed.run(first, { events: plan.warmUp, ratePerSecond: null, fsyncDir: null });
    empty = await measureAt(first, bed, webhook, plan, 0);
    teamIds = await createTeams(first, plan.teams, 'history');
    for (const teamId of teamIds) {
      for (let at = 0; at < webhooksPerTeam; at++)
        await first.subscribe('http://127.0.0.1:65535/hook', teamId);
    }
  } finally {
    await first.stop();
  }

  const onOne = Math.round(plan.attempts * plan.shareOfOne);
  await seed(home, teamIds, seededFirstSeq, Math.round((plan.attempts - onOne) / webhooksPerTeam));
  await seed(home, [ownTeam], seededFirstSeq + plan.attempts, onOne);

  const second = await startAt(home, settings, profileDir);
  let full: Row;
  try {
    await bed.run(second, { events: plan.warmUp, ratePerSecond: null, fsyncDir: null });
    full = await measureAt(second, bed, webhook, plan, plan.attempts);
  } finally {
    await second.stop();
  }
  const account = (await bed.close())(home.store);
  // The figures that the full store is held to stand beside its own.
  const against = {
    emptyP50Ms: empty.p50Ms ?? null,
    emptyP99Ms: empty.p99Ms ?? null,
    emptyClaimP50Ms: empty.claimP50Ms ?? null,
    emptyListP50Ms: empty.listP50Ms ?? null,
  };
  return [
    { ...empty, ...account },
    { ...full, ...against, ...account },
  ];
}

async function seed(home: Home, teamIds: string[], firstSeq: number, events: number): Promise<void> {
  const order: SeedOrder = {
    path: join(home.dataDir, databaseFile),
    databaseUrl: home.database?.url ?? null,
    state: 'delivered',
    teamIds,
    firstSeq,
    events,
  };
  const worker = Worker.start('seed.ts', [JSON.stringify(order)]);
  await worker.next('seeded');
  await worker.stop();
}

/** Publish to receipt from memory, then by way of a claim (an ordered webhook is always claimed), then lists. */
async function measureAt(
  posthorn: Posthorn,
  bed: TestBed,
  webhook: string,
  plan: HistoryPlan,
  attempts: number,
): Promise<Row> {
  const order = {
    events: plan.ratePerSecond * plan.seconds,
    ratePerSecond: plan.ratePerSecond,
    fsyncDir: null,
  };
  const direct = await bed.run(posthorn, order);
  await posthorn.call('PATCH', `/v1/webhooks/${webhook}`, { ordering: 'all' });
  const claimed = await bed.run(posthorn, {
    events: plan.claimedPerSecond * plan.seconds,
    ratePerSecond: plan.claimedPerSecond,
    fsyncDir: null,
  });
  await posthorn.call('PATCH', `/v1/webhooks/${webhook}`, { ordering: 'none' });
  const listMs: number[] = [];
  for (let list = 0; list < plan.lists; list++) {
    const startUs = nowUs();
    await posthorn.call('GET', `/v1/webhooks/${webhook}/deliveries?limit=50`);
    listMs.push((nowUs() - startUs) / 1000);
  }
  const lists = percentilesOf(listMs);
  return {
    scenario: 'history',
    store: posthorn.store,
    fanout: 1,
    rounds: 1,
    events: order.events,
    attemptsKept: attempts,
    ratePerSecond: plan.ratePerSecond,
    deliveriesPerSecond: roundFigure(direct.deliveriesPerSecond),
    relayRatio: null,
    p50Ms: roundFigure(direct.latency.p50Ms),
    p95Ms: roundFigure(direct.latency.p95Ms),
    p99Ms: roundFigure(direct.latency.p99Ms),
    claimP50Ms: roundFigure(claimed.latency.p50Ms),
    claimP99Ms: roundFigure(claimed.latency.p99Ms),
    listP50Ms: roundFigure(lists.p50Ms),
    listP99Ms: roundFigure(lists.p99Ms),
    fsyncP99Ms: null,
    cpuMicrosPerDelivery: roundFigure(direct.cpuMicrosPerDelivery),
    peakRssMb: roundFigure(readPeakRssMb(posthorn.pid)),
    lost: 0,
    duplicates: 0,
    invented: 0,
  };
}
