import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { aheadMs, allowed, inOrder, keptSince, type Pace, spread, stateAfter } from './replay.ts';

test('states are walked in one order, each once', () => {
  assert.deepEqual(inOrder(['missed', 'delivered', 'failed', 'missed']), ['failed', 'delivered', 'missed']);
  assert.equal(stateAfter(['missed', 'failed'], 'failed'), 'missed');
  assert.equal(stateAfter(['missed', 'failed'], 'missed'), null);
});

test('what is about to be pruned counts as pruned: a minute before, or a tenth of a short retention', () => {
  assert.equal(keptSince(10_000_000, 3_600_000), 10_000_000 - 3_600_000 + 60_000);
  assert.equal(keptSince(10_000_000, 1_000), 10_000_000 - 1_000 + 100);
});

/** When deliveries start that are made by looking every `everyMs` for `forMs`. */
function startsOf(ratePerSecond: number, everyMs: number, forMs: number): number[] {
  let pace: Pace = { ratePerSecond, nextAtMs: 0 };
  const starts: number[] = [];
  for (let nowMs = 0; nowMs < forMs; nowMs += everyMs) {
    const step = spread(pace, nowMs, allowed(pace, nowMs));
    starts.push(...step.startsMs);
    ({ pace } = step);
  }
  return starts;
}

describe('a rate', () => {
  test('is kept evenly, whatever it is and however often one looks', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.01, max: 5_000, noNaN: true }),
        fc.integer({ min: 1, max: aheadMs / 2 }),
        (ratePerSecond, everyMs) => {
          const starts = startsOf(ratePerSecond, everyMs, 3_000);
          for (const [at, startMs] of starts.entries()) {
            assert.ok(Math.abs(startMs - (at * 1000) / ratePerSecond) < 0.001, `${at}: ${startMs}`);
          }
          const within = starts.filter((startMs) => startMs < 3_000).length;
          assert.ok(Math.abs(within - 3 * ratePerSecond) <= 1, `${within} in 3 s`);
        },
      ),
    );
  });

  test('makes nothing long before its time', () => {
    assert.equal(allowed({ ratePerSecond: 0.1, nextAtMs: 10_000 }, 9_000), 0);
    assert.equal(allowed({ ratePerSecond: 0.1, nextAtMs: 10_000 }, 10_000 - aheadMs / 2), 1);
    assert.equal(allowed({ ratePerSecond: 100, nextAtMs: 10_000 }, 10_000 - aheadMs / 2 - 1), 0);
    assert.equal(allowed({ ratePerSecond: 100, nextAtMs: 10_000 }, 10_000 - aheadMs / 2), 13);
  });

  test('that could not be kept is not caught up with in a burst', () => {
    const pace = { ratePerSecond: 100, nextAtMs: 0 };
    assert.equal(allowed(pace, 60_000), 2 * aheadMs * 0.1 + 1);
    assert.equal(spread(pace, 60_000, 1).startsMs[0], 60_000 - aheadMs);
  });
});
