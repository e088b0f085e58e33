// Times in queries and bodies: what is read, and as what.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readTime } from './time.ts';

// A server may stand anywhere.
process.env.TZ = 'America/New_York';
const noon = Date.UTC(2026, 0, 15, 12);

const times: [number | string, number | null][] = [
  [noon, noon],
  [0, 0],
  [String(noon), noon],
  ['2026-01-15T12:00:00Z', noon],
  ['2026-01-15T12:00:00.000Z', noon],
  ['2026-01-15T12:00:00.123456789Z', noon + 123],
  ['2026-01-15T12:00Z', noon],
  ['2026-01-15T14:30:00+02:30', noon],
  ['2026-01-15T14:30:00+0230', noon],
  ['2026-01-15T07:00:00-05:00', noon],
  ['2026-01-15', Date.UTC(2026, 0, 15)],
  ['2024-02-29', Date.UTC(2024, 1, 29)],
  // Without a zone it is UTC, wherever the server stands.
  ['2026-01-15T12:00:00', noon],
  ['2026-01-15T12:00', noon],
  ['2026-02-29', null],
  ['2026-02-30T00:00:00Z', null],
  ['2026-04-31', null],
  ['2026-13-01', null],
  ['2026-00-10', null],
  ['2026-01-15T25:00:00Z', null],
  ['2026-01-15T12:60:00Z', null],
  ['2026-01-15 12:00:00', null],
  ['15 Jan 2026', null],
  ['Thu, 15 Jan 2026 12:00:00 GMT', null],
  ['yesterday', null],
  ['', null],
  [' 5', null],
  ['-5', null],
  ['1.5', null],
  ['1e3', null],
  ['99999999999999999', null],
  [-1, null],
  [1.5, null],
  [Number.NaN, null],
  [Number.POSITIVE_INFINITY, null],
  [8_640_000_000_000_001, null],
];

for (const [value, expected] of times) {
  const name = typeof value === 'string' ? `"${value}"` : String(value);
  test(`${name} is ${expected === null ? 'no time' : new Date(expected).toISOString()}`, () => {
    assert.equal(readTime(value), expected);
  });
}

test('every time that is written is read', () => {
  fc.assert(
    fc.property(
      fc.date({ min: new Date(0), max: new Date('9999-12-31T23:59:59.999Z'), noInvalidDate: true }),
      (date) => {
        const at = date.getTime();
        assert.equal(readTime(at), at);
        assert.equal(readTime(String(at)), at);
        assert.equal(readTime(date.toISOString()), at);
      },
    ),
  );
});
