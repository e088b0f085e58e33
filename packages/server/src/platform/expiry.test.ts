import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../../test/support/fake-clock.ts';
import type { Change, Store } from '../store/store.ts';
import { startExpiry } from './expiry.ts';

const everyMs = 5 * 60_000;

/** A store of which only `change` is asked; the statements themselves are tested with real stores. */
function fakeStore(change: (change: Change) => Promise<unknown>): Store {
  const query = { where: () => query, compile: () => ({ sql: '', parameters: [] }) };
  return { queries: { deleteFrom: () => query }, change } as unknown as Store;
}

test('what has run out is deleted every five minutes, also after a failure, until the end', async () => {
  const clock = new FakeClock();
  const at: number[] = [];
  const faults: unknown[] = [];
  let fails = false;
  const store = fakeStore(({ now }) => {
    at.push(now);
    return fails ? Promise.reject(new Error('away')) : Promise.resolve({ kind: 'done' });
  });
  const startedAt = clock.now();
  const stop = startExpiry({ store, clock }, (error) => faults.push(error));
  await clock.advance(everyMs - 1);
  assert.deepEqual(at, []);
  await clock.advance(1);
  fails = true;
  await clock.advance(everyMs);
  assert.equal(faults.length, 1);
  fails = false;
  await clock.advance(everyMs);
  assert.deepEqual(at, [startedAt + everyMs, startedAt + 2 * everyMs, startedAt + 3 * everyMs]);
  await stop();
  await clock.advance(10 * everyMs);
  assert.equal(at.length, 3);
  assert.equal(clock.timers, 0);
});
