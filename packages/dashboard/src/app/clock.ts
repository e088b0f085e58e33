// Time in the dashboard: now, pauses, and one ticking for all that shows how long ago something was.
import { useSyncExternalStore } from 'react';

export const now = (): number => Date.now();

/** Resolves after `ms`; rejects when the signal says so. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener(
      'abort',
      () => {
        clearTimeout(timer);
        reject(signal.reason);
      },
      { once: true },
    );
  });
}

class Ticker {
  #listeners = new Set<() => void>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #at = now();
  readonly #everyMs: number;

  constructor(everyMs: number) {
    this.#everyMs = everyMs;
  }

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    if (this.#listeners.size === 1) this.#tick();
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) clearTimeout(this.#timer);
    };
  };

  read = (): number => this.#at;

  #tick = (): void => {
    this.#at = now();
    for (const listener of this.#listeners) listener();
    this.#timer = setTimeout(this.#tick, this.#everyMs);
  };
}

const tickers = { second: new Ticker(1_000), slow: new Ticker(10_000) };

/** The time, read again every second, or every ten. */
export function useNow(pace: keyof typeof tickers = 'slow'): number {
  const ticker = tickers[pace];
  return useSyncExternalStore(ticker.subscribe, ticker.read);
}
