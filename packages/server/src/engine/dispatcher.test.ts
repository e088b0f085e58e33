// The dispatcher: turns and sockets, records, leases, a stop. What it does for each lane is in lane-life.test.ts.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { DispatcherBed } from '../../test/support/dispatching.ts';
import { settle } from '../../test/support/fake-clock.ts';
import { newGate } from '../../test/support/fake-deliveries.ts';
import { readHeaderLines } from '../core/header-lines.ts';

describe('turns', () => {
  test('one delivery of a lane is sent in the first round beside a thousand of another', async () => {
    const bed = new DispatcherBed();
    bed.bear(bed.endpoint('crowd'), 1_000);
    const [lone] = bed.bear(bed.endpoint('lone'));
    await settle();
    const at = bed.sender.sent.findIndex(({ id }) => `${id} lone` === lone);
    assert.ok(at >= 0 && at <= 2, `it was number ${at}`);
  });

  test('with every socket taken, the next one that is free goes to who waits, not to the crowd', async () => {
    const bed = new DispatcherBed({ maxSockets: 4 });
    bed.endpoint('crowd');
    bed.endpoint('lone');
    await bed.prove('crowd', 10);
    await bed.prove('lone');
    bed.bear('crowd', 1_000);
    await settle();
    assert.equal(bed.sender.underWay.size, 4);
    bed.bear('lone');
    await settle();
    assert.equal(bed.to('lone').length, 0);
    for (let i = 0; i < 2; i++) {
      bed.to('crowd')[0]?.answer(200);
      await settle();
    }
    assert.equal(bed.to('lone').length, 1);
  });

  test('a lane that keeps up gets the next free sockets, however many crowds stand in the ring', async () => {
    const bed = new DispatcherBed({ maxSockets: 4 });
    const crowds = Array.from({ length: 20 }, (_, i) => bed.endpoint(`crowd${i}`));
    for (const tag of crowds) await bed.prove(tag, 10);
    for (const tag of ['quiet', 'burst']) await bed.prove(bed.endpoint(tag), 10);
    for (const tag of crowds) bed.bear(tag, 50);
    const answerCrowd = async (times: number) => {
      for (let i = 0; i < times; i++) {
        [...bed.sender.underWay].find(({ request }) => request.url.includes('crowd'))?.answer(200);
        await settle();
      }
    };
    await settle();
    // Each has its first turn.
    await answerCrowd(40);
    assert.equal(bed.sender.underWay.size, 4);
    // What came out of one commit together: none of it stands behind the crowds.
    bed.bear('quiet', 3);
    await answerCrowd(3);
    assert.equal(bed.to('quiet').length, 3);
    for (const { answer } of bed.to('quiet')) answer(200);
    await settle();
    // Yet a crowd has no more right than the others, but for its first.
    bed.bear('burst', 20);
    await answerCrowd(10);
    assert.equal(bed.to('burst').length, 1);
  });

  test('a round of the event loop begins 64 attempts at the most, and the next ones the rest', async () => {
    const bed = new DispatcherBed();
    for (let i = 0; i < 30; i++) await bed.prove(bed.endpoint(`lane${i}`), 8);
    for (let i = 0; i < 30; i++) bed.bear(`lane${i}`, 5);
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(bed.sender.underWay.size, 64);
    await settle();
    assert.equal(bed.sender.underWay.size, 150);
  });

  test('lanes take turns: of twenty crowds none gets two sockets before each has one', async () => {
    const bed = new DispatcherBed({ maxSockets: 40 });
    const tags = Array.from({ length: 20 }, (_, i) => bed.endpoint(`lane${i}`));
    for (const tag of tags) bed.bear(tag, 50);
    await settle();
    const first = bed.sender.sent.slice(0, 20).map(({ request }) => request.url);
    assert.equal(new Set(first).size, 20);
  });

  test('every delivery is sent once, with its signature, its id and its trace', async () => {
    const bed = new DispatcherBed();
    bed.sender.rule = () => 200;
    for (const tag of ['a', 'b', 'c']) bed.bear(bed.endpoint(tag), 40);
    await settle();
    await bed.work(200, 20);
    assert.equal(new Set(bed.sender.sent.map(({ id }) => id)).size, 120);
    assert.equal(bed.sender.sent.length, 120);
    assert.deepEqual(bed.store.left(), { held: [], waiting: [] });
    const [sent] = bed.sender.sent;
    const headers = new Map<string, string>();
    const fields = readHeaderLines(sent?.request.headers ?? '');
    for (let i = 0; i < fields.length; i += 2) {
      headers.set(fields[i] ?? '', fields[i + 1] ?? '');
    }
    assert.equal(headers.get('traceparent'), '00-trace');
    assert.equal(headers.get('webhook-id'), sent?.id);
    assert.match(headers.get('x-vercel-signature') ?? '', /^[0-9a-f]{40}$/);
    assert.deepEqual(new Set(bed.spans), new Set([200]));
  });
});

