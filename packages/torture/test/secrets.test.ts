// Which secrets may have signed an attempt, by when it began.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Keys } from '../src/judge/history.ts';
import { Secrets } from '../src/judge/secrets.ts';

const never = Number.POSITIVE_INFINITY;

/** Those of an attempt that began at a moment; a node may be 100 ms late. */
const at = (secrets: Secrets, ms: number): string[] =>
  secrets
    .possible(ms, ms, 100)
    .map(({ current, old }: Keys) => `${current}${old === null ? '' : `+${old.secret}`}`);

function begun(): Secrets {
  const secrets = new Secrets();
  secrets.begin('a');
  return secrets;
}

test('without a rotation it is the first; where nobody was told it, nobody knows', () => {
  assert.deepEqual(at(begun(), 0), ['a']);
  assert.deepEqual(at(new Secrets(), 0), ['null']);
});

test('a rotation is certain once it was answered and every node has heard of it; before that either is right', () => {
  const secrets = begun();
  secrets.rotate({ from: 1_000, to: 1_010, secret: 'b', overlapMs: 0 });
  assert.deepEqual(at(secrets, 999), ['a']);
  assert.deepEqual(at(secrets, 1_000), ['a', 'b']);
  assert.deepEqual(at(secrets, 1_109), ['a', 'b']);
  assert.deepEqual(at(secrets, 1_110), ['b']);
});

test('in an overlap both sign, and at its end either', () => {
  const secrets = begun();
  secrets.rotate({ from: 1_000, to: 1_010, secret: 'b', overlapMs: 5_000 });
  assert.deepEqual(at(secrets, 1_050), ['a', 'b+a']);
  assert.deepEqual(at(secrets, 1_110), ['b+a']);
  assert.deepEqual(at(secrets, 5_999), ['b+a']);
  assert.deepEqual(at(secrets, 6_005), ['b', 'b+a']);
  assert.deepEqual(at(secrets, 6_010), ['b']);
});

test('an overlap ends with the next rotation, whose own has the secret before it', () => {
  const secrets = begun();
  secrets.rotate({ from: 1_000, to: 1_010, secret: 'b', overlapMs: 60_000 });
  secrets.rotate({ from: 2_000, to: 2_010, secret: 'c', overlapMs: 1_000 });
  assert.deepEqual(at(secrets, 2_500), ['c+b']);
  assert.deepEqual(at(secrets, 4_000), ['c']);
});

test('one that nobody answered may have been made at any time, and its secret is not known', () => {
  const secrets = begun();
  secrets.rotate({ from: 1_000, to: never, secret: null, overlapMs: 0 });
  assert.deepEqual(at(secrets, 900), ['a']);
  assert.deepEqual(at(secrets, 9_000), ['a', 'null']);
  secrets.rotate({ from: 10_000, to: 10_010, secret: 'b', overlapMs: 0 });
  assert.deepEqual(new Set(at(secrets, 20_000)), new Set(['b', 'null']));
});

test('nodes hear of rotations in their order, and many that are not certain are no more than as many', () => {
  const secrets = begun();
  for (let n = 0; n < 40; n++) secrets.rotate({ from: n, to: n + 1, secret: `s${n}`, overlapMs: 0 });
  assert.deepEqual(at(secrets, 60), ['a', ...Array.from({ length: 40 }, (_, n) => `s${n}`)]);
  secrets.rotate({ from: 50, to: 51, secret: 'last', overlapMs: 5_000 });
  assert.deepEqual(at(secrets, 151), ['last+s39']);
});
