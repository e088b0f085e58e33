// A small histogram of how long attempts took, from which percentiles are read: 16 counts, bounds 1, 2, 5, 10 … ms.
// A percentile is right to within its bucket, and interpolated inside it.

/** Upper bounds in ms; the last bucket, beyond them all, has none. */
export const latencyBoundsMs = [
  1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 60_000,
] as const;

export const latencyBuckets = latencyBoundsMs.length + 1;

/** Which bucket a duration falls in. */
export function latencyBucket(ms: number): number {
  let bucket = 0;
  while (bucket < latencyBoundsMs.length && ms > (latencyBoundsMs[bucket] as number)) bucket += 1;
  return bucket;
}

/**
 * The duration that a share of all stayed below.
 * @param counts one per bucket
 * @param share 0.5 for the median
 * @returns ms, null where nothing was counted
 */
export function percentileOf(counts: readonly number[], share: number): number | null {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) return null;
  const wanted = share * total;
  let below = 0;
  for (const [bucket, count] of counts.entries()) {
    if (count > 0 && below + count >= wanted) {
      const from = bucket === 0 ? 0 : (latencyBoundsMs[bucket - 1] as number);
      const to = latencyBoundsMs[bucket] ?? from;
      return Math.round((from + ((to - from) * (wanted - below)) / count) * 10) / 10;
    }
    below += count;
  }
  return latencyBoundsMs.at(-1) ?? null;
}
