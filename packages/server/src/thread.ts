// Threads of this process, each with its own room for young objects.
import { setFlagsFromString } from 'node:v8';
import { Worker, type WorkerOptions } from 'node:worker_threads';

export interface ThreadOptions extends Omit<WorkerOptions, 'resourceLimits'> {
  /** MB for young objects, three times what is filled before they are looked through. */
  youngMb: number;
}

/**
 * Starts `file` as a thread. Sizes given on the command line go before a thread's own, and are meant for the thread that the
 * process begins with: it has them, so that they are taken back here.
 */
export function startThread(file: URL, { youngMb, ...options }: ThreadOptions): Worker {
  setFlagsFromString('--max-semi-space-size=0');
  return new Worker(file, { ...options, resourceLimits: { maxYoungGenerationSizeMb: youngMb } });
}
