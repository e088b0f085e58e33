// A quota: never more than it says over any time, never a wait that leads to another refusal, and one meter per taker.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { freshMeter, type Meter, type Quota, take } from './quota.ts';

const quota: Quota = { limit: 10, windowMs: 1_000 };

test('a window’s worth at once, then one for each part of the window', () => {
  let meter: Meter = freshMeter;
  for (let left = 9; left >= 0; left--) {
    const verdict = take(meter, quota, 1, 0);
    assert.deepEqual([verdict.admitted, verdict.remaining], [true, left]);
    meter = verdict.meter;
  }
  const refused = take(meter, quota, 1, 0);
  assert.deepEqual(refused, { admitted: false, meter, remaining: 0, resetMs: 1_000, retryMs: 100 });
  assert.equal(take(meter, quota, 1, 99).admitted, false);
  assert.equal(take(meter, quota, 1, 100).admitted, true);
});

test('several at once may be more than are left, and are paid for afterwards', () => {
  const verdict = take(freshMeter, quota, 25, 0);
  assert.deepEqual([verdict.admitted, verdict.remaining, verdict.retryMs], [true, 0, 1_600]);
  assert.equal(take(verdict.meter, quota, 1, 1_599).admitted, false);
  assert.equal(take(verdict.meter, quota, 25, 1_600).admitted, true);
});

const quotas = fc.record({
  limit: fc.integer({ min: 1, max: 1_000 }),
  windowMs: fc.constantFrom(1_000, 60_000),
});
const steps = fc.array(fc.record({ waitMs: fc.nat(3_000), count: fc.integer({ min: 1, max: 50 }) }), {
  maxLength: 200,
});

test('over any time no more is taken than the quota, what it holds and the last call', () => {
  fc.assert(
    fc.property(quotas, steps, (of, calls) => {
      let meter: Meter = freshMeter;
      let now = 0;
      let taken = 0;
      let largest = 0;
      for (const { waitMs, count } of calls) {
        now += waitMs;
        const verdict = take(meter, of, count, now);
        meter = verdict.meter;
        largest = Math.max(largest, count);
        if (verdict.admitted) taken += count;
        assert.ok(verdict.remaining >= 0 && verdict.remaining <= of.limit);
        assert.ok(taken <= (of.limit * now) / of.windowMs + of.limit + largest, `${taken} within ${now} ms`);
      }
    }),
  );
});

test('who waits as long as was said is admitted, and who waits less is not', () => {
  fc.assert(
    fc.property(quotas, fc.integer({ min: 1, max: 2_000 }), (of, count) => {
      const { meter } = take(freshMeter, of, Math.max(count, of.limit), 0);
      const refused = take(meter, of, 1, 0);
      assert.equal(refused.admitted, false);
      assert.equal(refused.meter, meter, 'a refusal costs nothing');
      assert.equal(take(meter, of, 1, refused.retryMs).admitted, true);
      assert.equal(take(meter, of, 1, refused.retryMs - 0.01 * (of.windowMs / of.limit)).admitted, false);
    }),
  );
});

test('a quiet time gives a window’s worth and no more', () => {
  fc.assert(
    fc.property(quotas, steps, (of, calls) => {
      let meter: Meter = freshMeter;
      let now = 0;
      for (const { waitMs, count } of calls) {
        now += waitMs;
        ({ meter } = take(meter, of, count, now));
      }
      const later = now + 1_000_000_000;
      assert.equal(take(meter, of, 1, later).remaining, of.limit - 1);
    }),
  );
});
