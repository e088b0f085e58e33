// Pruning by days on a real PostgreSQL: what goes, what stays, and that nobody who publishes waits for it.
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import pg from 'pg';
import { createDatabase } from '../../../test/support/postgres.ts';
import { addTeam, addWebhook, newEvent } from '../conformance/bed.ts';
import { StoreUnavailable } from '../errors.ts';
import type { Store } from '../store.ts';
import { openPostgresStore } from './client.ts';
import { Connections } from './connection.ts';
import { firstNumberAt } from './numbers.ts';
import { DayPruner } from './prune-days.ts';

const day = (n: number) => Date.UTC(2026, 0, 1 + n);
const names = ['20260101', '20260102', '20260103'];
const now = day(30);

describe('days', () => {
  let url: string;
  let store: Store;
  let admin: pg.Client;
  let connections: Connections;
  let team: string;
  let tag: string;

  before(async () => {
    ({ url } = await createDatabase());
    const connection = { url, size: 4, deadlineMs: 20_000, connectMs: 5_000 };
    store = await openPostgresStore({ connection, now, delivers: true });
    connections = new Connections(connection);
    admin = new pg.Client({ connectionString: url });
    await admin.connect();
    team = await addTeam(store);
    ({ tag } = await addWebhook(store, team));
  });

  after(async () => {
    await store.close();
    await connections.close();
    await admin.end();
  });

  /** Three days of January, each with one event of an id that its publisher chose: `event0`, `event1`, `event2`. */
  beforeEach(async () => {
    await admin.query('TRUNCATE event_ids, pending');
    for (const [n, name] of names.entries()) {
      for (const table of ['events', 'deliveries', 'attempts']) {
        const bounds = `FROM (${firstNumberAt(day(n))}) TO (${firstNumberAt(day(n + 1))})`;
        await admin.query(`DROP TABLE IF EXISTS ${table}_p${name}`);
        await admin.query(`CREATE TABLE ${table}_p${name} PARTITION OF ${table} FOR VALUES ${bounds}`);
      }
      await addEvent(n, `event${n}`);
    }
  });

  const seq = (n: number) => firstNumberAt(day(n)) + 5;

  async function addEvent(n: number, id: string, at = seq(n)): Promise<void> {
    await admin.query(
      `INSERT INTO events (seq, team_id, id, type, created_at, created_at_given, accepted_at, test, deliveries, body)
       VALUES (${at}, '${team}', '${id}', 'x', 1, 0, ${day(n)}, 0, 1, '')`,
    );
    await admin.query(
      `INSERT INTO event_ids VALUES ('${team}', '${id}', ${at}) ON CONFLICT (team_id, id) DO UPDATE SET event_seq = ${at}`,
    );
  }

  const askFor = (n: number) =>
    `INSERT INTO pending (tag, id, event_seq, type, available_at, bytes, created_at)
     VALUES ('${tag}', 'x', ${seq(n)}, 'x', 1, 1, 1)`;

  async function kept() {
    const found = async (sql: string) => (await admin.query(sql)).rows.map(({ name }) => String(name));
    return {
      days: await found(
        "SELECT right(relname, 8) AS name FROM pg_class WHERE relname LIKE '%\\_p202601__' AND relkind = 'r' ORDER BY relname",
      ),
      events: await found('SELECT id AS name FROM events ORDER BY id'),
      ids: await found('SELECT id AS name FROM event_ids ORDER BY id'),
    };
  }

  async function pruneAll(pruner: DayPruner, until: number, limit = 10): Promise<number[]> {
    const looked: number[] = [];
    do looked.push(await pruner.prune(until, limit, now));
    while (looked.at(-1) !== 0);
    return looked;
  }

  /** Resolves when a statement that begins with `text` waits for a lock. */
  async function waitsForLock(text: string): Promise<void> {
    const watcher = new pg.Client({ connectionString: url });
    await watcher.connect();
    const asked = `SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND ltrim(query, E'\\n') LIKE $1`;
    while ((await watcher.query(asked, [`${text}%`])).rowCount === 0);
    await watcher.end();
  }

  test('one that is older than asked for is dropped whole with its ids, unless something of it is unfinished', async () => {
    await admin.query(askFor(1));
    await pruneAll(new DayPruner(connections), day(3));
    const of = (name: string) => [name, name, name];
    assert.deepEqual(await kept(), { days: of(names[1] ?? ''), events: ['event1'], ids: ['event1'] });
    await admin.query('DELETE FROM pending');
    await pruneAll(new DayPruner(connections), day(2) - 1);
    assert.deepEqual((await kept()).events, ['event1'], 'a day that is not over');
    await pruneAll(new DayPruner(connections), day(2));
    assert.deepEqual(await kept(), { days: [], events: [], ids: [] });
  });

  test('looks at no more events at once than it is asked to, and leaves an id to the later event that carries it', async () => {
    for (let i = 0; i < 24; i++) await addEvent(0, `more${i}`, seq(0) + 1 + i);
    await addEvent(2, 'more7', seq(2) + 1);
    assert.deepEqual(await pruneAll(new DayPruner(connections), day(1)), [10, 10, 5, 0]);
    assert.deepEqual((await kept()).ids, ['event1', 'event2', 'more7']);
  });

  test('who publishes does not wait while ids are deleted', { timeout: 20_000 }, async () => {
    const other = new pg.Client({ connectionString: url });
    await other.connect();
    await other.query('BEGIN');
    await other.query("SELECT 1 FROM event_ids WHERE id = 'event0' FOR UPDATE");
    const pruning = pruneAll(new DayPruner(connections), day(1));
    await waitsForLock('WITH looked');
    const accepted = await store.accept({ events: [newEvent(team, { id: 'meanwhile' })] });
    assert.equal(accepted.kind, 'stored');
    await other.query('COMMIT');
    await pruning;
    assert.ok(!(await kept()).events.includes('event0'));
    await other.end();
    await admin.query("DELETE FROM events WHERE id = 'meanwhile'");
  });

  test('one of which a delivery is asked for at the last moment stays', { timeout: 20_000 }, async () => {
    const other = new pg.Client({ connectionString: url });
    await other.connect();
    await other.query('BEGIN');
    await other.query(askFor(0));
    await other.query('SELECT 1 FROM events WHERE seq = 0');
    const pruning = pruneAll(new DayPruner(connections, 5_000), day(1));
    await waitsForLock('DROP TABLE events');
    await other.query('COMMIT');
    await pruning;
    assert.ok((await kept()).events.includes('event0'));
    await other.end();
  });

  test('a drop that somebody who reads is in the way of is given up soon, and tried again in minutes', async () => {
    const other = new pg.Client({ connectionString: url });
    await other.connect();
    await other.query('BEGIN');
    await other.query('SELECT 1 FROM events WHERE seq = 0');
    const pruner = new DayPruner(connections);
    await assert.rejects(pruneAll(pruner, day(1)), StoreUnavailable);
    assert.equal(await pruner.prune(day(1), 10, now + 299_000), 0);
    assert.equal((await kept()).days.length, 9);
    await other.query('COMMIT');
    assert.equal(await pruner.prune(day(1), 10, now + 300_000), 0);
    assert.equal((await kept()).days.length, 6);
    await other.end();
  });

  test('two nodes at once do not fail one another', async () => {
    for (let i = 0; i < 30; i++) await addEvent(0, `more${i}`, seq(0) + 1 + i);
    await Promise.all([1, 2].map(() => pruneAll(new DayPruner(connections), day(3), 5)));
    assert.deepEqual(await kept(), { days: [], events: [], ids: [] });
  });

  test('a session hands what it writes to the disk a little at a time', async () => {
    const text = "SELECT current_setting('backend_flush_after') AS size";
    const { rows } = await connections.run({ name: null, text, values: [] });
    assert.deepEqual(rows, [{ size: '256kB' }]);
  });
});
