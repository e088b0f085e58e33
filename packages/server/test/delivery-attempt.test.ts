// Attempts that fail: by which schedule they are repeated, what is told of them, and what a redelivery changes.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { attemptOf, deliveryIn, makeWebhook, readDelivery, until } from './support/calls.ts';
import { type Posthorn, startPosthorn } from './support/posthorn.ts';
import { idOf, receivers } from './support/receiving.ts';

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