describe('sockets', () => {
  test('no more requests are under way than there are sockets, however many lanes want one', async () => {
    const bed = new DispatcherBed({ maxSockets: 10 });
    for (let i = 0; i < 60; i++) await bed.prove(bed.endpoint(`lane${i}`));
    bed.sender.peak = 0;
    // All of them have to be read anew, and their answers come at once.
    await bed.clock.advance(2_000);
    for (let i = 0; i < 60; i++) bed.bear(`lane${i}`, 2);
    await settle();
    assert.equal(bed.sender.underWay.size, 10);
    await bed.work(200, 15);
    assert.equal(bed.sender.peak, 10);
    assert.deepEqual(bed.store.left(), { held: [], waiting: [] });
  });

  test('lanes that failed share half of the sockets, and a proven one has the rest', async () => {
    const bed = new DispatcherBed({ maxSockets: 20, breakerFailures: 100 });
    const dead = Array.from({ length: 30 }, (_, i) => bed.endpoint(`dead${i}`));
    bed.sender.rule = ({ request }) => (request.url.includes('dead') ? 500 : null);
    for (const tag of dead) bed.bear(tag);
    await settle();
    bed.sender.rule = null;
    await bed.prove(bed.endpoint('good'), 20);
    for (const tag of dead) bed.bear(tag, 5);
    await settle();
    assert.equal(bed.sender.underWay.size, 10);
    bed.bear('good', 10);
    await settle();
    assert.equal(bed.to('good').length, 10);
  });

  test('a lane that was never tried begins beside dead ones that have their half', async () => {
    const bed = new DispatcherBed({ maxSockets: 20 });
    for (let i = 0; i < 8; i++) bed.bear(bed.endpoint(`dead${i}`), 5);
    await settle();
    assert.equal(bed.sender.underWay.size, 10, 'eight first attempts, and two second ones');
    bed.bear(bed.endpoint('new'), 5);
    await settle();
    assert.equal(bed.to('new').length, 1);
    // Yet all of them together leave a quarter to those that are proven.
    for (let i = 0; i < 30; i++) bed.bear(bed.endpoint(`more${i}`));
    await settle();
    assert.equal(bed.sender.underWay.size, 15);
  });

  test('who waits for a share is not forgotten when those before have nothing to send', async () => {
    const bed = new DispatcherBed({ maxSockets: 4 });
    for (const tag of ['dead1', 'dead2', 'dead3']) bed.bear(bed.endpoint(tag));
    await settle();
    const waiting = ['w1', 'w2', 'w3'].map((tag) => bed.endpoint(tag));
    for (const tag of waiting) bed.bear(tag);
    await settle();
    assert.equal(bed.sender.underWay.size, 3);
    for (const tag of ['w2', 'w3']) {
      bed.endpoint(tag, { enabled: false });
      bed.dispatcher.noteChange(tag);
    }
    // One socket is free, and the other two hang on.
    bed.to('dead1')[0]?.answer(500);
    await settle();
    assert.equal(bed.to('w1').length, 1);
    assert.deepEqual(bed.store.released.map(({ key }) => key.split(' ')[1]).toSorted(), ['w2', 'w3']);
  });
});

