// What a team can ask of its history: its deliveries across webhooks, whom an event went to, whether a URL would do.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type Delivery, newEvent, until } from './support/calls.ts';
import { deploymentPayload, type Posthorn, startPosthorn } from './support/posthorn.ts';
import { type Receiver, startReceiver } from './support/receiver.ts';

type Listed = Delivery & { webhookUrl: string | null; projectId: string | null; lastCause: string | null };

let posthorn: Posthorn;
let receiver: Receiver;
before(async () => {
  posthorn = await startPosthorn({ POSTHORN_RETRY_SCHEDULE: '1h', POSTHORN_LOG_LEVEL: 'warn' });
  receiver = await startReceiver();
});
after(async () => {
  await posthorn.close();
  await receiver.close();
});

async function newTeam(slug: string) {
  const { body: team } = await posthorn.call('POST', '/v1/teams', {
    body: { slug, name: slug, plan: 'pro' },
  });
  const { body } = await posthorn.call('POST', '/v1/tokens', {
    body: { name: slug, role: 'OWNER', teamId: team.id },
  });
  return { id: String(team.id), token: String(body.token) };
}

async function pagesOf(query: string, token: string): Promise<Listed[]> {
  const rows: Listed[] = [];
  let cursor = '';
  for (;;) {
    const path = `/v1/deliveries?limit=2${query}${cursor}`;
    const { status, body } = await posthorn.call('GET', path, { token });
    assert.equal(status, 200, JSON.stringify(body));
    rows.push(...body.deliveries);
    if (body.pagination.next === null) return rows;
    cursor = `&cursor=${body.pagination.next}`;
  }
}

describe('GET /v1/deliveries', () => {
  test('a team’s deliveries across its webhooks, by every filter, and nobody else’s', async () => {
    const team = await newTeam('lists');
    const other = await newTeam('others');
    const create = async (path: string, { id }: { id: string }) => {
      const body = { url: receiver.url + path, events: ['deployment.succeeded', 'deployment.error'] };
      return (await posthorn.call('POST', `/v1/webhooks?teamId=${id}`, { body })).body;
    };
    receiver.script(({ url }, response) => response.writeHead(url === '/bad' ? 503 : 200).end());
    const [good, bad] = [await create('/good', team), await create('/bad', team)];
    await create('/good', other);
    const ids: string[] = [];
    for (const [n, type] of ['deployment.succeeded', 'deployment.error', 'deployment.succeeded'].entries()) {
      const body = { type, payload: deploymentPayload(n), projectId: n === 0 ? 'prj_1' : 'prj_2' };
      for (const { id } of [team, other]) {
        const published = await posthorn.call('POST', `/v1/events?teamId=${id}`, { body });
        assert.equal(published.status, 202);
        if (id === team.id) ids.push(published.body.id);
      }
    }
    const all = await until(
      () => pagesOf('', team.token),
      (rows) => rows.length === 6 && rows.every(({ attempts }) => attempts === 1),
    );
    assert.deepEqual(
      all.map(({ id }) => id),
      all
        .map(({ id }) => id)
        .toSorted()
        .toReversed(),
      'newest first',
    );
    const tell = ({ eventId, webhookId }: Listed) =>
      `${ids.indexOf(eventId)} ${webhookId === good.id ? 'good' : webhookId === bad.id ? 'bad' : '?'}`;
    const read = async (query: string) => (await pagesOf(query, team.token)).map(tell).toSorted();
    const everything = ['0 bad', '0 good', '1 bad', '1 good', '2 bad', '2 good'];
    assert.deepEqual(await read(''), everything);
    assert.deepEqual(await read(`&webhookId=${bad.id}`), ['0 bad', '1 bad', '2 bad']);
    assert.deepEqual(await read('&projectId=prj_1'), ['0 bad', '0 good']);
    assert.deepEqual(await read(`&eventId=${ids[1]}`), ['1 bad', '1 good']);
    assert.deepEqual(await read(`&eventId=${ids[1]}&state=pending`), ['1 bad']);
    assert.deepEqual(await read('&state=pending'), ['0 bad', '1 bad', '2 bad']);
    assert.deepEqual(await read('&state=delivered,pending'), everything);
    assert.deepEqual(await read('&type=deployment.error,deployment.canceled'), ['1 bad', '1 good']);
    assert.deepEqual(await read('&status=5xx'), ['0 bad', '1 bad', '2 bad']);
    assert.deepEqual(await read('&status=200,404'), ['0 good', '1 good', '2 good']);
    assert.deepEqual(await read('&cause=status_503,dns_failed&projectId=prj_2'), ['1 bad', '2 bad']);
    const edge = all.at(-1)?.createdAt ?? 0;
    assert.deepEqual(await read(`&until=${edge - 1}`), []);
    assert.deepEqual(await read(`&since=${edge}`), everything);
    const failed = all.find(({ webhookId }) => webhookId === bad.id);
    assert.deepEqual(
      [failed?.webhookUrl, failed?.lastCause, failed?.lastStatus, failed?.state],
      [`${receiver.url}/bad`, 'status_503', 503, 'pending'],
    );
    assert.equal((await pagesOf('', other.token)).length, 3);
    await posthorn.call('DELETE', `/v1/webhooks/${bad.id}`);
    assert.deepEqual(await read('&state=canceled'), ['0 bad', '1 bad', '2 bad'], 'of a removed webhook');
    const foreign = await posthorn.call('GET', `/v1/deliveries?webhookId=${good.id}`, { token: other.token });
    assert.equal(foreign.status, 404);
  });

  test('filters that say nothing are refused', async () => {
    for (const [query, said] of [
      ['state=lost', /query\.state.*"lost"; use pending/],
      ['status=700', /query\.status/],
      ['status=2x', /query\.status/],
      ['since=yesterday', /query\.since/],
      ['cursor=abc', /query\.cursor/],
      ['limit=0', /limit/],
    ] as const) {
      const { status, body } = await posthorn.call('GET', `/v1/deliveries?${query}`);
      assert.equal(status, 400, query);
      assert.match(body.error.message, said);
    }
    for (const query of ['webhookId=account_hook_none', 'eventId=none']) {
      assert.equal((await posthorn.call('GET', `/v1/deliveries?${query}`)).status, 404, query);
    }
  });
});

