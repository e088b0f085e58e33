// The judge finds nothing in the history of an honest sender, whatever happened to it, and finds each thing that is not as
// it must be: a proof that can't fail proves nothing.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { DeliveryView, History, HookConfig, ReceivedLine } from '../src/judge/history.ts';
import { type Counts, judge } from '../src/judge/judge.ts';
import { type PlayedHistory, play, type Step, type Way } from './support/honest.ts';

const hooks: HookConfig[] = [
  { types: ['a', 'b'], projects: null, enabled: true },
  { types: ['b'], projects: null, enabled: true },
  { types: ['a'], projects: ['prj_other'], enabled: false },
];

const way = fc.constantFrom<Way>('ok', 'error500', 'hang', 'crash');
const event = fc.record({
  type: fc.constantFrom('a', 'b', 'c'),
  ways: fc.array(way, { maxLength: 5 }),
  answered: fc.boolean(),
});
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('publish' as const),
      events: fc.array(event, { minLength: 1, maxLength: 4 }),
      array: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('switch' as const), hook: fc.nat(1), answered: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('redeliver' as const), delivery: fc.nat(20) }) },
);

const publishOne = (type: string, ...ways: Way[]): Step => ({
  do: 'publish',
  array: false,
  events: [{ type, ways, answered: true }],
});
/** Two events, one of them tried four times in vain, one of them twice because of a crash. */
const story: Step[] = [
  publishOne('a', 'crash'),
  publishOne('b', 'error500', 'error500', 'error500', 'error500'),
];

const first = <Item>(items: Item[], fits: (item: Item) => boolean = () => true): Item => {
  const found = items.find(fits);
  assert.ok(found !== undefined);
  return found;
};
const requestsOf = ({ received }: History): ReceivedLine[] => received.filter((line) => line.kind === 'got');
const inState = ({ product }: History, state: DeliveryView['state']): DeliveryView =>
  first(product.deliveries, (one) => one.state === state);

