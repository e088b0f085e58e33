// The power cut: the server runs on a disk whose cache is lost with it (native/power-cut.c), is killed, and goes on from
// what had been synced.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { SqliteDriver } from '../drivers/sqlite.ts';
import type { Fault } from './bed.ts';

const source = new URL('../../native/power-cut.c', import.meta.url).pathname;

export interface LossyDisk {
  dataDir: string;
  shadowDir: string;
  /** Puts a server's data directory on it. */
  env: Record<string, string>;
}

/** Builds it in `dir`; a sentence where this machine can't. */
export function buildLossyDisk(dir: string): LossyDisk | string {
  if (process.platform !== 'linux') return 'the power cut preloads a library, as Linux has it';
  const library = join(dir, 'power-cut.so');
  const [dataDir, shadowDir] = [join(dir, 'data'), join(dir, 'shadow')];
  mkdirSync(shadowDir, { recursive: true });
  try {
    execFileSync('cc', ['-shared', '-fPIC', '-O2', '-o', library, source, '-ldl'], { stdio: 'pipe' });
  } catch (error) {
    const reason = error instanceof Error ? error.message.split('\n')[0] : String(error);
    return `the power cut needs a C compiler (${reason})`;
  }
  return {
    dataDir,
    shadowDir,
    env: { LD_PRELOAD: library, TORTURE_DATA: dataDir, TORTURE_SHADOW: shadowDir },
  };
}

export function powerCut({ dataDir, shadowDir }: LossyDisk): Fault<SqliteDriver> {
  return {
    name: 'power cut',
    async happen({ setting, sender, countKill }) {
      await setting.journal.fault(this.name, [0], true, async () => {
        countKill();
        await sender.kill(0);
        rmSync(dataDir, { recursive: true, force: true });
        cpSync(shadowDir, dataDir, { recursive: true });
      });
      await sender.startNode(0);
    },
  };
}
