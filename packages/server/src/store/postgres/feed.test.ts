// The feed on a real PostgreSQL: transactions that end in another order than they began, and the plans of its statements.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import pg from 'pg';
import { createDatabase } from '../../../test/support/postgres.ts';
import { addTeam, addWebhook, newEvent, publish, startAt } from '../conformance/bed.ts';
import type { FeedRow, Store } from '../store.ts';
import { openPostgresStore } from './client.ts';

describe('the feed on PostgreSQL', () => {
  let store: Store;
  let admin: pg.Client;
  let slow: pg.Client;
  before(async () => {
    const { url } = await createDatabase();
    store = await openPostgresStore({
      connection: { url, size: 4, deadlineMs: 60_000, connectMs: 5_000 },
      now: startAt,
      delivers: true,
    });
    admin = new pg.Client({ connectionString: url });
    slow = new pg.Client({ connectionString: url });
    await Promise.all([admin.connect(), slow.connect()]);
  });
  after(async () => {
    await Promise.all([admin.end(), slow.end()]);
    await store.close();
  });

  const insert = (team: string, id: string, seq: number) => `
    INSERT INTO events (seq, team_id, id, type, created_at, created_at_given, accepted_at, test, deliveries, body)
    VALUES (${seq}, '${team}', '${id}', 'x', 1, 0, 1, 0, 0, '')`;
  const idsOf = (rows: FeedRow[]) => rows.map((row) => (row.kind === 'event' ? row.id : row.kind));

  test('what was under way at a place and ends later is read later, whatever was read in between', async () => {
    const team = await addTeam(store);
    const begin = await store.feedPosition();
    await slow.query('BEGIN');
    await slow.query(insert(team, 'late', 1));
    const read = (from: string, until: string | null = null, limit = 100) =>
      store.readFeed({ teamIds: [team], from, until, limit });
    const first = newEvent(team);
    await publish(store, first);
    const one = await read(begin);
    assert.deepEqual(idsOf(one.rows), [first.id], 'what is visible is told at once');
    const second = newEvent(team);
    await publish(store, second);
    const two = await read(one.position);
    assert.deepEqual(idsOf(two.rows), [second.id]);
    assert.deepEqual((await read(two.position)).rows, []);
    await slow.query('COMMIT');
    const third = newEvent(team);
    await publish(store, third);
    const until = await store.feedPosition();
    for (const place of [one.position, two.position]) {
      const rest = place === one.position ? [second.id] : [];
      const whole = await read(place);
      assert.deepEqual(idsOf(whole.rows), ['late', ...rest, third.id]);
      assert.deepEqual(idsOf((await read(place, until)).rows), ['late', ...rest, third.id]);
      // From the place of each row on there is what comes after it.
      for (const [index, row] of whole.rows.entries()) {
        assert.deepEqual(
          idsOf((await read(row.position)).rows),
          idsOf(whole.rows.slice(index + 1)),
          String(index),
        );
      }
      const piecemeal: FeedRow[] = [];
      for (let position = place, more = true; more; ) {
        const some = await read(position, null, 1);
        piecemeal.push(...some.rows);
        ({ position, more } = some);
      }
      assert.deepEqual(idsOf(piecemeal), idsOf(whole.rows));
    }
    assert.deepEqual(idsOf((await read(begin)).rows), ['late', first.id, second.id, third.id]);
  });

  test('what was rolled back is never read', async () => {
    const team = await addTeam(store);
    const from = await store.feedPosition();
    await slow.query('BEGIN');
    await slow.query(insert(team, 'gone', 2));
    const between = await store.feedPosition();
    await slow.query('ROLLBACK');
    for (const place of [from, between]) {
      assert.deepEqual(
        (await store.readFeed({ teamIds: [team], from: place, until: null, limit: 10 })).rows,
        [],
      );
    }
  });

  test('no statement reads a table from end to end, 100,000 rows in each', async () => {
    const team = await addTeam(store);
    const { tag } = await addWebhook(store, team);
    await admin.query(`
      INSERT INTO events (seq, team_id, id, type, created_at, created_at_given, accepted_at, test, deliveries, body)
        SELECT i, 'team_x', 'event' || i, 'x', i, 0, i, 0, 1, '' FROM generate_series(1000, 101000) i;
      INSERT INTO deliveries (tag, id, event_seq, type, state, attempts, created_at, finished_at)
        SELECT '${tag}', 'id' || i, i, 'x', 'delivered', 1, i, i FROM generate_series(1000, 101000) i;
      INSERT INTO attempts (delivery_id, number, event_seq, started_at, duration_ms, timings, url, request_headers, truncated)
        SELECT 'id' || i, 1, i, i, 1, '', '', '', 0 FROM generate_series(1000, 101000) i;
      ANALYZE;`);
    const from = await store.feedPosition();
    await publish(store, newEvent(team));
    const texts: { name: string; text: string; values: unknown[] }[] = [];
    const query = pg.Client.prototype.query;
    pg.Client.prototype.query = function (this: pg.Client, ...given: unknown[]) {
      const [first] = given as [{ name?: string; text: string; values: unknown[] }];
      if (first.name?.startsWith('feed'))
        texts.push({ name: first.name, text: first.text, values: first.values });
      return (query as (...all: unknown[]) => unknown).apply(this, given);
    } as typeof query;
    try {
      await store.readFeed({ teamIds: [team], from, until: null, limit: 100 });
    } finally {
      pg.Client.prototype.query = query;
    }
    assert.deepEqual(
      texts.map(({ name }) => name),
      ['feed ends', 'feed events', 'feed attempts', 'feed canceled'],
    );
    await admin.query('SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET jit = off');
    for (const { name, text, values } of texts) {
      const { rows } = await admin.query({ text: `EXPLAIN (ANALYZE, BUFFERS) ${text}`, values });
      const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
      assert.doesNotMatch(plan, /Seq Scan on (events|deliveries|attempts)/, `${name}\n${plan}`);
      const buffers = Number(/Buffers: shared hit=(\d+)/.exec(plan)?.[1]);
      assert.ok(buffers < 200, `${name}\n${plan}`);
    }
  });
});
