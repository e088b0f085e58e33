// The live feed: what happens is told once, to its own team, from any node, and from where a listener left off.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { makeWebhook, newEvent, publish } from './support/calls.ts';
import { quiet, startHouse } from './support/house.ts';
import { createDatabase } from './support/postgres.ts';
import { adminToken, deploymentPayload, type Posthorn, startPosthorn } from './support/posthorn.ts';
import { type Receiver, startReceiver } from './support/receiver.ts';
import { deliveredIds, eventIds, type Listener, listen } from './support/stream.ts';

let receiver: Receiver;
before(async () => {
  receiver = await startReceiver();
});
after(() => receiver.close());

/** That every event was told once, and every delivery of them as delivered. */
function assertWhole(listeners: Listener[], ids: string[], times: 'once' | 'at least once' = 'once'): void {
  const messages = listeners.flatMap((one) => one.messages);
  const told = eventIds(messages);
  assert.deepEqual([...new Set(told)].toSorted(), ids.toSorted());
  if (times === 'once') assert.equal(told.length, ids.length, 'none twice');
  assert.deepEqual([...deliveredIds(messages)].toSorted(), ids.toSorted());
}

describe('on one node', () => {
  let posthorn: Posthorn;
  before(async () => {
    posthorn = await startPosthorn({
      ...quiet,
      POSTHORN_RETRY_SCHEDULE: '1h',
      POSTHORN_STREAMS_PER_TEAM: '3',
    });
  });
  after(() => posthorn.close());

  const newTeam = async (slug: string) => {
    const { body: team } = await posthorn.call('POST', '/v1/teams', {
      body: { slug, name: slug, plan: 'pro' },
    });
    const { body } = await posthorn.call('POST', '/v1/tokens', {
      body: { name: slug, role: 'VIEWER', teamId: team.id },
    });
    return { id: String(team.id), token: String(body.token), tokenId: String(body.id) };
  };
  const hook = async (teamId: string, more: object = {}) => {
    const body = { url: receiver.url, events: ['deployment.succeeded'], ...more };
    return (await posthorn.call('POST', `/v1/webhooks?teamId=${teamId}`, { body })).body;
  };
  const send = async (teamId: string, more: object = {}) => {
    const body = { type: 'deployment.succeeded', payload: deploymentPayload(), ...more };
    return String((await posthorn.call('POST', `/v1/events?teamId=${teamId}`, { body })).body.id);
  };

  test('an event, its deliveries and their attempts, in their words; nothing of another team', async () => {
    const [team, other] = [await newTeam('watched'), await newTeam('foreign')];
    receiver.script(({ url }, response) => response.writeHead(url === '/bad' ? 503 : 200).end());
    const [good, bad] = [await hook(team.id), await hook(team.id, { url: `${receiver.url}/bad` })];
    await hook(other.id);
    const own = await listen(posthorn, { token: team.token });
    const foreign = await listen(posthorn, { token: other.token });
    assert.equal(own.status, 200);
    const id = await send(team.id, { projectId: 'prj_1' });
    const otherId = await send(other.id);
    await own.waitFor((all) => all.filter(({ event }) => event === 'attempt').length === 2);
    await foreign.waitFor((all) => deliveredIds(all).size === 1);
    const [event] = own.messages;
    assert.equal(event?.event, 'event');
    assert.deepEqual(
      { ...event?.data, createdAt: 0 },
      { id, type: 'deployment.succeeded', projectId: 'prj_1', createdAt: 0, deliveries: 2 },
    );
    const attempt = own.messages.find(
      (one) => one.event === 'attempt' && one.data.webhookId === bad.id,
    )?.data;
    const { deliveryId, startedAt, durationMs, nextAttemptAt, ...rest } = attempt ?? {};
    assert.match(deliveryId, /^dlv_/);
    assert.ok(startedAt > 0 && durationMs >= 0 && nextAttemptAt > startedAt + 3_000_000);
    assert.deepEqual(rest, {
      webhookId: bad.id,
      eventId: id,
      type: 'deployment.succeeded',
      number: 1,
      status: 503,
      error: 'status_503',
      state: 'pending',
    });
    const { body: listed } = await posthorn.call('GET', `/v1/deliveries?webhookId=${good.id}`, {
      token: team.token,
    });
    const told = own.messages.filter((one) => one.event === 'delivery' && one.data.webhookId === good.id);
    assert.deepEqual(told.at(-1)?.data, listed.deliveries[0]);
    assert.deepEqual([eventIds(own.messages), eventIds(foreign.messages)], [[id], [otherId]]);
    assert.ok(foreign.messages.every(({ data }) => data.eventId === undefined || data.eventId === otherId));
    await posthorn.call('DELETE', `/v1/webhooks/${bad.id}`);
    await own.waitFor((all) =>
      all.some(({ event: kind, data }) => kind === 'delivery' && data.state === 'canceled'),
    );
    assert.ok(own.messages.every((one) => one.id !== ''));
    own.close();
    foreign.close();
  });

  test('from the place of any message nothing is missing, and only what stood between two places comes again', async () => {
    const team = await newTeam('resumes');
    receiver.script({ status: 200 });
    await hook(team.id);
    const first = await listen(posthorn, { token: team.token });
    const ids: string[] = [];
    for (let n = 0; n < 8; n++) ids.push(await send(team.id));
    await first.waitFor((all) => deliveredIds(all).size === ids.length);
    first.close();
    await first.ended;
    for (const [index, { id }] of first.messages.entries()) {
      if (index % 3 !== 0) continue;
      const again = await listen(posthorn, { token: team.token, from: id });
      const wanted = new Set(
        first.messages.slice(index + 1).map(({ event, data }) => `${event} ${data.id ?? data.deliveryId}`),
      );
      await again.waitFor((all) => {
        const came = new Set(all.map(({ event, data }) => `${event} ${data.id ?? data.deliveryId}`));
        return [...wanted].every((one) => came.has(one));
      });
      const left = new Set(eventIds(first.messages.slice(index)));
      assert.deepEqual(
        eventIds(again.messages).filter((one) => !left.has(one)),
        [],
        'events from before that place',
      );
      again.close();
      await again.ended;
    }
    const last = await listen(posthorn, { token: team.token, query: `?lastEventId=${first.lastId()}` });
    const id = await send(team.id);
    await last.waitFor((all) => deliveredIds(all).size === 1);
    assert.deepEqual(eventIds(last.messages), [id]);
    last.close();
  });

  test('a place that is none, one of another store, one that is pruned', async () => {
    const team = await newTeam('places');
    for (const from of ['x', '1-', 'abcdef-x1', `abcdef-s1.${'1'.repeat(8_200)}`]) {
      const { status, body } = await posthorn.call('GET', '/v1/stream', {
        token: team.token,
        headers: { 'last-event-id': from },
      });
      assert.ok(status === 400 || status === 431, `${from.slice(0, 20)} ${status}`);
      if (status === 400) assert.match(body.error.message, /Last-Event-ID/);
    }
    const now = Date.now().toString(36);
    const long = (Date.now() - 40 * 86_400_000).toString(36);
    for (const from of [`${now}-p77:`, `${now}-s99999999.1.1`, `${long}-s0.0.0`]) {
      const listener = await listen(posthorn, { token: team.token, from });
      await listener.waitFor((all) => all.some(({ event }) => event === 'gap'));
      const id = await send(team.id);
      await listener.waitFor((all) => eventIds(all).includes(id));
      listener.close();
      await listener.ended;
    }
  });

  test('so many feeds for a team, and no more until one is closed', async () => {
    const [team, other] = [await newTeam('crowd'), await newTeam('calm')];
    const open = await Promise.all([1, 2, 3].map(() => listen(posthorn, { token: team.token })));
    const refused = await posthorn.call('GET', '/v1/stream', { token: team.token });
    assert.deepEqual([refused.status, refused.body.error.code], [429, 'rate_limited']);
    assert.match(refused.body.error.message, /POSTHORN_STREAMS_PER_TEAM/);
    open.push(await listen(posthorn, { token: other.token }));
    open[0]?.close();
    await open[0]?.ended;
    let again = await listen(posthorn, { token: team.token });
    while (again.status === 429) again = await listen(posthorn, { token: team.token });
    assert.equal(again.status, 200);
    for (const one of [...open, again]) one.close();
  });

  test('it ends within seconds when the token is revoked', async () => {
    const team = await newTeam('revoked');
    const listener = await listen(posthorn, { token: team.token });
    const from = performance.now();
    assert.equal((await posthorn.call('DELETE', `/v1/tokens/${team.tokenId}`)).status, 204);
    await listener.ended;
    assert.ok(performance.now() - from < 10_000);
  });

  test('a reader that takes nothing for a while gets everything when it does', async () => {
    const team = await newTeam('slow');
    await hook(team.id);
    const { hostname, port } = new URL(posthorn.url);
    const socket = connect(Number(port), hostname);
    socket.write(`GET /v1/stream HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${team.token}\r\n\r\n`);
    await new Promise((resolve) => socket.once('data', resolve));
    socket.pause();
    const ids: string[] = [];
    for (let round = 0; round < 4; round++) {
      const many = Array.from({ length: 1_000 }, (_, n) => newEvent(n, { id: `slow-${round}-${n}` }));
      const { body } = await posthorn.call('POST', `/v1/events?teamId=${team.id}`, { body: many });
      ids.push(...body.events.map(({ id }: { id: string }) => id));
    }
    const other = await listen(posthorn, { token: team.token });
    const last = await send(team.id);
    await other.waitFor((all) => deliveredIds(all).has(last), 60_000);
    other.close();
    let text = '';
    const seen = new Set<string>();
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${seen.size} events came`)), 60_000);
      socket.on('data', (chunk) => {
        text += chunk.toString('latin1');
        const end = text.lastIndexOf('\n\n');
        for (const [, id] of text.slice(0, end).matchAll(/^data: \{"id":"(slow-\d-\d+)","type"/gm))
          seen.add(id ?? '');
        text = text.slice(end);
        if (seen.size < ids.length) return;
        clearTimeout(timer);
        resolve();
      });
      socket.resume();
    });
    socket.destroy();
  });

  test('a stop ends the feeds and waits for none of them', async () => {
    const stopping = await startPosthorn(quiet);
    const listeners = await Promise.all([1, 2, 3].map(() => listen(stopping)));
    const from = performance.now();
    assert.equal(await stopping.end('SIGTERM'), 0);
    assert.ok(performance.now() - from < 5_000, 'well before POSTHORN_STOP_TIMEOUT');
    await Promise.all(listeners.map(({ ended }) => ended));
    await stopping.close();
  });
});

test('kill -9 and a start on SQLite: from the last place on nothing is missing', async (context) => {
  receiver.script({ status: 200 });
  const house = await startHouse(context, { ...quiet, POSTHORN_RETRY_SCHEDULE: '100ms,1s' });
  await makeWebhook(house.posthorn, receiver.url);
  const listeners = [await listen(house.posthorn)];
  const ids: string[] = [];
  for (let round = 0; round < 3; round++) {
    for (let n = 0; n < 10; n++) ids.push((await publish(house.posthorn, newEvent(n))).id);
    const { status } = await house.posthorn.call('GET', '/healthz');
    assert.equal(status, 200);
    await house.restart('SIGKILL');
    for (let n = 0; n < 5; n++) ids.push((await publish(house.posthorn, newEvent(n))).id);
    const broken = listeners.at(-1);
    await broken?.ended;
    listeners.push(await listen(house.posthorn, { from: broken?.lastId() ?? '' }));
  }
  await listeners
    .at(-1)
    ?.waitFor(() => deliveredIds(listeners.flatMap(({ messages }) => messages)).size === ids.length);
  assertWhole(listeners, ids, 'at least once');
  listeners.at(-1)?.close();
});

describe('two nodes on PostgreSQL', () => {
  const shared = {
    ...quiet,
    POSTHORN_SECRET_KEY: Buffer.alloc(32, 7).toString('base64'),
    POSTHORN_RETRY_SCHEDULE: '200ms,1s',
  };
  let url = '';
  let nodes: [Posthorn, Posthorn];
  before(async () => {
    url = (await createDatabase()).url;
    const start = () => startPosthorn({ ...shared, DATABASE_URL: url });
    nodes = await Promise.all([start(), start()]);
    receiver.script({ status: 200 });
    await makeWebhook(nodes[0], receiver.url);
  });
  after(() => Promise.all(nodes.map((node) => node.close())));

  test('what is published to either is told by either, once', async () => {
    const listeners = await Promise.all(nodes.map((node) => listen(node)));
    const ids = await Promise.all(
      Array.from({ length: 60 }, async (_, n) => (await publish(nodes[n % 2] as Posthorn, newEvent(n))).id),
    );
    for (const listener of listeners) {
      await listener.waitFor((all) => deliveredIds(all).size === ids.length);
      assertWhole([listener], ids);
      listener.close();
    }
  });

  test('a listener goes on at the other node when its own is killed, without a gap', async () => {
    const [one, two] = nodes;
    const first = await listen(one);
    const ids: string[] = [];
    for (let n = 0; n < 20; n++) ids.push((await publish(n % 2 ? one : two, newEvent(n))).id);
    await first.waitFor((all) => all.length > 5);
    await one.end('SIGKILL');
    for (let n = 0; n < 10; n++) ids.push((await publish(two, newEvent(n))).id);
    await first.ended;
    const second = await listen(two, { from: first.lastId() });
    // What the dead node held is taken over when its lease has ended.
    await second.waitFor(
      () => deliveredIds([...first.messages, ...second.messages]).size === ids.length,
      40_000,
    );
    assertWhole([first, second], ids, 'at least once');
    second.close();
    nodes[0] = await startPosthorn({ ...shared, DATABASE_URL: url });
  });

  test('the operator’s token listens to the team it names', async () => {
    const { status } = await nodes[0].call('GET', '/v1/stream?teamId=team_none', { token: adminToken });
    assert.equal(status, 404);
  });
});
