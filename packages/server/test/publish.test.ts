// Publishing to a real process: what is accepted, what a repeat answers, which limits hold, and when it answers.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  type ApiFailure,
  deliveryIn,
  makeWebhook,
  newEvent,
  publish,
  publishAll,
  readEvent,
} from './support/calls.ts';
import { type Answer, type Posthorn, startPosthorn } from './support/posthorn.ts';
import { countEvents, holdCommits, type Results, send } from './support/publishing.ts';
import { type Receiver, startReceiver } from './support/receiver.ts';

describe('publishing', () => {
  let posthorn: Posthorn;
  let receiver: Receiver;
  before(async () => {
    [posthorn, receiver] = await Promise.all([
      startPosthorn({ POSTHORN_LOG_LEVEL: 'warn' }),
      startReceiver(),
    ]);
    await makeWebhook(posthorn, receiver.url);
  });
  after(() => Promise.all([posthorn.close(), receiver.close()]));

  test('one event answers 202 with its id, time and number of deliveries', async () => {
    const startedAt = Date.now();
    const answer = await send(posthorn, newEvent(1, { projectId: 'prj_any', region: 'fra1' }));
    assert.equal(answer.status, 202);
    assert.deepEqual(Object.keys(answer.body), ['id', 'createdAt', 'deliveries']);
    assert.equal(answer.body.deliveries, 1);
    assert.ok(answer.body.createdAt >= startedAt - 1 && answer.body.createdAt <= Date.now() + 1);
    const event = await readEvent(posthorn, answer.body.id);
    assert.deepEqual(
      [event.projectId, event.region, event.type],
      ['prj_any', 'fra1', 'deployment.succeeded'],
    );
    assert.deepEqual(event.payload, newEvent(1).payload);
    const nobody = await send(posthorn, newEvent(1, { type: 'deployment.error' }));
    assert.deepEqual([nobody.status, nobody.body.deliveries], [202, 0]);
  });

  test('an array answers in its order, with own and given ids', async () => {
    const answer = await send(posthorn, [
      newEvent(0, { id: 'array-0' }),
      newEvent(1),
      newEvent(2, { id: 'array-2', type: 'deployment.error' }),
    ]);
    assert.equal(answer.status, 202);
    const { events } = answer.body;
    assert.deepEqual(Object.keys(answer.body), ['events']);
    assert.deepEqual([events[0]?.id, events[2]?.id, events.length], ['array-0', 'array-2', 3]);
    assert.match(events[1]?.id ?? '', /^[A-Za-z0-9_-]{21}$/);
    assert.deepEqual(
      events.map(({ deliveries }) => deliveries),
      [1, 1, 0],
    );
    const one = await send(posthorn, [newEvent(3)]);
    assert.deepEqual([one.status, one.body.events.length], [202, 1]);
  });

  test('both spellings of a domain event are the dotted type', async () => {
    await makeWebhook(posthorn, receiver.url, { events: ['domain.transfer-in-started'] });
    const payload = { team: { id: 'team_x' }, user: { id: null }, domain: { name: 'example.com' } };
    for (const type of ['domain.transfer-in-started', 'domain.transfer-in.started']) {
      const { id, deliveries } = await publish(posthorn, { type, payload });
      assert.equal(deliveries, 1);
      assert.equal((await readEvent(posthorn, id)).type, 'domain.transfer-in.started');
    }
  });

  test('an array is stored whole or not at all', async () => {
    await publish(posthorn, newEvent(1, { id: 'taken' }));
    const stored = await countEvents(posthorn);
    const fresh = (name: string) => newEvent(0, { id: `whole-${name}` });
    const refused: [string, unknown[], number, RegExp][] = [
      [
        'a bad payload',
        [fresh('a'), { type: 'deployment.created', payload: { deployment: 1 } }],
        400,
        /events\[1\]/,
      ],
      [
        'an unknown type',
        [fresh('b'), newEvent(0, { type: 'deployment.imagined' })],
        400,
        /deployment\.imagined/,
      ],
      ['something else', [fresh('c'), 'text'], 400, /events\[1\]/],
      ['a taken id', [fresh('d'), newEvent(2, { id: 'taken' }), fresh('e')], 409, /taken/],
      ['one id twice', [newEvent(1, { id: 'whole-f' }), newEvent(2, { id: 'whole-f' })], 409, /whole-f/],
      ['a large event', [fresh('g'), newEvent(0, { payload: large(1_100_000) })], 413, /events\[1\]/],
      ['nothing', [], 400, /no events/],
    ];
    for (const [what, events, status, sentence] of refused) {
      const answer = await send(posthorn, events);
      assert.equal(answer.status, status, what);
      assert.match(answer.body.error.message, sentence, what);
    }
    for (const name of 'abcdefg') {
      assert.equal((await posthorn.call('GET', `/v1/events/whole-${name}`)).status, 404, name);
    }
    assert.equal(await countEvents(posthorn), stored);
  });

  test('a known id answers its first result: 200 when all are known, 202 when one is new', async () => {
    const first = await send(posthorn, newEvent(5, { id: 'known-1' }));
    const again = await send(posthorn, newEvent(5, { id: 'known-1' }));
    assert.deepEqual([first.status, again.status], [202, 200]);
    assert.deepEqual(again.body, first.body);
    const mixed = await send(posthorn, [newEvent(5, { id: 'known-1' }), newEvent(6, { id: 'known-2' })]);
    assert.equal(mixed.status, 202);
    assert.deepEqual(mixed.body.events[0], first.body);
    const known = await send(posthorn, [newEvent(6, { id: 'known-2' }), newEvent(5, { id: 'known-1' })]);
    assert.equal(known.status, 200);
    assert.deepEqual(known.body.events, mixed.body.events.toReversed());
    const twice = await send(posthorn, [newEvent(7, { id: 'known-3' }), newEvent(7, { id: 'known-3' })]);
    assert.equal(twice.status, 202);
    assert.deepEqual(twice.body.events[0], twice.body.events[1]);
    assert.equal((await readEvent(posthorn, 'known-3')).deliveries.length, 1);
    assert.equal((await readEvent(posthorn, 'known-1')).deliveries.length, 1);
  });

  test('an id with other content is 409, and the order of keys is no content', async () => {
    const payload = { ...newEvent(8).payload, build: 8 };
    const base = { type: 'deployment.succeeded', payload, projectId: 'prj_1', region: 'iad1', id: 'content' };
    await publish(posthorn, base);
    const others: [string, object][] = [
      ['type', { type: 'deployment.error' }],
      ['project', { projectId: 'prj_2' }],
      ['no project', { projectId: null }],
      ['region', { region: 'fra1' }],
      ['no region', { region: null }],
      ['payload', { payload: { ...payload, extra: true } }],
      ['text for a number', { payload: { ...payload, build: '8' } }],
      ['null for nothing', { payload: { ...payload, other: null } }],
    ];
    for (const [what, fields] of others) {
      const answer = await send(posthorn, { ...base, ...fields });
      assert.equal(answer.status, 409, what);
      assert.equal(answer.body.error.code, 'id_conflict', what);
    }
    const turned = Object.fromEntries(Object.entries(payload).toReversed());
    const same = { id: 'content', region: 'iad1', projectId: 'prj_1', payload: turned, type: base.type };
    assert.equal((await send(posthorn, same)).status, 200);
    assert.equal((await send(posthorn, base)).status, 200);
  });

  test('createdAt is compared only when both calls gave it', async () => {
    const at = Date.now() - 60_000;
    const given = newEvent(1, { id: 'time-given', createdAt: at });
    const first = await send(posthorn, given);
    assert.deepEqual([first.status, first.body.createdAt], [202, at]);
    const iso = await send(posthorn, { ...given, createdAt: new Date(at).toISOString() });
    assert.deepEqual([iso.status, iso.body], [200, first.body]);
    const without = await send(posthorn, newEvent(1, { id: 'time-given' }));
    assert.deepEqual([without.status, without.body], [200, first.body]);
    assert.equal((await send(posthorn, { ...given, createdAt: at + 1 })).status, 409);

    const own = await send(posthorn, newEvent(1, { id: 'time-own' }));
    const later = await send(posthorn, newEvent(1, { id: 'time-own', createdAt: at }));
    assert.deepEqual([later.status, later.body], [200, own.body]);
  });

  test('the same id 50 times at once is one event with one first answer', async () => {
    const event = newEvent(9, { id: 'fifty' });
    const answers = await Promise.all(Array.from({ length: 50 }, () => send(posthorn, event)));
    const statuses = answers.map(({ status }) => status).toSorted();
    assert.deepEqual(statuses, [...Array.from({ length: 49 }, () => 200), 202]);
    for (const { body } of answers) assert.deepEqual(body, answers[0]?.body);
    const { deliveries } = await readEvent(posthorn, 'fifty');
    assert.equal(deliveries.length, 1);
    await deliveryIn(posthorn, 'delivered', 'fifty');
    const received = receiver.requests.filter(({ headers }) => headers['webhook-id'] === 'fifty');
    assert.equal(received.length, 1);

    const contents = await Promise.all(
      Array.from({ length: 50 }, (_, seq) => send(posthorn, newEvent(seq % 5, { id: 'rivals' }))),
    );
    const winner = (await readEvent(posthorn, 'rivals')).payload;
    for (const [index, { status }] of contents.entries()) {
      const own = JSON.stringify(newEvent(index % 5).payload) === JSON.stringify(winner);
      assert.ok(own ? status === 202 || status === 200 : status === 409, `${index}: ${status}`);
    }
    assert.equal(contents.filter(({ status }) => status === 202).length, 1);
  });

  test('nobody is answered before the commit, the first publisher or those who repeat', async () => {
    const letGo = holdCommits(posthorn);
    const settled: number[] = [];
    let calls: Promise<Answer<Results>>[] = [];
    try {
      calls = Array.from({ length: 10 }, async (_, index) => {
        const answer = await send(posthorn, newEvent(1, { id: 'held' }));
        settled.push(index);
        return answer;
      });
      // Other answers come and go meanwhile: the process is not what waits.
      for (let i = 0; i < 10; i++) {
        assert.equal((await posthorn.call('GET', '/v1/events/held')).status, 404);
        assert.equal((await posthorn.call('GET', '/healthz')).status, 200);
      }
      assert.deepEqual(settled, []);
    } finally {
      letGo();
    }
    const statuses = (await Promise.all(calls)).map(({ status }) => status).toSorted();
    assert.deepEqual(statuses, [200, 200, 200, 200, 200, 200, 200, 200, 200, 202]);
    assert.equal((await readEvent(posthorn, 'held')).deliveries.length, 1);
  });

  test('every limit refuses with its own status and changes nothing', async () => {
    const stored = await countEvents(posthorn);
    const minute = 60_000;
    const refused: [string, unknown, number, RegExp][] = [
      ['an event over 1 MiB', newEvent(0, { payload: large(1_048_576) }), 413, /POSTHORN_MAX_EVENT_BYTES/],
      ['1,001 events', Array.from({ length: 1_001 }, () => newEvent()), 413, /1000 are the most/],
      [
        'JSON 65 deep',
        newEvent(0, { payload: { ...newEvent().payload, deep: deep(63) } }),
        400,
        /deeper than 64/,
      ],
      ['too old', newEvent(0, { createdAt: Date.now() - 11 * minute }), 400, /createdAt.*10 minutes/],
      ['too new', newEvent(0, { createdAt: Date.now() + 11 * minute }), 400, /createdAt.*10 minutes/],
      ['no time', newEvent(0, { createdAt: 'yesterday' }), 400, /createdAt/],
      ['an empty id', newEvent(0, { id: '' }), 400, /id must be/],
      ['a long id', newEvent(0, { id: 'x'.repeat(129) }), 400, /id must be/],
      ['an id with a blank', newEvent(0, { id: 'a b' }), 400, /id must be/],
      ['an id with a letter of another alphabet', newEvent(0, { id: 'ä' }), 400, /id must be/],
      ['an id that ends in a line break', newEvent(0, { id: 'ab\n' }), 400, /id must be/],
      ['an id that is a number', newEvent(0, { id: 7 }), 400, /id must be/],
      ['no type', { payload: {} }, 400, /type/],
      ['no payload', { type: 'deployment.succeeded' }, 400, /payload/],
      ['a payload that is a list', newEvent(0, { payload: [] }), 400, /payload/],
      [
        'a payload without its team',
        newEvent(0, { payload: { ...newEvent().payload, team: 3 } }),
        400,
        /payload/,
      ],
    ];
    for (const [what, body, status, sentence] of refused) {
      const answer = await send(posthorn, body);
      assert.equal(answer.status, status, what);
      assert.match(answer.body.error.message, sentence, what);
    }
    const raw: [string, string, number, RegExp][] = [
      ['a request over 16 MiB', `[${' '.repeat(16 * 1_048_576)}]`, 413, /POSTHORN_MAX_REQUEST_BYTES/],
      ['broken JSON', '{"type": "deployment.created", "payload": {,}}', 400, /position 43/],
      ['half a JSON', '{"type": "deployment.created"', 400, /position 29/],
    ];
    for (const [what, body, status, sentence] of raw) {
      const answer = await posthorn.call<ApiFailure>('POST', '/v1/events', { raw: body });
      assert.equal(answer.status, status, what);
      assert.match(answer.body.error.message, sentence, what);
    }
    assert.equal(await countEvents(posthorn), stored);
  });

  test('what lies just within the limits is taken', async () => {
    const minute = 60_000;
    const whole = await send(posthorn, newEvent(0, { payload: large(1_046_000) }));
    assert.equal(whole.status, 202);
    const { body } = await readEvent(posthorn, whole.body.id);
    assert.ok(body.length > 1_046_000 && body.length <= 1_048_576, `${body.length} bytes`);
    await publish(posthorn, newEvent(0, { id: `:_-Az09${'x'.repeat(121)}` }));
    await publish(posthorn, newEvent(0, { payload: { ...newEvent().payload, deep: deep(62) } }));
    await publish(posthorn, newEvent(0, { createdAt: Date.now() - 9 * minute }));
    await publish(posthorn, newEvent(0, { createdAt: new Date(Date.now() + 9 * minute).toISOString() }));
    const many = await publishAll(
      posthorn,
      Array.from({ length: 1_000 }, (_, seq) => newEvent(seq, { type: 'deployment.error' })),
    );
    assert.equal(new Set(many.map(({ id }) => id)).size, 1_000);
  });
});

function large(bytes: number): object {
  return { ...newEvent().payload, text: 'x'.repeat(bytes) };
}

/** `levels` objects, one in the other. */
function deep(levels: number): object {
  let value: object = {};
  for (let level = 1; level < levels; level++) value = { value };
  return value;
}
