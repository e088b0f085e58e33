// Deletes what has run out of the means to sign in, every few minutes, on every node; it counts no more before that.
import type { Timer } from '../clock.ts';
import { deleteExpired } from '../store/control/expired.ts';
import type { Platform } from './platform.ts';

const everyMs = 5 * 60_000;

/**
 * Begins; the first time is after five minutes.
 * @returns ends it after what is under way
 */
export function startExpiry(
  { store, clock }: Pick<Platform, 'store' | 'clock'>,
  onFault: (error: unknown) => void,
): () => Promise<void> {
  let timer: Timer;
  let running = Promise.resolve();
  let stopped = false;
  const wait = () => {
    timer = clock.after(everyMs, () => {
      running = expire();
    });
  };
  const expire = async () => {
    const now = clock.now();
    try {
      await store.change({ steps: deleteExpired(store, now), events: [], touched: [], now });
    } catch (error) {
      onFault(error);
    }
    if (!stopped) wait();
  };
  wait();
  return () => {
    stopped = true;
    timer.cancel();
    return running;
  };
}
