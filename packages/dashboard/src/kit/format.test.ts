import assert from 'node:assert/strict';
import { test } from 'node:test';
import { countOf, exactTime, formatBytes, formatMs, formatShare, relativeTime } from './format.ts';

const at = Date.UTC(2026, 10, 26, 4, 12, 9, 250);

test('how long ago, and how soon', () => {
  const cases: [number, string][] = [
    [500, 'just now'],
    [-1_000, 'just now'],
    [20_000, '20s ago'],
    [-20_000, 'in 20s'],
    [59 * 60_000, '59m ago'],
    [23.9 * 3_600_000, '23h ago'],
    [6 * 86_400_000, '6d ago'],
    [30 * 86_400_000, 'Oct 27'],
    [400 * 86_400_000, 'Oct 22, 2025'],
  ];
  for (const [ago, said] of cases) assert.equal(relativeTime(at - ago, at), said);
});

test('the exact time is UTC and says so', () => {
  assert.equal(exactTime(at), 'Nov 26, 2026, 04:12:09.250 UTC');
  assert.equal(exactTime(Number.NaN), 'an impossible time');
});

test('lengths of time', () => {
  const cases: [number, string][] = [
    [0, '0 ms'],
    [0.42, '0.4 ms'],
    [12, '12 ms'],
    [999, '999 ms'],
    [1_440, '1.4 s'],
    [30_000, '30 s'],
    [125_000, '2m 5s'],
    [3_600_000, '1h'],
    [12_000_000, '3h 20m'],
    [180_000_000, '2d 2h'],
  ];
  for (const [ms, said] of cases) assert.equal(formatMs(ms), said);
});

test('a share is never rounded up to all', () => {
  assert.equal(formatShare(1), '100%');
  assert.equal(formatShare(0.9999), '99.9%');
  assert.equal(formatShare(0), '0%');
});

test('numbers with their nouns, and sizes', () => {
  assert.equal(countOf(1, 'delivery', 'deliveries'), '1 delivery');
  assert.equal(countOf(1_200, 'webhook'), '1,200 webhooks');
  assert.equal(formatBytes(1_000), '1000 B');
  assert.equal(formatBytes(1_536), '1.5 KiB');
  assert.equal(formatBytes(1_048_576 * 20), '20 MiB');
});
