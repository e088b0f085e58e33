// The runs in which one protection is off: each must end with its own counter above zero.
import { join } from 'node:path';
import { PostgresDriver } from '../drivers/postgres.ts';
import { SqliteDriver } from '../drivers/sqlite.ts';
import { buildLossyDisk, powerCut } from '../faults/power.ts';
import { kill, pauseFor } from '../faults/processes.ts';
import { type NamedRun, prepared, settings } from '../plan.ts';
import { breakVariable, type Protection } from './protections.ts';

const entry = new URL('./entry.ts', import.meta.url).href;
const patienceMs = 8_000;

const weak = (off: Protection, env: Record<string, string> = {}) => ({
  ...settings,
  preloads: [entry],
  env: { [breakVariable]: off, ...env },
});

const sqlite = (off: Protection): NamedRun => ({
  name: `sqlite, ${off}`,
  async prepare(dir, seed) {
    return prepared({
      seed,
      dir,
      driver: new SqliteDriver({ ...weak(off), dir: join(dir, 'sender') }),
      events: 1_500,
      load: { workers: 8, rate: 200 },
      faults: [kill, kill, kill],
      patienceMs,
    });
  },
});

const postgres = (off: Protection): NamedRun => ({
  name: `postgres, ${off}`,
  async prepare(dir, seed) {
    return prepared({
      seed,
      dir,
      driver: await PostgresDriver.create({ ...weak(off), dir: join(dir, 'sender'), nodes: 2 }),
      events: 1_500,
      load: { workers: 8, rate: 200 },
      faults: [kill, kill, kill],
      patienceMs,
    });
  },
});

const unfenced: NamedRun = {
  name: 'postgres, no-fencing',
  async prepare(dir, seed) {
    // One request at a time, so that a node that is paused has much that it has not begun.
    const slow = weak('no-fencing', { POSTHORN_LANE_CONCURRENCY: '1' });
    return prepared({
      seed,
      dir,
      driver: await PostgresDriver.create({ ...slow, dir: join(dir, 'sender'), nodes: 2 }),
      events: 1_200,
      load: { workers: 16, rate: 400 },
      faults: [pauseFor(13_000, 14_000), pauseFor(13_000, 14_000)],
      patienceMs: 20_000,
    });
  },
};

const unsynced: NamedRun = {
  name: 'sqlite, no-fsync',
  async prepare(dir, seed) {
    const disk = buildLossyDisk(dir);
    if (typeof disk === 'string') throw new Error(`--break no-fsync can't run here: ${disk}.`);
    const { env, ...rest } = weak('no-fsync', disk.env);
    return prepared({
      seed,
      dir,
      driver: new SqliteDriver({ ...rest, env, dir: join(dir, 'sender') }, disk.dataDir),
      events: 1_000,
      load: { workers: 8, rate: 200 },
      faults: [powerCut(disk), powerCut(disk)],
      patienceMs,
    });
  },
};

/** The runs of a protection that is off. */
export function brokenRuns(off: Protection): NamedRun[] {
  switch (off) {
    case 'no-fencing':
      return [unfenced];
    case 'no-fsync':
      return [unsynced];
    case 'acknowledge-before-commit':
    case 'forget-retries':
    case 'forget-replays':
    case 'wrong-bytes':
    case 'old-secrets':
      return [sqlite(off), postgres(off)];
  }
}
