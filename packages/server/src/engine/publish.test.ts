// Publishing: what is refused and in which words, what is stored, and to whom births are handed.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { newGate } from '../../test/support/fake-deliveries.ts';
import { ApiError, type ErrorCode } from '../errors.ts';
import type {
  Accepted,
  AcceptOutcome,
  Birth,
  Change,
  NewEvent,
  RedeliverOutcome,
  Step,
  Store,
} from '../store/store.ts';
import { Intake, idleLoad } from './intake.ts';
import { createPublisher, type PublishedType, type PublishLimits } from './publish.ts';

const types: PublishedType[] = [
  { type: 'deployment.created', legacy: false },
  { type: 'deployment-created', legacy: true },
];

/** A store that keeps what it is given, and answers as it is told. */
class ScriptedStore {
  readonly groups: NewEvent[][] = [];
  readonly changes: Change[] = [];
  births: Birth[] = [];
  outcome: AcceptOutcome | null = null;
  changeOutcome: 'done' | 'refused' = 'done';
  redeliverOutcome: RedeliverOutcome = 'queued';
  gate: Promise<void> | null = null;

  async accept({ events }: { events: NewEvent[] }): Promise<AcceptOutcome> {
    await this.gate;
    this.groups.push(events);
    return (
      this.outcome ?? { kind: 'stored', events: events.map(() => ({ kind: 'stored', births: this.births })) }
    );
  }

  change(change: Change): ReturnType<Store['change']> {
    this.changes.push(change);
    return Promise.resolve(
      this.changeOutcome === 'done'
        ? { kind: 'done', rows: [], births: change.events.map(() => this.births) }
        : { kind: 'refused', step: 0, reason: 'no' },
    );
  }

  redeliver(): Promise<RedeliverOutcome> {
    return Promise.resolve(this.redeliverOutcome);
  }
}

function setUp(limits: Partial<PublishLimits> = {}, load = idleLoad) {
  const clock = new FakeClock();
  const store = new ScriptedStore();
  const heard = { taken: [] as string[], behind: [] as string[], changed: [] as string[], accepted: 0 };
  const publisher = createPublisher({
    store: store as unknown as Store,
    clock,
    types: {
      find: (spelling) =>
        types.find(({ type }) => type === spelling.replace('deployment.Created', 'deployment.created')) ??
        null,
      look: () => Promise.resolve(),
      explainPayload: (_type, payload) =>
        'bad' in (payload as object) ? 'payload.bad must be left out' : null,
    },
    births: {
      take: (event, born) => {
        heard.taken.push(...born.filter(({ leased }) => leased).map(({ tag }) => event.uid + tag));
      },
      noteBehind: (tag) => heard.behind.push(tag),
      noteChange: (tag) => heard.changed.push(tag),
    },
    limits: {
      maxEventBytes: 1_000,
      maxBatchEvents: 3,
      createdAtWindowMs: 600_000,
      maxQueuedEvents: 5,
      maxQueuedBytes: 10_000,
      ...limits,
    },
    intake: new Intake(load, clock),
    onAccepted: (events) => {
      heard.accepted += events;
    },
  });
  return { clock, store, publisher, heard };
}

const plain = { type: 'deployment.created', payload: {} };

async function refusalOf(work: Promise<unknown>): Promise<ApiError> {
  try {
    await work;
  } catch (error) {
    assert.ok(error instanceof ApiError, String(error));
    return error;
  }
  return assert.fail('it was accepted');
}

