// What the dispatcher does for one lane: its concurrency, its breaker, its return after an outage.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { DispatcherBed } from '../../test/support/dispatching.ts';
import { settle } from '../../test/support/fake-clock.ts';

describe('a lane’s concurrency', () => {
  test('starts at two, grows with success to the ceiling, and shrinks on timeouts', async () => {
    const bed = new DispatcherBed({ laneConcurrency: 8, breakerFailures: 1_000 });
    bed.endpoint('lane');
    bed.bear('lane', 600);
    await settle();
    const seen: number[] = [];
    for (let i = 0; i < 5; i++) {
      seen.push(bed.to('lane').length);
      await bed.work(200);
    }
    assert.deepEqual(seen, [2, 4, 8, 8, 8]);
    await bed.work({ cause: 'timeout_connecting' });
    assert.equal(bed.to('lane').length, 4);
    await bed.clock.advance(10);
    await bed.work(429);
    assert.equal(bed.to('lane').length, 2);
    await bed.work(500, 3);
    assert.equal(bed.to('lane').length, 2, 'other failures leave it as it is');
  });

  test('the webhook’s own limit holds', async () => {
    const bed = new DispatcherBed();
    bed.bear(bed.endpoint('lane', { maxConcurrency: 1 }), 30);
    await settle();
    for (let i = 0; i < 10; i++) {
      assert.equal(bed.to('lane').length, 1);
      await bed.work(200);
    }
  });

  test('the webhook’s rate paces the starts', async () => {
    const bed = new DispatcherBed();
    bed.sender.rule = () => 200;
    bed.bear(bed.endpoint('lane', { ratePerSecond: 10 }), 30);
    await settle();
    assert.equal(bed.sender.sent.length, 1);
    await bed.clock.advance(99);
    assert.equal(bed.sender.sent.length, 1);
    await bed.clock.advance(1);
    assert.equal(bed.sender.sent.length, 2);
    await bed.clock.advance(1_000);
    assert.equal(bed.sender.sent.length, 12);
    await bed.clock.advance(10_000);
    assert.equal(bed.sender.sent.length, 30);
  });
});

describe('the breaker', () => {
  /** A lane that fails from now on, with much of it in memory. */
  async function open(bed: DispatcherBed): Promise<void> {
    bed.endpoint('lane');
    bed.sender.rule = () => 500;
    bed.bear('lane', 100);
    await settle();
  }

  test('after ten failures everything goes back, and nothing is sent until the rest is over', async () => {
    const bed = new DispatcherBed();
    await open(bed);
    const sent = bed.sender.sent.length;
    assert.ok(sent >= 10 && sent <= 12, `${sent}`);
    assert.equal(bed.store.released.length, 100 - sent);
    assert.deepEqual([...bed.store.closedLanes], ['lane']);
    assert.equal(bed.store.markers.get('lane'), bed.clock.now() + 1_000);
    bed.dispatcher.start();
    await bed.clock.advance(999);
    assert.equal(bed.sender.sent.length, sent);
    bed.bear('lane', 5);
    await settle();
    assert.equal(bed.sender.sent.length, sent, 'what is born meanwhile goes back too');
  });

  test('what comes during a rest waits until a whole millisecond, as stores keep them', async () => {
    const bed = new DispatcherBed();
    await open(bed);
    // The wall clock has whole milliseconds, the monotonic one has not.
    await bed.clock.advance(100.4);
    bed.clock.jump(-0.4);
    bed.bear('lane', 5);
    await settle();
    const until = bed.store.markers.get('lane') ?? Number.NaN;
    assert.equal(until, bed.clock.now() + 900);
  });

  test('it probes with one delivery, rests twice as long after a failure, and goes on after a success', async () => {
    const bed = new DispatcherBed();
    await open(bed);
    bed.dispatcher.start();
    bed.sender.rule = null;
    const before = bed.sender.sent.length;
    await bed.clock.advance(1_001);
    assert.equal(bed.sender.sent.length, before + 1);
    bed.store.claims.length = 0;
    bed.dispatcher.noteBehind('lane');
    await bed.clock.advance(1_500);
    assert.equal(bed.sender.sent.length, before + 1, 'one probe at a time');
    for (const { lanes } of bed.store.claims)
      assert.deepEqual(lanes, [], 'nothing more is asked for meanwhile');
    await bed.work(500);
    assert.deepEqual(bed.dispatcher.figures.openBreakers, 1);
    await bed.clock.advance(1_990);
    assert.equal(bed.sender.sent.length, before + 1);
    await bed.clock.advance(20);
    assert.equal(bed.sender.sent.length, before + 2);
    bed.sender.rule = () => 200;
    await bed.work(200);
    assert.deepEqual([...bed.store.closedLanes], []);
    await bed.clock.advance(120_000);
    assert.deepEqual(bed.store.left(), { held: [], waiting: [] });
    assert.equal(bed.dispatcher.figures.openBreakers, 0);
  });

  test('a success of what was still under way ends the rest at once', async () => {
    const bed = new DispatcherBed();
    bed.dispatcher.start();
    await bed.prove(bed.endpoint('lane'), 20);
    bed.bear('lane', 100);
    await settle();
    const [last, ...others] = bed.to('lane');
    for (const sent of others.slice(0, 10)) sent.answer(500);
    await settle();
    assert.deepEqual([...bed.store.closedLanes], ['lane']);
    const before = bed.sender.sent.length;
    last?.answer(200);
    await settle();
    assert.deepEqual([...bed.store.closedLanes], []);
    for (const sent of bed.to('lane')) sent.answer(200);
    await settle();
    assert.ok(
      bed.sender.sent.length > before,
      'what went back is claimed again without waiting for the marker',
    );
  });
});

describe('after an outage', () => {
  test('a thousand that waited meet a ramp: two at once, then twice as many a round, then one more a round', async () => {
    const bed = new DispatcherBed();
    await bed.prove(bed.endpoint('lane'), 60);
    bed.bear('lane', 1);
    await settle();
    assert.equal(bed.to('lane').length, 1);
    // Nothing accepts connections any more, and events keep coming.
    bed.sender.rule = () => ({ cause: 'connection_refused' });
    bed.sender.answerAll({ cause: 'connection_refused' });
    bed.bear('lane', 32);
    await settle();
    assert.deepEqual([...bed.store.closedLanes], ['lane']);
    bed.put('lane', 1_000);
    bed.sender.rule = null;
    bed.dispatcher.start();
    await bed.clock.advance(1_001);
    assert.equal(bed.to('lane').length, 1, 'the probe');
    const rounds: number[] = [];
    for (let round = 0; round < 8; round++) {
      await bed.work(200);
      rounds.push(bed.to('lane').length);
    }
    assert.deepEqual(rounds, [2, 4, 8, 16, 16, 17, 18, 19]);
  });

  test('one that fails again in the middle of the ramp rests again', async () => {
    const bed = new DispatcherBed();
    bed.endpoint('lane');
    bed.sender.rule = () => 500;
    bed.bear('lane', 12);
    await settle();
    bed.put('lane', 1_000);
    bed.dispatcher.start();
    bed.sender.rule = null;
    await bed.clock.advance(1_001);
    await bed.work(200, 3);
    assert.equal(bed.to('lane').length, 3, 'one that had no more than two before is in no hurry');
    const before = bed.sender.sent.length;
    bed.sender.rule = () => 500;
    await bed.work(500, 1);
    await settle();
    assert.deepEqual([...bed.store.closedLanes], ['lane']);
    assert.ok(bed.sender.sent.length - before <= 16, `${bed.sender.sent.length - before} more`);
  });
});
