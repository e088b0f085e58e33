// What the engine counts while it works, as plain numbers that can go to another thread when somebody asks.
import type { AttemptNews } from './dispatcher.ts';

/** Upper bounds in seconds; the last bucket, beyond them all, has none. */
export const attemptBounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
export const latencyBounds = [...attemptBounds, 60, 300, 3_600, 86_400];

/** One count per bucket (not cumulated) and the sum of all values in seconds. */
export interface Distribution {
  counts: number[];
  sum: number;
}

export interface EngineFigures {
  lanes: number;
  underWay: number;
  waiting: number;
  openBreakers: number;
  /** Attempts recorded, by what they led to: delivered, retry, failed, lost. */
  attempts: Record<string, number>;
  /** Faults of the engine's own, by what it was doing. */
  faults: Record<string, number>;
  duration: Distribution;
  latency: Distribution;
}

export const newDistribution = (bounds: number[]): Distribution => ({
  counts: bounds.map(() => 0).concat(0),
  sum: 0,
});

export function observe(distribution: Distribution, bounds: number[], seconds: number): void {
  let bucket = 0;
  while (bucket < bounds.length && seconds > (bounds[bucket] as number)) bucket += 1;
  distribution.counts[bucket] = (distribution.counts[bucket] as number) + 1;
  distribution.sum += seconds;
}

export class Tally {
  readonly attempts: Record<string, number> = {};
  readonly faults: Record<string, number> = {};
  readonly duration = newDistribution(attemptBounds);
  readonly latency = newDistribution(latencyBounds);

  /** @param now epoch ms */
  countAttempt({ task, result, next }: AttemptNews, now: number): void {
    this.attempts[next] = (this.attempts[next] ?? 0) + 1;
    observe(this.duration, attemptBounds, result.timings.totalMs / 1000);
    if (next === 'delivered') observe(this.latency, latencyBounds, Math.max(0, now - task.createdAt) / 1000);
  }

  countFault(doing: string): void {
    this.faults[doing] = (this.faults[doing] ?? 0) + 1;
  }
}
