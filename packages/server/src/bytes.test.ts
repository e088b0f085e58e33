import assert from 'node:assert/strict';
import { test } from 'node:test';
import { copyOf, release } from './bytes.ts';

test('a copy that is kept keeps at most 8 KiB alive, or as much as it has itself', () => {
  // What is left of the piece of memory that Node began with goes first.
  for (let i = 0; i < 64; i++) copyOf(new Uint8Array(1_024));
  for (const length of [1, 300, 1_024, 4_095, 4_096, 8_192, 100_000]) {
    const message = new Uint8Array(2 * length).fill(7);
    const copy = copyOf(message.subarray(length));
    assert.deepEqual([...copy], Array(length).fill(7));
    assert.ok(copy.buffer.byteLength <= Math.max(8_192, length), `${length}: ${copy.buffer.byteLength}`);
  }
});

test('what is released has no bytes any more, and copies of it keep theirs', () => {
  const message = Uint8Array.of(1, 2, 3);
  const copy = copyOf(message);
  release(message);
  assert.equal(message.length, 0);
  assert.deepEqual([...copy], [1, 2, 3]);
});
