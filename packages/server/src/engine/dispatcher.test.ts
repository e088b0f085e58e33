// The dispatcher with a clock that stands still, a sender that sends nothing and a store that fails on demand.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FakeClock, settle } from '../../test/support/fake-clock.ts';
import { FakeDeliveries, newGate } from '../../test/support/fake-deliveries.ts';
import { FakeSender, type Reply } from '../../test/support/fake-sender.ts';
import { serialiseEvent } from '../core/envelope.ts';
import { readHeaderLines } from '../core/header-lines.ts';
import type { Claimed, EndpointRow } from '../store/store.ts';
import { Dispatcher, type DispatcherSettings, taskOf } from './dispatcher.ts';
import { EndpointBook } from './endpoints.ts';

const urlOf = (tag: string) => `https://${tag}.example/hook`;

class Bed {
  readonly clock = new FakeClock();
  readonly sender = new FakeSender();
  readonly store = new FakeDeliveries();
  readonly faults: string[] = [];
  /** What was told of each attempt: its event's id and what came next. */
  readonly news: string[] = [];
  readonly spans: (number | string | null)[] = [];
  readonly dispatcher: Dispatcher;
  /** How many were said to wait last. */
  waiting = 0;
  #born = 0;

  constructor(settings: Partial<DispatcherSettings> = {}) {
    const { clock, sender, store } = this;
    this.dispatcher = new Dispatcher({
      store,
      sender,
      clock,
      endpoints: new EndpointBook(store, clock, (sealed) => {
        const secret = Buffer.from(sealed).toString();
        if (secret === 'broken') throw new Error('It does not open.');
        return secret;
      }),
      settings: {
        scheduleMs: [5_000, 60_000],
        timeoutMs: 30_000,
        signatureHeader: 'x-vercel-signature',
        userAgent: 'Posthorn/test',
        laneConcurrency: 32,
        maxSockets: 1_024,
        breakerFailures: 10,
        ...settings,
      },
      startSpan: () => ({
        traceparent: '00-trace',
        end: (status, cause) => {
          this.spans.push(cause ?? status);
        },
      }),
      onWaiting: (count) => {
        this.waiting = count;
      },
      onAttempt: ({ task, next }) => this.news.push(`${JSON.parse(task.body.toString()).id} ${next}`),
      onFault: (error, doing) => this.faults.push(`${doing}: ${(error as Error).message}`),
    });
  }

  endpoint(tag: string, changes: Partial<EndpointRow> = {}): string {
    const before = this.store.endpointRows.get(tag);
    this.store.endpointRows.set(tag, {
      tag,
      id: `hook ${tag}`,
      kind: 'webhook',
      teamId: 'team_1',
      url: urlOf(tag),
      secretSealed: Buffer.from('secret'),
      oldSecretSealed: null,
      oldSecretUntil: null,
      enabled: true,
      removed: false,
      maxConcurrency: null,
      ratePerSecond: null,
      ordering: 'none',
      ...before,
      version: (before?.version ?? 0) + 1,
      ...changes,
    });
    return tag;
  }

  #delivery(tag: string): Claimed {
    const id = `evt_${++this.#born}`;
    const body = serialiseEvent({ id, type: 'x', createdAt: 1, payload: {}, region: null }, null);
    return {
      key: `${id} ${tag}`,
      tag,
      version: 1,
      type: 'x',
      attempts: 0,
      createdAt: this.clock.now(),
      extra: false,
      body,
    };
  }

  /** Deliveries that were held at birth. */
  bear(tag: string, count = 1): string[] {
    return Array.from({ length: count }, () => {
      const { attempts, body, ...rest } = this.#delivery(tag);
      this.store.putHeld({ ...rest, attempts, body });
      this.dispatcher.take({ ...rest, number: attempts + 1, body: Buffer.from(body) });
      return rest.key;
    });
  }

  /** Deliveries that wait in the store. */
  put(tag: string, count = 1, changes: Partial<Claimed> = {}, dueAt = this.clock.now()): string[] {
    return Array.from({ length: count }, () => {
      const delivery = { ...this.#delivery(tag), ...changes };
      this.store.put(delivery, dueAt);
      return delivery.key;
    });
  }

  /** Answers everything for `rounds` rounds. */
  async work(reply: Reply, rounds = 1): Promise<void> {
    for (let i = 0; i < rounds; i++) {
      this.sender.answerAll(reply);
      await settle();
    }
  }

  /** Requests under way to a lane. */
  to(tag: string) {
    return [...this.sender.underWay].filter(({ request }) => request.url === urlOf(tag));
  }

  /** Makes a lane proven, with as much concurrency as `successes` give it. */
  async prove(tag: string, successes = 1): Promise<void> {
    const before = this.sender.rule;
    this.sender.rule = ({ request }) => (request.url === urlOf(tag) ? 200 : null);
    this.bear(tag, successes);
    await settle();
    this.sender.rule = before;
  }
}