describe('judgement', () => {
  const now = new FakeClock().now();
  const refusals: [string, unknown, ErrorCode, RegExp][] = [
    ['no object', 5, 'bad_request', /^The body must be an object with "type" and "payload"\.$/],
    ['null', null, 'bad_request', /must be an object/],
    ['no type', { payload: {} }, 'bad_request', /^type must be a string/],
    [
      'a type that is no string',
      { type: ['deployment.created'], payload: {} },
      'bad_request',
      /^type must be a string/,
    ],
    [
      'an unknown type',
      { type: 'deployment.exploded', payload: {} },
      'invalid_event',
      /there is no event type "deployment\.exploded"/,
    ],
    ['a long unknown type', { type: 'x'.repeat(5_000), payload: {} }, 'invalid_event', /^.{0,160}$/],
    ['a name of the prototype', { type: 'constructor', payload: {} }, 'invalid_event', /constructor/],
    ['no payload', { type: 'deployment.created' }, 'bad_request', /^payload must be an object\.$/],
    ['a payload that is a list', { ...plain, payload: [] }, 'bad_request', /^payload must be an object/],
    [
      'a payload that does not fit',
      { ...plain, payload: { bad: 1 } },
      'invalid_payload',
      /payload\.bad must be left out \(event type deployment\.created\)/,
    ],
    ['a projectId that is a number', { ...plain, projectId: 5 }, 'bad_request', /^projectId must be/],
    ['an empty projectId', { ...plain, projectId: '' }, 'bad_request', /^projectId must be/],
    ['a projectId with a blank', { ...plain, projectId: 'a b' }, 'bad_request', /^projectId must be/],
    ['a region that is a number', { ...plain, region: 5 }, 'bad_request', /^region must be/],
    ['a long region', { ...plain, region: 'x'.repeat(65) }, 'bad_request', /at most 64 characters/],
    ['an empty id', { ...plain, id: '' }, 'bad_request', /^id must be 1 to 128/],
    ['an id that is a number', { ...plain, id: 5 }, 'bad_request', /^id must be 1 to 128/],
    ['an id that is null', { ...plain, id: null }, 'bad_request', /^id must be 1 to 128/],
    ['an id with a dot', { ...plain, id: 'a.b' }, 'bad_request', /^id must be 1 to 128/],
    ['an id of 129', { ...plain, id: 'x'.repeat(129) }, 'bad_request', /^id must be 1 to 128/],
    ['an id with a line feed at its end', { ...plain, id: 'x\n' }, 'bad_request', /^id must be 1 to 128/],
    ['an id that is a path of its own', { ...plain, id: 'types' }, 'bad_request', /^id must be/],
    [
      'a createdAt that is no time',
      { ...plain, createdAt: 'soon' },
      'bad_request',
      /^createdAt must be epoch milliseconds or an ISO 8601/,
    ],
    ['a createdAt that is an object', { ...plain, createdAt: {} }, 'bad_request', /^createdAt must be/],
    [
      'a createdAt too long ago',
      { ...plain, createdAt: now - 600_001 },
      'bad_request',
      /more than 10 minutes from now.*POSTHORN_CREATED_AT_WINDOW/,
    ],
    [
      'a createdAt too far ahead',
      { ...plain, createdAt: now + 600_001 },
      'bad_request',
      /more than 10 minutes from now/,
    ],
    [
      'too many bytes',
      { ...plain, payload: { text: 'ä'.repeat(500) } },
      'payload_too_large',
      /is 1\d\d\d bytes as it would be sent; the limit is 1000 \(POSTHORN_MAX_EVENT_BYTES\)/,
    ],
  ];
  for (const [what, input, code, message] of refusals) {
    test(`${what}: ${code}, and nothing is stored`, async () => {
      const { publisher, store } = setUp();
      const refusal = await refusalOf(publisher.publish('team_1', [input], false));
      assert.equal(refusal.code, code);
      assert.match(refusal.message, message);
      // In an array the message says which one it is, and the others are not stored either.
      const other = await refusalOf(publisher.publish('team_1', [plain, input], true));
      assert.equal(other.code, code);
      assert.match(other.message, /^events\[1\]/);
      assert.deepEqual(store.groups, []);
      assert.equal(publisher.queued, 0);
    });
  }

  const accepted: [string, object][] = [
    ['the bare minimum', {}],
    ['nulls where something may be left out', { projectId: null, region: null, createdAt: null }],
    ['an id of 128', { id: 'x'.repeat(128) }],
    ['an id of every sign', { id: 'aZ09_:-' }],
    ['createdAt at the edge', { createdAt: now - 600_000 }],
    ['createdAt as ISO 8601', { createdAt: new Date(now).toISOString() }],
    ['a project that nobody knows', { projectId: 'my.project:1' }],
    ['unknown fields', { more: 1 }],
  ];
  for (const [what, fields] of accepted) {
    test(`${what} is accepted`, async () => {
      const { publisher, store } = setUp();
      await publisher.publish('team_1', [{ ...plain, ...fields }], false);
      assert.equal(store.groups[0]?.length, 1);
    });
  }

  test('an empty array and one that is too long are refused', async () => {
    const { publisher } = setUp();
    assert.match((await refusalOf(publisher.publish('t', [], true))).message, /no events/);
    const refusal = await refusalOf(publisher.publish('t', [plain, plain, plain, plain], true));
    assert.equal(refusal.code, 'payload_too_large');
    assert.match(refusal.message, /has 4 events; 3 are the most/);
  });

  test('the operator may do without a window for createdAt', async () => {
    const { publisher, store } = setUp({ createdAtWindowMs: 0 });
    await publisher.publish('t', [{ ...plain, createdAt: 5 }], false);
    assert.equal(store.groups[0]?.[0]?.createdAt, 5);
  });
});

