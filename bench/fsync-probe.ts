// Measures what a durable write costs on the file system of the data directory, while the server writes there
// too: the part of a publish call's latency that no server can save.
import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { nowUs } from './event.ts';

const intervalMs = 20;
const block = Buffer.alloc(4096, 1);

export interface FsyncProbe {
  /** Ends the probing; the durations of all appends of 4 KiB with their fdatasync, in milliseconds. */
  stop(): number[];
}

/** Appends 4 KiB to a file of its own in `dir` every 20 ms and waits until they are on the disk. */
export function startFsyncProbe(dir: string): FsyncProbe {
  const file = openSync(join(dir, 'fsync-probe'), 'a');
  const samplesMs: number[] = [];
  const timer = setInterval(() => {
    const startUs = nowUs();
    writeSync(file, block);
    fdatasyncSync(file);
    samplesMs.push((nowUs() - startUs) / 1000);
  }, intervalMs);
  return {
    stop() {
      clearInterval(timer);
      closeSync(file);
      return samplesMs;
    },
  };
}
