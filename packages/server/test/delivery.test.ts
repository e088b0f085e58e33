// Delivery by a real process to real receivers: what is sent, when it is sent again, what a webhook's changes do to
// it, and that lanes keep to themselves.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { Webhook as StandardWebhook } from 'standardwebhooks';
import { Webhook as SvixWebhook } from 'svix';
import {
  attemptOf,
  deliveryIn,
  listDeliveries,
  makeWebhook,
  newEvent,
  patchWebhook,
  publish,
  publishAll,
  readDelivery,
  readEvent,
  until,
} from './support/calls.ts';
import { type Posthorn, startPosthorn } from './support/posthorn.ts';
import { type ReceivedRequest, type Receiver, startReceiver } from './support/receiver.ts';

/** Vercel's signature, made independently of the server. */
const signHex = (secret: string, body: string | Buffer) =>
  createHmac('sha1', secret).update(body).digest('hex');

/** A payload in which serialising carelessly would show. */
const peculiar = {
  ...newEvent(7).payload,
  text: 'ümläut 🚀 \u2028 "quoted" \\ / <script> \u0001 \ud800',
  numbers: [0, -0, 1e21, 1e-7, 0.1, 123456789012345680000, 5e-324, 9007199254740991],
  '10': 'ten',
  '9': 'nine',
  empty: [{}, [], '', null],
  key: { 'with space': true, '': false },
};

/** Starts receivers that are closed when the describe block ends. */
function receivers() {
  const open: Receiver[] = [];
  after(() => Promise.all(open.map((one) => one.close())));
  return async (...options: Parameters<typeof startReceiver>): Promise<Receiver> => {
    const receiver = await startReceiver(...options);
    open.push(receiver);
    return receiver;
  };
}

const seqOf = ({ body }: ReceivedRequest): number =>
  Number((JSON.parse(body.toString()) as ReturnType<typeof newEvent>).payload.deployment.meta.seq);
const idOf = ({ body }: ReceivedRequest): string => (JSON.parse(body.toString()) as { id: string }).id;

