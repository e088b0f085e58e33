// Which runs make a proof: their sizes, their settings, and what happens to them.
import { join } from 'node:path';
import type { Driver } from './drivers/driver.ts';
import { PostgresDriver } from './drivers/postgres.ts';
import { SqliteDriver } from './drivers/sqlite.ts';
import { buildLossyDisk, powerCut } from './faults/power.ts';
import { kill, killAtStart, pauseFor, terminate } from './faults/processes.ts';
import { type RunPlan, type RunResult, run } from './run.ts';

export interface Prepared {
  driver: Driver;
  skipped: string[];
  run(say: (line: string) => void): Promise<RunResult>;
}

export interface NamedRun {
  name: string;
  prepare(dir: string, seed: number): Promise<Prepared>;
}

/** Short waits, so that a run ends in time. */
export const settings = {
  scheduleMs: [200, 500, 1_000],
  timeoutMs: 1_500,
  retentionMs: null,
  env: {},
  preloads: [],
};

export const prepared = <Sender extends Driver>(
  plan: Omit<RunPlan<Sender>, 'say'>,
  skipped: string[] = [],
): Prepared => ({ driver: plan.driver, skipped, run: (say) => run({ ...plan, say }) });

const quickSqlite: NamedRun = {
  name: 'sqlite, killed and cut from power',
  async prepare(dir, seed) {
    const disk = buildLossyDisk(dir);
    const [env, dataDir] = typeof disk === 'string' ? [{}, join(dir, 'data')] : [disk.env, disk.dataDir];
    const cut = typeof disk === 'string' ? kill : powerCut(disk);
    return prepared(
      {
        seed,
        dir,
        driver: new SqliteDriver({ ...settings, env, dir: join(dir, 'sender') }, dataDir),
        events: 2_300,
        load: { workers: 8, rate: 170 },
        faults: [kill, killAtStart, terminate, cut, pauseFor(1_000, 2_500), cut, kill],
        patienceMs: 20_000,
      },
      typeof disk === 'string' ? [disk] : [],
    );
  },
};

const quickPostgres: NamedRun = {
  name: 'postgres, killed and paused',
  async prepare(dir, seed) {
    return prepared({
      seed,
      dir,
      driver: await PostgresDriver.create({ ...settings, dir: join(dir, 'sender'), nodes: 2 }),
      events: 2_300,
      load: { workers: 8, rate: 130 },
      faults: [kill, killAtStart, pauseFor(11_000, 13_000), kill, terminate, kill],
      patienceMs: 30_000,
    });
  },
};

export const quickRuns: readonly NamedRun[] = [quickSqlite, quickPostgres];
