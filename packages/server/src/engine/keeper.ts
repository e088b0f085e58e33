// The keeper: slow, steady work beside the deliveries. Writes the deliveries of removed endpoints as canceled, a few
// at a time, rebuilds lane markers, so that no delivery sleeps for ever, and prunes history and figures that are too old.
import type { Clock, Timer } from '../clock.ts';
import type { DeliveryStore } from '../store/store.ts';

const cancelEveryMs = 1_000;
const cancelBatch = 500;
const sweepEveryMs = 30_000;
/** Events looked at in one go: a few milliseconds of the store's time, between which it serves others. */
const pruneBatch = 100;
/** Figures are pruned as often as the shortest-lived of them grow old, so many rows in one go. */
const pruneFiguresEveryMs = 60_000;
const pruneFiguresBatch = 500;
/** History is pruned ten times in a retention, and at least once a minute. */
const pruneEvery = (retentionMs: number): number => Math.min(60_000, Math.max(1_000, retentionMs / 10));

export interface Keeper {
  start(): void;
  /** Ends after what is under way. Idempotent. */
  stop(): Promise<void>;
}

export function createKeeper(
  store: DeliveryStore,
  clock: Clock,
  retentionMs: number,
  onFault: (error: unknown, doing: string) => void,
): Keeper {
  let stopped = false;
  const timers = new Set<Timer>();
  const running = new Set<Promise<void>>();

  function every(periodMs: number, doing: string, work: () => Promise<void>): void {
    const timer = clock.after(periodMs, () => {
      timers.delete(timer);
      const run = work()
        .catch((error: unknown) => onFault(error, doing))
        .finally(() => {
          running.delete(run);
          if (!stopped) every(periodMs, doing, work);
        });
      running.add(run);
    });
    timers.add(timer);
  }

  async function cancelAll(): Promise<void> {
    while (!stopped && (await store.cancelRemoved(cancelBatch)) === cancelBatch);
  }

  async function pruneAll(): Promise<void> {
    while (!stopped && (await store.prune(clock.now() - retentionMs, pruneBatch)) > 0);
  }

  async function pruneFigures(): Promise<void> {
    while (!stopped && (await store.pruneFigures(clock.now(), pruneFiguresBatch)) > 0);
  }

  return {
    start() {
      every(cancelEveryMs, 'canceling deliveries of removed webhooks', cancelAll);
      every(sweepEveryMs, 'looking for forgotten lanes', () => store.sweep(clock.now()));
      every(pruneEvery(retentionMs), 'pruning history', pruneAll);
      every(pruneFiguresEveryMs, 'pruning figures', pruneFigures);
    },
    async stop() {
      stopped = true;
      for (const timer of timers) timer.cancel();
      await Promise.all(running);
    },
  };
}