describe('an endpoint that changes while deliveries wait in memory', () => {
  for (const [what, change] of [
    ['disabled', { enabled: false }],
    ['removed', { removed: true }],
  ] as const) {
    test(`${what}: they go back, and nothing is sent`, async () => {
      const bed = new DispatcherBed({ laneConcurrency: 2 });
      const keys = bed.bear(bed.endpoint('lane'), 10);
      await settle();
      bed.endpoint('lane', change);
      bed.dispatcher.noteChange('lane');
      await settle();
      assert.deepEqual(bed.store.released.map(({ key }) => key).toSorted(), keys.slice(2).toSorted());
      await bed.work(200);
      assert.equal(bed.sender.sent.length, 2);
      assert.equal(bed.store.finished.length, 2, 'what was under way ends as it ends');
    });
  }

  test('a new URL and a new limit are used by the next attempt', async () => {
    const bed = new DispatcherBed();
    await bed.prove(bed.endpoint('lane'), 10);
    bed.bear('lane', 30);
    await settle();
    bed.endpoint('lane', { url: 'https://new.example/', maxConcurrency: 1 });
    bed.dispatcher.noteChange('lane');
    await bed.work(200, 3);
    assert.equal(bed.sender.underWay.size, 1);
    assert.ok(bed.sender.sent.at(-1)?.request.url === 'https://new.example/');
  });

  test('changed on another node: the first attempt after a second knows', async () => {
    const bed = new DispatcherBed({ laneConcurrency: 2 });
    bed.bear(bed.endpoint('lane'), 30);
    await settle();
    bed.endpoint('lane', { enabled: false });
    await bed.clock.advance(1_000);
    await bed.work(200);
    assert.equal(bed.sender.sent.length, 2);
    assert.equal(bed.store.released.length, 28);
  });

  test('an endpoint that can’t be read keeps its own deliveries back, for a while', async () => {
    const bed = new DispatcherBed();
    bed.dispatcher.start();
    bed.bear(bed.endpoint('broken', { secretSealed: Buffer.from('broken') }), 3);
    bed.bear(bed.endpoint('good'));
    await settle();
    assert.equal(bed.to('good').length, 1);
    assert.match(bed.faults[0] ?? '', /reading an endpoint: It does not open/);
    assert.deepEqual(bed.store.left().waiting.length, 3);
    const reads = bed.store.endpointReads.length;
    await bed.clock.advance(400);
    assert.equal(bed.store.endpointReads.length, reads, 'it is not asked for again and again');
    bed.endpoint('broken', { secretSealed: Buffer.from('secret') });
    await bed.clock.advance(200);
    assert.ok(bed.to('broken').length > 0);
  });
});

