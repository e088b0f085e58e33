// Replays as a team uses them, on both stores: what failed or was missed is sent again, counted first, at a rate, with
// progress and a stop, through a kill; and what is published meanwhile does not wait.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  listDeliveries,
  makeWebhook,
  newEvent,
  type Published,
  patchWebhook,
  publish,
  publishAll,
  readDelivery,
  until,
} from './support/calls.ts';
import { createDatabase } from './support/postgres.ts';
import { newDataDir, type Posthorn, startPosthorn } from './support/posthorn.ts';
import { type Receiver, startReceiver } from './support/receiver.ts';

interface Replay {
  id: string;
  webhookId: string;
  state: 'running' | 'done' | 'stopped';
  matched: number;
  made: number;
}

const settings = {
  POSTHORN_SECRET_KEY: Buffer.alloc(32, 7).toString('base64'),
  POSTHORN_RETRY_SCHEDULE: '100ms,100ms',
  // Deliveries are made to fail here, and its lane is not to rest for it.
  POSTHORN_BREAKER_FAILURES: '1000',
  POSTHORN_LOG_LEVEL: 'error',
};

const events = (count: number) => Array.from({ length: count }, (_, seq) => newEvent(seq));
const idsOf = (published: Published[]) => published.map(({ id }) => id);

