// The keeper: slow, steady work beside the deliveries. Writes the deliveries of removed endpoints as canceled, a few
// at a time, and rebuilds lane markers, so that no delivery sleeps for ever.
import type { Clock, Timer } from '../clock.ts';
import type { DeliveryStore } from '../store/store.ts';

const cancelEveryMs = 1_000;
const cancelBatch = 500;
const sweepEveryMs = 30_000;

export interface Keeper {
  start(): void;
  /** Ends after what is under way. Idempotent. */
  stop(): Promise<void>;
}

export function createKeeper(
  store: DeliveryStore,
  clock: Clock,
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

  return {
    start() {
      every(cancelEveryMs, 'canceling deliveries of removed webhooks', cancelAll);
      every(sweepEveryMs, 'looking for forgotten lanes', () => store.sweep(clock.now()));
    },
    async stop() {
      stopped = true;
      for (const timer of timers) timer.cancel();
      await Promise.all(running);
    },
  };
}