describe('the judge', () => {
  test('passes whatever an honest sender went through', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
        const { verdict, findings } = judge(play(steps, hooks));
        assert.deepEqual([verdict, findings], ['pass', []]);
      }),
      { numRuns: 300 },
    );
  });

  test('counts what was accepted, delivered, failed and came twice for a reason', () => {
    const { counts, verdict } = judge(play(story, hooks));
    const { accepted, delivered, failed, duplicates, unexplained } = counts;
    assert.deepEqual(
      { accepted, delivered, failed, duplicates, unexplained, verdict },
      {
        accepted: 2,
        delivered: 1,
        failed: 2,
        duplicates: 1,
        unexplained: 0,
        verdict: 'pass',
      },
    );
  });

  /** Plays the story, doctors it, and names the counters that rose. */
  const doctored = (doctor: (history: PlayedHistory) => void, steps = story): (keyof Counts)[] => {
    const before = judge(play(steps, hooks)).counts;
    const history = play(steps, hooks);
    doctor(history);
    const { counts, verdict } = judge(history);
    assert.equal(verdict, 'fail');
    const wrong = [
      'lost',
      'invented',
      'falselyDelivered',
      'wrongBytes',
      'changedBack',
      'misrecorded',
      'unexplained',
    ] as const;
    return wrong.filter((name) => counts[name] > before[name]);
  };

  test('an accepted event that is not there is lost', () => {
    const risen = doctored(({ product, received }) => {
      product.events.shift();
      product.deliveries.shift();
      received.splice(0, 4);
    });
    assert.deepEqual(risen, ['lost']);
  });

  test('a delivery that a subscribed webhook did not get is lost', () => {
    const risen = doctored((history) => {
      const { hook, event: id } = inState(history, 'failed');
      const { product } = history;
      product.deliveries = product.deliveries.filter((one) => one.hook !== hook || one.event !== id);
      history.received = history.received.filter(
        (line) => line.kind === 'end' || line.hook !== hook || line.event !== id,
      );
    });
    assert.deepEqual(risen, ['lost']);
  });

  test('a delivery that stays pending, is given up early or canceled without a reason is lost', () => {
    for (const state of ['pending', 'canceled'] as const) {
      const risen = doctored((history) => {
        history.journal = history.journal.filter(({ kind }) => kind !== 'seen');
        Object.assign(inState(history, 'failed'), { state });
      });
      assert.deepEqual(risen, ['lost'], state);
    }
    const early = doctored((history) => {
      const delivery = inState(history, 'failed');
      const { hook, event: id } = delivery;
      delivery.log?.splice(2);
      delivery.attempts = 2;
      const last = requestsOf(history)
        .filter((one) => one.hook === hook && one.event === id)
        .slice(2);
      history.received = history.received.filter((line) => !last.some(({ n }) => n === line.n));
    });
    assert.deepEqual(early, ['lost']);
  });

  test('half of a call that was not answered is lost, all or nothing of it is not', () => {
    const one = { type: 'c', ways: [], answered: false };
    const steps: Step[] = [{ do: 'publish', array: true, events: [one, one] }];
    assert.deepEqual(
      doctored(({ product }) => void product.events.pop(), steps),
      ['lost'],
    );
    const none = play(steps, hooks);
    none.product.events = [];
    assert.equal(judge(none).verdict, 'pass');
  });

  test('a redelivery that was accepted and not made is lost', () => {
    const steps: Step[] = [publishOne('a'), { do: 'redeliver', delivery: 0 }];
    const risen = doctored((history) => {
      const delivery = inState(history, 'delivered');
      delivery.attempts = 1;
      delivery.log?.pop();
      history.received.splice(-2);
    }, steps);
    assert.deepEqual(risen, ['lost']);
  });

  test('an event that nobody published is invented, and so is one that came where nobody was subscribed', () => {
    const nobody = doctored(({ product }) => {
      product.events.push({ id: 'evt', type: 'a', projectId: null, createdAt: 1, test: false, body: '{}' });
    });
    assert.deepEqual(nobody, ['invented']);
    const elsewhere = doctored((history) => {
      history.received.push({ ...first(requestsOf(history)), n: 999, hook: 'hook-2' });
    });
    assert.deepEqual(elsewhere, ['invented']);
    const unknown = doctored((history) => {
      history.received.push({ ...first(requestsOf(history)), n: 999, event: 'evt' });
    });
    assert.deepEqual(unknown, ['invented']);
  });

  test('a delivery that came to a disabled webhook is invented, and one during the change is not', () => {
    const off: Step = { do: 'switch', hook: 0, answered: true };
    const [, made] = [play([publishOne('a')], hooks), play([off, publishOne('a')], hooks)];
    const sent = play([publishOne('a')], hooks);
    const { event: id } = first(made.product.events.map((one) => ({ event: one.id })));
    made.product.deliveries.push({ ...inState(sent, 'delivered'), event: id, log: null });
    assert.ok(judge(made).counts.invented > 0);

    const during = play([{ ...off, answered: false }, publishOne('b')], hooks);
    assert.equal(judge(during).verdict, 'pass');
  });

  test('a delivery that no receiver answered with success is falsely delivered', () => {
    const risen = doctored((history) => {
      const delivery = inState(history, 'failed');
      history.journal = history.journal.filter(({ kind }) => kind !== 'seen');
      delivery.state = 'delivered';
    });
    assert.deepEqual(risen, ['falselyDelivered']);
  });

  test('one byte that is another, in the body or in the signature, is wrong', () => {
    for (const change of [{ sha256: 'other' }, { signatures: { signed: 'other' } }]) {
      assert.deepEqual(
        doctored((history) => void Object.assign(first(requestsOf(history)), change)),
        ['wrongBytes'],
      );
    }
  });

  test('a state that changed back is found', () => {
    const risen = doctored(({ journal }) => {
      const seen = journal.find((entry) => entry.kind === 'seen' && entry.state === 'failed');
      Object.assign(seen ?? {}, { state: 'delivered' });
    });
    assert.deepEqual(risen, ['changedBack']);
  });

  test('attempts and requests that do not tell the same story are found', () => {
    const doctors: ((history: History, delivery: DeliveryView) => void)[] = [
      // An attempt with a status that no receiver knows of.
      (_, { log }) => void Object.assign(log?.[0] ?? {}, { trace: 'nobody' }),
      // A status that the receiver did not give.
      (_, { log }) => void Object.assign(log?.[0] ?? {}, { status: 404 }),
      // A number used twice.
      (_, { log }) => void Object.assign(log?.[0] ?? {}, { number: 2 }),
      // A request that is in no attempt, and no fault is near.
      (history) => {
        const request = first(requestsOf(history), ({ plan }) => plan === 'error500');
        history.received.push(
          { ...request, n: 999, trace: 'nobody' },
          { kind: 'end', n: 999, at: request.at, how: 'answered' },
        );
      },
    ];
    for (const doctor of doctors) {
      const risen = doctored((history) => doctor(history, inState(history, 'failed')));
      assert.deepEqual(risen, ['misrecorded'], doctor.toString());
    }
  });

  test('a duplicate without a fault, or with one of another node, is unexplained', () => {
    const risen = doctored(({ journal }) => {
      for (const entry of journal) if (entry.kind === 'fault') entry.nodes = [1];
    });
    assert.deepEqual(risen, ['misrecorded', 'unexplained']);
  });

  test('one id with two contents is not accepted twice', () => {
    const risen = doctored(({ journal }) => {
      const calls = journal.filter((entry) => entry.kind === 'call' && entry.what.op === 'publish');
      const events = calls.flatMap((entry) =>
        entry.kind === 'call' && entry.what.op === 'publish' ? entry.what.events : [],
      );
      const [one, other] = events;
      assert.ok(one !== undefined && other !== undefined);
      const call = { op: 'publish' as const, array: false, events: [{ ...one, payload: { other: true } }] };
      const made = { events: [{ id: one.id ?? '', createdAt: one.createdAt ?? 0, deliveries: 0 }] };
      journal.push(
        { seq: journal.length, at: 9e9, kind: 'call', call: 900, node: 0, what: call },
        { seq: journal.length + 1, at: 9e9, kind: 'answer', call: 900, status: 202, body: made },
      );
    });
    assert.deepEqual(risen, ['invented']);
  });

  test('with a short retention the receiver’s record stands in for what was pruned, and only for that', () => {
    const history = play(story, hooks);
    history.product.events = [];
    history.product.deliveries = [];
    assert.equal(judge(history).verdict, 'fail');
    history.terms = { ...history.terms, retentionMs: 1_000 };
    history.product.readAt = 9e9;
    assert.deepEqual(judge(history).findings, []);
    history.received = history.received.filter((line) => line.kind === 'end' || line.hook !== 'hook-1');
    assert.ok(judge(history).counts.lost > 0);
  });
});
