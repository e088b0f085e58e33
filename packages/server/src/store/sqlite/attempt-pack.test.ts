// Attempts on their way between two threads: what goes in comes out, whole or one by one, and again from a pack that was
// used before.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { AttemptRecord, Next } from '../store.ts';
import {
  AttemptPack,
  countAttempts,
  noAttempts,
  type PackedAttempts,
  takeApart,
  unpackAttempts,
} from './attempt-pack.ts';

const next: fc.Arbitrary<Next> = fc.oneof(
  fc.constant<Next>({ kind: 'delivered' }),
  fc.constant<Next>({ kind: 'failed' }),
  fc.maxSafeNat().map((at): Next => ({ kind: 'retry', at })),
);
const name = fc.constantFrom('', 'a', 'tag00001', 'täg');
const record: fc.Arbitrary<AttemptRecord> = fc.record(
  {
    key: fc.string(),
    tag: name,
    bytes: fc.maxSafeNat(),
    number: fc.nat(),
    extra: fc.boolean(),
    ordered: fc.constant(false),
    next,
    startedAt: fc.maxSafeNat(),
    durationMs: fc.double({ min: 0, max: 1e9, noNaN: true }),
    status: fc.option(fc.integer({ min: 100, max: 599 })),
    cause: fc.option(name),
    detail: fc.option(fc.string({ unit: 'grapheme' })),
    timings: fc.string(),
    url: name,
    requestHeaders: fc.string({ unit: 'grapheme', maxLength: 2_000 }),
    responseHeaders: fc.option(name),
    responseBody: fc.option(fc.uint8Array({ maxLength: 5_000 })),
    truncated: fc.boolean(),
  },
  { noNullPrototype: true },
);

const unpacked = (packed: PackedAttempts): AttemptRecord[] =>
  unpackAttempts(packed).map((attempt) => ({
    ...attempt,
    ordered: false,
    requestHeaders: Buffer.from(attempt.requestHeaders).toString('utf8'),
    responseBody: attempt.responseBody === null ? null : Uint8Array.from(attempt.responseBody),
  }));

test('what is packed arrives, also from a pack that was used before, and one by one', () => {
  const pack = new AttemptPack();
  fc.assert(
    fc.property(fc.array(record, { maxLength: 60 }), (records) => {
      pack.clear();
      for (const one of records) pack.add(one);
      assert.equal(pack.size, records.length);
      const packed = structuredClone(pack.packed());
      assert.equal(countAttempts(packed), records.length);
      assert.deepEqual(unpacked(packed), records);
      assert.deepEqual(takeApart(packed).flatMap(unpacked), records);
    }),
  );
});

test('parts are copies: the pack may be filled again', () => {
  const [one] = fc.sample(record, 1) as [AttemptRecord];
  const pack = new AttemptPack();
  pack.add(one);
  const [part] = takeApart(pack.packed());
  pack.clear();
  pack.add({ ...one, requestHeaders: 'x'.repeat(100), number: one.number + 1 });
  assert.deepEqual(unpacked(part as PackedAttempts), [one]);
  assert.deepEqual(unpackAttempts(noAttempts), []);
});
