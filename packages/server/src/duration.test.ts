import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { formatDuration, parseDuration, parseSize } from './duration.ts';

const yearMs = 365 * 24 * 3_600_000;

test('every whole number of milliseconds up to a year comes back from its text', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: yearMs }), (ms) => {
      // Texts hold at most nine digits; longer ones are rounded to seconds first.
      const writable = ms < 1_000_000_000 ? ms : ms - (ms % 1_000);
      assert.equal(parseDuration(formatDuration(writable)), writable);
    }),
  );
});

test('a unit multiplies', () => {
  const units = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 365 }),
      fc.constantFrom<keyof typeof units>('ms', 's', 'm', 'h', 'd'),
      (count, unit) => assert.equal(parseDuration(`${count}${unit}`), count * units[unit]),
    ),
  );
});

test('the shortest text is written', () => {
  for (const [ms, text] of [
    [0, '0ms'],
    [500, '500ms'],
    [5_000, '5s'],
    [60_000, '1m'],
    [90_000, '90s'],
    [7_200_000, '2h'],
    [86_400_000, '1d'],
  ] as const) {
    assert.equal(formatDuration(ms), text);
  }
});

test('fractions are read to the millisecond', () => {
  assert.equal(parseDuration('1.5s'), 1_500);
  assert.equal(parseDuration('0.5ms'), 1);
});

test('what is no duration is null', () => {
  for (const text of [
    '',
    '5',
    's',
    '5 s',
    '-5s',
    '5S',
    '5sec',
    '1h30m',
    '1e3s',
    'Infinityd',
    '400d',
    '5s,5s',
  ]) {
    assert.equal(parseDuration(text), null, text);
  }
});

test('any text is read as a duration in bounds or as null', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const ms = parseDuration(text);
      assert.ok(ms === null || (Number.isInteger(ms) && ms >= 0 && ms <= yearMs));
    }),
  );
});

test('sizes are bytes, KiB, MiB or GiB', () => {
  for (const [text, bytes] of [
    ['1048576', 1_048_576],
    ['512KiB', 524_288],
    ['1MiB', 1_048_576],
    ['2 GiB', 2_147_483_648],
    ['10B', 10],
    ['1MB', null],
    ['1.5MiB', null],
    ['-1', null],
    ['', null],
  ] as const) {
    assert.equal(parseSize(text), bytes, text);
  }
});