describe('a delivery', () => {
  let posthorn: Posthorn;
  const receive = receivers();
  before(async () => {
    posthorn = await startPosthorn();
  });
  after(() => posthorn.close());

  test('is signed as the known answer says', () => {
    const body =
      '{"id":"evt_1","type":"deployment.succeeded","createdAt":1700000000000,"payload":{"deployment":{"id":"dpl_1"}}}';
    assert.equal(signHex('vercel_secret', body), '121fc49dd29b913bbb19ad65e8dc00f569f5f73c');
  });

  test('carries the headers and the bytes of the contract; stored, sent and shown are the same', async () => {
    const receiver = await receive();
    const { secret } = await makeWebhook(posthorn, `${receiver.url}/some/path?with=query&b=%20`);
    const startedAt = Date.now();
    const { id, createdAt } = await publish(posthorn, {
      type: 'deployment.succeeded',
      payload: peculiar,
      region: 'iad1',
    });
    const request = await receiver.next();
    assert.equal(request.method, 'POST');
    assert.equal(request.url, '/some/path?with=query&b=%20');
    const { headers, body } = request;
    const text = body.toString('utf8');

    const parsed = JSON.parse(text) as Record<string, unknown>;
    assert.deepEqual(Object.keys(parsed), ['id', 'type', 'createdAt', 'payload', 'region']);
    assert.deepEqual(
      { ...parsed, payload: null },
      { id, type: 'deployment.succeeded', createdAt, payload: null, region: 'iad1' },
    );
    assert.deepEqual(parsed.payload, JSON.parse(JSON.stringify(peculiar)));
    assert.ok(createdAt >= startedAt - 1 && createdAt <= Date.now() + 1);
    assert.equal(JSON.stringify(JSON.parse(text)), text, 'survives being parsed and serialised again');
    assert.ok(Buffer.from(text).equals(body), 'is valid UTF-8');

    assert.equal(headers['content-type'], 'application/json');
    assert.match(headers['user-agent'] ?? '', /^Posthorn\/\d+\.\d+\.\d+$/);
    assert.equal(headers['content-length'], String(body.length));
    assert.equal(headers['x-vercel-signature'], signHex(secret, body));
    assert.equal(headers['webhook-id'], id);
    const timestamp = String(headers['webhook-timestamp']);
    assert.match(timestamp, /^\d{10}$/);
    assert.ok(Math.abs(Number(timestamp) * 1000 - Date.now()) < 10_000, 'seconds of this attempt');
    const standard = createHmac('sha256', Buffer.from(secret, 'base64')).update(`${id}.${timestamp}.${text}`);
    assert.equal(headers['webhook-signature'], `v1,${standard.digest('base64')}`);
    assert.match(String(headers.traceparent), /^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$/);

    const delivery = await deliveryIn(posthorn, 'delivered', id);
    const attempt = attemptOf(delivery);
    assert.equal((await readEvent(posthorn, id)).body, text);
    assert.equal(attempt.request.body, text);
    assert.equal(attempt.request.url, `${receiver.url}/some/path?with=query&b=%20`);
    const { host, connection, 'content-length': length, ...own } = headers;
    assert.deepEqual(attempt.request.headers, own, 'the headers shown are those that were sent');
    assert.ok(host && connection && length);
  });

  test('has region null where none was given', async () => {
    const receiver = await receive();
    await makeWebhook(posthorn, receiver.url, { events: ['deployment.created'] });
    await publish(
      posthorn,
      newEvent(0, { type: 'deployment.created', payload: { ...newEvent().payload, alias: [] } }),
    );
    const { body } = await receiver.next();
    assert.ok(body.toString().endsWith(',"region":null}'));
  });

  test('is verified by standardwebhooks and svix with the secret as it was given', async () => {
    const receiver = await receive();
    const { secret, id: webhookId } = await makeWebhook(posthorn, receiver.url, {
      events: ['edge-config.created'],
    });
    const tested = await posthorn.call('POST', `/v1/webhooks/${webhookId}/test`);
    assert.equal(tested.status, 202);
    const { body, headers } = await receiver.next();
    const text = body.toString();
    for (const Library of [StandardWebhook, SvixWebhook]) {
      new Library(secret).verify(text, headers as Record<string, string>);
      assert.throws(() => new Library(secret).verify(`${text} `, headers as Record<string, string>));
      assert.throws(() => new Library(`${secret.slice(1)}x`).verify(text, headers as Record<string, string>));
    }
  });

  test('keeps both secrets through a rotation with overlap, and only the new one afterwards', async () => {
    const receiver = await receive();
    const { secret: first, id } = await makeWebhook(posthorn, receiver.url, {
      events: ['edge-config.created'],
    });
    const rotate = async (body?: object): Promise<string> => {
      const answer = await posthorn.call<{ secret: string }>(
        'POST',
        `/v1/webhooks/${id}/rotate-secret`,
        body === undefined ? {} : { body },
      );
      assert.equal(answer.status, 200, JSON.stringify(answer.body));
      assert.deepEqual(Object.keys(answer.body), ['secret']);
      assert.match(answer.body.secret, /^[A-Za-z0-9]{32}$/);
      return answer.body.secret;
    };
    const deliver = async (): Promise<ReceivedRequest> => {
      const { body } = await posthorn.call<{ id: string }>('POST', `/v1/webhooks/${id}/test`);
      return receiver.next((request) => idOf(request) === body.id);
    };
    const verifies = ({ body, headers }: ReceivedRequest, secret: string): boolean => {
      try {
        new StandardWebhook(secret).verify(body.toString(), headers as Record<string, string>);
        return true;
      } catch {
        return false;
      }
    };

    const second = await rotate({ overlap: 60 });
    const both = await deliver();
    assert.equal(both.headers['x-vercel-signature'], signHex(first, both.body));
    assert.equal(String(both.headers['webhook-signature']).split(' ').length, 2);
    assert.deepEqual(
      [first, second].map((secret) => verifies(both, secret)),
      [true, true],
    );

    const third = await rotate();
    const one = await deliver();
    assert.equal(one.headers['x-vercel-signature'], signHex(third, one.body));
    assert.equal(String(one.headers['webhook-signature']).split(' ').length, 1);
    assert.deepEqual(
      [first, second, third].map((secret) => verifies(one, secret)),
      [false, false, true],
    );

    const fourth = await rotate({ overlap: 2 });
    const overlapping = await deliver();
    assert.equal(overlapping.headers['x-vercel-signature'], signHex(third, overlapping.body));
    await until(deliver, ({ headers, body }) => headers['x-vercel-signature'] === signHex(fourth, body));
    const afterwards = await deliver();
    assert.deepEqual(
      [third, fourth].map((secret) => verifies(afterwards, secret)),
      [false, true],
    );
  });

  test('of a legacy type has that type’s envelope, and only its own name sends it', async () => {
    const [old, modern] = [await receive(), await receive()];
    const { ownerId, secret } = await makeWebhook(posthorn, old.url, { events: ['project-created'] });
    await makeWebhook(posthorn, modern.url, { events: ['project.created'] });
    const project = { id: 'prj_legacy', name: 'legacy' };
    const legacy = await publish(posthorn, { type: 'project-created', payload: { project } });
    const created = { team: { id: ownerId }, user: { id: null }, project };
    const current = await publish(posthorn, { type: 'project.created', payload: created });
    assert.deepEqual([legacy.deliveries, current.deliveries], [1, 1]);

    const { body, headers } = await old.next();
    const parsed = JSON.parse(body.toString()) as Record<string, unknown>;
    assert.deepEqual(parsed, {
      id: legacy.id,
      type: 'project-created',
      createdAt: legacy.createdAt,
      payload: { project },
      region: null,
      clientId: null,
      ownerId,
      teamId: ownerId,
      userId: null,
    });
    assert.equal(JSON.stringify(parsed), body.toString());
    assert.equal(headers['x-vercel-signature'], signHex(secret, body));
    assert.deepEqual(JSON.parse((await modern.next()).body.toString()).payload, created);
    assert.deepEqual([old.requests.length, modern.requests.length], [1, 1]);
  });

  test('of a test event goes to that webhook alone, subscribed or not, and is marked', async () => {
    const [tested, other] = [await receive(), await receive()];
    const { id } = await makeWebhook(posthorn, tested.url, { events: ['flag.created'] });
    const witness = await makeWebhook(posthorn, other.url, { events: ['firewall.attack', 'flag.created'] });
    const types = await posthorn.call<{ eventTypes: { type: string; sample: object }[] }>(
      'GET',
      '/v1/event-types',
    );
    for (const [wish, type] of [
      [{ type: 'firewall.attack' }, 'firewall.attack'],
      [undefined, 'flag.created'],
      [{ type: 'domain.auto-renew-changed' }, 'domain.auto-renew.changed'],
    ] as const) {
      const answer = await posthorn.call<{ id: string }>(
        'POST',
        `/v1/webhooks/${id}/test`,
        wish === undefined ? {} : { body: wish },
      );
      assert.equal(answer.status, 202, JSON.stringify(answer.body));
      assert.deepEqual(Object.keys(answer.body), ['id']);
      const request = await tested.next((one) => idOf(one) === answer.body.id);
      const sent = JSON.parse(request.body.toString()) as { type: string; payload: object };
      assert.equal(sent.type, type);
      assert.deepEqual(sent.payload, types.body.eventTypes.find((one) => one.type === type)?.sample);
      const event = await readEvent(posthorn, answer.body.id);
      assert.equal(event.test, true);
      assert.deepEqual(
        event.deliveries.map(({ webhookId }) => webhookId),
        [id],
      );
    }
    // What was published since reaches the other one first, so nothing of the tests was on its way there.
    const real = await publish(posthorn, {
      type: 'flag.created',
      payload: flagPayload(types.body.eventTypes),
    });
    assert.equal(real.deliveries, 2);
    await other.next();
    assert.deepEqual(other.requests.map(idOf), [real.id]);
    assert.equal((await readEvent(posthorn, real.id)).test, false);
    const unknown = await posthorn.call('POST', `/v1/webhooks/${witness.id}/test`, {
      body: { type: 'no.such' },
    });
    assert.equal(unknown.status, 400);
  });
});

