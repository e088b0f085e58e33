// Percentiles from the histogram: within the bucket that the true one lies in, whatever was observed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { latencyBoundsMs, latencyBucket, latencyBuckets, percentileOf } from './latency.ts';

const count = (durations: number[]): number[] => {
  const counts = Array.from({ length: latencyBuckets }, () => 0);
  for (const ms of durations) counts[latencyBucket(ms)] = (counts[latencyBucket(ms)] ?? 0) + 1;
  return counts;
};

test('nothing observed has no percentile', () => {
  assert.equal(percentileOf(count([]), 0.5), null);
});

test('a bound belongs to the bucket that it ends', () => {
  assert.deepEqual([0, 1, 1.01, 10, 60_000, 60_001].map(latencyBucket), [0, 0, 1, 3, 14, 15]);
});

test('a percentile lies in the bucket of the true one', () => {
  const durations = fc.array(fc.double({ min: 0, max: 100_000, noNaN: true }), { minLength: 1 });
  fc.assert(
    fc.property(durations, fc.constantFrom(0.5, 0.95), (observed, share) => {
      const sorted = observed.toSorted((a, b) => a - b);
      const truth = sorted[Math.ceil(share * sorted.length) - 1] as number;
      const bucket = latencyBucket(truth);
      const read = percentileOf(count(observed), share) as number;
      const from = bucket === 0 ? 0 : (latencyBoundsMs[bucket - 1] as number);
      const to = latencyBoundsMs[bucket] ?? from;
      assert.ok(read >= from && read <= to, `${read} is not within ${from} and ${to}`);
    }),
  );
});
