// The judge finds nothing in the history of an honest sender, whatever happened to it, and finds each thing that is not as
// it must be: a proof that can't fail proves nothing.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { sha256Of } from '../src/judge/deliveries.ts';
import type { DeliveryView, History, HookConfig, ReceivedLine } from '../src/judge/history.ts';
import { type Counts, judge } from '../src/judge/judge.ts';
import { type PlayedHistory, play, type Step, sign, type Way } from './support/honest.ts';

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
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('rotate' as const),
      hook: fc.nat(2),
      overlapMs: fc.constantFrom(0, 800, 30_000),
      answered: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('replay' as const), hook: fc.nat(2), answered: fc.boolean() }),
  },
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

/** The secret that the rotation at this place of the journal's rotations gave. */
function secretAt({ journal }: History, at: number): string {
  const calls = journal.flatMap((entry) =>
    entry.kind === 'call' && entry.what.op === 'rotate secret' ? [entry.call] : [],
  );
  const answer = first(journal, (entry) => entry.kind === 'answer' && entry.call === calls[at]);
  return (answer.kind === 'answer' && answer.body?.secret) || '';
}

/** The signatures of a request as if these secrets, the newest first, were in use. */
function signAs(
  secrets: string[],
  { journal, terms }: History,
  request: ReceivedLine,
): Record<string, string> {
  const events = journal.flatMap((entry) =>
    entry.kind === 'call' && entry.what.op === 'publish' ? entry.what.events : [],
  );
  const signed = first(events, ({ id }) => id === request.event);
  const body = terms.bodyOf?.(signed, request.event, signed.createdAt ?? 0) ?? '';
  const all = secrets.map((secret) => sign(secret, body));
  return { one: all.at(-1) ?? '', all: all.join(' ') };
}

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

  test('a replay that was accepted and not made is lost, of what failed and of what was missed', () => {
    const replay: Step = { do: 'replay', hook: 1, answered: true };
    const refused = publishOne('b', 'error500', 'error500', 'error500', 'error500');
    /** Takes back the last attempt of hook 1, and what `undo` says of its delivery. */
    const undone =
      (undo: (history: PlayedHistory, delivery: DeliveryView) => void) => (history: PlayedHistory) => {
        const last = first(history.received.filter((line) => line.kind === 'got').toReversed());
        assert.equal(last.hook, 'hook-1');
        history.received = history.received.filter(({ n }) => n !== last.n);
        undo(
          history,
          first(history.product.deliveries, ({ hook, event: id }) => hook === last.hook && id === last.event),
        );
      };
    const notMade = undone((_, delivery) => {
      Object.assign(delivery, { state: 'failed', attempts: 4, lastStatus: 500 });
      delivery.log?.pop();
    });
    assert.deepEqual(doctored(notMade, [refused, replay]), ['lost']);
    const missed: Step[] = [
      { do: 'switch', hook: 1, answered: true },
      publishOne('b'),
      { do: 'switch', hook: 1, answered: true },
      replay,
    ];
    const gone = undone(({ product }, delivery) => {
      product.deliveries = product.deliveries.filter((one) => one !== delivery);
    });
    assert.deepEqual(doctored(gone, missed), ['lost']);
    // Of one that nobody answered neither is certain.
    for (const steps of [
      [refused, { ...replay, answered: false }],
      [...missed.slice(0, 3), { ...replay, answered: false }],
    ]) {
      const history = play(steps, hooks);
      (steps.length === 2 ? notMade : gone)(history);
      assert.deepEqual(judge(history).findings, []);
    }
  });

  test('a replay that gives up early is lost, and one without a request, too', () => {
    const steps: Step[] = [
      publishOne('b', 'error500', 'error500', 'error500', 'error500'),
      { do: 'replay', hook: 1, answered: true },
    ];
    const early = doctored((history) => {
      const last = first(requestsOf(history).toReversed());
      const delivery = first(
        history.product.deliveries,
        ({ hook, event: id }) => hook === last.hook && id === last.event,
      );
      Object.assign(last, { status: 500, success: 'no' });
      Object.assign(delivery, { state: 'failed', lastStatus: 500 });
      Object.assign(delivery.log?.at(-1) ?? {}, { status: 500 });
    }, steps);
    assert.deepEqual(early, ['lost']);
    const silent = doctored((history) => {
      const last = first(requestsOf(history).toReversed());
      history.received = history.received.filter(({ n }) => n !== last.n);
      const delivery = first(
        history.product.deliveries,
        ({ hook, event: id }) => hook === last.hook && id === last.event,
      );
      Object.assign(delivery.log?.at(-1) ?? {}, { status: null, error: 'connection_refused' });
      Object.assign(delivery, { state: 'failed', attempts: 8 });
      const refused = { status: null, error: 'connection_refused', durationMs: 1, trace: null };
      for (const number of [6, 7, 8]) delivery.log?.push({ number, ...refused, trace: `t${number}` });
    }, steps);
    assert.deepEqual(silent, ['lost']);
  });

  test('a replay is a reason to come again only for what had failed, and for each only once', () => {
    const again = (of: string) => (history: PlayedHistory) => {
      const request = first(
        requestsOf(history).toReversed(),
        ({ hook, event: id }) => hook === 'hook-1' && id === of,
      );
      const delivery = first(
        history.product.deliveries,
        ({ hook, event: id }) => hook === 'hook-1' && id === of,
      );
      const at = request.at + 5_000;
      history.received.push(
        { ...request, n: 998, at, trace: 'again' },
        { kind: 'end', n: 998, at: at + 5, how: 'answered' },
      );
      delivery.attempts += 1;
      delivery.log?.push({
        number: delivery.attempts,
        status: 200,
        error: null,
        durationMs: 5,
        trace: 'again',
      });
    };
    const steps: Step[] = [
      publishOne('b', 'error500', 'error500', 'error500', 'error500'),
      publishOne('b'),
      { do: 'replay', hook: 1, answered: true },
    ];
    assert.deepEqual(doctored(again('own-2'), steps), ['unexplained']);
    assert.deepEqual(
      doctored((history) => {
        again('own-1')(history);
        again('own-1')(history);
        const copies = history.received.filter(({ n }) => n === 998);
        for (const copy of copies.slice(2)) Object.assign(copy, { n: 999, trace: 'once more' });
        const log = first(
          history.product.deliveries,
          ({ hook, event: id }) => hook === 'hook-1' && id === 'own-1',
        ).log;
        Object.assign(log?.at(-1) ?? {}, { trace: 'once more' });
      }, steps),
      ['unexplained'],
    );
  });

  test('around a rotation the secrets must be those that the API says', () => {
    // Far enough apart that what is said of the second is certain.
    const many = Array.from({ length: 6 }, () => publishOne('b'));
    const ofHook = (history: History, at: number): ReceivedLine =>
      first(
        requestsOf(history)
          .filter(({ hook }) => hook === 'hook-1')
          .slice(at),
      );
    const signedBy = (secretsOf: (history: History) => string[], overlapMs: number) =>
      doctored(
        (history) => {
          const last = ofHook(history, 6);
          Object.assign(last.signatures, signAs(secretsOf(history), history, last));
        },
        [publishOne('b'), { do: 'rotate', hook: 1, overlapMs, answered: true }, ...many],
      );
    const before = 'secret of hook-1';
    const after = (history: History) => secretAt(history, 0);
    assert.deepEqual(
      signedBy(() => [before], 0),
      ['wrongBytes'],
      'as before',
    );
    assert.deepEqual(
      signedBy(() => [before], 30_000),
      ['wrongBytes'],
      'the new one is missing',
    );
    assert.deepEqual(
      signedBy((history) => [after(history)], 30_000),
      ['wrongBytes'],
      'the old one is',
    );
    assert.deepEqual(
      signedBy((history) => [after(history), before], 800),
      ['wrongBytes'],
      'it is over',
    );
    assert.deepEqual(
      signedBy((history) => [before, after(history)], 30_000),
      ['wrongBytes'],
      'their order',
    );
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
    for (const change of [{ sha256: 'other' }, { signatures: { one: 'other', all: 'other', second: '0' } }]) {
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

  test('of two contents of one id either may stand where nobody was told which, but only one of them', () => {
    const history = play(
      [{ ...publishOne('a'), events: [{ type: 'a', ways: [], answered: false }] } as Step],
      hooks,
    );
    const call = first(history.journal, (entry) => entry.kind === 'call' && entry.what.op === 'publish');
    assert.ok(call.kind === 'call' && call.what.op === 'publish');
    const [stored] = call.what.events;
    assert.ok(stored !== undefined);
    const other = { ...stored, payload: { other: true } };
    // The first one was refused, for the other had been stored, by a node that was killed before it could say so.
    history.journal.unshift(
      { seq: -2, at: call.at, kind: 'call', call: 901, node: 0, what: { ...call.what, events: [other] } },
      { seq: -1, at: call.at, kind: 'answer', call: 901, status: 409, body: null },
    );
    assert.deepEqual(judge(history).findings, []);
    const request = first(requestsOf(history));
    const [body = ''] = [history.terms.bodyOf?.(other, stored.id ?? '', stored.createdAt ?? 0)];
    history.received.push({ ...request, n: 999, trace: 'x', sha256: sha256Of(body) });
    assert.equal(judge(history).counts.wrongBytes, 1);
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
