// Quotas of teams and rate limits of tokens: what is refused and how, and that one team at its limit costs another nothing.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { makeWebhook, newEvent, publish, until } from './support/calls.ts';
import { type Answer, type Posthorn, startPosthorn } from './support/posthorn.ts';
import { type Receiver, startReceiver } from './support/receiver.ts';

const limitOf = ({ headers }: Answer) => ({
  policy: headers.get('ratelimit-policy'),
  state: headers.get('ratelimit'),
  vercel: ['limit', 'remaining'].map((name) => headers.get(`x-ratelimit-${name}`)),
  reset: Number(headers.get('x-ratelimit-reset')),
  retryAfter: headers.get('retry-after'),
});

async function newTeam(posthorn: Posthorn, slug: string): Promise<string> {
  const { body } = await posthorn.call('POST', '/v1/teams', { body: { slug, name: slug, plan: 'pro' } });
  return body.id;
}

describe('events a second', () => {
  let posthorn: Posthorn;
  let receiver: Receiver;
  const send = (teamId: string, body: unknown) =>
    posthorn.call('POST', `/v1/events?teamId=${teamId}`, { body });

  before(async () => {
    receiver = await startReceiver();
    posthorn = await startPosthorn({ POSTHORN_TEAM_EVENTS_PER_SECOND: '5' });
  });
  after(async () => {
    await posthorn.close();
    await receiver.close();
  });

  test('what is left is told with each answer; beyond it 429 says when to come back, and nothing is stored', async () => {
    const team = await newTeam(posthorn, 'eager');
    const first = await send(team, newEvent(0));
    assert.equal(first.status, 202);
    const told = limitOf(first);
    assert.deepEqual(
      [told.policy, told.state, told.vercel, told.retryAfter],
      ['"events";q=5;w=1', '"events";r=4;t=1', ['5', '4'], null],
    );
    assert.ok(Math.abs(told.reset - Date.now() / 1_000) < 5);
    // Several at once may be more than are left; they are paid for afterwards.
    const many = await send(
      team,
      Array.from({ length: 50 }, (_, seq) => newEvent(seq)),
    );
    assert.equal(many.status, 202);
    const refused = await send(team, newEvent(1));
    assert.equal(refused.status, 429);
    const { error } = refused.body as { error: { code: string; message: string; limit: { total: number } } };
    assert.equal(error.code, 'rate_limited');
    assert.match(error.message, /5 events a second .*Retry-After/);
    assert.equal(error.limit.total, 5);
    const limit = limitOf(refused);
    assert.equal(limit.policy, '"events";q=5;w=1');
    assert.match(limit.state ?? '', /^"events";r=0;t=1\d$/);
    assert.ok(Number(limit.retryAfter) >= 8 && Number(limit.retryAfter) <= 10, `${limit.retryAfter}`);
    const { body } = await posthorn.call('GET', `/v1/events?teamId=${team}&limit=100`);
    assert.equal(body.events.length, 51);
    const { body: metrics } = await posthorn.call<string>('GET', '/metrics');
    assert.match(metrics, /posthorn_limit_refusals_total\{limit="events"\} 1\n/);
  });

  test('one team at its limit does not slow another', async () => {
    const [greedy, modest] = [await newTeam(posthorn, 'greedy'), await newTeam(posthorn, 'modest')];
    await makeWebhook(posthorn, `${receiver.url}/modest`, { teamId: modest });
    let ended = false;
    let refusals = 0;
    const flood = Array.from({ length: 8 }, async () => {
      while (!ended) if ((await send(greedy, newEvent(0))).status === 429) refusals += 1;
    });
    await until(
      () => Promise.resolve(refusals),
      (count) => count > 50,
    );
    // As many as the team may, at once: none is refused, each arrives while the other team keeps knocking.
    for (let seq = 0; seq < 5; seq++) await publish(posthorn, newEvent(seq), { teamId: modest });
    for (let seq = 0; seq < 5; seq++) await receiver.next(({ url }) => url === '/modest');
    const sofar = refusals;
    await until(
      () => Promise.resolve(refusals),
      (count) => count > sofar,
    );
    ended = true;
    await Promise.all(flood);
    assert.equal((await send(modest, newEvent(9))).headers.get('ratelimit-policy'), '"events";q=5;w=1');
  });
});