describe('turns', () => {
  test('one delivery of a lane is sent in the first round beside a thousand of another', async () => {
    const bed = new Bed();
    bed.bear(bed.endpoint('crowd'), 1_000);
    const [lone] = bed.bear(bed.endpoint('lone'));
    await settle();
    const at = bed.sender.sent.findIndex(({ id }) => `${id} lone` === lone);
    assert.ok(at >= 0 && at <= 2, `it was number ${at}`);
  });

  test('with every socket taken, the next one that is free goes to who waits, not to the crowd', async () => {
    const bed = new Bed({ maxSockets: 4 });
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
    const bed = new Bed({ maxSockets: 4 });
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
    const bed = new Bed();
    for (let i = 0; i < 30; i++) await bed.prove(bed.endpoint(`lane${i}`), 8);
    for (let i = 0; i < 30; i++) bed.bear(`lane${i}`, 5);
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(bed.sender.underWay.size, 64);
    await settle();
    assert.equal(bed.sender.underWay.size, 150);
  });

  test('lanes take turns: of twenty crowds none gets two sockets before each has one', async () => {
    const bed = new Bed({ maxSockets: 40 });
    const tags = Array.from({ length: 20 }, (_, i) => bed.endpoint(`lane${i}`));
    for (const tag of tags) bed.bear(tag, 50);
    await settle();
    const first = bed.sender.sent.slice(0, 20).map(({ request }) => request.url);
    assert.equal(new Set(first).size, 20);
  });

  test('every delivery is sent once, with its signature, its id and its trace', async () => {
    const bed = new Bed();
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
    const bed = new Bed({ maxSockets: 10 });
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
    const bed = new Bed({ maxSockets: 20, breakerFailures: 100 });
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
    const bed = new Bed({ maxSockets: 20 });
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
    const bed = new Bed({ maxSockets: 4 });
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

describe('a lane’s concurrency', () => {
  test('starts at two, grows with success to the ceiling, and shrinks on timeouts', async () => {
    const bed = new Bed({ laneConcurrency: 8, breakerFailures: 1_000 });
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
    const bed = new Bed();
    bed.bear(bed.endpoint('lane', { maxConcurrency: 1 }), 30);
    await settle();
    for (let i = 0; i < 10; i++) {
      assert.equal(bed.to('lane').length, 1);
      await bed.work(200);
    }
  });

  test('the webhook’s rate paces the starts', async () => {
    const bed = new Bed();
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
  async function open(bed: Bed): Promise<void> {
    bed.endpoint('lane');
    bed.sender.rule = () => 500;
    bed.bear('lane', 100);
    await settle();
  }

  test('after ten failures everything goes back, and nothing is sent until the rest is over', async () => {
    const bed = new Bed();
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
    const bed = new Bed();
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
    const bed = new Bed();
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
    const bed = new Bed();
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
    const bed = new Bed();
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
    const bed = new Bed();
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

describe('an endpoint that changes while deliveries wait in memory', () => {
  for (const [what, change] of [
    ['disabled', { enabled: false }],
    ['removed', { removed: true }],
  ] as const) {
    test(`${what}: they go back, and nothing is sent`, async () => {
      const bed = new Bed({ laneConcurrency: 2 });
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
    const bed = new Bed();
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
    const bed = new Bed({ laneConcurrency: 2 });
    bed.bear(bed.endpoint('lane'), 30);
    await settle();
    bed.endpoint('lane', { enabled: false });
    await bed.clock.advance(1_000);
    await bed.work(200);
    assert.equal(bed.sender.sent.length, 2);
    assert.equal(bed.store.released.length, 28);
  });

  test('an endpoint that can’t be read keeps its own deliveries back, for a while', async () => {
    const bed = new Bed();
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

describe('the store', () => {
  test('an attempt leads to its record, and a failed one to a retry at its time', async () => {
    const bed = new Bed();
    bed.dispatcher.start();
    const now = bed.clock.now();
    const [good, bad] = [bed.endpoint('good'), bed.endpoint('bad')];
    bed.bear(good);
    bed.bear(bad);
    await settle();
    bed.to('good')[0]?.answer(204);
    bed.to('bad')[0]?.answer({ status: 503, headers: 'Retry-After: 20\r\n' });
    await settle();
    assert.deepEqual(bed.news, ['evt_1 delivered', 'evt_2 retry']);
    const [delivered, failed] = bed.store.finished;
    assert.deepEqual(
      [delivered?.next, delivered?.status, delivered?.cause],
      [{ kind: 'delivered' }, 204, null],
    );
    assert.deepEqual(
      [failed?.next, failed?.status, failed?.cause],
      [{ kind: 'retry', at: now + 20_000 }, 503, 'status_503'],
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
    const bed = new Bed();
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
    const bed = new Bed();
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
    const bed = new Bed();
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
    const bed = new Bed();
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

  test('a claim that fails is made again', async () => {
    const bed = new Bed();
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
    const bed = new Bed();
    bed.dispatcher.start();
    await settle();
    bed.put(bed.endpoint('lane'), 1);
    await bed.clock.advance(1_000);
    assert.equal(bed.sender.sent.length, 1);
  });

  test('work that is behind is asked for by name, at once', async () => {
    const bed = new Bed();
    bed.put(bed.endpoint('lane'), 3);
    bed.dispatcher.noteBehind('lane');
    await settle();
    assert.deepEqual(bed.store.claims[0]?.lanes, [{ tag: 'lane', count: 32, replayed: 0 }]);
    assert.equal(bed.to('lane').length, 2);
  });

  test('a lane takes no more into memory than its high-water mark, and more only when little is left', async () => {
    const bed = new Bed({ laneConcurrency: 4 });
    bed.dispatcher.start();
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
    const bed = new Bed();
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
    for (const tag of tags) assert.ok(bed.sender.to(urlOf(tag)).length >= 20, tag);
  });

  test('a node that starts with a backlog begins gently: a pause after each claim that brought much', async () => {
    const bed = new Bed();
    bed.sender.rule = () => 200;
    const tags = Array.from({ length: 40 }, (_, at) => bed.endpoint(`lane${at}`));
    for (const tag of tags) bed.put(tag, 100);
    bed.dispatcher.start();
    const claimed = async (ms: number) => {
      bed.store.claims.length = 0;
      await bed.clock.advance(ms);
      return bed.store.claims.length;
    };
    await settle();
    assert.equal(bed.store.claims.length, 1);
    assert.equal(await claimed(19), 0);
    assert.equal(await claimed(1), 1);
    await bed.clock.advance(1_980);
    for (const tag of tags) {
      bed.put(tag, 100);
      bed.dispatcher.noteBehind(tag);
    }
    assert.ok((await claimed(0)) > 5, 'and later without');
  });

  for (const [published, paused] of [
    [1, true],
    [0, false],
    [3_000, false],
  ] as const) {
    test(`a claim that took long is followed by ${paused ? 'a' : 'no'} pause where ${published} deliveries were born meanwhile`, async () => {
      const bed = new Bed();
      bed.sender.rule = () => 200;
      bed.store.claimPause = 1;
      bed.dispatcher.start();
      await bed.clock.advance(2_000);
      const tags = Array.from({ length: 40 }, (_, at) => bed.endpoint(`lane${at}`));
      const { gate, open } = newGate();
      bed.store.gates.set('claim', gate);
      for (const tag of tags) {
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
      if (!paused) {
        assert.ok(before > 5, `${before}`);
        return;
      }
      assert.equal(before, 1);
      // As long as it took, and 50 ms at the most.
      await bed.clock.advance(49);
      assert.equal(bed.store.claims.length, 1);
      await bed.clock.advance(1);
      assert.ok(bed.store.claims.length > 1);
    });
  }

  test('a claim that the store refused is made again for the same lanes', async () => {
    const bed = new Bed();
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
    const bed = new Bed();
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
});

describe('a lease', () => {
  test('nothing is sent once it could have ended, and what waits goes on when it is renewed', async () => {
    const bed = new Bed();
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
    const bed = new Bed();
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
    const bed = new Bed();
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

  test('work of another node is looked for at once', async () => {
    const bed = new Bed();
    bed.dispatcher.start();
    await settle();
    bed.put(bed.endpoint('lane'), 1);
    bed.store.listener?.onWork();
    await settle();
    assert.equal(bed.sender.sent.length, 1);
  });
});

describe('a stop', () => {
  test('gives back what waits, waits for what is under way and its record, and starts nothing more', async () => {
    const bed = new Bed();
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
    const bed = new Bed();
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
    const bed = new Bed();
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
    const bed = new Bed();
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
    const bed = new Bed();
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
    const bed = new Bed();
    bed.dispatcher.start();
    await settle();
    assert.equal(await bed.dispatcher.stop(5_000), true);
  });
});

describe('replays', () => {
  const made = (bed: Bed, tag: string, count: number, atMs: number) => {
    for (const key of bed.put(tag, count, { replay: { at: 0, from: 0 } }, Number.MAX_SAFE_INTEGER)) {
      const row = bed.store.rows.get(key);
      assert.ok(row !== undefined);
      row.held = true;
      bed.dispatcher.take(taskOf(row.claimed), { replayId: 'a', atMs });
    }
  };

  test('a live delivery goes before all that a replay has made, and finds room', async () => {
    const bed = new Bed();
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
    const bed = new Bed();
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
    const bed = new Bed({ breakerFailures: 1 });
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
  const isReplayed = (bed: Bed, { id }: { id: string }) =>
    [...bed.store.rows.values()].some(
      ({ claimed }) => claimed.key.startsWith(`${id} `) && claimed.replay !== undefined,
    );

  test('whatever of a replay is due again, and however long, live deliveries of the store are sent first', async () => {
    const bed = new Bed({ laneConcurrency: 4 });
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
    const bed = new Bed({ breakerFailures: 3 });
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
});
