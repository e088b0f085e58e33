// The breaker: when it opens, how long it rests, what closes it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { afterFailure, afterSuccess, type Breaker, closedBreaker, wake } from './breaker.ts';

function failTimes(count: number, threshold: number, nowMs: number, from = closedBreaker): Breaker {
  let breaker = from;
  for (let i = 0; i < count; i++) breaker = afterFailure(breaker, threshold, nowMs);
  return breaker;
}

test('it opens with the threshold’s failure in a row, and not before', () => {
  assert.equal(failTimes(9, 10, 0).kind, 'closed');
  assert.deepEqual(failTimes(10, 10, 500), { kind: 'open', untilMs: 1_500, restMs: 1_000 });
});

test('a success between them starts the count anew', () => {
  const breaker = afterSuccess(failTimes(9, 10, 0));
  assert.deepEqual(breaker, closedBreaker);
  assert.equal(failTimes(9, 10, 0, breaker).kind, 'closed');
});

test('the first probe comes within two seconds, later ones after twice the rest, a minute at the most', () => {
  let breaker = failTimes(10, 10, 0);
  let now = 0;
  const rests: number[] = [];
  for (let i = 0; i < 9; i++) {
    assert.ok(breaker.kind === 'open');
    assert.deepEqual(wake(breaker, breaker.untilMs - 1), breaker, 'it rests until its time is over');
    rests.push(breaker.untilMs - now);
    now = breaker.untilMs;
    const probing = wake(breaker, now);
    assert.equal(probing.kind, 'probing');
    assert.equal(wake(probing, now + 1_000), probing);
    breaker = afterFailure(probing, 10, now);
  }
  assert.deepEqual(rests, [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000]);
});

test('what was under way when it opened neither lengthens its rest nor shortens it', () => {
  const open = failTimes(10, 10, 0);
  assert.equal(afterFailure(open, 10, 900), open);
});

test('a success closes it, whatever it was', () => {
  const open = failTimes(10, 10, 0);
  for (const breaker of [open, wake(open, 5_000)]) assert.deepEqual(afterSuccess(breaker), closedBreaker);
});

test('it is never open for longer than a minute, and a closed one has had fewer failures than the threshold', () => {
  const step = fc.oneof(fc.constant('fail'), fc.constant('succeed'), fc.integer({ min: 1, max: 100_000 }));
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 12 }), fc.array(step, { maxLength: 200 }), (threshold, steps) => {
      let breaker: Breaker = closedBreaker;
      let now = 0;
      for (const one of steps) {
        if (one === 'fail') breaker = afterFailure(breaker, threshold, now);
        else if (one === 'succeed') breaker = afterSuccess(breaker);
        else now += one;
        breaker = wake(breaker, now);
        if (breaker.kind === 'open') assert.ok(breaker.untilMs - now <= 60_000 && breaker.untilMs > now);
        if (breaker.kind === 'closed') assert.ok(breaker.failures < threshold);
      }
    }),
  );
});
