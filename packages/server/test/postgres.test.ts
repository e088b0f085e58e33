// Posthorn on a real PostgreSQL: one node and two, from the publish to the delivery, through a kill and a pause, and what
// a start says of a database that it can't use.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import pg from 'pg';
import { deliveryIn, listDeliveries, makeWebhook, newEvent, publish, until } from './support/calls.ts';
import { createDatabase } from './support/postgres.ts';
import { newDataDir, type Posthorn, startPosthorn, startRefused } from './support/posthorn.ts';
import { type Receiver, startReceiver } from './support/receiver.ts';
import { startTcpProxy } from './support/tcp-proxy.ts';

const shared = {
  POSTHORN_SECRET_KEY: Buffer.alloc(32, 7).toString('base64'),
  POSTHORN_RETRY_SCHEDULE: '200ms,1s,2s',
  POSTHORN_TIMEOUT: '4s',
  POSTHORN_LOG_LEVEL: 'error',
};

describe('two nodes on one database', () => {
  let url = '';
  let nodes: Posthorn[] = [];
  let receiver: Receiver;
  const startNode = (env: Record<string, string> = {}) =>
    startPosthorn({ ...shared, DATABASE_URL: url, ...env });
  const at = (index: number): Posthorn => nodes[index] as Posthorn;

  before(async () => {
    url = (await createDatabase()).url;
    // Both at once: one of them makes the schema, and the first team.
    nodes = await Promise.all([startNode(), startNode()]);
    receiver = await startReceiver();
  });
  after(async () => {
    await Promise.all(nodes.map((node) => node.close()));
    await receiver.close();
  });

  /** Ids in the order in which they came, from now on. */
  const arrivals = (from: number) =>
    receiver.requests.slice(from).map(({ headers }) => String(headers['webhook-id']));

  test('a webhook of one node gets what is published to the other, signed and recorded', async () => {
    const webhook = await makeWebhook(at(0), receiver.url);
    const { id } = await publish(at(1), newEvent(1));
    const request = await receiver.next(({ headers }) => headers['webhook-id'] === id);
    assert.match(String(request.headers['x-vercel-signature']), /^[0-9a-f]{40}$/);
    await deliveryIn(at(0), 'delivered', id);
    const again = await at(0).call('POST', '/v1/events', { body: newEvent(1, { id: 'mine' }) });
    const repeated = await at(1).call('POST', '/v1/events', { body: newEvent(1, { id: 'mine' }) });
    assert.deepEqual([again.status, repeated.status], [202, 200]);
    const other = await at(1).call('POST', '/v1/events', { body: newEvent(2, { id: 'mine' }) });
    assert.equal(other.status, 409);
    await at(0).call('DELETE', `/v1/webhooks/${webhook.id}`);
  });

  test('a failure is retried by its schedule, and the attempts can be read on either node', async () => {
    receiver.script({ status: 500 }, { status: 500 }, { status: 200 });
    const webhook = await makeWebhook(at(0), receiver.url);
    const { id } = await publish(at(0), newEvent(1));
    const delivery = await deliveryIn(at(1), 'delivered', id);
    assert.deepEqual(
      delivery.attempts.map(({ number, status }) => [number, status]),
      [
        [1, 500],
        [2, 500],
        [3, 200],
      ],
    );
    const redelivery = await at(1).call('POST', `/v1/deliveries/${delivery.id}/redeliver`);
    assert.equal(redelivery.status, 202);
    await deliveryIn(at(0), 'delivered', id, { attempts: 4 });
    await at(0).call('DELETE', `/v1/webhooks/${webhook.id}`);
  });

  test('an ordered webhook gets everything one by one and in order, whoever accepted it', async () => {
    receiver.script({ status: 200 });
    const webhook = await makeWebhook(at(0), receiver.url);
    const patched = await at(0).call('PATCH', `/v1/webhooks/${webhook.id}`, { body: { ordering: 'all' } });
    assert.equal(patched.status, 200);
    const from = receiver.requests.length;
    const ids: string[] = [];
    for (let n = 0; n < 30; n++) ids.push((await publish(at(n % 2), newEvent(n))).id);
    await receiver.waitFor(from + ids.length, 20_000);
    assert.deepEqual(arrivals(from), ids);
    await at(0).call('DELETE', `/v1/webhooks/${webhook.id}`);
  });

  test('kill -9 of a node: what it held is delivered by the other, and nothing is lost', async () => {
    receiver.script('hang');
    const webhook = await makeWebhook(at(0), receiver.url);
    const ids: string[] = [];
    for (let n = 0; n < 20; n++) ids.push((await publish(at(1), newEvent(n))).id);
    await receiver.next(({ headers }) => ids.includes(String(headers['webhook-id'])));
    await at(1).end('SIGKILL');
    receiver.script({ status: 200 });
    // A lease of 10 s, and a look every 3 s.
    await until(
      () => listDeliveries(at(0), webhook.id, '&state=delivered'),
      (delivered) => delivered.length === ids.length,
      30_000,
    );
    await at(0).call('DELETE', `/v1/webhooks/${webhook.id}`);
    nodes[1] = await startNode();
  });

  test('a node that is paused loses its work to the other, and goes on when it continues', async () => {
    receiver.script('hang');
    const webhook = await makeWebhook(at(0), receiver.url);
    const from = receiver.requests.length;
    const ids: string[] = [];
    for (let n = 0; n < 10; n++) ids.push((await publish(at(1), newEvent(n))).id);
    await receiver.waitFor(from + 1);
    at(1).process.kill('SIGSTOP');
    receiver.script({ status: 200 });
    const delivered = () => listDeliveries(at(0), webhook.id, '&state=delivered');
    await until(delivered, ({ length }) => length === ids.length, 30_000);
    at(1).process.kill('SIGCONT');
    const { id } = await publish(at(1), newEvent(99));
    await deliveryIn(at(1), 'delivered', id);
    // What was under way came twice, as a takeover may have it; nothing came more often.
    const counts = ids.map((one) => arrivals(from).filter((other) => other === one).length);
    assert.ok(
      counts.every((count) => count === 1 || count === 2),
      counts.join(),
    );
    assert.ok(counts.includes(1), counts.join());
    await at(0).call('DELETE', `/v1/webhooks/${webhook.id}`);
  });

  test('a node that only accepts leaves the sending to the others', async () => {
    receiver.script({ status: 200 });
    const webhook = await makeWebhook(at(0), receiver.url);
    const api = await startNode({ POSTHORN_ROLES: 'api' });
    try {
      const { id } = await publish(api, newEvent(1));
      await receiver.next(({ headers }) => headers['webhook-id'] === id);
      await deliveryIn(api, 'delivered', id);
      assert.equal(await api.end(), 0);
    } finally {
      await api.close();
    }
    await at(0).call('DELETE', `/v1/webhooks/${webhook.id}`);
  });

  test('a node with another secret key stops with a sentence', async () => {
    const other = {
      ...shared,
      DATABASE_URL: url,
      POSTHORN_SECRET_KEY: Buffer.alloc(32, 8).toString('base64'),
    };
    const { code, output } = await startRefused(other, newDataDir());
    assert.notEqual(code, 0);
    assert.match(output, /The secret key does not fit this store/);
  });
});

