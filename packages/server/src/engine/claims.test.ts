// What the dispatcher fetches from the store: for which lanes, how much at a time, and when.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { DispatcherBed } from '../../test/support/dispatching.ts';
import { settle } from '../../test/support/fake-clock.ts';
import { newGate } from '../../test/support/fake-deliveries.ts';

describe('claims', () => {
  test('a claim that fails is made again', async () => {
    const bed = new DispatcherBed();
    bed.put(bed.endpoint('lane'), 1);
    bed.store.failing.add('claim');
    bed.dispatcher.start();
    await bed.clock.advance(400);
    bed.store.failing.clear();
    await bed.clock.advance(100);
    assert.equal(bed.sender.sent.length, 1);
    assert.match(bed.faults[0] ?? '', /claiming deliveries/);
  });

  test('due work that nobody told of is found within a second', async () => {
    const bed = new DispatcherBed();
    bed.dispatcher.start();
    await settle();
    bed.put(bed.endpoint('lane'), 1);
    await bed.clock.advance(1_000);
    assert.equal(bed.sender.sent.length, 1);
  });

  test('work that is behind is asked for by name, at once', async () => {
    const bed = new DispatcherBed();
    bed.put(bed.endpoint('lane'), 3);
    bed.dispatcher.noteBehind('lane');
    await settle();
    assert.deepEqual(bed.store.claims[0]?.lanes, [{ tag: 'lane', count: 32, replayed: 0 }]);
    assert.equal(bed.to('lane').length, 2);
  });

  test('a lane takes no more into memory than its high-water mark, and more only when little is left', async () => {
    const bed = new DispatcherBed({ laneConcurrency: 4 });
    bed.dispatcher.start();
    await bed.clock.advance(4_000);
    bed.put(bed.endpoint('lane'), 4_000);
    bed.dispatcher.noteBehind('lane');
    const seen: number[] = [];
    await settle();
    for (let i = 0; i < 800; i++) {
      seen.push(bed.dispatcher.figures.waiting);
      await bed.work(200);
    }
    // Concurrency 4 at the most: up to 64 by name, and eight more by way of the look at all due lanes.
    assert.ok(Math.max(...seen) <= 72, `${Math.max(...seen)}`);
    for (const { lanes } of bed.store.claims)
      for (const { count } of lanes) assert.ok(count > 64 - 16 || count === 32, `${count}`);
    assert.ok(bed.sender.sent.length > 3_000);
    assert.ok(bed.store.left().held.length <= 72);
  });

  test('one claim asks for no more in all than the store says, and every lane has its turn', async () => {
    const bed = new DispatcherBed();
    const tags = Array.from({ length: 100 }, (_, at) => bed.endpoint(`lane${at}`));
    for (const tag of tags) {
      bed.put(tag, 200);
      bed.dispatcher.noteBehind(tag);
    }
    await settle();
    await bed.work(200, 50);
    for (const { lanes } of bed.store.claims) {
      assert.ok(lanes.reduce((sum, { count }) => sum + count, 0) <= bed.store.claimSize);
    }
    for (const tag of tags) assert.ok(bed.sentTo(tag) >= 20, tag);
  });

  for (const [afterMs, pauseMs, lanes] of [
    [0, 60, 4],
    [1_000, 40, 4],
    [2_000, 20, 4],
    [4_000, 0, 16],
  ] as const) {
    test(`a claim that takes 5 ms, ${afterMs} ms after a start, is followed by a pause of ${pauseMs}`, async () => {
      const bed = new DispatcherBed();
      bed.sender.rule = () => 200;
      bed.dispatcher.start();
      await bed.clock.advance(Math.max(0, afterMs - 5));
      for (let at = 0; at < 40; at++) bed.put(bed.endpoint(`lane${at}`), 100);
      const { gate, open } = newGate();
      bed.store.gates.set('claim', gate);
      bed.store.claims.length = 0;
      bed.dispatcher.noteBehind('lane0');
      await bed.clock.advance(5);
      bed.store.gates.clear();
      open();
      await settle();
      assert.equal(bed.store.claims.length > 1, pauseMs === 0);
      if (pauseMs > 0) {
        await bed.clock.advance(pauseMs - 1);
        assert.equal(bed.store.claims.length, 1);
        await bed.clock.advance(1);
        assert.ok(bed.store.claims.length > 1);
      }
      bed.store.claims.length = 0;
      bed.store.listener?.onWork();
      await settle();
      assert.equal(bed.store.claims.find(({ others }) => others.lanes > 0)?.others.lanes, lanes);
    });
  }

  for (const [afterMs, published, size, others] of [
    [0, 0, 16, 4],
    [1_000, 0, 32, 4],
    [2_000, 1, 32, 4],
    [4_000, 0, 128, 16],
    [4_000, 1, 64, 4],
    [4_000, 1_500, 128, 16],
  ] as const) {
    const born = `where ${published} deliveries were born in the second before`;
    test(`${afterMs} ms after a start, ${born}, a claim asks for ${size}, and for ${others} other lanes`, async () => {
      const bed = new DispatcherBed();
      bed.sender.rule = () => 200;
      bed.dispatcher.start();
      await bed.clock.advance(Math.max(0, afterMs - 100));
      const other = bed.endpoint('other');
      if (published > 0) bed.bear(other, published);
      await bed.clock.advance(Math.min(afterMs, 100));
      for (let at = 0; at < 40; at++) bed.put(bed.endpoint(`lane${at}`), 100);
      bed.store.claims.length = 0;
      for (let at = 0; at < 40; at++) bed.dispatcher.noteBehind(`lane${at}`);
      bed.store.listener?.onWork();
      await settle();
      const [claim] = bed.store.claims;
      assert.equal(
        claim?.lanes.reduce((sum, { count }) => sum + count, 0),
        size,
      );
      assert.equal(claim?.others.lanes, others);
    });
  }

  for (const [published, lanes, pauseMs] of [
    [1, 40, 50],
    [1, 1, 25],
    [0, 40, 0],
    [3_000, 40, 0],
  ] as const) {
    const born = `where ${published} deliveries were born meanwhile`;
    test(`a claim of ${lanes} lanes that took 100 ms is followed by a pause of ${pauseMs} ms ${born}`, async () => {
      const bed = new DispatcherBed();
      bed.sender.rule = () => 200;
      bed.store.claimPause = 1;
      bed.store.shortClaimSize = bed.store.claimSize;
      bed.dispatcher.start();
      await bed.clock.advance(4_000);
      const { gate, open } = newGate();
      bed.store.gates.set('claim', gate);
      for (let at = 0; at < lanes; at++) {
        const tag = bed.endpoint(`lane${at}`);
        bed.put(tag, 100);
        bed.dispatcher.noteBehind(tag);
      }
      const other = bed.endpoint('other');
      await bed.clock.advance(100);
      if (published > 0) bed.bear(other, published);
      bed.store.gates.clear();
      bed.store.claims.length = 0;
      open();
      await settle();
      const before = bed.store.claims.length;
      if (pauseMs === 0) {
        assert.ok(before > 5, `${before}`);
        return;
      }
      // A full claim as long as it took, and 50 ms at the most; a quarter of one, of a lane with 32, a quarter of that.
      assert.equal(before, 1);
      await bed.clock.advance(pauseMs - 1);
      assert.equal(bed.store.claims.length, 1);
      await bed.clock.advance(1);
      assert.ok(bed.store.claims.length > 1);
    });
  }

  test('a claim that the store refused is made again for the same lanes', async () => {
    const bed = new DispatcherBed();
    bed.put(bed.endpoint('lane'), 3);
    bed.store.failing.add('claim');
    bed.dispatcher.noteBehind('lane');
    await settle();
    bed.store.failing.clear();
    // Whatever its marker says.
    bed.store.markers.set('lane', bed.clock.now() + 60_000);
    await bed.clock.advance(500);
    assert.equal(bed.to('lane').length, 2);
  });

  test('a lane that hangs is asked for nothing once its memory is full', async () => {
    const bed = new DispatcherBed();
    bed.dispatcher.start();
    bed.put(bed.endpoint('lane'), 5_000);
    bed.dispatcher.noteBehind('lane');
    await settle();
    bed.store.claims.length = 0;
    await bed.clock.advance(29_000);
    assert.ok(bed.store.claims.length > 0);
    for (const { lanes } of bed.store.claims) assert.deepEqual(lanes, []);
    assert.equal(bed.sender.underWay.size, 2);
  });

  test('work of another node is looked for at once', async () => {
    const bed = new DispatcherBed();
    bed.dispatcher.start();
    await settle();
    bed.put(bed.endpoint('lane'), 1);
    bed.store.listener?.onWork();
    await settle();
    assert.equal(bed.sender.sent.length, 1);
  });
});
