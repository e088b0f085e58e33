// A disk of a few megabytes that a test can fill, or make read-only: a tmpfs, where this user may mount one.
import { spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { newDataDir } from './posthorn.ts';

export interface SmallDisk {
  folder: string;
  /** Takes all the room that is left. */
  fill(): void;
  /** Gives that room back. */
  clear(): void;
  setReadOnly(readOnly: boolean): void;
}

const mount = (...args: string[]) => spawnSync('mount', args, { encoding: 'utf8' });

/** A disk of `mebibytes`; null, and the test skipped with the reason, where none can be mounted. */
export function mountSmallDisk(t: TestContext, mebibytes: number): SmallDisk | null {
  const folder = join(newDataDir(), 'disk');
  mkdirSync(folder);
  const { status, stderr, error } = mount(
    '-t',
    'tmpfs',
    '-o',
    `size=${mebibytes}m,mode=0755`,
    'tmpfs',
    folder,
  );
  if (status !== 0) {
    t.skip(`no tmpfs can be mounted here: ${(stderr ?? error?.message ?? '').trim()}`);
    return null;
  }
  t.after(() => {
    spawnSync('umount', ['--lazy', folder]);
    rmSync(join(folder, '..'), { recursive: true, force: true });
  });
  const ballast = join(folder, 'ballast');
  return {
    folder,
    fill() {
      const fd = openSync(ballast, 'a');
      try {
        for (const size of [1_048_576, 4_096, 1]) {
          const block = Buffer.alloc(size);
          for (;;) if (!hasWritten(fd, block)) break;
        }
      } finally {
        closeSync(fd);
      }
    },
    clear: () => rmSync(ballast, { force: true }),
    setReadOnly(readOnly) {
      mount('-o', `remount,${readOnly ? 'ro' : 'rw'}`, folder);
    },
  };
}

function hasWritten(fd: number, block: Buffer): boolean {
  try {
    return writeSync(fd, block) === block.length;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOSPC') return false;
    throw error;
  }
}
