// Deliveries that wait: when their next attempt is, and what removing, disabling or changing their webhook does.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
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
import { receivers } from './support/receiving.ts';

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
