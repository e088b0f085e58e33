// Takeovers on PostgreSQL: what a dead node held goes to one other node, and to one alone.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import pg from 'pg';
import { StoreUnavailable } from '../src/store/errors.ts';
import { openPostgresStore } from '../src/store/postgres/client.ts';
import { Connections } from '../src/store/postgres/connection.ts';
import { Rescuer, takeOverAtStart } from '../src/store/postgres/nodes.ts';
import { FakeClock } from './support/fake-clock.ts';
import { createDatabase } from './support/postgres.ts';

const held = 9_000_000_000_000_000;

/** A database of our schema, a way to run statements on it, and one to look at it; `close` ends both. */
async function setUp() {
  const { url } = await createDatabase();
  const connection = { url, size: 2, deadlineMs: 60_000, connectMs: 5_000 };
  const store = await openPostgresStore({ connection, now: Date.now(), delivers: false });
  const connections = new Connections(connection);
  const admin = new pg.Client({ connectionString: url });
  await admin.connect();
  const close = async () => {
    await admin.end();
    await connections.close();
    await store.close();
  };
  return { connections, admin, close };
}

test('a second takeover frees nothing that a live node has claimed since it began', async () => {
  const { connections, admin, close } = await setUp();
  try {
    await admin.query("INSERT INTO nodes (id, lease_until) VALUES ('live', now() + interval '1 hour')");
    await insertAny(admin, 'endpoints');
    // The claim has to fall into the takeover: it mostly does at once.
    for (let rounds = 1; ; rounds++) {
      await admin.query('DELETE FROM pending');
      await admin.query(
        `INSERT INTO pending (tag, id, event_seq, type, available_at, holder, bytes, created_at)
         SELECT 'endpoint1', 'k' || lpad(i::text, 8, '0'), i, 't', $1, 'dead', 10, 1 FROM generate_series(1, 12000) i`,
        [held],
      );
      await admin.query('ANALYZE pending');
      let isOver = false;
      const takeover = takeOverAtStart(connections.run, Date.now()).finally(() => {
        isOver = true;
      });
      await whenUnderWay(admin);
      const claim = await admin.query(
        "UPDATE pending SET holder = 'live' WHERE id = 'k00012000' AND available_at = $1",
        [held],
      );
      const fellInto = !isOver && claim.rowCount === 1;
      await takeover;
      const { rows } = await admin.query("SELECT holder FROM pending WHERE id = 'k00012000'");
      if (claim.rowCount === 1) assert.deepEqual(rows, [{ holder: 'live' }]);
      if (fellInto) return;
      assert.ok(rounds < 20, 'no claim fell into a takeover');
    }
  } finally {
    await close();
  }
});

test('what a dead node still wrote is looked for after its death, and now and then', async () => {
  const { connections, admin, close } = await setUp();
  try {
    await insertAny(admin, 'endpoints');
    const clock = new FakeClock();
    let away = false;
    const rescuer = new Rescuer(
      (statement) =>
        away && statement.name === 'rescue'
          ? Promise.reject(new StoreUnavailable('away'))
          : connections.run(statement),
      clock,
    );
    let seq = 0;
    /** A delivery that a node wrote as its own, and whether it still is after a sweep. */
    const outlivesSweep = async (holder: string): Promise<boolean> => {
      const id = `k${++seq}`;
      await admin.query(
        `INSERT INTO pending (tag, id, event_seq, type, available_at, holder, bytes, created_at)
         VALUES ('endpoint1', $1, $2, 't', $3, $4, 10, 1)`,
        [id, seq, held, holder],
      );
      await rescuer.sweep(clock.now());
      const { rows } = await admin.query('SELECT holder FROM pending WHERE id = $1', [id]);
      return rows[0].holder !== null;
    };
    const second = 1_000;
    assert.equal(await outlivesSweep('before'), false);
    assert.equal(await outlivesSweep('unheard-of'), true);
    await clock.advance(600 * second);
    assert.equal(await outlivesSweep('unheard-of'), false);

    await admin.query("INSERT INTO nodes (id, lease_until) VALUES ('dead', now())");
    assert.equal(await rescuer.afterDeaths(clock.now()), 0);
    await clock.advance(119 * second);
    assert.equal(await outlivesSweep('dead:born'), false);
    await clock.advance(second);
    assert.equal(await outlivesSweep('dead:born'), true);

    // A takeover that fails is made up for, however long it takes.
    await admin.query("INSERT INTO nodes (id, lease_until) VALUES ('dead', now())");
    away = true;
    await assert.rejects(rescuer.afterDeaths(clock.now()), StoreUnavailable);
    await clock.advance(300 * second);
    away = false;
    assert.equal(await outlivesSweep('dead:born'), false);

    await admin.query("INSERT INTO nodes (id, lease_until) VALUES ('live', now() + interval '1 hour')");
    await clock.advance(600 * second);
    assert.equal(await outlivesSweep('live'), true);
    assert.equal(await rescuer.afterDeaths(clock.now()), 1);
  } finally {
    await close();
  }
});

/** Resolves when the statement of a takeover is being executed. */
async function whenUnderWay(admin: pg.Client): Promise<void> {
  for (;;) {
    const { rows } = await admin.query(
      "SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%orphans%' AND pid <> pg_backend_pid()",
    );
    if (rows.length > 0) return;
  }
}

/** Inserts a row that has something in every column that must have it. */
async function insertAny(admin: pg.Client, table: string): Promise<void> {
  const { rows } = await admin.query<{ name: string; type: string }>(
    `SELECT column_name AS name, data_type AS type FROM information_schema.columns
      WHERE table_name = $1 AND is_nullable = 'NO' AND column_default IS NULL`,
    [table],
  );
  const values = rows.map(({ name, type }) => {
    if (name === 'tag') return "'endpoint1'";
    if (type === 'bytea') return "'\\x00'";
    return type === 'text' ? "'x'" : '1';
  });
  await admin.query(
    `INSERT INTO ${table} (${rows.map(({ name }) => name).join()}) VALUES (${values.join()})`,
  );
}