describe('the database goes away', () => {
  test('silent, not refused: a publish is 503 in seconds, readiness says so, and work goes on by itself', async () => {
    const { url } = await createDatabase();
    const proxy = await startTcpProxy(Number(new URL(url).port));
    const behind = new URL(url);
    behind.port = String(proxy.port);
    const receiver = await startReceiver();
    const node = await startPosthorn({
      ...shared,
      DATABASE_URL: behind.href,
      POSTHORN_DATABASE_TIMEOUT: '1500ms',
    });
    try {
      await makeWebhook(node, receiver.url);
      const first = await publish(node);
      await deliveryIn(node, 'delivered', first.id);
      proxy.stop();
      const startedAt = performance.now();
      const refused = await node.call('POST', '/v1/events', { body: newEvent(1, { id: 'in-doubt' }) });
      assert.equal(refused.status, 503);
      assert.equal(refused.headers.get('retry-after'), '1');
      assert.match(refused.body.error.message, /id of your own/);
      assert.ok(performance.now() - startedAt < 10_000);
      assert.equal((await node.call('GET', '/readyz')).status, 503);
      proxy.resume();
      await until(
        () => node.call('POST', '/v1/events', { body: newEvent(1, { id: 'in-doubt' }) }),
        ({ status }) => status === 202 || status === 200,
      );
      await deliveryIn(node, 'delivered', 'in-doubt');
      await until(
        () => node.call('GET', '/readyz'),
        ({ status }) => status === 200,
      );
    } finally {
      await node.close();
      await receiver.close();
      await proxy.close();
    }
  });

  test('sessions that are ended under load lose nothing that was answered', async () => {
    const { url } = await createDatabase();
    const receiver = await startReceiver();
    const node = await startPosthorn({ ...shared, DATABASE_URL: url });
    const admin = new pg.Client({ connectionString: url });
    await admin.connect();
    try {
      await makeWebhook(node, receiver.url);
      const answered: string[] = [];
      for (let round = 0; round < 10; round++) {
        const calls = Array.from({ length: 20 }, async (_, n) => {
          const id = `r${round}-${n}`;
          const { status, headers } = await node.call('POST', '/v1/events', { body: newEvent(n, { id }) });
          if (status === 202) answered.push(id);
          else assert.deepEqual([status, headers.get('retry-after')], [503, '1']);
        });
        await admin.query(
          "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'posthorn' AND datname = current_database()",
        );
        await Promise.all(calls);
      }
      assert.ok(answered.length > 50, `${answered.length}`);
      for (const id of answered) await deliveryIn(node, 'delivered', id);
    } finally {
      await admin.end();
      await node.close();
      await receiver.close();
    }
  });
});
