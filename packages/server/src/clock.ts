// Time and chance, the only place that reads them: everything else is given a Clock, so that tests can hold
// time still and a fault run can make it jump.

/** A timer that has been set; `cancel` is idempotent and harmless after it fired. */
export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Wall time in epoch milliseconds. It may jump in either direction. */
  now(): number;
  /** Milliseconds since an arbitrary start, never going back: for durations, deadlines and leases. */
  monotonic(): number;
  /** Calls `run` once after `delayMs`. The timer does not keep the process alive. */
  after(delayMs: number, run: () => void): Timer;
  /** A number in [0, 1), for jitter. Never for ids or secrets. */
  random(): number;
}

/** The real clock of this process. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(delayMs, run) {
    const timer = setTimeout(run, Math.min(Math.max(0, delayMs), 2_147_483_647));
    timer.unref();
    return { cancel: () => clearTimeout(timer) };
  },
  random: () => Math.random(),
};

/** Resolves after `delayMs` on `clock`. */
export function sleep(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(delayMs, resolve);
  });
}
