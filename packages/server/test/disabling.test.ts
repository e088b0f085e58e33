// A webhook with nothing but failures is announced after a day and disabled after five, once, whatever runs, stops and
// starts meanwhile; enabling it starts the clock anew.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { lookForFailing } from '../src/platform/failing.ts';
import { finishOne } from '../src/store/conformance/bed.ts';
import { makeWebhook, newEvent, patchWebhook, publish, until } from './support/calls.ts';
import { type ControlPlane, startControlPlane } from './support/control.ts';
import { startReceivers } from './support/house.ts';
import { createDatabase } from './support/postgres.ts';
import { deploymentPayload, newDataDir, startPosthorn } from './support/posthorn.ts';

const hour = 3_600_000;
const day = 24 * hour;

describe('by the clock', () => {
  let plane: ControlPlane;
  let webhook: { id: string };

  const make = async (events: string[]) => {
    const body = { url: 'http://127.0.0.1:9/secret-path', events };
    return (await plane.call('POST', '/v1/webhooks', { body })).body;
  };
  beforeEach(async () => {
    plane = await startControlPlane();
    webhook = await make(['deployment.succeeded']);
  });
  afterEach(() => plane.close());

  /** Publishes an event and makes its one attempt end now. */
  async function attempt(kind: 'failed' | 'delivered'): Promise<void> {
    const { store, platform } = plane;
    const body = { type: 'deployment.succeeded', payload: deploymentPayload() };
    const published = await plane.call('POST', '/v1/events', { body });
    assert.equal(published.status, 202, JSON.stringify(published.body));
    const now = platform.clock.now();
    const { claimed } = await store.claim({ now, lanes: [], others: { lanes: 64, each: 8 } });
    for (const { key, tag, attempts, extra, body: sent } of claimed) {
      await finishOne(store, {
        key,
        tag,
        extra,
        bytes: sent.length,
        number: attempts + 1,
        next: { kind },
        startedAt: now - 5,
        durationMs: 5,
        status: kind === 'failed' ? 500 : 200,
        cause: kind === 'failed' ? 'status_500' : null,
        detail: null,
        timings: ',,,',
        url: 'http://127.0.0.1:9/secret-path',
        requestHeaders: '',
        responseHeaders: null,
        responseBody: null,
        truncated: false,
        ordered: false,
      });
    }
  }
  const look = () => lookForFailing(plane.platform);
  const own = async () => (await plane.events()).filter(({ type }) => type.startsWith('posthorn.'));
  const shown = async () => (await plane.call('GET', `/v1/webhooks/${webhook.id}`)).body;
  const healthOf = async () => (await plane.call('GET', `/v1/webhooks/${webhook.id}/health`)).body;

  test('a day of failures is announced once, with the last one’s sentence and no path', async () => {
    await attempt('failed');
    plane.pass(23 * hour);
    await attempt('failed');
    assert.deepEqual(await look(), { warned: 0, disabled: 0 });
    plane.pass(2 * hour);
    assert.deepEqual(await look(), { warned: 0, disabled: 0 }, 'a failure of yesterday alone says nothing');
    await attempt('failed');
    const both = await Promise.all([look(), look()]);
    assert.equal(
      both.reduce((sum, { warned }) => sum + warned, 0),
      1,
    );
    assert.deepEqual(await look(), { warned: 0, disabled: 0 });
    const [event, ...more] = await own();
    assert.deepEqual([event?.type, more.length], ['posthorn.webhook.failing', 0]);
    const payload = event?.payload as Record<string, Record<string, unknown>>;
    assert.deepEqual(payload.webhook, { id: webhook.id, host: '127.0.0.1:9' });
    assert.match(String(payload.lastFailure?.message), /answered 500/);
    assert.equal(Number(payload.disabledFrom) - Number(payload.failingSince), 5 * day);
    assert.equal((await shown()).enabled, true);
  });

  test('five days of failures disable it, in one commit with the event; others are told', async () => {
    const listener = await make(['posthorn.webhook.disabled', 'posthorn.webhook.failing']);
    await attempt('failed');
    plane.pass(2 * day);
    await attempt('failed');
    await look();
    plane.pass(3 * day + hour);
    await attempt('failed');
    const both = await Promise.all([look(), look()]);
    assert.equal(
      both.reduce((sum, { disabled }) => sum + disabled, 0),
      1,
    );
    assert.deepEqual(
      (await own()).map(({ type }) => type),
      ['posthorn.webhook.failing', 'posthorn.webhook.disabled'],
    );
    assert.equal((await shown()).enabled, false);
    const { deliveries } = (await plane.call('GET', `/v1/webhooks/${listener.id}/deliveries`)).body;
    assert.deepEqual(
      deliveries.map(({ type }: { type: string }) => type),
      ['posthorn.webhook.disabled', 'posthorn.webhook.failing'],
    );
    const audit = (await plane.audit()).filter(({ actor }) => actor === 'posthorn');
    assert.deepEqual(
      audit.map(({ action, subject }) => [action, subject]),
      [
        ['webhook.failing', webhook.id],
        ['webhook.disabled', webhook.id],
      ],
    );
    const health = await healthOf();
    assert.equal(health.state, 'disabled');
    assert.ok(health.autoDisabledAt > 0);
    assert.match(health.advice, /^Posthorn disabled the webhook after 5 days of nothing but failures\./);
    assert.ok(plane.touched.length > 0);
  });

  test('one success in between, and the clock stands at zero', async () => {
    await attempt('failed');
    plane.pass(4 * day);
    await attempt('failed');
    assert.equal((await look()).warned, 1);
    await attempt('delivered');
    plane.pass(hour);
    await attempt('failed');
    plane.pass(2 * day);
    await attempt('failed');
    assert.deepEqual(await look(), { warned: 1, disabled: 0 });
  });

  test('a success that is not written yet still counts', async () => {
    await attempt('failed');
    plane.pass(6 * day);
    await attempt('failed');
    await attempt('delivered');
    assert.deepEqual(await look(), { warned: 0, disabled: 0 });
  });

  test('enabling it starts the clock anew, and so does another address', async () => {
    await attempt('failed');
    plane.pass(6 * day);
    await attempt('failed');
    assert.equal((await look()).disabled, 1);
    plane.pass(30 * day);
    const enabled = await plane.call('PATCH', `/v1/webhooks/${webhook.id}`, { body: { enabled: true } });
    assert.deepEqual([enabled.status, enabled.body.enabled], [200, true]);
    assert.equal((await healthOf()).autoDisabledAt, null);
    await attempt('failed');
    assert.deepEqual(await look(), { warned: 0, disabled: 0 });
    plane.pass(6 * day);
    await plane.call('PATCH', `/v1/webhooks/${webhook.id}`, { body: { url: 'http://127.0.0.1:9/other' } });
    await attempt('failed');
    assert.deepEqual(await look(), { warned: 0, disabled: 0 });
    plane.pass(6 * day);
    await attempt('failed');
    assert.equal((await look()).disabled, 1);
  });

  test('with 0 nothing is announced and nothing disabled', async () => {
    plane.platform.settings.disableAfterMs = 0;
    await attempt('failed');
    plane.pass(30 * day);
    await attempt('failed');
    assert.deepEqual(await look(), { warned: 0, disabled: 0 });
  });

  test('its types are listed and can be tested; to Vercel’s SDK they are not there', async () => {
    const listener = await make(['posthorn.webhook.failing', 'project.created']);
    const tried = await plane.call('POST', `/v1/webhooks/${listener.id}/test`, {
      body: { type: 'posthorn.webhook.disabled' },
    });
    assert.equal(tried.status, 202, JSON.stringify(tried.body));
    assert.equal((await own())[0]?.type, 'posthorn.webhook.disabled');
    const events = async (agent: string) =>
      (await plane.call('GET', `/v1/webhooks/${listener.id}`, { headers: { 'user-agent': agent } })).body
        .events;
    assert.deepEqual(await events('curl/8'), ['posthorn.webhook.failing', 'project.created']);
    assert.deepEqual(await events('speakeasy-sdk/typescript'), ['project.created']);
  });
});

