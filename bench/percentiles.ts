// Order statistics: percentiles of one run's samples, and the spread of one figure over several rounds.
import type { Percentiles } from './messages.ts';

/** Nearest-rank percentiles of `samplesMs`, NaN where there is no sample. The samples stay as they are. */
export function percentilesOf(samplesMs: ArrayLike<number>): Percentiles {
  const sorted = Float64Array.from(samplesMs).toSorted();
  const rank = (share: number): number =>
    sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
  return { p50Ms: rank(0.5), p95Ms: rank(0.95), p99Ms: rank(0.99), maxMs: rank(1) };
}

export interface Spread {
  median: number;
  min: number;
  max: number;
}

/** Median, least and greatest of the figures; NaN where there is none. */
export function spreadOf(figures: number[]): Spread {
  const sorted = figures.toSorted((left, right) => left - right);
  const at = (index: number): number => sorted[index] ?? Number.NaN;
  const middle = (sorted.length - 1) / 2;
  const median = (at(Math.floor(middle)) + at(Math.ceil(middle))) / 2;
  return { median, min: at(0), max: at(sorted.length - 1) };
}
