// What the API tells of webhooks and of the server: figures that are those of the deliveries made, at once.
import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { after, before, test } from 'node:test';
import { makeWebhook, newEvent, publish, until } from './support/calls.ts';
import { type Posthorn, startPosthorn } from './support/posthorn.ts';
import { type Receiver, startReceiver } from './support/receiver.ts';

let posthorn: Posthorn;
let receiver: Receiver;

before(async () => {
  receiver = await startReceiver();
  posthorn = await startPosthorn({ POSTHORN_RETRY_SCHEDULE: '1h', POSTHORN_BREAKER_FAILURES: '3' });
});
after(async () => {
  await posthorn.close();
  await receiver.close();
});

async function newTeam(slug: string): Promise<string> {
  const { body } = await posthorn.call('POST', '/v1/teams', { body: { slug, name: slug, plan: 'pro' } });
  return body.id;
}

const healthOf = async (id: string) => {
  const { status, body } = await posthorn.call('GET', `/v1/webhooks/${id}/health`);
  assert.equal(status, 200, JSON.stringify(body));
  return body;
};

test('a webhook that answers is healthy, and its figures are those of its deliveries', async () => {
  const teamId = await newTeam('well');
  const webhook = await makeWebhook(posthorn, `${receiver.url}/well`, { teamId });
  const unused = await healthOf(webhook.id);
  assert.deepEqual([unused.state, unused.backlog, unused.drainEtaMs, unused.advice], ['idle', 0, 0, null]);
  assert.deepEqual(unused.windows['24h'], {
    delivered: 0,
    failed: 0,
    attempts: 0,
    successRate: null,
    p50Ms: null,
    p95Ms: null,
  });
  for (let seq = 0; seq < 5; seq++) await publish(posthorn, newEvent(seq), { teamId });
  for (let seq = 0; seq < 5; seq++) await receiver.next(({ url }) => url === '/well');
  const health = await until(
    () => healthOf(webhook.id),
    ({ backlog }) => backlog === 0,
  );
  assert.equal(health.state, 'healthy');
  for (const window of ['5m', '1h', '24h']) {
    const { delivered, failed, attempts, successRate, p50Ms, p95Ms } = health.windows[window];
    assert.deepEqual([delivered, failed, attempts, successRate], [5, 0, 5, 1], window);
    assert.ok(p50Ms > 0 && p95Ms >= p50Ms, `${p50Ms} and ${p95Ms}`);
  }
  assert.deepEqual(
    [health.enabled, health.drainEtaMs, health.oldestPendingAt, health.lastFailure, health.advice],
    [true, 0, null, null, null],
  );
  assert.deepEqual(health.breaker, { state: 'closed', until: null });
});

test('a webhook that fails says since when, why, what waits and what to do; the overview asks for attention', async () => {
  const teamId = await newTeam('failing');
  const down = await startReceiver();
  down.script({ status: 500 });
  const webhook = await makeWebhook(posthorn, `${down.url}/failing`, { teamId });
  const { createdAt } = await publish(posthorn, newEvent(0), { teamId });
  for (let seq = 1; seq < 6; seq++) await publish(posthorn, newEvent(seq), { teamId });
  const health = await until(
    () => healthOf(webhook.id),
    ({ breaker }) => breaker.state === 'open',
  );
  assert.equal(health.state, 'failing');
  assert.deepEqual([health.backlog, health.drainEtaMs, health.windows['5m'].successRate], [6, null, 0]);
  assert.equal(health.oldestPendingAt, createdAt);
  assert.ok(health.breaker.until > health.lastFailure.at);
  assert.deepEqual([health.lastFailure.cause, health.lastFailure.status], ['status_500', 500]);
  assert.match(health.lastFailure.message, /answered 500; it failed while handling the event/);
  assert.match(health.advice, /^Every attempt has failed since .*answered 500.* is disabled from /);

  const { body: overview } = await posthorn.call('GET', `/v1/overview?teamId=${teamId}`);
  assert.deepEqual([overview.range, overview.stepMs, overview.points.length], ['hour', 60_000, 60]);
  assert.deepEqual(overview.totals, { accepted: 6, delivered: 0, failed: 0, pending: 6 });
  assert.deepEqual(overview.attention, [
    { webhookId: webhook.id, url: webhook.url, message: health.advice, severity: 'error' },
  ]);
  await down.close();
});

test('the overview has the team’s points, whatever the range, and nobody else’s', async () => {
  const teamId = await newTeam('ranges');
  await makeWebhook(posthorn, `${receiver.url}/ranges`, { teamId });
  await makeWebhook(posthorn, `${receiver.url}/ranges`, { teamId });
  for (let seq = 0; seq < 3; seq++) await publish(posthorn, newEvent(seq), { teamId });
  for (const [range, points] of [
    ['hour', 60],
    ['day', 24],
    ['month', 30],
  ] as const) {
    const overview = await until(
      async () => (await posthorn.call('GET', `/v1/overview?teamId=${teamId}&range=${range}`)).body,
      ({ totals }) => totals.delivered === 6,
    );
    assert.equal(overview.points.length, points);
    const sum = (name: string) =>
      overview.points.reduce((total: number, point: Record<string, number>) => total + (point[name] ?? 0), 0);
    assert.deepEqual(
      ['accepted', 'delivered', 'failed', 'attempts', 'attemptsFailed'].map(sum),
      [3, 6, 0, 6, 0],
    );
    assert.deepEqual(overview.totals, { accepted: 3, delivered: 6, failed: 0, pending: 0 });
    assert.deepEqual(overview.attention, []);
    const at = overview.points.map((point: { at: number }) => point.at);
    assert.ok(
      at.every((one: number, index: number) => index === 0 || one === at[index - 1] + overview.stepMs),
    );
    assert.ok(at.at(-1) <= Date.now() && at.at(-1) > Date.now() - overview.stepMs);
  }
  const { status } = await posthorn.call('GET', `/v1/overview?teamId=${teamId}&range=year`);
  assert.equal(status, 400);
});

