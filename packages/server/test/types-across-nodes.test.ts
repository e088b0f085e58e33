// Event types on many nodes: what the operator adds or replaces on one is known on every other, before anybody is told
// that there is no such type, soon after a notification, and within five seconds where that is lost.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import pg from 'pg';
import { deliveryIn, makeWebhook, until, type Webhook } from './support/calls.ts';
import { createDatabase } from './support/postgres.ts';
import { type Posthorn, startPosthorn } from './support/posthorn.ts';
import { type Receiver, startReceiver } from './support/receiver.ts';

describe('event types on two nodes', () => {
  let admin: pg.Client;
  let one: Posthorn;
  /** Takes calls and sends nothing. */
  let other: Posthorn;
  let receiver: Receiver;

  before(async () => {
    const { url } = await createDatabase();
    const env = {
      DATABASE_URL: url,
      POSTHORN_SECRET_KEY: Buffer.alloc(32, 7).toString('base64'),
      POSTHORN_LOG_LEVEL: 'error',
    };
    one = await startPosthorn(env);
    other = await startPosthorn({ ...env, POSTHORN_ROLES: 'api' });
    receiver = await startReceiver();
    admin = new pg.Client({ connectionString: url });
    await admin.connect();
  });
  after(async () => {
    await admin.end();
    await Promise.all([one.close(), other.close()]);
    await receiver.close();
  });

  /** Adds a type on the first node, or replaces it; its payload must have the field `needs`. */
  async function put(type: string, needs = 'amount'): Promise<void> {
    const schema = { type: 'object', required: [needs], properties: { [needs]: { type: 'number' } } };
    const body = { type, label: `${type} ${needs}`, category: 'Acme', schema, sample: { [needs]: 1 } };
    const answer = await one.call('POST', '/v1/event-types', { body });
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
  }

  const publishOn = (node: Posthorn, type: string, needs = 'amount') =>
    node.call('POST', '/v1/events', { body: { type, payload: { [needs]: 1 } } });

  /** How long until the second node judges a type by its present schema, ms since it was replaced. */
  async function learns(type: string, needs: string): Promise<number> {
    await put(type, needs);
    const putAt = performance.now();
    await until(
      () => publishOn(other, type, needs),
      ({ status, body }) => {
        assert.ok(status === 202 || body.error.code === 'invalid_payload', JSON.stringify(body));
        return status === 202;
      },
    );
    return performance.now() - putAt;
  }

  // First, since the database may count late what sessions looked at for the tests before.
  test('a flood of unknown types is refused, and is no flood of queries', async (t) => {
    const scans = async () => {
      const { rows } = await admin.query(
        "SELECT coalesce(seq_scan, 0) + coalesce(idx_scan, 0) AS n FROM pg_stat_user_tables WHERE relname = 'event_types'",
      );
      return Number(rows[0].n);
    };
    // Each node's own at its start are counted by then.
    const at = await until(scans, (now) => now >= 2);
    const startedAt = performance.now();
    const answers = await Promise.all(
      Array.from({ length: 400 }, async (_, n) => (await publishOn(other, `acme.unknown.${n}`)).body),
    );
    assert.deepEqual([...new Set(answers.map(({ error }) => error?.code))], ['invalid_event']);
    // The database counts late what its sessions did, and at once what they did when they end.
    await admin.query(
      `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()`,
    );
    const looked = (await scans()) - at;
    const tookMs = performance.now() - startedAt;
    t.diagnostic(
      `400 unknown types in ${Math.round(tookMs)} ms: ${looked} looks, both nodes' own among them`,
    );
    assert.ok(looked <= 10 + tookMs / 100 + (2 * tookMs) / 3_000, `${looked} looks in ${tookMs} ms`);
  });

  test('whoever names a new type on another node is not refused, from the answer to the operator on', async () => {
    for (let round = 0; round < 2; round++) {
      await put(`acme.published.${round}`);
      const published = await publishOn(other, `acme.published.${round}`);
      assert.equal(published.status, 202, JSON.stringify(published.body));

      await put(`acme.subscribed.${round}`);
      const webhook = await makeWebhook(other, receiver.url, { events: [`acme.subscribed.${round}`] });

      await put(`acme.added.${round}`);
      const events = [`acme.added.${round}`];
      const patched = await other.call('PATCH', `/v1/webhooks/${webhook.id}`, { body: { events } });
      assert.deepEqual([patched.status, patched.body.events], [200, events], JSON.stringify(patched.body));

      await put(`acme.tested.${round}`);
      const tested = await other.call('POST', `/v1/webhooks/${webhook.id}/test`, {
        body: { type: `acme.tested.${round}` },
      });
      assert.equal(tested.status, 202, JSON.stringify(tested.body));

      await put(`acme.replayed.${round}`);
      const counted = await other.call('POST', `/v1/webhooks/${webhook.id}/replay`, {
        body: { since: 0, types: [`acme.replayed.${round}`], dryRun: true },
      });
      assert.equal(counted.status, 200, JSON.stringify(counted.body));

      await put(`acme.listed.${round}`);
      const { eventTypes } = (await other.call('GET', '/v1/event-types')).body;
      assert.ok(eventTypes.some(({ type }: { type: string }) => type === `acme.listed.${round}`));
    }
  });

  test('a webhook for a new type is shown whole on another node, and gets what is published there', async () => {
    await put('acme.shown');
    const made = await makeWebhook(one, receiver.url, { events: ['acme.shown'] });
    const listed = (await other.call<Webhook[]>('GET', '/v1/webhooks')).body;
    assert.deepEqual(listed.find(({ id }) => id === made.id)?.events, ['acme.shown']);
    const published = await publishOn(other, 'acme.shown');
    assert.deepEqual([published.status, published.body.deliveries], [202, 1]);
    await deliveryIn(one, 'delivered', published.body.id);
  });

  test('a notification tells another node of a new schema at once', async (t) => {
    await put('acme.told');
    await publishOn(other, 'acme.told');
    const took: number[] = [];
    for (let round = 0; round < 6; round++) took.push(await learns('acme.told', `field${round}`));
    t.diagnostic(`known on the other node after ${took.map(Math.round).join(', ')} ms`);
    // Who only looks every three seconds would need 1.5 of them on average.
    assert.ok(took.reduce((sum, ms) => sum + ms, 0) < 3_000, took.join());
  });

  test('with the notification lost a look within five seconds finds it', async (t) => {
    await put('acme.polled');
    await publishOn(other, 'acme.polled');
    // The listening sessions are found again a second or two later; what is told meanwhile is lost.
    const cut = await until(
      () =>
        admin.query(
          "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()",
        ),
      ({ rowCount }) => rowCount === 2,
    );
    assert.equal(cut.rowCount, 2);
    const tookMs = await learns('acme.polled', 'late');
    t.diagnostic(`known on the other node after ${Math.round(tookMs)} ms`);
    assert.ok(tookMs < 5_000, `${tookMs} ms`);
  });
});