describe('what is stored', () => {
  test('the body is serialised with what was given, and with defaults for the rest', async () => {
    const { publisher, store, clock } = setUp();
    const { results, allKnown } = await publisher.publish(
      'team_1',
      [
        {
          ...plain,
          id: 'order-1',
          payload: { b: 1, a: [] },
          projectId: 'prj_1',
          region: 'fra1',
          createdAt: clock.now() - 5,
        },
        plain,
      ],
      true,
    );
    const [given, bare] = store.groups[0] ?? [];
    assert.equal(
      Buffer.from(given?.body ?? []).toString(),
      `{"id":"order-1","type":"deployment.created","createdAt":${clock.now() - 5},"payload":{"b":1,"a":[]},"region":"fra1"}`,
    );
    assert.deepEqual(
      { ...given, body: null, uid: null },
      {
        uid: null,
        id: 'order-1',
        teamId: 'team_1',
        type: 'deployment.created',
        projectId: 'prj_1',
        region: 'fra1',
        createdAt: clock.now() - 5,
        createdAtGiven: true,
        acceptedAt: clock.now(),
        body: null,
        only: null,
      },
    );
    assert.notEqual(given?.uid, given?.id);
    assert.equal(bare?.uid, bare?.id);
    assert.deepEqual([bare?.createdAt, bare?.createdAtGiven, bare?.region], [clock.now(), false, null]);
    assert.deepEqual(
      results.map(({ id, createdAt, deliveries }) => [id, createdAt, deliveries]),
      [
        ['order-1', clock.now() - 5, 0],
        [bare?.id, clock.now(), 0],
      ],
    );
    assert.equal(allKnown, false);
  });

  test('legacy types carry their owner, and who did it', async () => {
    const { publisher, store } = setUp();
    await publisher.publish(
      'team_1',
      [{ type: 'deployment-created', payload: { user: { id: 'u1' } } }],
      false,
    );
    await publisher.publish(
      'team_1',
      [{ type: 'deployment-created', payload: { user: { id: null } } }],
      false,
    );
    const bodies = store.groups.map(
      ([event]) => JSON.parse(Buffer.from(event?.body ?? []).toString()) as object,
    );
    assert.deepEqual(
      bodies.map((body) => Object.keys(body).join()),
      [
        'id,type,createdAt,payload,region,clientId,ownerId,teamId,userId',
        'id,type,createdAt,payload,region,clientId,ownerId,teamId,userId',
      ],
    );
    const owners = bodies as { ownerId: string; teamId: string; clientId: null; userId: string | null }[];
    assert.deepEqual(
      owners.map(({ ownerId, teamId, clientId, userId }) => [ownerId, teamId, clientId, userId]),
      [
        ['team_1', 'team_1', null, 'u1'],
        ['team_1', 'team_1', null, null],
      ],
    );
  });

  test('births that are ours are taken, the others are only told of', async () => {
    const { publisher, store, heard } = setUp();
    store.births = [
      { tag: 'tag00001', version: 3, leased: true },
      { tag: 'tag00002', version: 1, leased: false },
    ];
    const { results } = await publisher.publish('team_1', [plain], false);
    assert.equal(results[0]?.deliveries, 2);
    const [event] = store.groups[0] ?? [];
    assert.deepEqual(heard.taken, [`${event?.uid}tag00001`]);
    assert.deepEqual(heard.behind, ['tag00002']);
    assert.equal(heard.accepted, 1);
  });

  test('who publishes more than this process can send waits a moment, and is answered as ever', async () => {
    const { publisher, store, clock } = setUp({}, { waiting: 5_000, busy: () => 1 });
    store.births = Array.from({ length: 64 }, (_, i) => ({ tag: `tag${i}`, version: 1, leased: true }));
    await publisher.publish('team_1', [plain], false);
    const second = publisher.publish('team_1', [plain], false);
    await publisher.publish('team_2', [plain], false);
    await clock.advance(49);
    assert.deepEqual(
      store.groups.flat().map(({ teamId }) => teamId),
      ['team_1', 'team_2'],
    );
    assert.equal(publisher.queued, 1, 'it counts as waiting meanwhile');
    await clock.advance(1);
    assert.equal((await second).results[0]?.deliveries, 64);
  });

  test('a known id answers as it did the first time, and nothing is handed over', async () => {
    const { publisher, store, heard } = setUp();
    const known: Accepted = { kind: 'known', createdAt: 77, deliveries: 9 };
    store.outcome = { kind: 'stored', events: [known] };
    const { results, allKnown } = await publisher.publish('team_1', [{ ...plain, id: 'x' }], false);
    assert.deepEqual([results, allKnown], [[{ id: 'x', createdAt: 77, deliveries: 9 }], true]);
    store.outcome = { kind: 'stored', events: [known, { kind: 'stored', births: [] }] };
    const mixed = await publisher.publish('team_1', [{ ...plain, id: 'x' }, plain], true);
    assert.equal(mixed.allKnown, false);
    assert.deepEqual(heard.taken, []);
  });

  test('an id that is taken is a conflict that names it', async () => {
    const { publisher, store } = setUp();
    store.outcome = { kind: 'conflict', index: 1 };
    const refusal = await refusalOf(publisher.publish('t', [plain, { ...plain, id: 'taken' }], true));
    assert.equal(refusal.code, 'id_conflict');
    assert.match(refusal.message, /The event id taken is taken/);
  });
});