test('the activity of each webhook is by hour, with what waits and how the last delivery ended', async () => {
  const teamId = await newTeam('active');
  const used = await makeWebhook(posthorn, `${receiver.url}/active`, { teamId });
  const unused = await makeWebhook(posthorn, `${receiver.url}/active`, {
    teamId,
    events: ['project.created'],
  });
  await publish(posthorn, newEvent(0), { teamId });
  const activity = await until(
    async () => (await posthorn.call('GET', `/v1/webhook-activity?teamId=${teamId}`)).body,
    ({ webhooks }) => webhooks.some(({ lastState }: { lastState: string | null }) => lastState !== null),
  );
  assert.deepEqual([activity.limit, activity.used], [20, 2]);
  const of = (id: string) => activity.webhooks.find((webhook: { id: string }) => webhook.id === id);
  assert.equal(of(used.id).buckets.length, 24);
  assert.deepEqual(
    [of(used.id).buckets.at(-1).delivered, of(used.id).pending, of(used.id).lastState],
    [1, 0, 'delivered'],
  );
  assert.ok(Math.abs(of(used.id).lastDeliveryAt - Date.now()) < 60_000);
  assert.deepEqual([of(unused.id).lastDeliveryAt, of(unused.id).lastState], [null, null]);
});

test('the server tells its operator of itself, and no secret', async () => {
  const { status, body } = await posthorn.call('GET', '/v1/system');
  assert.equal(status, 200);
  assert.equal(body.store.kind, 'sqlite');
  assert.match(body.store.version, /^3\.\d+/);
  assert.ok(body.store.sizeBytes > 16_384);
  assert.deepEqual(
    body.nodes.map(({ roles, current }: { roles: string[]; current: boolean }) => [roles, current]),
    [[['api', 'deliver'], true]],
  );
  assert.ok(body.backlog.pending >= 6 && body.backlog.oldestAt > 0);
  assert.ok(body.lanes.active >= 1 && body.lanes.openBreakers >= 1);
  assert.equal(body.retentionMs, 30 * 86_400_000);
  const setting = (name: string) => body.settings.find((one: { name: string }) => one.name === name);
  assert.deepEqual(setting('POSTHORN_RETRY_SCHEDULE'), {
    name: 'POSTHORN_RETRY_SCHEDULE',
    value: '1h',
    source: 'environment',
  });
  assert.equal(setting('POSTHORN_TIMEOUT').source, 'default');
  assert.equal(setting('POSTHORN_ADMIN_TOKEN').value, 'set');
  assert.doesNotMatch(JSON.stringify(body), /Operator0000/);
  const { body: made } = await posthorn.call('POST', '/v1/tokens', { body: { name: 'o', role: 'OWNER' } });
  assert.equal((await posthorn.call('GET', '/v1/system', { token: made.token })).status, 403);
});

test('figures outlive a stop', async () => {
  const teamId = await newTeam('lasting');
  const webhook = await makeWebhook(posthorn, `${receiver.url}/lasting`, { teamId });
  await publish(posthorn, newEvent(0), { teamId });
  await receiver.next(({ url }) => url === '/lasting');
  const { dataDir } = posthorn;
  assert.equal(await posthorn.end('SIGTERM'), 0);
  posthorn = await startPosthorn({}, dataDir);
  assert.equal((await healthOf(webhook.id)).windows['5m'].delivered, 1);
});

test('a webhook that is removed leaves no row of health behind', async () => {
  const teamId = await newTeam('leaving');
  const webhook = await makeWebhook(posthorn, `${receiver.url}/leaving`, { teamId });
  await publish(posthorn, newEvent(0), { teamId });
  await until(
    () => healthOf(webhook.id),
    ({ windows }) => windows['5m'].delivered === 1,
  );
  await posthorn.call('DELETE', `/v1/webhooks/${webhook.id}`);
  assert.equal((await posthorn.call('GET', `/v1/webhooks/${webhook.id}/health`)).status, 404);
  const { dataDir } = posthorn;
  assert.equal(await posthorn.end('SIGTERM'), 0);
  const db = new DatabaseSync(`${dataDir}/posthorn.db`, { readOnly: true });
  const rows = db.prepare('SELECT e.id FROM endpoint_health h JOIN endpoints e ON e.tag = h.tag').all();
  db.close();
  assert.ok(!rows.some(({ id }) => id === webhook.id));
  posthorn = await startPosthorn({}, dataDir);
});
