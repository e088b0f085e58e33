// The arithmetic of the next attempt: jitter, Retry-After, the window, the end of the schedule.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { nextAttemptAt, readRetryAfter, windowMs } from './retry.ts';

const now = Date.UTC(2026, 0, 15, 12);
const plain = {
  scheduleMs: [1_000, 60_000, 3_600_000],
  attempts: 1,
  createdAt: now,
  now,
  retryAfterMs: null,
  random: 0.5,
};

test('the wait is the schedule’s, within a tenth of it in either direction', () => {
  assert.equal(nextAttemptAt(plain), now + 1_000);
  assert.equal(nextAttemptAt({ ...plain, attempts: 2 }), now + 60_000);
  assert.equal(nextAttemptAt({ ...plain, random: 0 }), now + 900);
  assert.equal(nextAttemptAt({ ...plain, random: 1 - 2 ** -53 }), now + 1_100);
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 40_000_000 }),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (wait, random) => {
        const at = nextAttemptAt({ ...plain, scheduleMs: [wait], random }) ?? Number.NaN;
        assert.ok(
          at >= now + Math.floor(wait * 0.9) && at <= now + Math.ceil(wait * 1.1),
          `${wait} became ${at - now}`,
        );
      },
    ),
  );
});

test('after the schedule’s last wait there is no next attempt', () => {
  assert.equal(nextAttemptAt({ ...plain, attempts: 3 }), now + 3_600_000);
  assert.equal(nextAttemptAt({ ...plain, attempts: 4 }), null);
  assert.equal(nextAttemptAt({ ...plain, attempts: 4, retryAfterMs: 1_000 }), null);
  assert.equal(nextAttemptAt({ ...plain, scheduleMs: [] }), null);
});

test('Retry-After makes the wait longer, never shorter', () => {
  assert.equal(nextAttemptAt({ ...plain, retryAfterMs: 30_000 }), now + 30_000);
  assert.equal(nextAttemptAt({ ...plain, attempts: 2, retryAfterMs: 30_000 }), now + 60_000);
  assert.equal(nextAttemptAt({ ...plain, retryAfterMs: 0 }), now + 1_000);
});

test('Retry-After does not lead out of the 24 hours since the delivery was made', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 2 * windowMs }),
      fc.integer({ min: 0, max: 10 ** 12 }),
      (age, retryAfterMs) => {
        const createdAt = now - age;
        const at = nextAttemptAt({ ...plain, createdAt, retryAfterMs }) ?? Number.NaN;
        assert.ok(at >= now + 1_000, 'never before the schedule’s own time');
        assert.ok(at <= Math.max(now + 1_000, createdAt + windowMs), 'nor after the window');
        if (now + retryAfterMs <= createdAt + windowMs) assert.equal(at, now + Math.max(1_000, retryAfterMs));
      },
    ),
  );
});

const dates: [string, number | null][] = [
  ['120', 120_000],
  [' 5 ', 5_000],
  ['0', 0],
  ['999999999', 999_999_999_000],
  ['9999999999', null],
  ['Thu, 15 Jan 2026 12:00:30 GMT', 30_000],
  ['Thu, 15 Jan 2026 11:00:00 GMT', 0],
  ['Thu, 45 Jan 2026 12:00:30 GMT', null],
  ['Thu, 15 Jan 2026 12:00:30 CET', null],
  ['2026-01-15T12:00:30Z', null],
  ['-1', null],
  ['1.5', null],
  ['1e3', null],
  ['soon', null],
  ['', null],
];
for (const [value, expected] of dates) {
  test(`Retry-After "${value}" is ${expected === null ? 'not understood' : `${expected} ms`}`, () => {
    assert.equal(readRetryAfter(value, now), expected);
  });
}
