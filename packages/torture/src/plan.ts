// Which runs make a proof: their sizes, their settings, and what happens to them.
import { join } from 'node:path';
import type { Driver } from './drivers/driver.ts';
import { PostgresDriver } from './drivers/postgres.ts';
import { SqliteDriver } from './drivers/sqlite.ts';
import type { Fault } from './faults/bed.ts';
import { jumpClock, makeJumpingClock, mostJumpMs } from './faults/clock.ts';
import {
  crashDatabase,
  delayNetwork,
  endSessions,
  killBackend,
  resetNetwork,
  stallFor,
} from './faults/database.ts';
import { fillDisk, mountSmallDisk } from './faults/disk.ts';
import { buildLossyDisk, powerCut } from './faults/power.ts';
import { kill, killAtStart, pauseFor, terminate } from './faults/processes.ts';
import { killAtTakeover } from './faults/takeover.ts';
import { type RunPlan, type RunResult, run } from './run.ts';

export interface Prepared {
  driver: Driver;
  skipped: string[];
  run(say: (line: string) => void): Promise<RunResult>;
  /** Gives back what the run needed beside its folder. */
  remove(): void;
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
  remove = () => {},
): Prepared => ({ driver: plan.driver, skipped, run: (say) => run({ ...plan, say }), remove });

const times = <Sender>(count: number, fault: Fault<Sender>): Fault<Sender>[] =>
  Array.from({ length: count }, () => fault);

/** The faults one after another, those of one kind spread over the run. */
function mix<Sender>(...kinds: Fault<Sender>[][]): Fault<Sender>[] {
  return kinds
    .flatMap((faults) => faults.map((fault, index) => ({ fault, at: (index + 0.5) / faults.length })))
    .toSorted((a, b) => a.at - b.at)
    .map(({ fault }) => fault);
}

interface SqliteSize {
  events: number;
  rate: number;
  faults(cut: Fault<SqliteDriver>): Fault<SqliteDriver>[];
}

const onLossyDisk = (name: string, { events, rate, faults }: SqliteSize): NamedRun => ({
  name,
  prepare(dir, seed) {
    const disk = buildLossyDisk(dir);
    const isBuilt = typeof disk !== 'string';
    const driver = new SqliteDriver(
      { ...settings, env: isBuilt ? disk.env : {}, dir: join(dir, 'sender') },
      isBuilt ? disk.dataDir : join(dir, 'data'),
    );
    const plan = {
      seed,
      dir,
      driver,
      events,
      load: { workers: 12, rate },
      faults: faults(isBuilt ? powerCut(disk) : kill),
      patienceMs: 30_000,
    };
    return Promise.resolve(prepared(plan, isBuilt ? [] : [disk]));
  },
});

const onPostgres = (
  name: string,
  plan: { nodes: number; events: number; rate: number; faults: Fault<PostgresDriver>[] },
): NamedRun => ({
  name,
  async prepare(dir, seed) {
    const { nodes, events, rate, faults } = plan;
    const driver = await PostgresDriver.create({ ...settings, dir: join(dir, 'sender'), nodes });
    return prepared({ seed, dir, driver, events, load: { workers: 12, rate }, faults, patienceMs: 45_000 });
  },
});

/** On SQLite: a disk that fills up, and a clock that jumps. */
const fullAndJumping: NamedRun = {
  name: 'sqlite, disk full and clock jumping',
  prepare(dir, seed) {
    const clock = makeJumpingClock(dir);
    const disk = mountSmallDisk(dir, 192);
    const isMounted = typeof disk !== 'string';
    const driver = new SqliteDriver(
      {
        ...settings,
        env: clock.env,
        preloads: [clock.preload],
        skewMs: mostJumpMs + 1_000,
        dir: join(dir, 'sender'),
      },
      isMounted ? disk.dataDir : join(dir, 'data'),
    );
    const faults: Fault<SqliteDriver>[] = mix(
      times(4, kill),
      times(6, jumpClock(clock)),
      isMounted ? times(4, fillDisk(disk)) : [],
    );
    const plan = {
      seed,
      dir,
      driver,
      events: 12_000,
      load: { workers: 12, rate: 400 },
      faults,
      patienceMs: 45_000,
    };
    return Promise.resolve(isMounted ? prepared(plan, [], () => disk.remove()) : prepared(plan, [disk]));
  },
};

/** On SQLite: history is gone after a few seconds, what is unfinished is not. */
const shortRetention: NamedRun = {
  name: 'sqlite, retention of 3 s',
  prepare(dir, seed) {
    const driver = new SqliteDriver({ ...settings, retentionMs: 3_000, dir: join(dir, 'sender') });
    const faults = mix(times(5, kill), times(2, terminate));
    const plan = {
      seed,
      dir,
      driver,
      events: 12_000,
      load: { workers: 12, rate: 500 },
      faults,
      patienceMs: 30_000,
    };
    return Promise.resolve(prepared(plan));
  },
};

/** A lease is 10 s. */
const longPause = pauseFor(11_000, 13_500);

/** About ten minutes, more than 100,000 events and 50 kills. */
export const fullRuns: readonly NamedRun[] = [
  onLossyDisk('sqlite, killed', {
    events: 26_000,
    rate: 600,
    faults: () =>
      mix(times(10, kill), times(4, killAtStart), times(2, terminate), times(3, pauseFor(500, 3_000))),
  }),
  onLossyDisk('sqlite, cut from power', {
    events: 14_000,
    rate: 500,
    faults: (cut) => mix(times(8, cut), times(2, kill)),
  }),
  fullAndJumping,
  shortRetention,
  onPostgres('postgres, killed and paused', {
    nodes: 3,
    events: 22_000,
    rate: 350,
    faults: mix(
      times(8, kill),
      times(2, killAtStart),
      times(2, killAtTakeover),
      [longPause, longPause],
      [terminate],
    ),
  }),
  onPostgres('postgres, database in trouble', {
    nodes: 3,
    events: 20_000,
    rate: 350,
    faults: mix(
      times(4, kill),
      times(4, endSessions),
      times(2, killBackend),
      times(3, crashDatabase),
      times(3, stallFor(500, 3_000)),
      [stallFor(11_000, 14_000)],
      times(3, resetNetwork),
      times(3, delayNetwork),
    ),
  }),
];

/** Under two minutes, for CI. */
export const quickRuns: readonly NamedRun[] = [
  onLossyDisk('sqlite, killed and cut from power', {
    events: 2_600,
    rate: 220,
    faults: (cut) => [kill, killAtStart, terminate, cut, pauseFor(1_000, 2_500), cut, kill],
  }),
  onPostgres('postgres, killed and paused', {
    nodes: 2,
    events: 2_600,
    rate: 180,
    faults: [kill, killAtStart, endSessions, longPause, kill, resetNetwork, terminate, kill],
  }),
];