function flagPayload(types: { type: string; sample: object }[]): object {
  return types.find(({ type }) => type === 'flag.created')?.sample ?? {};
}

describe('an attempt that fails', () => {
  let posthorn: Posthorn;
  const receive = receivers();
  before(async () => {
    posthorn = await startPosthorn({ POSTHORN_RETRY_SCHEDULE: '100ms,100ms', POSTHORN_TIMEOUT: '2s' });
  });
  after(() => posthorn.close());

  /** A receiver with a webhook of its own, on a type that no other test of this process uses. */
  let nextType = 0;
  const types = [
    'message.created',
    'message.updated',
    'message.deleted',
    'thread.resolved',
    'thread.unresolved',
  ];
  const more = [
    'comment.created',
    'comment.updated',
    'comment.deleted',
    'comment.resolved',
    'comment.unresolved',
  ];
  async function setUp() {
    const type = [...types, ...more][nextType++] ?? '';
    const receiver = await receive();
    const webhook = await makeWebhook(posthorn, `${receiver.url}/hook`, { events: [type] });
    const send = async (): Promise<string> => {
      const answer = await posthorn.call<{ id: string }>('POST', `/v1/webhooks/${webhook.id}/test`);
      assert.equal(answer.status, 202, JSON.stringify(answer.body));
      return answer.body.id;
    };
    return { receiver, webhook, send };
  }

  test('is repeated by the schedule with the same body until it is used up', async () => {
    const { receiver, send } = await setUp();
    receiver.script({
      status: 500,
      body: 'it broke',
      headers: { 'x-why': 'test', 'content-type': 'text/plain' },
    });
    const id = await send();
    const delivery = await deliveryIn(posthorn, 'failed', id);
    assert.deepEqual(
      delivery.attempts.map(({ number, status, error }) => ({ number, status, error })),
      [1, 2, 3].map((number) => ({ number, status: 500, error: 'status_500' })),
    );
    const [first, second, third] = receiver.requests;
    assert.ok(first && second && third && receiver.requests.length === 3);
    assert.ok(first.body.equals(second.body) && first.body.equals(third.body));
    assert.equal(first.headers['webhook-id'], third.headers['webhook-id']);
    for (const index of [0, 1]) {
      const { startedAt, durationMs } = attemptOf(delivery, index);
      const waited = attemptOf(delivery, index + 1).startedAt - (startedAt + durationMs);
      assert.ok(waited >= 88, `waited ${waited} ms of 100, varied by at most a tenth`);
    }
    const attempt = attemptOf(delivery);
    assert.match(attempt.message ?? '', /answered 500; it failed while handling the event/);
    assert.ok(attempt.timings.totalMs !== null && attempt.timings.totalMs > 0);
    assert.ok(attempt.timings.firstByteMs !== null && attempt.timings.connectMs !== null);
    assert.equal(attempt.durationMs, attempt.timings.totalMs);
    assert.equal(attempt.request.headers['x-vercel-signature'], first.headers['x-vercel-signature']);
    assert.equal(attempt.request.body, first.body.toString());
    assert.equal(attempt.response?.body, 'it broke');
    assert.equal(attempt.response?.headers['x-why'], 'test');
    assert.equal(delivery.lastStatus, 500);
    assert.equal(delivery.lastError, 'status_500');
    assert.equal(delivery.nextAttemptAt, null);
  });

  test('says why, in the field’s words, with a sentence that tells what to do', async () => {
    const { receiver, send } = await setUp();
    receiver.script('hang', 'reset', { status: 200, body: 'fine' });
    const delivery = await deliveryIn(posthorn, 'delivered', await send());
    const [hung, cut, fine] = delivery.attempts;
    assert.ok(hung && cut && fine && delivery.attempts.length === 3);
    assert.deepEqual([hung.error, hung.status, hung.response], ['timeout_waiting_for_response', null, null]);
    assert.match(hung.message ?? '', /did not answer within 2 s; answer 2xx at once/);
    assert.ok(hung.durationMs >= 1_990, `gave up after ${hung.durationMs} ms`);
    assert.deepEqual([cut.error, cut.status], ['connection_reset', null]);
    assert.deepEqual([fine.error, fine.message, fine.response?.body], [null, null, 'fine']);

    const { receiver: gone, send: sendToNobody } = await setUp();
    await gone.close();
    const refused = await deliveryIn(posthorn, 'failed', await sendToNobody());
    assert.equal(attemptOf(refused).error, 'connection_refused');
    assert.match(attemptOf(refused).message ?? '', /Nothing accepts connections at 127\.0\.0\.1:\d+/);
  });

  test('with 410 fails the delivery at once', async () => {
    const { receiver, send } = await setUp();
    receiver.script({ status: 410 });
    const delivery = await deliveryIn(posthorn, 'failed', await send());
    assert.equal(delivery.attempts.length, 1);
    assert.equal(delivery.lastError, 'status_410');
  });

  test('with a redirect is not followed', async () => {
    const { receiver, send } = await setUp();
    const elsewhere = await receive();
    const location = `${elsewhere.url}/moved`;
    receiver.script(
      { status: 307, headers: { location } },
      { status: 302, headers: { location } },
      { status: 200 },
    );
    const delivery = await deliveryIn(posthorn, 'delivered', await send());
    assert.deepEqual(
      delivery.attempts.map(({ error, status }) => [error, status]),
      [
        ['redirect', 307],
        ['redirect', 302],
        [null, 200],
      ],
    );
    assert.ok(attemptOf(delivery).message?.includes(location), attemptOf(delivery).message ?? '');
    assert.equal(elsewhere.connections, 0);
  });

  test('is no failure when the receiver closed a kept connection just as it was used again', async () => {
    const { receiver, send } = await setUp();
    receiver.script({ status: 200 }, 'reset', { status: 200 }, 'close', { status: 200 });
    // One after the other, so that each finds the connection of the one before.
    for (let round = 0; round < 3; round++) {
      const delivery = await deliveryIn(posthorn, 'delivered', await send());
      assert.equal(delivery.attempts.length, 1);
      assert.equal(attemptOf(delivery).error, null);
    }
    const used = await until(
      () => Promise.resolve(receiver.requests),
      (requests) => requests.length === 5,
    );
    assert.equal(new Set(used.map(idOf)).size, 3, 'two of the three were sent twice');
  });

  test('of a redelivery leaves a finished state as it is; its success makes it delivered', async () => {
    const { receiver, send } = await setUp();
    const redeliver = async (deliveryId: string) =>
      assert.equal((await posthorn.call('POST', `/v1/deliveries/${deliveryId}/redeliver`)).status, 202);
    receiver.script({ status: 500 });
    const id = await send();
    const { id: deliveryId } = await deliveryIn(posthorn, 'failed', id, { attempts: 3 });

    await redeliver(deliveryId);
    const still = await deliveryIn(posthorn, 'failed', id, { attempts: 4 });
    receiver.script({ status: 201 });
    await redeliver(deliveryId);
    const repaired = await deliveryIn(posthorn, 'delivered', id, { attempts: 5 });
    assert.ok((repaired.finishedAt ?? 0) > (still.finishedAt ?? 0), 'finished when it was delivered');
    receiver.script({ status: 503, headers: { 'retry-after': '1' } });
    await redeliver(deliveryId);
    const kept = await deliveryIn(posthorn, 'delivered', id, { attempts: 6 });
    assert.equal(attemptOf(kept, 5).status, 503);
    assert.equal(kept.finishedAt, repaired.finishedAt);

    // Two that are asked for at once are two, and no further attempt follows by the schedule.
    receiver.script({ status: 500 });
    await Promise.all([redeliver(deliveryId), redeliver(deliveryId)]);
    await deliveryIn(posthorn, 'delivered', id, { attempts: 8 });
    const witness = await send();
    await deliveryIn(posthorn, 'failed', witness, { attempts: 3 });
    assert.equal((await readDelivery(posthorn, id)).attempts.length, 8);
    assert.ok(
      receiver.requests.every(({ headers }) => [id, witness].includes(String(headers['webhook-id']))),
    );
    assert.equal((await posthorn.call('POST', '/v1/deliveries/dlv_unknown/redeliver')).status, 404);
  });
});