describe('GET /v1/events/{id}/matching', () => {
  test('each webhook with its reason', async () => {
    receiver.script({ status: 200 });
    const team = await newTeam('matching');
    const call = async (method: string, path: string, body?: unknown) =>
      (await posthorn.call(method, path, { token: team.token, ...(body === undefined ? {} : { body }) }))
        .body;
    const create = (more: object = {}) =>
      call('POST', '/v1/webhooks', { url: receiver.url, events: ['deployment.succeeded'], ...more });
    const project = await call('POST', '/v11/projects', { name: 'one' });
    const hooks: Record<string, { id: string }> = {
      matched: await create(),
      type_not_selected: await create({ events: ['deployment.error'] }),
      project_not_selected: await create({ projectIds: [project.id] }),
      disabled: await create(),
      removed: await create(),
      changed_since: await create({ events: ['deployment.error'] }),
      'matched, removed later': await create(),
    };
    await call('PATCH', `/v1/webhooks/${hooks.disabled?.id}`, { enabled: false });
    await call('DELETE', `/v1/webhooks/${hooks.removed?.id}`);
    const body = { type: 'deployment.succeeded', payload: deploymentPayload(), projectId: 'prj_other' };
    const { body: event } = await posthorn.call('POST', `/v1/events?teamId=${team.id}`, { body });
    await call('PATCH', `/v1/webhooks/${hooks.changed_since?.id}`, { events: ['deployment.succeeded'] });
    await call('DELETE', `/v1/webhooks/${hooks['matched, removed later']?.id}`);
    hooks.created_later = await create();
    const { webhooks } = await call('GET', `/v1/events/${event.id}/matching`);
    const byId = new Map<string, { matched: boolean; reason: string | null; message: string }>(
      webhooks.map((one: { id: string }) => [one.id, one]),
    );
    assert.equal(byId.size, Object.keys(hooks).length);
    for (const [expected, { id }] of Object.entries(hooks)) {
      const found = byId.get(id);
      const matched = expected.startsWith('matched');
      assert.deepEqual([found?.matched, found?.reason], [matched, matched ? null : expected], expected);
      assert.match(found?.message ?? '', /^[A-Z].*\.$/);
    }
    const { id: testId } = await call('POST', `/v1/webhooks/${hooks.matched?.id}/test`, {});
    const ofTest = await call('GET', `/v1/events/${testId}/matching`);
    assert.deepEqual(
      new Map(ofTest.webhooks.map((one: { id: string; reason: string | null }) => [one.id, one.reason])).get(
        hooks.type_not_selected?.id,
      ),
      'test',
    );
    assert.equal((await posthorn.call('GET', '/v1/events/none/matching')).status, 404);
  });

  test('a team on hobby: the plan is the reason', async () => {
    const team = await newTeam('soon-hobby');
    const webhook = await posthorn.call('POST', '/v1/webhooks', {
      token: team.token,
      body: { url: receiver.url, events: ['deployment.succeeded'] },
    });
    assert.equal(webhook.status, 200);
    await posthorn.call('PATCH', `/v1/teams/${team.id}`, { body: { plan: 'hobby' } });
    const event = await posthorn.call('POST', `/v1/events?teamId=${team.id}`, { body: newEvent(1) });
    assert.equal(event.body.deliveries, 0);
    const { body } = await posthorn.call('GET', `/v1/events/${event.body.id}/matching`);
    assert.deepEqual(
      body.webhooks.map(({ reason }: { reason: string }) => reason),
      ['plan'],
    );
  });
});

