// All processes of the primary are killed with SIGKILL while events are published, its first one before the others, and its
// streaming standby takes over: with synchronous replication nothing that was answered is lost. What one run printed stands in docs/postgres.md.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { makeWebhook, newEvent, until } from './support/calls.ts';
import { inChunks, keepDoing } from './support/house.ts';
import { freePort } from './support/postgres.ts';
import { startPostgres } from './support/postgres-server.ts';
import { startPosthorn } from './support/posthorn.ts';
import { startReceiver } from './support/receiver.ts';
import { startTcpProxy } from './support/tcp-proxy.ts';

const env = {
  POSTHORN_SECRET_KEY: Buffer.alloc(32, 7).toString('base64'),
  POSTHORN_RETRY_SCHEDULE: '200ms,1s,2s,5s,10s',
  POSTHORN_LOG_LEVEL: 'fatal',
};
const set = (name: string, value: string | number) => ['-c', `${name}=${value}`];
const publishers = 16;
const eventsBefore = 5_000;
const eventsAfter = 3_000;

test('a standby is promoted under load: nothing that was answered is lost', async (t) => {
  const primary = await startPostgres(await freePort(), [
    ...set('wal_level', 'replica'),
    ...set('max_connections', 100),
  ]);
  t.after(() => primary.stop());
  const url = new URL(await primary.createDatabase('posthorn'));
  const standby = await primary.startStandby(await freePort(), set('max_connections', 100));
  t.after(() => standby.stop());
  const connect = async (port: number) => {
    const admin = new pg.Client({ connectionString: url.href.replace(`:${url.port}/`, `:${port}/`) });
    admin.on('error', () => {});
    await admin.connect();
    return admin;
  };
  const before = await connect(primary.port);
  await before.query("ALTER SYSTEM SET synchronous_standby_names = 'standby'");
  await before.query('SELECT pg_reload_conf()');
  const { rows } = await until(
    () => before.query('SELECT state, sync_state FROM pg_stat_replication'),
    (answer) => answer.rows[0]?.sync_state === 'sync',
  );
  t.diagnostic(`replication: ${rows[0].state}, ${rows[0].sync_state}`);

  // One address for the database, as a name or a virtual address gives it.
  const proxy = await startTcpProxy(primary.port);
  t.after(() => proxy.close());
  const receiver = await startReceiver();
  t.after(() => receiver.close());
  const address = new URL(url.href);
  address.port = String(proxy.port);
  const nodes = await Promise.all([1, 2].map(() => startPosthorn({ ...env, DATABASE_URL: address.href })));
  t.after(() => Promise.all(nodes.map((node) => node.close())));
  const [first] = nodes;
  assert.ok(first !== undefined);
  await makeWebhook(first, receiver.url);

  const answered = new Set<string>();
  const statuses = new Map<number, number>();
  let longestMs = 0;
  const publishing = keepDoing(publishers, async (worker, round) => {
    const id = `w${worker}-${round}`;
    const startedAt = performance.now();
    // As a careful publisher does: the same id again until there is an answer.
    for (;;) {
      const node = nodes[(worker + round) % nodes.length];
      const { status } = (await node?.call('POST', '/v1/events', { body: newEvent(round, { id }) })) ?? {
        status: 0,
      };
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      if (status === 202 || status === 200) break;
      assert.equal(status, 503);
      await pause(100);
    }
    longestMs = Math.max(longestMs, performance.now() - startedAt);
    answered.add(id);
  });
  await publishing.whenDone(eventsBefore);
  const killedAt = performance.now();
  await primary.crash();
  await before.end().catch(() => {});
  const atKill = answered.size;
  const after = await connect(standby.port);
  await after.query('SELECT pg_promote()');
  proxy.leadTo(standby.port);
  const promotedMs = performance.now() - killedAt;
  await publishing.whenDone(1);
  const awayMs = performance.now() - killedAt;
  await publishing.whenDone(eventsAfter);
  await publishing.end();
  await until(
    async () => (await after.query('SELECT count(*)::int AS n FROM pending')).rows[0].n,
    (pending) => pending === 0,
    120_000,
  );
  const stored = await after.query(
    "SELECT e.id, v.state FROM events e LEFT JOIN deliveries v ON v.event_seq = e.seq WHERE e.type = 'deployment.succeeded'",
  );
  const states = new Map(stored.rows.map(({ id, state }) => [id, state]));
  assert.equal(stored.rowCount, states.size, 'no event is there twice');
  const counts = new Map<string, number>();
  for (const { headers } of receiver.requests) {
    const id = String(headers['webhook-id']);
    counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  await inChunks(answered, async (id) => {
    assert.equal(states.get(id), 'delivered', `${id} was answered`);
    assert.ok(counts.has(id), `${id} was received`);
  });
  assert.equal(states.size, answered.size, 'each was repeated until it was answered');
  const repeated = [...counts.values()].reduce((sum, count) => sum + count - 1, 0);
  t.diagnostic(`${atKill} events answered when the primary was killed, ${answered.size} at the end; lost: 0`);
  t.diagnostic(
    `promoted after ${(promotedMs / 1000).toFixed(1)} s, first answer after ${(awayMs / 1000).toFixed(1)} s, longest wait of a publisher ${(longestMs / 1000).toFixed(1)} s`,
  );
  t.diagnostic(
    `answers by status: ${JSON.stringify(Object.fromEntries(statuses))}; ${repeated} requests were repeated`,
  );
  await after.end();
});