describe('records', () => {
  test('an attempt leads to its record, and a failed one to a retry at its time', async () => {
    const bed = new DispatcherBed();
    bed.dispatcher.start();
    const now = bed.clock.now();
    const [good, bad] = [bed.endpoint('good', { ordering: 'project' }), bed.endpoint('bad')];
    bed.bear(good);
    bed.bear(bad);
    await settle();
    bed.to('good')[0]?.answer(204);
    bed.to('bad')[0]?.answer({ status: 503, headers: 'Retry-After: 20\r\n' });
    await settle();
    assert.deepEqual(bed.news, ['evt_1 delivered', 'evt_2 retry']);
    const [delivered, failed] = bed.store.finished;
    assert.deepEqual(
      [delivered?.next, delivered?.status, delivered?.cause, delivered?.ordered],
      [{ kind: 'delivered' }, 204, null, true],
    );
    assert.deepEqual(
      [failed?.next, failed?.status, failed?.cause, failed?.ordered],
      [{ kind: 'retry', at: now + 20_000 }, 503, 'status_503', false],
    );
    await bed.clock.advance(19_999);
    assert.equal(bed.sender.sent.length, 2);
    await bed.clock.advance(1);
    assert.equal(bed.sender.sent.length, 3);
    bed.sender.answerAll({ cause: 'connection_refused' });
    await settle();
    await bed.clock.advance(60_000);
    bed.sender.answerAll(500);
    await settle();
    assert.deepEqual(
      bed.store.finished
        .filter(({ tag }) => tag === 'bad')
        .map(({ number, next }) => `${number} ${next.kind}`),
      ['1 retry', '2 retry', '3 failed'],
    );
  });

  test('410 fails at once, and an attempt outside the schedule is never tried again', async () => {
    const bed = new DispatcherBed();
    bed.dispatcher.start();
    bed.put(bed.endpoint('a'), 1, { extra: true, attempts: 1 });
    bed.bear(bed.endpoint('b'));
    await settle();
    bed.to('a')[0]?.answer(500);
    bed.to('b')[0]?.answer(410);
    await settle();
    assert.deepEqual(
      bed.store.finished.map(({ tag, number, extra, next }) => [tag, number, extra, next.kind]),
      [
        ['a', 2, true, 'failed'],
        ['b', 1, false, 'failed'],
      ],
    );
  });

  test('what a replay made has a schedule of its own from where it began', async () => {
    const bed = new DispatcherBed();
    bed.dispatcher.start();
    const replay = { at: bed.clock.now(), from: 3 };
    bed.put(bed.endpoint('a'), 1, { extra: true, attempts: 3, createdAt: 0, replay });
    for (const wait of [6_000, 70_000, 70_000]) {
      await settle();
      await bed.work(500);
      await bed.clock.advance(wait);
    }
    assert.deepEqual(
      bed.store.finished.map(({ number, extra, next }) => [number, extra, next.kind]),
      [
        [4, true, 'retry'],
        [5, true, 'retry'],
        [6, true, 'failed'],
      ],
    );
  });

  test('an attempt that can’t be recorded goes back and is sent again, under the same number', async () => {
    const bed = new DispatcherBed();
    bed.dispatcher.start();
    bed.bear(bed.endpoint('lane'));
    await settle();
    bed.store.failing.add('finish');
    await bed.work(200);
    assert.deepEqual(bed.faults, ['recording an attempt: The store is away (finish).']);
    assert.equal(bed.store.finished.length, 0);
    bed.store.failing.clear();
    await bed.clock.advance(1_000);
    await bed.work(200);
    assert.deepEqual(
      bed.store.finished.map(({ number }) => number),
      [1],
    );
    assert.deepEqual(bed.store.left(), { held: [], waiting: [] });
  });

  test('what can’t be given back is kept and offered again, and sent by nobody meanwhile', async () => {
    const bed = new DispatcherBed();
    bed.dispatcher.start();
    bed.store.failing.add('finish').add('release');
    bed.bear(bed.endpoint('lane'));
    await settle();
    await bed.work(200);
    await bed.clock.advance(3_000);
    assert.equal(bed.sender.sent.length, 1);
    assert.equal(bed.store.left().held.length, 1);
    bed.store.failing.clear();
    await bed.clock.advance(1_500);
    assert.equal(bed.sender.sent.length, 2);
  });
});

describe('a lease', () => {
  test('nothing is sent once it could have ended, and what waits goes on when it is renewed', async () => {
    const bed = new DispatcherBed();
    bed.dispatcher.start();
    bed.store.leaseEndsAt = bed.clock.monotonic();
    bed.bear(bed.endpoint('lane'));
    await settle();
    await bed.clock.advance(1_000);
    assert.equal(bed.sender.sent.length, 0);
    bed.store.leaseEndsAt = bed.clock.monotonic() + 10_000;
    await bed.clock.advance(300);
    assert.equal(bed.sender.sent.length, 1);
  });

  test('when it was lost, what waited is forgotten: it is others’ by now', async () => {
    const bed = new DispatcherBed();
    bed.dispatcher.start();
    bed.store.leaseEndsAt = bed.clock.monotonic();
    bed.bear(bed.endpoint('lane'));
    await settle();
    bed.store.listener?.onLeaseLost();
    bed.store.leaseEndsAt = Number.POSITIVE_INFINITY;
    await bed.clock.advance(1_000);
    assert.equal(bed.sender.sent.length, 0);
    assert.equal(bed.dispatcher.figures.waiting, 0);
    assert.deepEqual(bed.faults, []);
  });

  test('what began under it and has not sent a byte may go only while it lasts', async () => {
    const bed = new DispatcherBed();
    bed.dispatcher.start();
    const lane = bed.endpoint('lane');
    bed.bear(lane);
    bed.bear(lane);
    await settle();
    const [first, second] = bed.sender.sent.map(({ request }) => request);
    assert.equal(first?.mayGo?.(), true);
    bed.store.leaseEndsAt = bed.clock.monotonic();
    assert.equal(first?.mayGo?.(), false);
    bed.store.listener?.onLeaseLost();
    bed.store.leaseEndsAt = Number.POSITIVE_INFINITY;
    assert.equal(second?.mayGo?.(), false);
  });
});

