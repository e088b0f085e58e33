// Lanes: the breaker, the limits, the order of a webhook, and that none holds up another.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  attemptOf,
  deliveryIn,
  listDeliveries,
  makeWebhook,
  newEvent,
  patchWebhook,
  publishAll,
  readDelivery,
} from './support/calls.ts';
import { type Posthorn, startPosthorn } from './support/posthorn.ts';
import { idOf, receivers, seqOf } from './support/receiving.ts';

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
