// What a real process sends to real receivers: headers, bytes, signatures, rotation, legacy types, test events.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { Webhook as StandardWebhook } from 'standardwebhooks';
import { Webhook as SvixWebhook } from 'svix';
import { signingKey, signVercel } from '../src/core/signing.ts';
import { attemptOf, deliveryIn, makeWebhook, newEvent, publish, readEvent, until } from './support/calls.ts';
import { type Posthorn, startPosthorn } from './support/posthorn.ts';
import type { ReceivedRequest } from './support/receiver.ts';
import { idOf, receivers } from './support/receiving.ts';

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
    const expected = '121fc49dd29b913bbb19ad65e8dc00f569f5f73c';
    assert.equal(signHex('vercel_secret', body), expected);
    assert.equal(signVercel(signingKey('vercel_secret'), Buffer.from(body)), expected);
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
