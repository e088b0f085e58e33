// The states of a delivery: what an attempt leads to, and that every chain of attempts ends.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type AttemptContext, decideNext, type Outcome } from './delivery.ts';
import { windowMs } from './retry.ts';

const now = Date.UTC(2026, 0, 15, 12);
const scheduleMs = [5_000, 60_000, 600_000];
const context: AttemptContext = { scheduleMs, number: 1, extra: false, createdAt: now, now, random: 0.5 };
const answered = (status: number, retryAfter: string | null = null): Outcome => ({
  status,
  success: status >= 200 && status < 300,
  retryAfter,
});
const broken: Outcome = { status: null, success: false, retryAfter: null };

test('a success is delivered, whatever attempt it is', () => {
  for (const number of [1, 4, 9]) {
    for (const extra of [false, true]) {
      assert.deepEqual(decideNext(answered(204), { ...context, number, extra }), { kind: 'delivered' });
    }
  }
});

test('410 fails at once, and no other answer does', () => {
  assert.deepEqual(decideNext(answered(410), context), { kind: 'failed' });
  for (const outcome of [broken, answered(301), answered(400), answered(404), answered(429), answered(500)]) {
    assert.deepEqual(decideNext(outcome, context), { kind: 'retry', at: now + 5_000 });
  }
});

test('an attempt outside the schedule leads to no retry', () => {
  assert.deepEqual(decideNext(broken, { ...context, extra: true }), { kind: 'failed' });
  assert.deepEqual(decideNext(answered(503, '60'), { ...context, extra: true }), { kind: 'failed' });
});

test('Retry-After counts on 429 and 503 only', () => {
  for (const status of [429, 503]) {
    assert.deepEqual(decideNext(answered(status, '60'), context), { kind: 'retry', at: now + 60_000 });
    assert.deepEqual(decideNext(answered(status, 'never'), context), { kind: 'retry', at: now + 5_000 });
  }
  for (const status of [302, 408, 500]) {
    assert.deepEqual(decideNext(answered(status, '60'), context), { kind: 'retry', at: now + 5_000 });
  }
});

const anyOutcome = fc.oneof(
  fc.constant(broken),
  fc
    .record({
      status: fc.constantFrom(200, 204, 301, 400, 410, 429, 500, 503),
      retryAfter: fc.option(fc.constantFrom('0', '30', '99999999', 'Fri, 16 Jan 2026 00:00:00 GMT', 'x')),
    })
    .map(({ status, retryAfter }) => answered(status, retryAfter)),
);

test('every chain of attempts ends, after one more attempt than the schedule has waits at the most', () => {
  const waits = fc.array(fc.integer({ min: 0, max: 10_000_000 }), { maxLength: 12 });
  fc.assert(
    fc.property(
      waits,
      fc.array(anyOutcome, { minLength: 14, maxLength: 14 }),
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      (schedule, outcomes, random) => {
        let at = now;
        for (const [index, outcome] of outcomes.entries()) {
          const number = index + 1;
          assert.ok(number <= schedule.length + 1, 'an attempt beyond the schedule');
          const next = decideNext(outcome, {
            scheduleMs: schedule,
            number,
            extra: false,
            createdAt: now,
            now: at,
            random,
          });
          if (next.kind !== 'retry') {
            assert.equal(next.kind === 'delivered', outcome.success);
            if (next.kind === 'failed') assert.ok(outcome.status === 410 || number === schedule.length + 1);
            return;
          }
          assert.ok(!outcome.success && next.at >= at, 'time does not go back');
          const latest = at + Math.ceil((schedule[index] ?? 0) * 1.1);
          assert.ok(next.at <= Math.max(latest, now + windowMs));
          at = next.at;
        }
        assert.fail('the chain did not end');
      },
    ),
  );
});