describe('a delivery that waits', () => {
  let posthorn: Posthorn;
  const receive = receivers();
  before(async () => {
    posthorn = await startPosthorn({ POSTHORN_RETRY_SCHEDULE: '1h,1500ms,1h' });
  });
  after(() => posthorn.close());

  /** A webhook whose first delivery has failed once and waits about an hour. */
  async function setUpWaiting(
    answer: { status: number; headers?: Record<string, string> } = { status: 500 },
  ) {
    const receiver = await receive();
    receiver.script(answer, { status: 200 });
    const webhook = await makeWebhook(posthorn, `${receiver.url}/hook`, { events: ['alerts.triggered'] });
    const { body } = await posthorn.call<{ id: string }>('POST', `/v1/webhooks/${webhook.id}/test`);
    const delivery = await deliveryIn(posthorn, 'pending', body.id, { attempts: 1 });
    return { receiver, webhook, eventId: body.id, delivery };
  }
  const hour = 3_600_000;

  test('says when its next attempt is, by the schedule or by Retry-After', async () => {
    const inMs = (at: number | null): number => (at ?? 0) - Date.now();
    const { delivery: plain } = await setUpWaiting();
    assert.ok(inMs(plain.nextAttemptAt) > 0.89 * hour && inMs(plain.nextAttemptAt) < 1.11 * hour);
    for (const status of [429, 503]) {
      const { delivery: seconds } = await setUpWaiting({ status, headers: { 'retry-after': '7200' } });
      const wait = inMs(seconds.nextAttemptAt);
      assert.ok(wait > 2 * hour - 30_000 && wait <= 2 * hour, `${status}: ${wait} ms`);
      const at = Math.floor(Date.now() / 1000) * 1000 + 3 * hour;
      const date = new Date(at).toUTCString();
      const { delivery: dated } = await setUpWaiting({ status, headers: { 'retry-after': date } });
      assert.ok(
        Math.abs((dated.nextAttemptAt ?? 0) - at) <= 1,
        `${status}: ${dated.nextAttemptAt} for ${at}`,
      );
    }
    const { delivery: late } = await setUpWaiting({ status: 503, headers: { 'retry-after': '999999' } });
    assert.equal(late.nextAttemptAt, late.createdAt + 24 * hour, 'inside the 24 hours');
    const { delivery: other } = await setUpWaiting({ status: 500, headers: { 'retry-after': '7200' } });
    assert.ok(inMs(other.nextAttemptAt) < 1.11 * hour, 'only 429 and 503 may ask');
    const { delivery: odd } = await setUpWaiting({ status: 503, headers: { 'retry-after': 'soon' } });
    assert.ok(inMs(odd.nextAttemptAt) < 1.11 * hour);
  });

  test('reads as canceled as soon as its webhook is removed, and is never sent', async () => {
    const { receiver, webhook, eventId, delivery } = await setUpWaiting();
    const pending = await pendingCount();
    assert.equal((await posthorn.call('DELETE', `/v1/webhooks/${webhook.id}`)).status, 204);
    const canceled = await readDelivery(posthorn, eventId);
    assert.equal(canceled.state, 'canceled');
    assert.equal(canceled.nextAttemptAt, null);
    assert.equal(canceled.attempts.length, 1, 'its attempts can still be read');
    assert.deepEqual(
      (await listDeliveries(posthorn, webhook.id, '&state=canceled')).map(({ id }) => id),
      [delivery.id],
    );
    assert.deepEqual(await listDeliveries(posthorn, webhook.id, '&state=pending'), []);
    const again = await posthorn.call('POST', `/v1/deliveries/${delivery.id}/redeliver`);
    assert.equal(again.status, 409);
    // Written as canceled by and by, which changes nothing for who reads it.
    await until(pendingCount, (count) => count === pending - 1);
    assert.equal((await readDelivery(posthorn, eventId)).state, 'canceled');
    assert.equal(receiver.requests.length, 1);
  });

  test('for its turn in a lane is canceled with its webhook too', async () => {
    const receiver = await receive();
    const type = 'deployment.error';
    const wish = { events: [type], ratePerSecond: 1 };
    const { id: webhookId } = await makeWebhook(posthorn, receiver.url, wish);
    const pending = await pendingCount();
    const events = await publishAll(
      posthorn,
      Array.from({ length: 5 }, (_, seq) => newEvent(seq, { type })),
    );
    await receiver.next();
    await until(pendingCount, (count) => count === pending + 4);
    assert.equal((await posthorn.call('DELETE', `/v1/webhooks/${webhookId}`)).status, 204);
    const states = (await listDeliveries(posthorn, webhookId)).map(({ state }) => state).toSorted();
    assert.deepEqual(states, ['canceled', 'canceled', 'canceled', 'canceled', 'delivered']);
    await until(pendingCount, (count) => count === pending);
    assert.deepEqual(
      (await listDeliveries(posthorn, webhookId)).map(({ state }) => state).toSorted(),
      states,
    );
    assert.equal(receiver.requests.length, 1, 'none of them was sent meanwhile');
    assert.equal(events.length, 5);
  });

  async function pendingCount(): Promise<number> {
    const { body } = await posthorn.call<string>('GET', '/metrics', { token: null });
    return Number(/^posthorn_pending_deliveries (\d+)$/m.exec(body)?.[1]);
  }

  test('is sent at once when asked for, and then goes on by the schedule', async () => {
    const { receiver, eventId, delivery } = await setUpWaiting();
    receiver.script({ status: 502 }, { status: 500 }, { status: 200 });
    assert.equal((await posthorn.call('POST', `/v1/deliveries/${delivery.id}/redeliver`)).status, 202);
    // The second wait of the schedule is 1.5 s, the third an hour.
    const waiting = await deliveryIn(posthorn, 'pending', eventId, { attempts: 3 });
    assert.deepEqual(
      waiting.attempts.map(({ status }) => status),
      [500, 502, 500],
    );
    const [, asked, next] = waiting.attempts;
    assert.ok(
      asked && next && next.startedAt - (asked.startedAt + asked.durationMs) >= 1_340,
      'after its wait',
    );
    assert.ok((waiting.nextAttemptAt ?? 0) - Date.now() > 0.8 * hour);
    assert.equal((await posthorn.call('POST', `/v1/deliveries/${delivery.id}/redeliver`)).status, 202);
    await deliveryIn(posthorn, 'delivered', eventId, { attempts: 4 });
  });

  test('goes to the URL that the webhook has when the attempt starts', async () => {
    const { receiver, webhook, delivery, eventId } = await setUpWaiting();
    const moved = await receive();
    await patchWebhook(posthorn, webhook.id, { url: `${moved.url}/new` });
    assert.equal((await posthorn.call('POST', `/v1/deliveries/${delivery.id}/redeliver`)).status, 202);
    assert.equal((await moved.next()).url, '/new');
    const delivered = await deliveryIn(posthorn, 'delivered', eventId);
    assert.deepEqual(
      delivered.attempts.map(({ request }) => request.url),
      [`${receiver.url}/hook`, `${moved.url}/new`],
    );
    assert.equal(receiver.requests.length, 1);
  });

  test('stands still while its webhook is disabled, when no delivery is made either', async () => {
    const { receiver, webhook, eventId, delivery } = await setUpWaiting();
    const witness = await setUpWaiting();
    for (const one of [delivery, witness.delivery]) {
      const script = one === delivery ? receiver : witness.receiver;
      script.script({ status: 500 }, { status: 200 });
      assert.equal((await posthorn.call('POST', `/v1/deliveries/${one.id}/redeliver`)).status, 202);
      await script.waitFor(2);
    }
    // Both have now failed twice and wait 1.5 s.
    const waiting = await deliveryIn(posthorn, 'pending', eventId, { attempts: 2 });
    await patchWebhook(posthorn, webhook.id, { enabled: false });
    assert.equal((await readDelivery(posthorn, eventId)).nextAttemptAt, null);
    const published = await publish(posthorn, await alert());
    assert.equal(published.deliveries, await enabledWebhooks());
    assert.ok(
      !(await readEvent(posthorn, published.id)).deliveries.some(({ webhookId }) => webhookId === webhook.id),
    );
    const tested = await posthorn.call('POST', `/v1/webhooks/${webhook.id}/test`);
    assert.equal(tested.status, 409);
    assert.equal((await posthorn.call('POST', `/v1/deliveries/${delivery.id}/redeliver`)).status, 409);

    await deliveryIn(posthorn, 'delivered', witness.eventId, { attempts: 3 });
    assert.equal(receiver.requests.length, 2, 'the witness’s wait is over, this one’s is not');
    const enabledAt = Date.now();
    await patchWebhook(posthorn, webhook.id, { enabled: true });
    const delivered = await deliveryIn(posthorn, 'delivered', eventId, { attempts: 3 });
    assert.ok(attemptOf(delivered, 2).startedAt >= enabledAt, 'only after it was enabled');
    assert.equal(waiting.state, 'pending');
    assert.equal(receiver.requests.length, 3);
  });

  async function alert(): Promise<object> {
    const { body } = await posthorn.call<{ eventTypes: { type: string; sample: object }[] }>(
      'GET',
      '/v1/event-types',
    );
    const type = 'alerts.triggered';
    return { type, payload: body.eventTypes.find((one) => one.type === type)?.sample };
  }

  async function enabledWebhooks(): Promise<number> {
    const { body } = await posthorn.call<{ enabled: boolean }[]>('GET', '/v1/webhooks');
    return body.filter(({ enabled }) => enabled).length;
  }
});