for (const kind of ['SQLite', 'PostgreSQL'] as const) {
  describe(`replays on ${kind}`, () => {
    const dataDir = newDataDir();
    let env: Record<string, string> = settings;
    let posthorn: Posthorn;
    const open: Receiver[] = [];

    before(async () => {
      if (kind === 'PostgreSQL') env = { ...settings, DATABASE_URL: (await createDatabase()).url };
      posthorn = await startPosthorn(env, dataDir);
    });
    after(async () => {
      await posthorn.close();
      await Promise.all(open.map((receiver) => receiver.close()));
    });

    async function receive(): Promise<Receiver> {
      const receiver = await startReceiver();
      open.push(receiver);
      return receiver;
    }

    async function begin(webhookId: string, body: object): Promise<{ id: string; matched: number }> {
      const answer = await posthorn.call('POST', `/v1/webhooks/${webhookId}/replay`, { body });
      assert.equal(answer.status, 202, JSON.stringify(answer.body));
      return answer.body;
    }

    async function read(id: string): Promise<Replay> {
      const answer = await posthorn.call<Replay>('GET', `/v1/replays/${id}`);
      assert.equal(answer.status, 200, JSON.stringify(answer.body));
      return answer.body;
    }

    const whenDone = (id: string, timeoutMs?: number) =>
      until(
        () => read(id),
        ({ state }) => state === 'done',
        timeoutMs,
      );

    /** A webhook, and events that its receiver refused for good. */
    async function failed(count: number) {
      const receiver = await receive();
      receiver.script({ status: 410 });
      const webhook = await makeWebhook(posthorn, receiver.url);
      const since = Date.now();
      const published = await publishAll(posthorn, events(count));
      const whenFailed = (state: string, wanted: number) =>
        until(
          () => listDeliveries(posthorn, webhook.id, `&state=${state}`),
          ({ length }) => length === wanted,
        );
      await whenFailed('pending', 0);
      await whenFailed('failed', Math.min(count, 100));
      receiver.script({ status: 200 });
      return { receiver, webhook, since, ids: idsOf(published), sent: receiver.requests.length };
    }

    /** The event ids that came after the first `sent` requests, in their order. */
    const arrivals = (receiver: Receiver, sent: number) =>
      receiver.requests.slice(sent).map(({ headers }) => String(headers['webhook-id']));

    test('what failed is counted, then sent again: the same bytes, the same ids, attempts that go on', async () => {
      const { receiver, webhook, since, ids, sent } = await failed(12);
      const first = new Map(receiver.requests.map(({ headers, body }) => [headers['webhook-id'], body]));
      const dry = await posthorn.call('POST', `/v1/webhooks/${webhook.id}/replay`, {
        body: { since, dryRun: true },
      });
      assert.equal(dry.status, 200);
      assert.equal(dry.body.matched, 12);
      assert.ok(dry.body.oldest >= since && dry.body.newest >= dry.body.oldest, JSON.stringify(dry.body));
      const none = await posthorn.call('GET', `/v1/webhooks/${webhook.id}/replays`);
      assert.deepEqual(none.body.replays, [], 'a dry run leaves nothing');

      const { id, matched } = await begin(webhook.id, { since: new Date(since).toISOString() });
      assert.match(id, /^rpl_[A-Za-z0-9_-]{21}$/);
      assert.equal(matched, 12);
      const done = await whenDone(id);
      assert.deepEqual([done.made, done.matched, done.webhookId], [12, 12, webhook.id]);
      await receiver.waitFor(sent + 12);
      assert.deepEqual(arrivals(receiver, sent).toSorted(), ids.toSorted());
      for (const { headers, body } of receiver.requests.slice(sent))
        assert.deepEqual(body, first.get(headers['webhook-id']));
      const delivery = await until(
        () => readDelivery(posthorn, ids[0] ?? '', webhook.id),
        ({ state }) => state === 'delivered',
      );
      assert.deepEqual(
        delivery.attempts.map(({ number, status }) => [number, status]),
        [
          [1, 410],
          [2, 200],
        ],
      );
      const again = await until(
        () => posthorn.call('POST', `/v1/webhooks/${webhook.id}/replay`, { body: { since, dryRun: true } }),
        ({ body }) => body.matched === 0,
      );
      assert.deepEqual(again.body, { matched: 0, oldest: null, newest: null });
      const listed = await posthorn.call('GET', `/v1/webhooks/${webhook.id}/replays`);
      assert.deepEqual(
        listed.body.replays.map((replay: Replay) => [replay.id, replay.state, replay.made]),
        [[id, 'done', 12]],
      );
    });

    test('an attempt that fails is tried again by the schedule; the state stays until a 2xx', async () => {
      const { receiver, webhook, since, ids } = await failed(1);
      receiver.script({ status: 500 }, { status: 503 }, { status: 200 });
      await begin(webhook.id, { since });
      const eventId = ids[0] ?? '';
      const delivery = await until(
        () => readDelivery(posthorn, eventId, webhook.id),
        ({ state }) => state !== 'failed',
      );
      assert.deepEqual(
        [delivery.state, ...delivery.attempts.map(({ status }) => status)],
        ['delivered', 410, 500, 503, 200],
      );
    });

    test('missed: from before the webhook, or while it was disabled; each once, tests left out', async () => {
      const receiver = await receive();
      const since = Date.now();
      // Of a type that no other test's webhook has.
      const missed = [{ type: 'project.created', payload: await sample('project.created') }];
      const early = idsOf(await publishAll(posthorn, [...missed, ...missed]));
      const webhook = await makeWebhook(posthorn, receiver.url, { events: ['project.created'] });
      const live = await publish(posthorn, missed[0]);
      await posthorn.call('POST', `/v1/webhooks/${webhook.id}/test`, { body: {} });
      await receiver.waitFor(2);
      await patchWebhook(posthorn, webhook.id, { enabled: false });
      const late = idsOf(await publishAll(posthorn, missed));
      const refused = await posthorn.call('POST', `/v1/webhooks/${webhook.id}/replay`, {
        body: { since, states: ['missed'] },
      });
      assert.deepEqual([refused.status, refused.body.error.code], [409, 'webhook_disabled']);
      await patchWebhook(posthorn, webhook.id, { enabled: true });
      const { id, matched } = await begin(webhook.id, { since, states: ['missed', 'failed'] });
      assert.equal(matched, 3);
      await whenDone(id);
      await receiver.waitFor(5);
      assert.deepEqual(arrivals(receiver, 2).toSorted(), [...early, ...late].toSorted());
      assert.equal((await begin(webhook.id, { since, states: ['missed'] })).matched, 0);
      const deliveries = await until(
        () => listDeliveries(posthorn, webhook.id, '&state=delivered'),
        ({ length }) => length === 5,
      );
      assert.ok(deliveries.every(({ attempts }) => attempts === 1));
      assert.ok(deliveries.some(({ eventId }) => eventId === live.id));
    });

    test('a rate is kept, evenly', async () => {
      const { receiver, webhook, since, sent } = await failed(61);
      await begin(webhook.id, { since, rate: 30 });
      await receiver.waitFor(sent + 61);
      const times = receiver.requests.slice(sent).map(({ receivedAt }) => receivedAt);
      const [start, end] = [times[0] ?? 0, times.at(-1) ?? 0];
      assert.ok(Math.abs(end - start - 2_000) <= 200, `${end - start} ms for 60 at 30/s`);
      const inFirstHalf = times.filter((at) => at - start <= 1_000).length;
      assert.ok(Math.abs(inFirstHalf - 31) <= 4, `${inFirstHalf} in the first second`);
    });

    test('stopped in the middle, no more is made, and what was made arrives', async () => {
      const { receiver, webhook, since, sent } = await failed(90);
      const { id } = await begin(webhook.id, { since, rate: 40 });
      await receiver.waitFor(sent + 10);
      const stopped = await posthorn.call<Replay>('DELETE', `/v1/replays/${id}`);
      assert.equal(stopped.status, 200);
      assert.equal(stopped.body.state, 'stopped');
      const { made } = stopped.body;
      assert.ok(made >= 10 && made < 60, `${made} made`);
      await receiver.waitFor(sent + made);
      await until(
        () => listDeliveries(posthorn, webhook.id, '&state=delivered'),
        ({ length }) => length === made,
      );
      assert.deepEqual((await posthorn.call('DELETE', `/v1/replays/${id}`)).body, stopped.body);
      assert.equal(receiver.requests.length, sent + made);
      assert.equal((await read(id)).made, made);
    });

    test('disabling the webhook pauses it, removing ends it', async () => {
      const { receiver, webhook, since, sent } = await failed(90);
      const { id } = await begin(webhook.id, { since, rate: 50 });
      await receiver.waitFor(sent + 5);
      await patchWebhook(posthorn, webhook.id, { enabled: false });
      const paused = await read(id);
      assert.ok(paused.state === 'running' && paused.made < 90, JSON.stringify(paused));
      await patchWebhook(posthorn, webhook.id, { enabled: true });
      await until(
        () => read(id),
        ({ made }) => made > paused.made,
      );
      assert.equal((await posthorn.call('DELETE', `/v1/webhooks/${webhook.id}`)).status, 204);
      const ended = await read(id);
      assert.ok(ended.state === 'stopped' && ended.made < 90, JSON.stringify(ended));
      const listed = await posthorn.call('GET', `/v1/webhooks/${webhook.id}/replays`);
      assert.equal(listed.body.replays[0].state, 'stopped');
      const gone = await posthorn.call('POST', `/v1/webhooks/${webhook.id}/replay`, { body: { since } });
      assert.equal(gone.status, 404);
    });

    test('kill -9 in the middle: it goes on, and every delivery gets its one attempt more', async () => {
      const { receiver, webhook, since, ids, sent } = await failed(100);
      const { id } = await begin(webhook.id, { since, rate: 60 });
      await receiver.waitFor(sent + 30);
      await posthorn.end('SIGKILL');
      posthorn = await startPosthorn(env, dataDir);
      // On PostgreSQL the dead process has a lease of ten seconds.
      const done = await whenDone(id, 40_000);
      assert.equal(done.made, 100);
      const delivered = await until(
        () => listDeliveries(posthorn, webhook.id, '&state=delivered'),
        ({ length }) => length === 100,
        40_000,
      );
      assert.ok(delivered.every(({ attempts }) => attempts === 2));
      const came = arrivals(receiver, sent);
      assert.deepEqual([...new Set(came)].toSorted(), ids.toSorted());
      // What was on its way when the process died is sent again, and no more than that.
      assert.ok(came.length <= 100 + 32, `${came.length} requests`);
    });

    test('a live delivery passes a replay, also of its own webhook', async () => {
      const { receiver, webhook, since, sent } = await failed(900);
      receiver.script({ status: 200, delayMs: 25 });
      const { id } = await begin(webhook.id, { since });
      await receiver.waitFor(sent + 100);
      for (let n = 0; n < 5; n++) {
        const passed = receiver.requests.length;
        const live = await publish(posthorn, newEvent(10_000 + n));
        await receiver.next(({ headers }) => headers['webhook-id'] === live.id);
        const between = receiver.requests.findIndex(({ headers }) => headers['webhook-id'] === live.id);
        assert.ok(between - passed < 64, `${between - passed} of the replay went first`);
      }
      assert.equal((await read(id)).state, 'running');
      await posthorn.call('DELETE', `/v1/replays/${id}`);
    });

    async function sample(type: string): Promise<unknown> {
      const { body } = await posthorn.call('GET', '/v1/event-types');
      return body.eventTypes.find((one: { type: string }) => one.type === type).sample;
    }

    test('bad input has a sentence each, and begins nothing', async () => {
      const webhook = await makeWebhook(posthorn, 'http://127.0.0.1:9/');
      const since = 0;
      const cases: [body: unknown, names: RegExp][] = [
        [{}, /since/],
        [{ since: 'yesterday' }, /since must be epoch milliseconds or an ISO 8601 time/],
        [{ since: -1 }, /since/],
        [{ since: 1.5 }, /since/],
        [{ since: null }, /since/],
        [{ since: true }, /since/],
        [{ since, until: 'later' }, /until must be epoch milliseconds/],
        [{ since, until: [] }, /until/],
        [{ since: 10, until: 5 }, /since is after until/],
        [{ since, types: 'deployment.created' }, /types/],
        [{ since, types: [] }, /types/],
        [{ since, types: [5] }, /types/],
        [{ since, types: ['no.such.type'] }, /no event type "no\.such\.type"/],
        [{ since, states: 'failed' }, /states/],
        [{ since, states: [] }, /states/],
        [{ since, states: ['pending'] }, /states.*failed/],
        [{ since, rate: 0 }, /rate/],
        [{ since, rate: '5' }, /rate/],
        [{ since, rate: 1e9 }, /rate/],
        [{ since, rate: null }, /rate/],
        [{ since, dryRun: 'yes' }, /dryRun/],
        [[], /body/],
      ];
      for (const [body, names] of cases) {
        const answer = await posthorn.call('POST', `/v1/webhooks/${webhook.id}/replay`, { body });
        assert.equal(answer.status, 400, JSON.stringify(body));
        assert.match(answer.body.error.message, names, JSON.stringify(body));
      }
      const listed = await posthorn.call('GET', `/v1/webhooks/${webhook.id}/replays`);
      assert.deepEqual(listed.body, { replays: [], pagination: { count: 0, next: null } });
      const cursor = await posthorn.call('GET', `/v1/webhooks/${webhook.id}/replays?cursor=nonsense`);
      assert.equal(cursor.status, 400);
      for (const path of ['/v1/replays/nope', '/v1/webhooks/nope/replays']) {
        assert.equal((await posthorn.call('GET', path)).status, 404);
      }
    });

    test('a list is newest first and pages by key', async () => {
      const webhook = await makeWebhook(posthorn, 'http://127.0.0.1:9/');
      const ids: string[] = [];
      for (let n = 0; n < 5; n++) ids.unshift((await begin(webhook.id, { since: Date.now() })).id);
      const found: string[] = [];
      for (let cursor: string | null = ''; cursor !== null; ) {
        const page: string = cursor === '' ? '' : `&cursor=${cursor}`;
        const { body } = await posthorn.call('GET', `/v1/webhooks/${webhook.id}/replays?limit=2${page}`);
        found.push(...body.replays.map(({ id }: Replay) => id));
        cursor = body.pagination.next;
      }
      assert.equal(new Set(found).size, 5);
      assert.deepEqual(found, found.toSorted().toReversed());
      assert.deepEqual(found.toSorted(), ids.toSorted());
    });

    test('MEMBER may, DEVELOPER may look, another team’s is not there', async () => {
      const webhook = await makeWebhook(posthorn, 'http://127.0.0.1:9/');
      const token = async (role: string, teamId?: string): Promise<string> => {
        const body = { name: role, role, ...(teamId !== undefined && { teamId }) };
        return (await posthorn.call('POST', '/v1/tokens', { body })).body.token;
      };
      const { body: team } = await posthorn.call('POST', '/v1/teams', {
        body: { slug: 'others', name: 'Others', plan: 'pro' },
      });
      const [member, developer, other] = [
        await token('MEMBER'),
        await token('DEVELOPER'),
        await token('OWNER', team.id),
      ];
      const path = `/v1/webhooks/${webhook.id}/replay`;
      const body = { since: 0, rate: 1 };
      const begun = await posthorn.call('POST', path, { token: member, body });
      assert.equal(begun.status, 202);
      for (const options of [{ body }, { body: { ...body, dryRun: true } }]) {
        assert.equal((await posthorn.call('POST', path, { token: developer, ...options })).status, 403);
        assert.equal((await posthorn.call('POST', path, { token: other, ...options })).status, 404);
      }
      const replay = `/v1/replays/${begun.body.id}`;
      assert.equal((await posthorn.call('GET', replay, { token: developer })).status, 200);
      assert.equal((await posthorn.call('DELETE', replay, { token: developer })).status, 403);
      for (const method of ['GET', 'DELETE'])
        assert.equal((await posthorn.call(method, replay, { token: other })).status, 404);
      assert.equal((await posthorn.call('GET', `${path}s`, { token: other })).status, 404);
      assert.equal((await posthorn.call('DELETE', replay, { token: member })).status, 200);
    });
  });
}
