// What replays made, beside live deliveries in the lanes of the dispatcher.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { DispatcherBed } from '../../test/support/dispatching.ts';
import { settle } from '../../test/support/fake-clock.ts';
import { taskOf } from './dispatcher.ts';

describe('replays', () => {
  const made = (bed: DispatcherBed, tag: string, count: number, atMs: number) => {
    for (const key of bed.put(tag, count, { replay: { at: 0, from: 0 } }, Number.MAX_SAFE_INTEGER)) {
      const row = bed.store.rows.get(key);
      assert.ok(row !== undefined);
      row.held = true;
      bed.dispatcher.take(taskOf(row.claimed), { replayId: 'a', atMs });
    }
  };

  test('a live delivery goes before all that a replay has made, and finds room', async () => {
    const bed = new DispatcherBed();
    const tag = bed.endpoint('a');
    await bed.prove(tag, 10);
    made(bed, tag, 40, 0);
    await settle();
    const before = bed.to(tag).length;
    assert.ok(before >= 2 && before < 10, `${before} under way`);
    const [key] = bed.bear(tag);
    await settle();
    assert.equal(bed.to(tag).length, before + 1);
    assert.ok(key?.startsWith(bed.to(tag).at(-1)?.id ?? 'none'));
  });

  test('a live delivery with a rate does not wait for a replay’s time', async () => {
    const bed = new DispatcherBed();
    const tag = bed.endpoint('a', { ratePerSecond: 100 });
    await bed.prove(tag, 1);
    made(bed, tag, 1, bed.clock.monotonic() + 60_000);
    await bed.clock.advance(5);
    bed.bear(tag, 2);
    await bed.clock.advance(20);
    assert.equal(bed.to(tag).length, 2);
    await bed.clock.advance(60_000);
    await bed.work(200);
    assert.equal(bed.store.finished.at(-1)?.next.kind, 'delivered');
  });

  test('a lane has room for a few, none while the store has work for it or its breaker rests', async () => {
    const bed = new DispatcherBed({ breakerFailures: 1 });
    const tag = bed.endpoint('a');
    const room = () => bed.dispatcher.roomForReplay(tag, 'a', 5);
    assert.equal(room(), 21);
    made(bed, tag, 7, bed.clock.monotonic() + 10_000);
    assert.equal(room(), 14);
    bed.dispatcher.noteBehind(tag);
    assert.equal(room(), 0);
    await settle();
    assert.equal(room(), 14, 'the store had nothing for it after all');
    bed.bear(tag);
    await settle();
    bed.to(tag)[0]?.answer(500);
    await settle();
    assert.equal(room(), 0);
    await bed.dispatcher.stop(1_000);
    assert.equal(room(), 0);
  });

  const replay = { at: 0, from: 0 };
  const isReplayed = (bed: DispatcherBed, { id }: { id: string }) =>
    [...bed.store.rows.values()].some(
      ({ claimed }) => claimed.key.startsWith(`${id} `) && claimed.replay !== undefined,
    );

  test('whatever of a replay is due again, and however long, live deliveries of the store are sent first', async () => {
    const bed = new DispatcherBed({ laneConcurrency: 4 });
    bed.dispatcher.start();
    await bed.clock.advance(2_000);
    const tag = bed.endpoint('a');
    await bed.prove(tag, 10);
    bed.put(tag, 500, { replay }, bed.clock.now() - 60_000);
    bed.dispatcher.noteBehind(tag);
    await settle();
    await bed.work(200, 3);
    const lane = bed.dispatcher.laneOf(tag);
    assert.ok(lane !== null && lane.waitingReplayed > 16, `${lane?.waitingReplayed} in memory`);
    const live = bed.put(tag, 30);
    bed.dispatcher.noteBehind(tag);
    await settle();
    for (let round = 0; round < 12; round++) await bed.work(200);
    const left = live.filter((key) => bed.store.rows.has(key));
    assert.deepEqual(left, []);
    assert.ok(lane.waitingReplayed > 0, 'the replay is not over yet');
  });

  test('a replay whose attempts fail rests, is given nothing more meanwhile, and is tried again with one', async () => {
    const bed = new DispatcherBed({ breakerFailures: 3 });
    bed.dispatcher.start();
    const tag = bed.endpoint('a');
    await bed.prove(tag, 10);
    made(bed, tag, 6, 0);
    bed.put(tag, 40, { replay }, bed.clock.now() + 400);
    await settle();
    await bed.work(500, 2);
    assert.equal(bed.store.finished.filter(({ status }) => status === 500).length, 4);
    assert.equal(bed.to(tag).length, 0);
    assert.equal(bed.dispatcher.roomForReplay(tag, 'a', 5), 0);
    assert.equal(bed.store.closedLanes.size, 0, 'the lane itself does not rest');
    bed.bear(tag);
    await settle();
    assert.equal(bed.to(tag).length, 1);
    await bed.work(200);
    await bed.clock.advance(900);
    const waiting = () => bed.dispatcher.laneOf(tag)?.waitingReplayed ?? 0;
    assert.ok(waiting() <= 2 + 8, `${waiting()} in memory`);
    assert.equal(bed.to(tag).length, 0);
    await bed.clock.advance(150);
    assert.deepEqual(
      bed.to(tag).map((request) => isReplayed(bed, request)),
      [true],
    );
    await bed.work(200, 60);
    await bed.clock.advance(6_000);
    await bed.work(200, 60);
    assert.deepEqual(bed.store.left(), { held: [], waiting: [] });
  });

  test('while a replay is tried again with one, live deliveries of the store are asked for, and of it nothing', async () => {
    const bed = new DispatcherBed({ breakerFailures: 3 });
    bed.dispatcher.start();
    const tag = bed.endpoint('a');
    await bed.prove(tag, 10);
    made(bed, tag, 8, 0);
    await settle();
    await bed.work(500, 2);
    await bed.clock.advance(1_050);
    assert.equal(bed.to(tag).length, 1, 'the one that it is tried with');
    const lane = bed.dispatcher.laneOf(tag);
    made(bed, tag, 3, 0);
    assert.ok(lane !== null && lane.waitingReplayed >= 2, `${lane?.waitingReplayed} in memory`);
    bed.put(tag, 40, { replay }, bed.clock.now());
    const live = bed.put(tag, 5);
    bed.dispatcher.noteBehind(tag);
    await settle();
    await bed.clock.advance(1_000);
    bed.store.claims.length = 0;
    bed.dispatcher.noteBehind(tag);
    await settle();
    assert.deepEqual(bed.faults, []);
    await bed.work(200, 10);
    assert.deepEqual(
      live.filter((key) => bed.store.rows.has(key)),
      [],
    );
  });
});