describe('a full queue', () => {
  test('more than may wait is refused with Retry-After, and what waits is not touched', async () => {
    const { publisher, store } = setUp();
    const { gate, open } = newGate();
    store.gate = gate;
    const waiting = [
      publisher.publish('t', [plain, plain, plain], true),
      publisher.publish('t', [plain], false),
    ];
    assert.equal(publisher.queued, 4);
    const refusal = await refusalOf(publisher.publish('t', [plain, plain], true));
    assert.equal(refusal.code, 'rate_limited');
    assert.deepEqual(refusal.headers, { 'retry-after': '1' });
    waiting.push(publisher.publish('t', [plain], false));
    open();
    await Promise.all(waiting);
    assert.equal(publisher.queued, 0);
    assert.equal(store.groups.flat().length, 5);
  });

  test('bytes count too', async () => {
    const { publisher, store } = setUp({ maxQueuedBytes: 1_500 });
    const { gate, open } = newGate();
    store.gate = gate;
    const large = { ...plain, payload: { text: 'x'.repeat(800) } };
    const first = publisher.publish('t', [large], false);
    assert.equal((await refusalOf(publisher.publish('t', [large], false))).code, 'rate_limited');
    open();
    await first;
    await publisher.publish('t', [large], false);
  });

  test('its places are free again when the store fails', async () => {
    const { publisher, store } = setUp();
    store.gate = Promise.reject(new Error('away'));
    await assert.rejects(publisher.publish('t', [plain, plain, plain], true), /away/);
    assert.equal(publisher.queued, 0);
  });
});

describe('what is not published', () => {
  const step = { query: {} } as Step;

  test('a test event is for its one webhook', async () => {
    const { publisher, store } = setUp();
    store.births = [{ tag: 'tag00001', version: 1, leased: false }];
    const { id, deliveries } = await publisher.publishTest({
      teamId: 't',
      type: 'deployment.created',
      payload: {},
      tag: 'tag00001',
    });
    const [event] = store.groups[0] ?? [];
    assert.deepEqual([event?.only, event?.id, deliveries], ['tag00001', id, 1]);
  });

  test('a redelivery that is queued is told of, another is not', async () => {
    const { publisher, store, heard } = setUp();
    assert.equal(await publisher.redeliver('key', 'tag00001', 1, step), 'queued');
    assert.deepEqual(heard.behind, ['tag00001']);
    store.redeliverOutcome = 'disabled';
    assert.equal(await publisher.redeliver('key', 'tag00002', 1, step), 'disabled');
    assert.deepEqual(heard.behind, ['tag00001']);
  });

  test('a change carries its events, and is told of when it was made', async () => {
    const { publisher, store, heard, clock } = setUp();
    store.births = [{ tag: 'tag00001', version: 1, leased: true }];
    const caused = [{ teamId: 't', type: 'deployment.created', projectId: 'prj_1', payload: { a: 1 } }];
    const change = { steps: [step], touched: ['tag00009'], now: clock.now() };
    assert.equal((await publisher.change(change, caused)).kind, 'done');
    const [event] = store.changes[0]?.events ?? [];
    assert.deepEqual([event?.projectId, event?.createdAtGiven, event?.only], ['prj_1', false, null]);
    assert.deepEqual([heard.taken.length, heard.changed, heard.accepted], [1, ['tag00009'], 1]);
    store.changeOutcome = 'refused';
    assert.equal((await publisher.change(change, caused)).kind, 'refused');
    assert.deepEqual([heard.taken.length, heard.changed, heard.accepted], [1, ['tag00009'], 1]);
  });

  test('a change that would cause a malformed event is not made', async () => {
    const { publisher, store } = setUp();
    const caused = [{ teamId: 't', type: 'deployment.created', projectId: null, payload: { bad: 1 } }];
    await assert.rejects(
      publisher.change({ steps: [], touched: [], now: 1 }, caused),
      /malformed deployment\.created/,
    );
    assert.deepEqual(store.changes, []);
  });
});
