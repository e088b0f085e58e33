// One, two and three processes on one PostgreSQL: all of them together are not slower than one by much, and the database
// does no more of its hot statements for a delivery. The generator, the receiver and the database share the machine with them, each a
// process of its own as in the benchmark. The figures of one run stand in docs/postgres.md.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { makeWebhook, newEvent, until } from './support/calls.ts';
import { keepDoing } from './support/house.ts';
import { freePort } from './support/postgres.ts';
import { startPostgres } from './support/postgres-server.ts';
import { adminToken, newDataDir, type Posthorn, startPosthorn } from './support/posthorn.ts';
import { startReceiverApart } from './support/receiver-apart.ts';

const { scripts } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as {
  scripts: { start: string };
};
const env = {
  POSTHORN_SECRET_KEY: Buffer.alloc(32, 7).toString('base64'),
  POSTHORN_LOG_LEVEL: 'fatal',
};
/** As `npm start` has them. */
const flags = scripts.start.match(/(?<=\s)--\S+/g) ?? [];
const publishers = 24;
const eventsPerCall = 10;
const endpoints = 10;
const warmUpMs = 4_000;
const windowMs = 12_000;
/** As many upwards as downwards: one run differs from the next by a tenth on a shared machine, and by what came before it. */
const rounds = 4;
const most = 3;

interface Figures {
  perSecond: number;
  statementsPerDelivery: number;
  /** Accepts, and writes of delivered attempts; the rest goes by time. */
  hotPerDelivery: number;
}

const mean = (values: number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

test('throughput and statements for a delivery with one, two and three processes', async (t) => {
  const server = await startPostgres(await freePort(), ['-c', 'shared_preload_libraries=pg_stat_statements']);
  t.after(() => server.stop());

  const run = async (processes: number, name: string): Promise<Figures> => {
    const url = await server.createDatabase(name);
    const admin = new pg.Client({ connectionString: url });
    await admin.connect();
    await admin.query('CREATE EXTENSION pg_stat_statements');
    const receiver = await startReceiverApart();
    const nodes: Posthorn[] = [];
    for (let n = 0; n < processes; n++)
      nodes.push(await startPosthorn({ ...env, DATABASE_URL: url }, newDataDir(), flags));
    const [first] = nodes;
    assert.ok(first !== undefined);
    for (let n = 0; n < endpoints; n++) {
      const team = await first.call('POST', '/v1/teams', {
        body: { slug: `t${n}`, name: `t${n}`, plan: 'pro' },
      });
      await makeWebhook(first, receiver.url, { teamId: team.body.id });
      teams[n] = team.body.id;
    }
    const publishing = keepDoing(publishers, async (worker, round) => {
      const node = nodes[(worker + round) % nodes.length];
      const response = await fetch(`${node?.url}/v1/events?teamId=${teams[(worker + round) % endpoints]}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' },
        body,
      });
      await response.arrayBuffer();
      // 429 says that the others are behind, which is what is measured.
      assert.ok(response.status === 202 || response.status === 429, `${response.status}`);
    });
    await pause(warmUpMs);
    await admin.query('SELECT pg_stat_statements_reset()');
    const from = await receiver.count();
    const startedAt = performance.now();
    await pause(windowMs);
    const seconds = (performance.now() - startedAt) / 1000;
    const received = (await receiver.count()) - from;
    const { rows } = await admin.query(
      `SELECT sum(calls)::int AS calls,
              (sum(calls) FILTER (WHERE query LIKE '%INSERT INTO event_ids%' OR query LIKE '%DELETE FROM pending%'))::int AS hot
         FROM pg_stat_statements WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())`,
    );
    await publishing.end();
    await until(
      async () => (await admin.query('SELECT count(*)::int AS n FROM pending')).rows[0].n,
      (pending) => pending === 0,
      120_000,
    );
    await Promise.all(nodes.map((node) => node.end('SIGTERM')));
    await Promise.all(nodes.map((node) => node.close()));
    await receiver.close();
    await admin.end();
    // Else the server writes this run's pages while the next one is measured.
    await server.dropDatabase(name);
    return {
      perSecond: received / seconds,
      statementsPerDelivery: rows[0].calls / received,
      hotPerDelivery: rows[0].hot / received,
    };
  };
  const teams: string[] = [];
  const body = JSON.stringify(Array.from({ length: eventsPerCall }, (_, seq) => newEvent(seq)));

  const found = new Map<number, Figures[]>();
  for (let round = 0; round < rounds; round++) {
    // In turn upwards and downwards: what comes first is measured with a generator that is not compiled yet.
    for (let turn = 1; turn <= most; turn++) {
      const processes = round % 2 === 0 ? turn : most + 1 - turn;
      const figures = await run(processes, `r${round}p${processes}`);
      found.set(processes, [...(found.get(processes) ?? []), figures]);
    }
  }
  const figuresOf = (processes: number): Figures => {
    const all = found.get(processes) ?? [];
    return {
      perSecond: mean(all.map(({ perSecond }) => perSecond)),
      statementsPerDelivery: mean(all.map(({ statementsPerDelivery }) => statementsPerDelivery)),
      hotPerDelivery: mean(all.map(({ hotPerDelivery }) => hotPerDelivery)),
    };
  };
  const one = figuresOf(1);
  for (let processes = 1; processes <= most; processes++) {
    const { perSecond, statementsPerDelivery, hotPerDelivery } = figuresOf(processes);
    const rates = (found.get(processes) ?? []).map(({ perSecond: rate }) => rate.toFixed(0));
    t.diagnostic(
      `${processes}: ${perSecond.toFixed(0)} deliveries/s (${(perSecond / one.perSecond).toFixed(2)} of one), ${statementsPerDelivery.toFixed(4)} statements for a delivery, ${hotPerDelivery.toFixed(4)} of them hot; runs: ${rates.join(' ')}`,
    );
  }
  for (let processes = 2; processes <= most; processes++) {
    const { perSecond, statementsPerDelivery, hotPerDelivery } = figuresOf(processes);
    assert.ok(perSecond >= 0.85 * one.perSecond, `${processes}: ${perSecond} of ${one.perSecond}`);
    assert.ok(
      hotPerDelivery < 1.2 * one.hotPerDelivery,
      `${processes}: ${hotPerDelivery} of ${one.hotPerDelivery}`,
    );
    // What each node reads again by time comes beside them.
    assert.ok(
      statementsPerDelivery < 1.5 * one.statementsPerDelivery,
      `${processes}: ${statementsPerDelivery} of ${one.statementsPerDelivery}`,
    );
  }
});
