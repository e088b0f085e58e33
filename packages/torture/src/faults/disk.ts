// A disk that is full for a while: a small tmpfs for the data, filled up and emptied again.
import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { SqliteDriver } from '../drivers/sqlite.ts';
import type { Fault } from './bed.ts';

export interface SmallDisk {
  dataDir: string;
  remove(): void;
}

/** Mounts it under `dir`; a sentence where that is not allowed. */
export function mountSmallDisk(dir: string, megabytes: number): SmallDisk | string {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) {
    return 'a full disk needs a tmpfs, which only root on Linux may mount';
  }
  const at = join(dir, 'disk');
  mkdirSync(at);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'posthorn-torture', at], {
      stdio: 'pipe',
    });
  } catch (error) {
    const reason = error instanceof Error ? error.message.split('\n')[0] : String(error);
    return `a full disk needs a tmpfs, and mount refused (${reason})`;
  }
  const unmount = () => execFileSync('umount', ['--lazy', at], { stdio: 'ignore' });
  process.once('exit', unmount);
  return {
    dataDir: join(at, 'data'),
    remove() {
      process.off('exit', unmount);
      unmount();
    },
  };
}

/** Writes until there is no room left. */
function fill(path: string): void {
  const file = openSync(path, 'w');
  try {
    for (let size = 1 << 20; size > 0; size >>= 4) {
      const chunk = Buffer.alloc(size);
      while (writeSync(file, chunk) === size);
    }
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error;
  } finally {
    closeSync(file);
  }
}

/** Full for some seconds; half of the time the server is killed while it is. Results can't be written meanwhile. */
export function fillDisk({ dataDir }: SmallDisk): Fault<SqliteDriver> {
  const ballast = join(dataDir, 'ballast');
  return {
    name: 'disk full',
    async happen({ setting, sender, chance, countKill }) {
      const kills = chance.happens(0.5);
      await setting.journal.fault(this.name, [0], true, async () => {
        fill(ballast);
        await pause(chance.whole(1_500, 4_000));
        if (kills) {
          countKill();
          await sender.kill(0);
        }
        rmSync(ballast);
      });
      if (kills) await sender.startNode(0);
    },
  };
}
