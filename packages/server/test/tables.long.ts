// What the tables of unfinished work cost after 1,000,000 deliveries have gone through them: the buffers that a claim
// touches, with and without a transaction of somebody else that stays open for a minute. The figures of one run stand in
// docs/postgres.md.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import pg from 'pg';
import { addTeam, addWebhook, attemptOf, finishOne, newEvent } from '../src/store/conformance/bed.ts';
import { openPostgresStore } from '../src/store/postgres/client.ts';
import type { Claimed, Store } from '../src/store/store.ts';
import { freePort } from './support/postgres.ts';
import { type PostgresServer, startPostgres } from './support/postgres-server.ts';

const deliveries = 1_000_000;
const lanes = 20;
const eventsPerRound = 100;
const openForMs = 60_000;
const mostRatio = 1.3;

let server: PostgresServer;
let url = '';
let admin: pg.Client;
let accepting: Store;
let sending: Store;
let team: string;

before(async () => {
  server = await startPostgres(await freePort(), ['-c', 'shared_preload_libraries=pg_stat_statements']);
  url = await server.createDatabase('tables');
  admin = new pg.Client({ connectionString: url });
  await admin.connect();
  await admin.query('CREATE EXTENSION pg_stat_statements');
  const connection = { url, size: 4, deadlineMs: 60_000, connectMs: 5_000 };
  // One accepts and one sends: each delivery is born unclaimed, is claimed by its lane and leaves.
  accepting = await openPostgresStore({ connection, now: Date.now(), delivers: false });
  sending = await openPostgresStore({ connection, now: Date.now(), delivers: true });
  // Nobody renews the lease here.
  await admin.query("UPDATE nodes SET lease_until = now() + interval '1 day'");
  team = await addTeam(accepting);
  for (let lane = 0; lane < lanes; lane++) await addWebhook(accepting, team);
});
after(async () => {
  await accepting.close();
  await sending.close();
  await admin.end();
  await server.stop();
});

const publish = async (count: number): Promise<void> => {
  const calls = Array.from({ length: count }, () =>
    accepting.accept({ events: [newEvent(team, { at: Date.now() })] }),
  );
  await Promise.all(calls);
};

/** Lanes that had more than the last claim took of them: asked for by name, as the dispatcher does. */
const behind = new Set<string>();

async function claim(each: number): Promise<Claimed[]> {
  const asked = [...behind].map((tag) => ({ tag, count: each, replayed: each }));
  const { claimed, looked } = await sending.claim({
    now: Date.now(),
    lanes: asked,
    others: { lanes: 64, each },
  });
  for (const { tag, more } of looked) {
    if (more) behind.add(tag);
    else behind.delete(tag);
  }
  return claimed;
}

const finish = (claimed: Claimed[]) =>
  Promise.all(claimed.map((one) => finishOne(sending, attemptOf(one, { kind: 'delivered' }, Date.now()))));

/** Lets deliveries of all lanes go through; answers how many. */
async function pass(): Promise<number> {
  await publish(eventsPerRound);
  let passed = 0;
  while (passed < eventsPerRound * lanes) {
    const claimed = await claim(eventsPerRound);
    await finish(claimed);
    passed += claimed.length;
  }
  return passed;
}

/** Buffers that a claim of 8 deliveries of each of 20 lanes touches, hit or read: the median of 7. */
async function measure(): Promise<number> {
  const found: number[] = [];
  for (let time = 0; time < 7; time++) {
    await publish(8);
    await admin.query('SELECT pg_stat_statements_reset()');
    const claimed = await claim(8);
    assert.equal(claimed.length, 8 * lanes);
    const { rows } = await admin.query(
      "SELECT calls::int, (shared_blks_hit + shared_blks_read)::int AS buffers FROM pg_stat_statements WHERE query LIKE '%due AS (%'",
    );
    assert.equal(rows.length, 1);
    assert.equal(rows[0].calls, 1);
    found.push(rows[0].buffers);
    await finish(claimed);
  }
  return found.toSorted((a, b) => a - b)[3] ?? 0;
}

const deadTuples = async (): Promise<string> => {
  const { rows } = await admin.query(
    `SELECT relname, n_live_tup::int AS live, n_dead_tup::int AS dead, pg_total_relation_size(relid)::int AS bytes
       FROM pg_stat_user_tables WHERE relname IN ('pending', 'markers') ORDER BY relname`,
  );
  return rows
    .map(({ relname, dead, bytes }) => `${relname}: ${dead} dead, ${(bytes / 2 ** 20).toFixed(1)} MiB`)
    .join('; ');
};

test('a claim costs the same after 1,000,000 deliveries, and beside a transaction that is left open', async (t) => {
  for (let passed = 0; passed < 10_000; ) passed += await pass();
  const atStart = await measure();
  t.diagnostic(`at the start: ${atStart} buffers for a claim of 160 deliveries of 20 lanes`);
  const startedAt = performance.now();
  let passed = 0;
  while (passed < deliveries) passed += await pass();
  const seconds = (performance.now() - startedAt) / 1000;
  const afterAll = await measure();
  t.diagnostic(
    `after ${passed} deliveries in ${seconds.toFixed(0)} s: ${afterAll} buffers, ratio ${(afterAll / atStart).toFixed(2)}; ${await deadTuples()}`,
  );

  const open = new pg.Client({ connectionString: url });
  await open.connect();
  await open.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
  await open.query('SELECT pg_current_xact_id()');
  const openedAt = performance.now();
  let meanwhile = 0;
  while (performance.now() - openedAt < openForMs) meanwhile += await pass();
  const beside = await measure();
  t.diagnostic(
    `with a transaction open for ${((performance.now() - openedAt) / 1000).toFixed(0)} s, ${meanwhile} deliveries meanwhile: ${beside} buffers, ratio ${(beside / atStart).toFixed(2)}; ${await deadTuples()}`,
  );
  await open.query('ROLLBACK');
  await open.end();
  // As autovacuum does within a minute.
  await admin.query('VACUUM pending');
  await admin.query('VACUUM markers');
  const atEnd = await measure();
  t.diagnostic(
    `once it has ended, and after a vacuum: ${atEnd} buffers, ratio ${(atEnd / atStart).toFixed(2)}`,
  );
  assert.ok(atEnd <= atStart * mostRatio, `${atEnd} of ${atStart} after the open transaction`);
  assert.ok(afterAll <= atStart * mostRatio, `${afterAll} of ${atStart}`);
  assert.ok(beside <= atStart * mostRatio, `${beside} of ${atStart} beside the open transaction`);
});
