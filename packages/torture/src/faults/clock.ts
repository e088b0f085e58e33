// Clocks that jump: the server is given a clock of which a file says how far it is off (preload/clock-entry.ts).
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { PosthornDriver } from '../drivers/posthorn.ts';
import { clockVariable } from '../preload/clock-variable.ts';
import type { Fault } from './bed.ts';

/** How far a clock jumps at the most. */
export const mostJumpMs = 12_000;

export interface JumpingClock {
  path: string;
  preload: string;
  env: Record<string, string>;
}

export function makeJumpingClock(dir: string): JumpingClock {
  const path = join(dir, 'clock');
  setOffset(path, 0);
  return {
    path,
    preload: new URL('../preload/clock-entry.ts', import.meta.url).href,
    // A publisher's own times are those of the real clock.
    env: { [clockVariable]: path, POSTHORN_CREATED_AT_WINDOW: '0' },
  };
}

function setOffset(path: string, ms: number): void {
  writeFileSync(`${path}.new`, String(ms));
  renameSync(`${path}.new`, path);
}

/** Jumps forward or back by some seconds, and after a while to where it was. That loses nothing and explains nothing. */
export function jumpClock({ path }: JumpingClock): Fault<PosthornDriver> {
  return {
    name: 'clock jumped',
    async happen({ setting, chance }) {
      const ms = chance.whole(2_000, mostJumpMs) * chance.pick([1, -1]);
      await setting.journal.fault(`${this.name} by ${ms} ms`, null, false, async () => {
        setOffset(path, ms);
        await pause(chance.whole(1_000, 4_000));
        setOffset(path, 0);
      });
    },
  };
}