describe('a stop', () => {
  test('gives back what waits, waits for what is under way and its record, and starts nothing more', async () => {
    const bed = new DispatcherBed();
    bed.dispatcher.start();
    const keys = bed.bear(bed.endpoint('lane'), 10);
    await settle();
    const { gate, open } = newGate();
    bed.store.gates.set('finish', gate);
    let ended: boolean | null = null;
    const stopping = bed.dispatcher.stop(10_000).then((whole) => {
      ended = whole;
    });
    await settle();
    assert.deepEqual(bed.store.released.map(({ key }) => key).toSorted(), keys.slice(2).toSorted());
    bed.sender.answerAll(200);
    await settle();
    assert.equal(ended, null, 'the records are still on their way');
    open();
    await stopping;
    assert.equal(ended, true);
    assert.equal(bed.store.finished.length, 2);
    assert.deepEqual(bed.store.left().held, []);
    assert.equal(await bed.dispatcher.stop(10_000), true, 'stopping again is harmless');
    await bed.clock.advance(60_000);
    assert.equal(bed.sender.sent.length, 2);
    assert.equal(bed.clock.timers, 0);
  });

  test('gives back what a claim brings, and what is born, afterwards', async () => {
    const bed = new DispatcherBed();
    const { gate, open } = newGate();
    bed.store.gates.set('claim', gate);
    bed.put(bed.endpoint('lane'), 5);
    bed.put('lane', 1, {}, bed.clock.now() + 5_000);
    bed.dispatcher.start();
    await settle();
    const stopping = bed.dispatcher.stop(10_000);
    open();
    assert.equal(await stopping, true);
    assert.equal(bed.clock.timers, 0);
    bed.bear('lane', 2);
    await settle();
    assert.equal(bed.sender.sent.length, 0);
    assert.deepEqual([bed.store.left().held.length, bed.store.left().waiting.length], [0, 8]);
  });

  test('does not start what waited for its endpoint to be read', async () => {
    const bed = new DispatcherBed();
    const { gate, open } = newGate();
    bed.store.gates.set('endpoints', gate);
    bed.bear(bed.endpoint('lane'), 3);
    await settle();
    await bed.dispatcher.stop(10_000);
    open();
    await settle();
    assert.equal(bed.sender.sent.length, 0);
    assert.equal(bed.store.left().waiting.length, 3);
  });

  test('is bounded: what hangs is left to the next start, and recorded by nobody', async () => {
    const bed = new DispatcherBed();
    bed.bear(bed.endpoint('lane'));
    await settle();
    const stopping = bed.dispatcher.stop(5_000);
    await bed.clock.advance(5_000);
    assert.equal(await stopping, false);
    bed.sender.answerAll(200);
    await settle();
    assert.equal(bed.store.finished.length, 0);
    assert.equal(bed.store.left().held.length, 1);
  });

  test('is bounded and does not fail when the store is away', async () => {
    const bed = new DispatcherBed();
    bed.bear(bed.endpoint('lane'), 5);
    await settle();
    bed.store.failing.add('release').add('finish');
    const stopping = bed.dispatcher.stop(5_000);
    await bed.work(200);
    assert.equal(await stopping, true);
    assert.ok(bed.faults.length > 0);
    await bed.clock.advance(60_000);
    assert.equal(bed.clock.timers, 0);
  });

  test('is at once when there is nothing to do', async () => {
    const bed = new DispatcherBed();
    bed.dispatcher.start();
    await settle();
    assert.equal(await bed.dispatcher.stop(5_000), true);
  });
});
