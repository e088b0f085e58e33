// The replayer: what it makes and when, on a clock that stands still; that faults and changes do not end it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock, settle } from '../../test/support/fake-clock.ts';
import { FakeDeliveries, newGate } from '../../test/support/fake-deliveries.ts';
import type { Claimed, RunningReplay } from '../store/store.ts';
import type { ReplayStart } from './lane.ts';
import { Replayer } from './replayer.ts';

function setUp() {
  const clock = new FakeClock();
  const store = new FakeDeliveries();
  const taken: { key: string; start: ReplayStart }[] = [];
  const done: string[] = [];
  const faults: string[] = [];
  /** What a lane takes at the moment; null: as much as it is offered. */
  const lane: { room: number | null; aheads: number[] } = { room: null, aheads: [] };
  const replayer = new Replayer({
    store,
    clock,
    retentionMs: 3_600_000,
    room(_tag, _replayId, ahead) {
      lane.aheads.push(ahead);
      return lane.room ?? 1_000;
    },
    take: ({ key }, start) => taken.push({ key, start }),
    noteDue: () => {},
    onDone: ({ id }) => done.push(id),
    onFault: (_error, doing) => faults.push(doing),
  });
  function begin(id: string, count: number, rate: number | null = null): void {
    const replay: RunningReplay = {
      id,
      tag: `tag of ${id}`,
      teamId: 'team_1',
      since: 0,
      until: 1,
      seqFrom: 0,
      types: null,
      states: ['failed'],
      createdAt: 1,
      rate,
      cursor: { state: 'failed', after: '' },
      turn: 0,
    };
    const left = Array.from({ length: count }, (_, at) => ({ key: `${id} ${at}` }) as Claimed);
    store.replays.set(id, { replay, left });
  }
  return { clock, store, taken, done, faults, lane, replayer, begin };
}

test('without a rate a lane is given what it has room for, again and again, until all is made', async () => {
  const { clock, store, taken, done, lane, replayer, begin } = setUp();
  begin('a', 25);
  lane.room = 10;
  replayer.start();
  await clock.advance(0);
  assert.equal(taken.length, 10);
  lane.room = 0;
  await clock.advance(500);
  assert.equal(taken.length, 10, 'a lane that has enough gets nothing');
  lane.room = 10;
  await clock.advance(20);
  assert.equal(taken.length, 25);
  assert.deepEqual([done, store.replays.size], [['a'], 0]);
  assert.equal(new Set(taken.map(({ key }) => key)).size, 25);
  await replayer.stop();
});

test('with a rate each has its time, evenly, and few steps make many', async () => {
  const { clock, store, taken, lane, replayer, begin } = setUp();
  begin('a', 500, 100);
  const startedMs = clock.monotonic();
  replayer.start();
  await clock.advance(2_000);
  const dueNow = taken.filter(({ start }) => start.atMs <= clock.monotonic());
  assert.ok(Math.abs(dueNow.length - 200) <= 1, `${dueNow.length} in two seconds`);
  for (const [at, { start }] of taken.entries())
    assert.ok(Math.abs(start.atMs - startedMs - at * 10) < 0.01, `${at}: ${start.atMs - startedMs}`);
  assert.ok(lane.aheads.every((ahead) => ahead === 25));
  assert.ok(store.replayRequests.length <= 20, `${store.replayRequests.length} steps`);
  await replayer.stop();
});

test('a slow one is looked at when its time comes, not all the time', async () => {
  const { clock, taken, lane, replayer, begin } = setUp();
  begin('a', 5, 0.1);
  replayer.start();
  await clock.advance(9_000);
  assert.equal(taken.length, 1);
  assert.ok(lane.aheads.length < 15, `${lane.aheads.length} looks`);
  await clock.advance(1_000);
  assert.equal(taken.length, 2);
  await replayer.stop();
});