describe('POST /v1/check-url', () => {
  const check = (url: unknown, token?: string) =>
    posthorn.call('POST', '/v1/check-url', { body: { url }, ...(token === undefined ? {} : { token }) });

  test('says what creation would say, and calls nothing', async () => {
    const connections = receiver.connections;
    assert.deepEqual((await check(receiver.url)).body, { ok: true });
    assert.equal(receiver.connections, connections);
    const refused = await check('http://10.0.0.1/');
    assert.deepEqual([refused.status, refused.body.ok, refused.body.code], [200, false, 'blocked_address']);
    const created = await posthorn.call('POST', '/v1/webhooks', {
      body: { url: 'http://10.0.0.1/', events: ['deployment.succeeded'] },
    });
    assert.equal(created.body.error.message, refused.body.message);
    assert.equal((await check(5)).status, 400);
    assert.equal((await posthorn.call('POST', '/v1/check-url', { body: {} })).status, 400);
  });

  test('is throttled for each caller', async () => {
    const team = await newTeam('checks');
    const statuses: number[] = [];
    let last = await check(receiver.url, team.token);
    for (let i = 0; i < 40 && last.status === 200; i++) {
      statuses.push(last.status);
      last = await check(receiver.url, team.token);
    }
    assert.equal(last.status, 429);
    assert.match(last.headers.get('retry-after') ?? '', /^[12]$/);
    assert.ok(statuses.length >= 20 && statuses.length < 25, String(statuses.length));
    assert.equal((await check(receiver.url)).status, 200, 'another caller');
  });
});

test('an event of a rare type is found, and a list that looks through many says where it goes on', async () => {
  const team = await newTeam('rare');
  const send = (events: object[]) => posthorn.call('POST', `/v1/events?teamId=${team.id}`, { body: events });
  assert.equal((await send([{ type: 'deployment.error', payload: deploymentPayload(0) }])).status, 202);
  for (let n = 0; n < 4; n++) {
    const many = Array.from({ length: 1_000 }, (_, i) => ({
      type: 'deployment.succeeded',
      payload: deploymentPayload(i),
    }));
    assert.equal((await send(many)).status, 202);
  }
  const list = async (cursor: string) =>
    (await posthorn.call('GET', `/v1/events?type=deployment.error${cursor}`, { token: team.token })).body;
  const first = await list('');
  assert.deepEqual([first.events.length, typeof first.pagination.next], [0, 'string']);
  const second = await list(`&cursor=${first.pagination.next}`);
  assert.deepEqual([second.events.length, second.pagination.next], [1, null]);
});