describe('a lane', () => {
  let posthorn: Posthorn;
  const retries = 5;
  const receive = receivers();
  before(async () => {
    const schedule = Array.from({ length: retries }, () => '150ms').join(',');
    posthorn = await startPosthorn({ POSTHORN_RETRY_SCHEDULE: schedule, POSTHORN_LOG_LEVEL: 'warn' });
  });
  after(() => posthorn.close());

  const numbered = (count: number, fields: (seq: number) => object = () => ({})) =>
    Array.from({ length: count }, (_, seq) => newEvent(seq, fields(seq)));

  async function removeAll(): Promise<void> {
    const { body } = await posthorn.call<{ id: string }[]>('GET', '/v1/webhooks');
    for (const { id } of body)
      assert.equal((await posthorn.call('DELETE', `/v1/webhooks/${id}`)).status, 204);
  }

  test('rests after ten failures and is probed with one delivery within two seconds', async () => {
    const receiver = await receive();
    const webhook = await makeWebhook(posthorn, receiver.url, { maxConcurrency: 1 });
    let probeAnsweredAt = 0;
    receiver.script((request, response) => {
      const count = receiver.requests.indexOf(request) + 1;
      if (count <= 10) response.writeHead(500).end();
      else if (count === 11) {
        setTimeout(() => {
          probeAnsweredAt = Date.now();
          response.end();
        }, 100);
      } else response.end();
    });
    // Twelve deliveries whose first attempts come before any retry is due: ten fail, two wait.
    const events = await publishAll(posthorn, numbered(12));
    await receiver.waitFor(12);
    const [tenth, probe, next] = receiver.requests.slice(9);
    assert.ok(tenth && probe && next);
    const rest = probe.receivedAt - tenth.receivedAt;
    assert.ok(rest >= 900, `rested ${rest} ms although retries were due`);
    assert.ok(rest <= 2_000, `the first probe came after ${rest} ms`);
    assert.ok(next.receivedAt >= probeAnsweredAt, 'nothing else was sent before the probe succeeded');
    for (const { id } of events) await deliveryIn(posthorn, 'delivered', id);
    assert.equal(
      receiver.requests.length,
      22,
      'ten failures, and one success each: resting used up no attempt',
    );
    assert.equal((await listDeliveries(posthorn, webhook.id, '&state=delivered')).length, 12);
    await removeAll();
  });

  test('never has more requests under way than maxConcurrency', async () => {
    const receiver = await receive();
    let underWay = 0;
    let most = 0;
    receiver.script((_, response) => {
      underWay += 1;
      most = Math.max(most, underWay);
      setTimeout(() => {
        underWay -= 1;
        response.end();
      }, 15);
    });
    await makeWebhook(posthorn, receiver.url, { maxConcurrency: 3 });
    await publishAll(posthorn, numbered(60));
    await receiver.waitFor(60);
    assert.ok(most > 1 && most <= 3, `${most} at once`);
    await removeAll();
  });

  test('starts no more attempts than ratePerSecond', async () => {
    const receiver = await receive();
    const webhook = await makeWebhook(posthorn, receiver.url, { ratePerSecond: 25 });
    const events = await publishAll(posthorn, numbered(20));
    await receiver.waitFor(20);
    await Promise.all(events.map(({ id }) => deliveryIn(posthorn, 'delivered', id)));
    const starts = (await Promise.all(events.map(({ id }) => readDelivery(posthorn, id, webhook.id))))
      .map((delivery) => attemptOf(delivery).startedAt)
      .toSorted((a, b) => a - b);
    for (const [index, startedAt] of starts.entries()) {
      const earliest = (starts[0] ?? 0) + index * 40;
      assert.ok(startedAt >= earliest - 5, `attempt ${index} came ${earliest - startedAt} ms early`);
    }
    await removeAll();
  });

  test('that waits in memory heeds a change: nothing while disabled, and the new URL', async () => {
    const [witness, disabled, old, moved] = await Promise.all([receive(), receive(), receive(), receive()]);
    const wish = { ratePerSecond: 3 };
    await makeWebhook(posthorn, witness.url, wish);
    const resting = await makeWebhook(posthorn, disabled.url, wish);
    const moving = await makeWebhook(posthorn, old.url, wish);
    const events = await publishAll(posthorn, numbered(8));
    await Promise.all([disabled.waitFor(1), old.waitFor(1)]);
    await patchWebhook(posthorn, resting.id, { enabled: false });
    await patchWebhook(posthorn, moving.id, { url: moved.url });

    await witness.waitFor(8);
    assert.ok(disabled.requests.length < 8, 'what waited was not sent');
    const waiting = await listDeliveries(posthorn, resting.id, '&state=pending');
    assert.equal(waiting.length, 8 - disabled.requests.length);
    assert.ok(waiting.every(({ attempts }) => attempts === 0));
    for (const { id } of events) await deliveryIn(posthorn, 'delivered', id, { webhookId: moving.id });
    const ids = events.map(({ id }) => id).toSorted();
    assert.ok(moved.requests.length > 0, 'what waited went to the new URL');
    assert.deepEqual([...old.requests, ...moved.requests].map(idOf).toSorted(), ids);

    await patchWebhook(posthorn, resting.id, { enabled: true });
    for (const { id } of events) await deliveryIn(posthorn, 'delivered', id, { webhookId: resting.id });
    assert.deepEqual(disabled.requests.map(idOf).toSorted(), ids);
    await removeAll();
  });

  test('with ordering "all" sends each event after the one before is finished, through failures', async () => {
    const receiver = await receive();
    await makeWebhook(posthorn, receiver.url, { ordering: 'all' });
    const troubled = new Map([
      [2, [500, 500]],
      [5, [410]],
      [9, [503]],
      [10, Array.from({ length: retries + 1 }, () => 500)],
    ]);
    receiver.script((request, response) => {
      response.writeHead(troubled.get(seqOf(request))?.shift() ?? 200).end();
    });
    const events = await publishAll(posthorn, numbered(15));
    for (const [seq, { id }] of events.entries()) {
      await deliveryIn(posthorn, seq === 5 || seq === 10 ? 'failed' : 'delivered', id);
    }
    const expected = Array.from({ length: 15 }, (_, seq) => {
      const times = new Map([
        [2, 3],
        [9, 2],
        [10, retries + 1],
      ]).get(seq);
      return Array.from({ length: times ?? 1 }, () => seq);
    }).flat();
    assert.deepEqual(receiver.requests.map(seqOf), expected);
    await removeAll();
  });

  test('with ordering "project" does so for each project, and no project waits for another', async () => {
    const receiver = await receive();
    await makeWebhook(posthorn, receiver.url, { ordering: 'project' });
    const troubled = new Map([
      [6, [503]],
      [8, [500]],
    ]);
    // The first event of project a is answered, badly, once the last one of b has arrived.
    const answers = { badly: () => {} };
    receiver.script((request, response) => {
      const seq = seqOf(request);
      if (seq === 0 && receiver.requests.filter((one) => seqOf(one) === 0).length === 1) {
        answers.badly = () => response.writeHead(500).end();
      } else response.writeHead(troubled.get(seq)?.shift() ?? 200).end();
      if (seq === 28) answers.badly();
    });
    const keys = ['prj_a', 'prj_b', null];
    const projectOf = (seq: number) => keys[seq % 3] ?? null;
    const events = await publishAll(
      posthorn,
      numbered(30, (seq) => ({ projectId: projectOf(seq) })),
    );
    await Promise.all(events.map(({ id }) => deliveryIn(posthorn, 'delivered', id)));
    const arrived = receiver.requests.map(seqOf);
    for (const key of keys) {
      const own = arrived.filter((seq) => projectOf(seq) === key);
      const once = own.filter((seq, index) => seq !== own[index - 1]);
      const expected = Array.from({ length: 30 }, (_, seq) => seq).filter((seq) => projectOf(seq) === key);
      assert.deepEqual(once, expected, `order of ${key}`);
    }
    assert.ok(arrived.indexOf(28) < arrived.indexOf(3), `arrived: ${arrived.join(' ')}`);
    await removeAll();
  });

  test('that hangs holds up no other: 200 events reach the healthy endpoint meanwhile', async () => {
    const [hanging, healthy] = [await receive(), await receive()];
    hanging.script('hang');
    const stuck = await makeWebhook(posthorn, hanging.url);
    await makeWebhook(posthorn, healthy.url);
    await publishAll(posthorn, numbered(10));
    await hanging.waitFor(1);
    for (let from = 10; from < 200; from += 38) {
      await publishAll(posthorn, numbered(200).slice(from, from + 38));
    }
    await healthy.waitFor(200);
    assert.equal(new Set(healthy.requests.map(idOf)).size, 200);
    const waiting = await listDeliveries(posthorn, stuck.id);
    assert.equal(waiting.length, 100);
    assert.ok(
      waiting.every(({ state, attempts }) => state === 'pending' && attempts === 0),
      'no attempt at the hanging endpoint had ended by then',
    );
    await removeAll();
  });
});