test('several go on side by side', async () => {
  const { clock, taken, done, lane, replayer, begin } = setUp();
  begin('a', 20);
  begin('b', 20);
  lane.room = 5;
  replayer.start();
  await clock.advance(15);
  const counts = ['a', 'b'].map((id) => taken.filter(({ start }) => start.replayId === id).length);
  assert.deepEqual(counts, [10, 10]);
  await clock.advance(100);
  assert.deepEqual(done.toSorted(), ['a', 'b']);
  await replayer.stop();
});

test('one that begins later is found within a second, or at once when it is told', async () => {
  const { clock, taken, replayer, begin } = setUp();
  replayer.start();
  await clock.advance(10);
  begin('a', 1);
  await clock.advance(1_000);
  assert.equal(taken.length, 1);
  begin('b', 1);
  replayer.wake();
  await clock.advance(0);
  assert.equal(taken.length, 2);
  await replayer.stop();
});

test('where something came between, it reads anew and goes on', async () => {
  const { clock, store, taken, replayer, begin, lane } = setUp();
  begin('a', 2);
  lane.room = 1;
  replayer.start();
  await clock.advance(0);
  const running = store.replays.get('a');
  assert.ok(running !== undefined);
  running.replay = { ...running.replay, turn: 7 };
  await clock.advance(90);
  assert.equal(taken.length, 1);
  await clock.advance(20);
  assert.equal(taken.length, 2);
  await replayer.stop();
});

test('a store that is away is a fault, and asked again a second later', async () => {
  const { clock, store, taken, faults, replayer, begin } = setUp();
  begin('a', 1);
  store.failing.add('makeReplayed');
  replayer.start();
  await clock.advance(0);
  assert.deepEqual(faults, ['replaying']);
  store.failing.clear();
  await clock.advance(999);
  assert.equal(taken.length, 0);
  await clock.advance(1);
  assert.equal(taken.length, 1);
  await replayer.stop();
});

test('a stop waits for the step that is under way, and hands over what it made', async () => {
  const { clock, store, taken, replayer, begin } = setUp();
  begin('a', 3);
  const { gate, open } = newGate();
  store.gates.set('makeReplayed', gate);
  replayer.start();
  await clock.advance(0);
  let stopped = false;
  const stopping = replayer.stop().then(() => {
    stopped = true;
  });
  await settle();
  assert.equal(stopped, false);
  open();
  await stopping;
  assert.equal(taken.length, 3);
  await clock.advance(5_000);
  assert.equal(clock.timers, 0);
});

test('where the store has no room, it is not asked without a pause', async () => {
  const { clock, store, replayer, begin, lane } = setUp();
  begin('a', 5);
  lane.room = 1;
  const running = store.replays.get('a');
  assert.ok(running !== undefined);
  // A step that makes nothing and moves nothing.
  store.makeReplayed = ({ replay }) => {
    store.replayRequests.push(1);
    return Promise.resolve({ kind: 'made', claimed: [], due: false, next: replay });
  };
  replayer.start();
  await clock.advance(100);
  assert.ok(store.replayRequests.length <= 11, `${store.replayRequests.length} steps in 100 ms`);
  await replayer.stop();
});

test('two replays of a webhook do not make each other’s steps stale', async () => {
  const { clock, store, taken, replayer, begin, lane } = setUp();
  begin('a', 4);
  begin('b', 4);
  const [a, b] = [store.replays.get('a'), store.replays.get('b')];
  assert.ok(a !== undefined && b !== undefined);
  b.replay = { ...b.replay, tag: a.replay.tag };
  const make = store.makeReplayed.bind(store);
  // Every step raises the turn of both.
  store.makeReplayed = async (request) => {
    const step = await make(request);
    for (const running of store.replays.values())
      running.replay = { ...running.replay, turn: request.replay.turn + 1 };
    return step;
  };
  lane.room = 1;
  replayer.start();
  await clock.advance(60);
  assert.ok(taken.length >= 7, `${taken.length} made`);
  await replayer.stop();
});