const quick = {
  POSTHORN_DISABLE_AFTER: '1s',
  POSTHORN_RETRY_SCHEDULE: Array.from({ length: 100 }, () => '100ms').join(','),
  POSTHORN_BREAKER_FAILURES: '1000',
  POSTHORN_LOG_LEVEL: 'error',
};
const ownTypes = ['posthorn.webhook.failing', 'posthorn.webhook.disabled'];

describe('on running nodes', () => {
  test('a kill in between changes nothing; enabled again, it gets what waited', async (context) => {
    const [down, listener] = await startReceivers(context, 2);
    assert.ok(down !== undefined && listener !== undefined);
    down.script({ status: 500 });
    const first = await startPosthorn(quick);
    const failing = await makeWebhook(first, down.url);
    await makeWebhook(first, listener.url, { events: ownTypes });
    await publish(first, newEvent(1));
    await listener.waitFor(1);
    await first.end('SIGKILL');
    const second = await startPosthorn(quick, first.dataDir);
    context.after(() => second.close());
    await listener.next(({ body }) => body.toString('utf8').includes('posthorn.webhook.disabled'));
    // The kill may have come before the record of the first delivery: it is then sent again.
    const events = new Map(
      listener.requests.map(({ headers, body }) => [
        headers['webhook-id'],
        JSON.parse(body.toString('utf8')),
      ]),
    );
    assert.deepEqual(
      [...events.values()].map(({ type }) => type),
      ownTypes,
    );
    const shown = await second.call('GET', `/v1/webhooks/${failing.id}`);
    assert.equal(shown.body.enabled, false);
    const before = down.requests.length;
    down.script({ status: 200 });
    await patchWebhook(second, failing.id, { enabled: true });
    await down.waitFor(before + 1);
    const health = await until(
      async () => (await second.call('GET', `/v1/webhooks/${failing.id}/health`)).body,
      ({ state, backlog }) => state !== 'disabled' && backlog === 0,
    );
    assert.equal(health.failingSince, null);
  });

  test('two nodes on one database announce and disable it once', async (context) => {
    const [down, listener] = await startReceivers(context, 2);
    assert.ok(down !== undefined && listener !== undefined);
    down.script({ status: 500 });
    const env = {
      ...quick,
      DATABASE_URL: (await createDatabase()).url,
      POSTHORN_SECRET_KEY: Buffer.alloc(32, 7).toString('base64'),
    };
    const nodes = await Promise.all([startPosthorn(env, newDataDir()), startPosthorn(env, newDataDir())]);
    context.after(() => Promise.all(nodes.map((node) => node.close())));
    const [one, two] = nodes;
    const failing = await makeWebhook(one, down.url);
    await makeWebhook(one, listener.url, { events: ownTypes });
    await publish(one, newEvent(1));
    await publish(two, newEvent(2));
    await listener.waitFor(2);
    await until(
      async () => (await two.call('GET', `/v1/webhooks/${failing.id}`)).body,
      ({ enabled }) => enabled === false,
    );
    const { body } = await two.call('GET', '/v1/events');
    const own = body.events.filter(({ type }: { type: string }) => type.startsWith('posthorn.'));
    assert.deepEqual(own.map(({ type }: { type: string }) => type).toSorted(), ownTypes.toSorted());
    const { body: system } = await one.call('GET', '/v1/system');
    assert.equal(system.store.kind, 'postgres');
    assert.deepEqual(
      system.nodes.map(({ current }: { current: boolean }) => current),
      [true, false],
    );
  });
});
