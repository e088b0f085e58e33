// Replays on many nodes of one PostgreSQL: one owner at a time, taken over when it dies; a statement that was read for
// before something else was made makes nothing; and no step reads a table from end to end.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import pg from 'pg';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { createDatabase } from '../../../test/support/postgres.ts';
import { newReplayId, newSortableId } from '../../id.ts';
import {
  addTeam,
  addWebhook,
  attemptOf,
  auditStep,
  change,
  claimLane,
  finishOne,
  newEvent,
  publishHeld,
  startAt,
} from '../conformance/bed.ts';
import { insertReplay, replayPage, stopReplays } from '../control/replays.ts';
import type { WebhookRow } from '../control/webhooks.ts';
import { StoreUnavailable } from '../errors.ts';
import type { ReplayCandidate } from '../replay-page.ts';
import type { RunningReplay, Store } from '../store.ts';
import { openPostgresStore } from './client.ts';
import { Connections, type Run } from './connection.ts';
import { Hints } from './hints.ts';
import { ReplayMaker } from './replay.ts';

const now = startAt + 60_000;

describe('replays on two nodes', () => {
  let url = '';
  let admin: pg.Client;
  let one: Store;
  let two: Store;
  let team = '';

  before(async () => {
    ({ url } = await createDatabase());
    admin = new pg.Client({ connectionString: url });
    await admin.connect();
    const connection = { url, size: 4, deadlineMs: 20_000, connectMs: 5_000 };
    const open = () => openPostgresStore({ connection, now: startAt, delivers: true });
    [one, two] = [await open(), await open()];
    await admin.query("UPDATE nodes SET lease_until = now() + interval '1 hour'");
    team = await addTeam(one);
  });
  after(async () => {
    await Promise.all([one.close(), two.close(), admin.end()]);
  });

  /** A webhook with failed deliveries, and a replay of them. */
  async function begin(count: number, ordering: 'none' | 'all' = 'none') {
    const type = `type-${newSortableId(now)}`;
    const hook = await addWebhook(one, team, { types: [type] });
    for (let n = 0; n < count; n++) {
      const held = await publishHeld(one, newEvent(team, { type, at: startAt + n }));
      await finishOne(one, attemptOf(held, { kind: 'failed' }));
    }
    if (ordering !== 'none')
      await admin.query('UPDATE endpoints SET ordering = $1 WHERE tag = $2', [ordering, hook.tag]);
    return { hook, id: await ask(hook) };
  }

  async function ask(hook: WebhookRow): Promise<string> {
    const id = newReplayId(now);
    const row = {
      id,
      team_id: team,
      tag: hook.tag,
      state: 'running' as const,
      since: startAt,
      until: now,
      seq_from: 0,
      types: null,
      states: '["failed"]',
      rate: null,
      matched: 0,
      made: 0,
      walking: 'failed' as const,
      after: '',
      created_at: now,
    };
    await change(one, { steps: [insertReplay(one, row)] });
    return id;
  }

  const read = async (store: Store, id: string): Promise<RunningReplay | undefined> =>
    (await store.runningReplays()).find((replay) => replay.id === id);

  async function step(store: Store, replay: RunningReplay | undefined, most = 1) {
    assert.ok(replay !== undefined, 'the replay is there for this node');
    const made = await store.makeReplayed({ replay, most, now, keptSince: 0 });
    return made.kind === 'stale' ? 'stale' : made.claimed.length;
  }

  test('who makes the first step is the owner, until its lease has ended', async () => {
    const { id } = await begin(3);
    const seenByTwo = await read(two, id);
    assert.equal(await step(one, await read(one, id)), 1);
    assert.equal(await read(two, id), undefined);
    assert.equal(await step(two, seenByTwo), 'stale');
    const ended =
      'UPDATE nodes SET lease_until = now() + $1::interval WHERE id = (SELECT owner FROM replay_lanes WHERE tag = $2)';
    const tag = seenByTwo?.tag;
    const seenByOne = await read(one, id);
    await admin.query(ended, ['-1 second', tag]);
    assert.equal(await step(one, seenByOne), 'stale', 'nothing is made under a lease that has ended');
    assert.equal(await step(two, await read(two, id)), 1);
    await admin.query("UPDATE nodes SET lease_until = now() + interval '1 hour'");
    assert.equal(await read(one, id), undefined);
    assert.equal(await step(two, await read(two, id), 9), 1);
  });

  test('both at once: one of them makes it, whatever waits for whom', async () => {
    const { id } = await begin(20);
    const made: (number | string)[] = [];
    for (;;) {
      const [mine, yours] = [await read(one, id), await read(two, id)];
      if (mine === undefined && yours === undefined) break;
      const steps = [
        mine === undefined ? [] : [step(one, mine)],
        yours === undefined ? [] : [step(two, yours)],
      ];
      made.push(...(await Promise.all(steps.flat())));
    }
    assert.equal(
      made.reduce<number>((sum, count) => sum + Number(count === 'stale' ? 0 : count), 0),
      20,
    );
  });

  test('what was read before a redelivery, another replay’s step or a stop makes nothing', async () => {
    const { hook, id } = await begin(3);
    const key = (await admin.query('SELECT id FROM deliveries WHERE tag = $1 ORDER BY id DESC', [hook.tag]))
      .rows[0].id;
    const early = await read(one, id);
    await one.redeliver(key, now, auditStep(one, 'x'));
    assert.equal(await step(one, early), 'stale');
    const other = await ask(hook);
    const beside = await read(one, id);
    assert.equal(await step(one, await read(one, other)), 1);
    assert.equal(await step(one, beside), 'stale');
    const last = await read(one, id);
    await change(one, { steps: [stopReplays(one, { id }, now)] });
    assert.equal(await step(one, last), 'stale');
    const { rows } = await admin.query('SELECT count(*)::int AS count FROM pending WHERE tag = $1', [
      hook.tag,
    ]);
    assert.equal(rows[0].count, 2, 'the redelivery and one step');
  });

  test('a stop that is written while a step is under way: the step is whole, or not at all', async () => {
    const { hook, id } = await begin(1);
    const replay = await read(one, id);
    await admin.query('BEGIN');
    await admin.query("UPDATE replays SET state = 'stopped' WHERE id = $1", [id]);
    const made = step(one, replay);
    await waiting();
    await admin.query('COMMIT');
    assert.equal(await made, 'stale');
    const { rows } = await admin.query('SELECT count(*)::int AS count FROM pending WHERE tag = $1', [
      hook.tag,
    ]);
    assert.equal(rows[0].count, 0);
  });

  test('work that was seen and ends while a step is under way takes the step back', async () => {
    const { hook, id } = await begin(1);
    const { rows } = await admin.query('SELECT id FROM deliveries WHERE tag = $1', [hook.tag]);
    await one.redeliver(rows[0].id, now, auditStep(one, 'x'));
    const [held] = await claimLane(one, hook.tag, now);
    assert.ok(held !== undefined);
    const replay = await read(one, id);
    await admin.query('BEGIN');
    await admin.query('DELETE FROM pending WHERE tag = $1', [hook.tag]);
    const made = step(one, replay);
    await waiting();
    await admin.query('COMMIT');
    assert.equal(await made, 'stale');
    assert.equal(await step(one, await read(one, id)), 1);
  });

  /** Resolves when a statement of this database waits for a lock. */
  async function waiting(): Promise<void> {
    const text =
      "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    const watch = new pg.Client({ connectionString: url });
    await watch.connect();
    while ((await watch.query(text)).rowCount === 0);
    await watch.end();
  }

  test('a lane with an order is its sender’s: nobody else makes its replays', async () => {
    const { hook, id } = await begin(2, 'all');
    await admin.query('INSERT INTO lanes (tag, due_at, owner) SELECT $1, 1, id FROM nodes LIMIT 1', [
      hook.tag,
    ]);
    const { rows } = await admin.query('SELECT owner FROM lanes WHERE tag = $1', [hook.tag]);
    const owner = rows[0].owner;
    const replay = await Promise.all([read(one, id), read(two, id)]);
    const results = [await step(one, replay[0]), await step(two, replay[1])];
    assert.deepEqual(results.map(String).toSorted(), ['1', 'stale']);
    const made = await admin.query('SELECT holder FROM pending WHERE tag = $1', [hook.tag]);
    assert.equal(made.rows[0].holder, `${owner}:born`);
  });

  test('a step whose answer was lost: what it made is freed, and the replay waits until that is sure', async () => {
    const { hook, id } = await begin(3);
    const connections = new Connections({ url, size: 2, deadlineMs: 20_000, connectMs: 5_000 });
    const { rows: nodes } = await admin.query('SELECT id FROM nodes ORDER BY id LIMIT 1');
    const node: string = nodes[0].id;
    let losing = true;
    const run: Run = async (statement) => {
      const result = await connections.run(statement);
      if (losing && statement.name === 'replay') throw new StoreUnavailable('The answer was lost.');
      return result;
    };
    const clock = new FakeClock();
    const maker = new ReplayMaker(run, new Hints(), clock);
    const mine = async () => (await maker.running(node)).find((replay) => replay.id === id);
    const go = async (replay: RunningReplay | undefined) => {
      assert.ok(replay !== undefined);
      const request = { replay, most: 1, now, keptSince: 0 };
      const { sql, parameters } = replayPage(one.queries, replay, replay.cursor, 50).compile();
      const page = await connections.run({ name: null, text: sql, values: [...parameters] });
      return maker.make(request, () => Promise.resolve(page.rows as unknown as ReplayCandidate[]), node);
    };
    await assert.rejects(go(await mine()), StoreUnavailable);
    losing = false;
    const held = async () => {
      const { rows } = await admin.query('SELECT holder FROM pending WHERE tag = $1', [hook.tag]);
      return rows.map(({ holder }) => holder !== null);
    };
    assert.deepEqual(await held(), [true], 'it was made, and nobody knows');
    assert.equal(await mine(), undefined);
    assert.deepEqual(await held(), [false]);
    await clock.advance(15_001);
    const made = await go(await mine());
    assert.equal(made.kind === 'made' && made.claimed.length, 1);
    assert.equal((await held()).length, 2);
    await connections.close();
  });

  test('a step is three statements, and none reads a large table from end to end', async () => {
    const { hook } = await begin(1);
    await admin.query(`
      INSERT INTO events (seq, team_id, id, type, created_at, created_at_given, accepted_at, test, deliveries, body)
        SELECT i, '${team}', 'event' || i, 'x', i, 0, i, 0, 1, '' FROM generate_series(1, 20000) i;
      INSERT INTO deliveries (tag, id, event_seq, type, state, attempts, created_at, finished_at)
        SELECT '${hook.tag}', timed.id || i, i, 'x', 'delivered', 1, i, i
          FROM generate_series(1, 20000) i, (SELECT left(id, 7) AS id FROM deliveries WHERE tag = '${hook.tag}' LIMIT 1) timed;
      INSERT INTO pending (tag, id, event_seq, type, available_at, bytes, created_at)
        SELECT '${hook.tag}', 'waits' || i, i, 'x', ${startAt + 3_600_000}, 1, i FROM generate_series(1, 20000) i;
      ANALYZE;`);
    const sent: { name?: string; text: string; values: unknown[] }[] = [];
    const query = pg.Client.prototype.query;
    pg.Client.prototype.query = function (this: pg.Client, ...given: unknown[]) {
      sent.push(given[0] as (typeof sent)[number]);
      return (query as (...all: unknown[]) => unknown).apply(this, given);
    } as typeof query;
    try {
      for (const state of ['delivered', 'missed'] as const) {
        const replay = await read(one, await ask(hook));
        assert.ok(replay !== undefined);
        sent.splice(0, state === 'delivered' ? sent.length : 0);
        await step(one, { ...replay, cursor: { state, after: '' } }, 100);
        if (state === 'delivered') assert.equal(sent.length, 3);
      }
    } finally {
      pg.Client.prototype.query = query;
    }
    await admin.query('SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET jit = off');
    const large = /Seq Scan on (pending|events\w*|deliveries\w*|attempts\w*)\b/;
    for (const { text, values } of sent) {
      if (/^(BEGIN|COMMIT)$/.test(text)) continue;
      const { rows } = await admin.query({ text: `EXPLAIN ${text}`, values });
      const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
      assert.doesNotMatch(plan, large, `${text}\n${plan}`);
    }
  });
});
