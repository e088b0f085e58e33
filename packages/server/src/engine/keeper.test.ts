// The keeper: what it does and when, that a fault does not end it, and that it ends when it should.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock, settle } from '../../test/support/fake-clock.ts';
import { FakeDeliveries, newGate } from '../../test/support/fake-deliveries.ts';
import { createKeeper } from './keeper.ts';

const retentionMs = 3_600_000;

function setUp() {
  const clock = new FakeClock();
  const store = new FakeDeliveries();
  const faults: string[] = [];
  const keeper = createKeeper(store, clock, retentionMs, (_error, doing) => faults.push(doing));
  return { clock, store, faults, keeper };
}

test('removed webhooks are looked after every second, in batches until none is left', async () => {
  const { clock, store, keeper } = setUp();
  keeper.start();
  assert.equal(store.cancels, 0);
  store.cancelCounts.push(500, 500, 12);
  await clock.advance(1_000);
  assert.equal(store.cancels, 3);
  await clock.advance(1_000);
  assert.equal(store.cancels, 4);
  await keeper.stop();
});

test('history is pruned every ten seconds, batch after batch, of what is older than the retention', async () => {
  const { clock, store, keeper } = setUp();
  const startedAt = clock.now();
  keeper.start();
  store.pruneCounts.push(100, 100, 0);
  await clock.advance(10_000);
  const before = startedAt + 10_000 - retentionMs;
  assert.deepEqual(store.prunes, [before, before, before]);
  await clock.advance(10_000);
  assert.equal(store.prunes.length, 4);
  await keeper.stop();
});

test('a short retention is looked after more often, but not more than once a second', async () => {
  for (const [retention, everyMs] of [
    [120_000, 1_200],
    [3_000, 1_000],
  ] as const) {
    const clock = new FakeClock();
    const store = new FakeDeliveries();
    const keeper = createKeeper(store, clock, retention, () => {});
    keeper.start();
    await clock.advance(everyMs - 1);
    assert.equal(store.prunes.length, 0);
    await clock.advance(1);
    assert.equal(store.prunes.length, 1);
    await keeper.stop();
  }
});

test('between two batches of old history the store has as long a rest as the first one took', async () => {
  const { clock, store, keeper } = setUp();
  const { gate, open } = newGate();
  store.gates.set('prune', gate);
  store.pruneCounts.push(100, 0);
  keeper.start();
  await clock.advance(10_000);
  await clock.advance(40);
  open();
  store.gates.clear();
  await clock.advance(39);
  assert.equal(store.prunes.length, 1);
  await clock.advance(1);
  assert.equal(store.prunes.length, 2);
  await keeper.stop();
});

test('lanes are swept every half minute', async () => {
  const { clock, store, keeper } = setUp();
  const startedAt = clock.now();
  keeper.start();
  await clock.advance(65_000);
  assert.deepEqual(store.sweeps, [startedAt + 30_000, startedAt + 60_000]);
  await keeper.stop();
});

test('a fault is told and does not end the work', async () => {
  const { clock, store, faults, keeper } = setUp();
  store.failing.add('cancelRemoved').add('sweep');
  keeper.start();
  await clock.advance(31_000);
  assert.equal(faults.filter((doing) => doing.includes('cancel')).length, 31);
  assert.equal(faults.filter((doing) => doing.includes('lanes')).length, 1);
  store.failing.clear();
  await clock.advance(30_000);
  assert.equal(store.sweeps.length, 1);
  assert.equal(faults.length, 32);
  await keeper.stop();
});

test('a slow batch is not joined by a second one', async () => {
  const { clock, store, keeper } = setUp();
  const { gate, open } = newGate();
  store.gates.set('cancelRemoved', gate);
  keeper.start();
  await clock.advance(10_000);
  assert.equal(store.cancels, 1);
  store.gates.clear();
  open();
  await clock.advance(1_000);
  assert.equal(store.cancels, 2);
  await keeper.stop();
});

test('a stop waits for what is under way, and nothing begins after it', async () => {
  const { clock, store, keeper } = setUp();
  const { gate, open } = newGate();
  store.gates.set('cancelRemoved', gate);
  store.cancelCounts.push(500, 500, 500);
  keeper.start();
  await clock.advance(1_000);
  let stopped = false;
  const stopping = keeper.stop().then(() => {
    stopped = true;
  });
  await settle();
  assert.equal(stopped, false);
  open();
  await stopping;
  await clock.advance(120_000);
  assert.deepEqual([store.cancels, store.sweeps, clock.timers], [1, [], 0]);
  await keeper.stop();
});
