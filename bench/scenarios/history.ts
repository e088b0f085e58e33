// History: how long a list of 50 deliveries takes when the webhook has a thousand of them, and when it has a
// hundred times as many.
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { TestBed } from '../bed.ts';
import { nowUs } from '../event.ts';
import { percentilesOf } from '../percentiles.ts';
import type { Plan } from '../plan.ts';
import { startPosthorn } from '../posthorn.ts';
import { readPeakRssMb } from '../proc.ts';
import { type Row, roundFigure } from '../results.ts';
import { stores } from '../targets.ts';
import type { Setting } from './rounds.ts';

type HistoryPlan = NonNullable<Plan['history']>;

export async function measureHistory(setting: Setting, plan: HistoryPlan): Promise<Row[]> {
  const rows: Row[] = [];
  for (const { store, settings } of stores) {
    if (!setting.targets.some((target) => target.store === store)) continue;
    const dir = mkdtempSync(join(setting.dir, 'run-'));
    const bed = await TestBed.open(1);
    const posthorn = await startPosthorn(store, settings, dir, setting.profileDir);
    const timings: { deliveries: number; listMs: number[]; peakRssMb: number }[] = [];
    try {
      const webhook = await posthorn.subscribe(bed.endpoints[0] ?? '');
      let made = 0;
      for (const deliveries of plan.deliveries) {
        await bed.run(posthorn, { events: deliveries - made, ratePerSecond: null, fsyncDir: null });
        made = deliveries;
        const listMs: number[] = [];
        for (let list = 0; list < plan.lists; list++) {
          const startUs = nowUs();
          await posthorn.call('GET', `/v1/webhooks/${webhook}/deliveries?limit=50`);
          listMs.push((nowUs() - startUs) / 1000);
        }
        timings.push({ deliveries, listMs, peakRssMb: readPeakRssMb(posthorn.pid) });
      }
    } finally {
      await posthorn.stop();
    }
    const account = (await bed.close())(store);
    rows.push(
      ...timings.map(({ deliveries, listMs, peakRssMb }): Row => {
        const { p50Ms, p95Ms, p99Ms } = percentilesOf(listMs);
        return {
          scenario: 'history',
          store,
          fanout: 1,
          rounds: 1,
          events: deliveries,
          lists: listMs.length,
          deliveriesPerSecond: null,
          relayRatio: null,
          p50Ms: roundFigure(p50Ms),
          p95Ms: roundFigure(p95Ms),
          p99Ms: roundFigure(p99Ms),
          fsyncP99Ms: null,
          cpuMicrosPerDelivery: null,
          peakRssMb: roundFigure(peakRssMb),
          ...account,
        };
      }),
    );
  }
  return rows;
}
