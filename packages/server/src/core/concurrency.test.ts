// A lane's concurrency: a fast start, one more per round after trouble, half at each round of trouble.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Concurrency, freshConcurrency, grow, restart, shrink, startLimit } from './concurrency.ts';

function growTimes(count: number, from: Concurrency, ceiling = 32): Concurrency {
  let current = from;
  for (let i = 0; i < count; i++) current = grow(current, ceiling);
  return current;
}

test('it starts at two and grows by one with each success, up to the ceiling', () => {
  assert.equal(startLimit, 2);
  assert.equal(growTimes(5, freshConcurrency).limit, 7);
  assert.equal(growTimes(100, freshConcurrency).limit, 32);
  assert.equal(growTimes(100, freshConcurrency, 4).limit, 4);
});

test('trouble halves it, and from then on it takes a round of successes to grow by one', () => {
  const shrunk = shrink(growTimes(14, freshConcurrency), 1_000, 300);
  assert.deepEqual(shrunk, { limit: 8, slowStartTo: 8, calmUntilMs: 1_300 });
  const grown = growTimes(8, shrunk);
  assert.ok(grown.limit > 8.9 && grown.limit < 9.1, `${grown.limit}`);
});

test('trouble of the same round counts once', () => {
  const shrunk = shrink(growTimes(14, freshConcurrency), 1_000, 300);
  assert.equal(shrink(shrunk, 1_299, 300), shrunk);
  assert.equal(shrink(shrunk, 1_300, 300).limit, 4);
});

test('trouble during a round ends the fast start', () => {
  const calm = { ...growTimes(8, freshConcurrency), calmUntilMs: 2_000 };
  const troubled = shrink(calm, 1_000, 10);
  assert.equal(troubled.limit, 10);
  assert.ok(growTimes(10, troubled).limit < 11.1);
});

test('after an outage it starts with two, fast up to half of what it had and then by one a round', () => {
  const back = restart(growTimes(100, freshConcurrency));
  assert.equal(back.limit, 2);
  assert.equal(growTimes(14, back).limit, 16);
  const further = growTimes(16, growTimes(14, back)).limit;
  assert.ok(further > 16.8 && further < 17.1, `${further}`);
  // One that was slowed down before has nothing to go back to.
  const slow = restart({ limit: 1, slowStartTo: 1, calmUntilMs: 9 });
  assert.deepEqual(slow, { limit: 2, slowStartTo: 2, calmUntilMs: 9 });
});

test('a round of trouble lasts five seconds at the most', () => {
  assert.equal(shrink(freshConcurrency, 1_000, 30_000).calmUntilMs, 6_000);
});

test('it is never below one nor above the ceiling', () => {
  const step = fc.oneof(fc.constant('grow'), fc.constant('restart'), fc.nat(40_000));
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 64 }), fc.array(step, { maxLength: 300 }), (ceiling, steps) => {
      let current = freshConcurrency;
      let now = 0;
      for (const one of steps) {
        if (one === 'grow') current = grow(current, ceiling);
        else if (one === 'restart') current = restart(current);
        else if (typeof one === 'number') {
          now += one;
          current = shrink(current, now, one);
        }
        assert.ok(current.limit >= 1 && current.limit <= ceiling, `${current.limit}`);
      }
    }),
  );
});