test('a team with as many pending deliveries as it may have publishes again when fewer wait; others never stop', async (context) => {
  const [down, well] = [await startReceiver(), await startReceiver()];
  const posthorn = await startPosthorn({
    POSTHORN_TEAM_BACKLOG: '3',
    POSTHORN_RETRY_SCHEDULE: '300ms,300ms,300ms,300ms,300ms,300ms,300ms,300ms,300ms',
    POSTHORN_BREAKER_FAILURES: '1000',
  });
  context.after(() => Promise.all([posthorn.close(), down.close(), well.close()]));
  down.script({ status: 500 });
  const [stuck, other] = [await newTeam(posthorn, 'stuck'), await newTeam(posthorn, 'other')];
  const webhook = await makeWebhook(posthorn, down.url, { teamId: stuck });
  await makeWebhook(posthorn, well.url, { teamId: other });
  const send = (teamId: string) =>
    posthorn.call('POST', `/v1/events?teamId=${teamId}`, { body: newEvent(0) });
  // The backlog is known to within a second.
  const refused = await until(
    () => send(stuck),
    ({ status }) => status === 429,
  );
  assert.match(
    refused.body.error.message,
    /deliveries waiting, and 3 are the most \(POSTHORN_TEAM_BACKLOG\)/,
  );
  const limit = limitOf(refused);
  assert.deepEqual(
    [limit.policy, limit.state, limit.vercel, limit.retryAfter],
    ['"backlog";q=3', '"backlog";r=0;t=5', ['3', '0'], '5'],
  );
  for (let i = 0; i < 6; i++) assert.equal((await send(other)).status, 202);
  await well.waitFor(6);
  down.script({ status: 200 });
  await until(
    () => send(stuck),
    ({ status }) => status === 202,
  );
  const { body } = await posthorn.call('GET', `/v1/webhooks/${webhook.id}/health`);
  assert.ok(body.windows['5m'].delivered >= 1);
});

test('API calls a minute are counted for each token; publishing is not among them', async (context) => {
  const posthorn = await startPosthorn({ POSTHORN_API_CALLS_PER_MINUTE: '10' });
  context.after(() => posthorn.close());
  const made = await posthorn.call('POST', '/v1/tokens', { body: { name: 'busy', role: 'OWNER' } });
  assert.deepEqual(limitOf(made).vercel, ['10', '9']);
  const { token } = made.body;
  const list = () => posthorn.call('GET', '/v1/webhooks', { token });
  for (let left = 9; left >= 0; left--) {
    const { status, headers } = await list();
    assert.deepEqual([status, headers.get('ratelimit')?.split(';')[1]], [200, `r=${left}`]);
  }
  const refused = await list();
  assert.equal(refused.status, 429);
  assert.equal(refused.body.error.code, 'rate_limited');
  assert.equal(limitOf(refused).policy, '"calls";q=10;w=60');
  const retryAfter = Number(limitOf(refused).retryAfter);
  assert.ok(retryAfter >= 1 && retryAfter <= 6, `${retryAfter}`);
  assert.equal((await posthorn.call('GET', '/v1/webhooks')).status, 200, 'another token');
  for (let i = 0; i < 12; i++) await publish(posthorn);
  assert.equal((await posthorn.call('GET', '/readyz', { token })).status, 200);
});

test('without a setting nothing is limited, and no header says so', async (context) => {
  const posthorn = await startPosthorn();
  context.after(() => posthorn.close());
  const answer = await posthorn.call('POST', '/v1/events', { body: newEvent(0) });
  assert.deepEqual(
    [...answer.headers.keys()].filter((name) => name.includes('ratelimit')),
    [],
  );
});
