// The hot statements on a real PostgreSQL: how many there are, that none reads a table from end to end, and that batches
// in opposite order never fail one another.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import pg from 'pg';
import { until } from '../../../test/support/calls.ts';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { newGate } from '../../../test/support/fake-deliveries.ts';
import { checkPlans, checkPlansOfFew } from '../../../test/support/plans.ts';
import { createDatabase } from '../../../test/support/postgres.ts';
import {
  addTeam,
  addWebhook,
  attemptOf,
  claimLane,
  finishOne,
  type Held,
  newEvent,
  publishHeld,
  startAt,
} from '../conformance/bed.ts';
import type { Store } from '../store.ts';
import { openPostgresStore } from './client.ts';
import { Connections, type Run } from './connection.ts';
import { attachPostgres, type PostgresAttachment } from './sender.ts';

const connectionTo = (url: string) => ({ url, size: 4, deadlineMs: 60_000, connectMs: 5_000 });

interface Opened {
  store: Store;
  admin: pg.Client;
  close(): Promise<void>;
}

async function open(url: string): Promise<Opened> {
  const admin = new pg.Client({ connectionString: url });
  await admin.connect();
  const store = await openPostgresStore({ connection: connectionTo(url), now: startAt, delivers: true });
  await admin.query("UPDATE nodes SET lease_until = now() + interval '1 hour'");
  return {
    store,
    admin,
    async close() {
      await store.close();
      await admin.end();
    },
  };
}

describe('statements on the wire', () => {
  const sent: string[] = [];
  /** The sessions that each statement went through. */
  const sessions = new Map<string, Set<pg.Client>>();
  const query = pg.Client.prototype.query;
  let opened: Opened;

  before(async () => {
    opened = await open((await createDatabase()).url);
    // Every statement of every session of this process goes through here, BEGIN and COMMIT too.
    pg.Client.prototype.query = function (this: pg.Client, ...given: unknown[]) {
      const [first] = given as [string | { name?: string; text: string }];
      const name = typeof first === 'string' ? first : (first.name ?? first.text);
      // Figures go by themselves, once a second whatever there is to do.
      if (name !== 'write figures') sent.push(name);
      sessions.set(name, (sessions.get(name) ?? new Set()).add(this));
      return (query as (...all: unknown[]) => unknown).apply(this, given);
    } as typeof query;
  });
  after(async () => {
    pg.Client.prototype.query = query;
    await opened.close();
  });

  test('a node that begins has planned its hot statements in two sessions of each thread', async () => {
    const planned = () =>
      ['accept', 'claim', 'deliver', 'finish'].map((name) => sessions.get(name)?.size ?? 0);
    sessions.clear();
    const { url } = await createDatabase();
    const store = await openPostgresStore({ connection: connectionTo(url), now: startAt, delivers: true });
    assert.deepEqual(planned(), [2, 0, 0, 0]);
    const sender = await attachPostgres(store.connect());
    assert.deepEqual(planned(), [2, 2, 2, 2]);
    await sender.close();
    await store.close();
  });

  test('a node that does not send plans no claims, and one that gets no session opens them when it needs them', async () => {
    sessions.clear();
    const { url } = await createDatabase();
    const admin = new pg.Client({ connectionString: url });
    await admin.connect();
    await admin.query("CREATE ROLE scarce LOGIN PASSWORD 'x' CONNECTION LIMIT 1");
    await admin.query('GRANT CREATE, USAGE ON SCHEMA public TO scarce');
    const scarce = new URL(url);
    scarce.username = 'scarce';
    scarce.password = 'x';
    const connection = connectionTo(scarce.href);
    const store = await openPostgresStore({ connection, now: startAt, delivers: false });
    assert.equal(sessions.get('accept')?.size, 1);
    await addTeam(store);
    const sender = await attachPostgres(store.connect());
    assert.equal(sessions.get('claim'), undefined);
    await sender.close();
    await store.close();
    await admin.end();
  });

  test('a session that is ended while it plans takes nothing with it, and the next one is another', async () => {
    const { url } = await createDatabase();
    const admin = new pg.Client({ connectionString: url });
    await admin.connect();
    const connections = new Connections(connectionTo(url));
    const ask = async (run: Run) =>
      (await run({ name: null, text: 'SELECT pg_backend_pid() AS pid', values: [] })).rows[0]?.pid as number;
    let ended = 0;
    await connections.warm(1, async (run) => {
      ended = await ask(run);
      await admin.query('SELECT pg_terminate_backend($1, 5000)', [ended]);
      await ask(run);
    });
    assert.ok(ended > 0);
    assert.notEqual(await ask(connections.run), ended);
    await connections.close();
    await admin.end();
  });

  test('a start does not wait for a session that is stuck', async () => {
    const clock = new FakeClock();
    const connections = new Connections({ ...connectionTo((await createDatabase()).url), clock });
    const { gate, open: goOn } = newGate();
    let warmed = false;
    const began = newGate();
    const warming = connections
      .warm(1, () => {
        began.open();
        return gate;
      })
      .then(() => {
        warmed = true;
      });
    await began.gate;
    try {
      await clock.advance(1_999);
      assert.equal(warmed, false);
      await clock.advance(1);
      assert.equal(warmed, true);
    } finally {
      goOn();
      await warming;
      await connections.close();
    }
  });

  test('an accept is one, with known ids two; a claim one; a finish of many one', async () => {
    const { store } = opened;
    const team = await addTeam(store);
    const { tag } = await addWebhook(store, team);
    sent.length = 0;
    await Promise.all([1, 2, 3].map(() => store.accept({ events: [newEvent(team), newEvent(team)] })));
    assert.deepEqual(sent.splice(0), ['accept']);
    const given = newEvent(team, { id: 'mine' });
    await store.accept({ events: [given] });
    assert.deepEqual(sent.splice(0), ['accept']);
    await store.accept({ events: [{ ...given, uid: newEvent(team).uid }] });
    assert.deepEqual(sent.splice(0), ['accept', 'known']);
    const held: Held[] = [];
    for (let i = 0; i < 50; i++) held.push(await publishHeld(store, newEvent(team)));
    sent.length = 0;
    const finishing = held.map((one) => finishOne(store, attemptOf(one, { kind: 'retry', at: startAt })));
    await Promise.all(finishing);
    assert.deepEqual(sent.splice(0), ['finish']);
    const again = await claimLane(store, tag, startAt, 50);
    assert.equal(again.length, 50);
    assert.deepEqual(sent.splice(0), ['claim']);
    await Promise.all(again.map((one) => finishOne(store, attemptOf(one, { kind: 'delivered' }))));
    assert.deepEqual(sent.splice(0), ['deliver']);
  });

  test('calls that share statements wait for company where other nodes are alive, and only there', async () => {
    const accepts = async (others: number) => {
      const { url } = await createDatabase();
      const openOne = () =>
        openPostgresStore({ connection: connectionTo(url), now: startAt, delivers: false });
      await (await openOne()).close();
      const admin = new pg.Client({ connectionString: url });
      await admin.connect();
      await admin.query(
        "INSERT INTO nodes (id, lease_until) SELECT 'other' || i, now() + interval '1 hour' FROM generate_series(1, $1) i",
        [others],
      );
      await admin.end();
      const store = await openOne();
      const team = await addTeam(store);
      const accept = () => store.accept({ events: [newEvent(team)] });
      await Promise.all([accept(), accept()]);
      sent.length = 0;
      const first = accept();
      // By now a call that does not wait has gone.
      await new Promise(setImmediate);
      await Promise.all([first, accept()]);
      const count = sent.filter((name) => name === 'accept').length;
      await store.close();
      return count;
    };
    assert.equal(await accepts(0), 2);
    let count = 0;
    // A machine that stands still for as long as a call waits looks as if it did not.
    for (let tries = 0; tries < 10 && count !== 1; tries++) count = await accepts(20);
    assert.equal(count, 1);
  });

  test('a node hears of others that come and go each time its lease is renewed', async () => {
    const { url } = await createDatabase();
    const { store, admin, close } = await open(url);
    const sender = await attachPostgres((store as unknown as { connect(): PostgresAttachment }).connect());
    const team = await addTeam(store);
    const accept = () => store.accept({ events: [newEvent(team)] });
    const waits = async () => {
      await Promise.all([accept(), accept()]);
      sent.length = 0;
      const first = accept();
      await new Promise(setImmediate);
      await Promise.all([first, accept()]);
      return sent.filter((name) => name === 'accept').length === 1;
    };
    assert.equal(await waits(), false);
    await admin.query(
      "INSERT INTO nodes (id, lease_until) SELECT 'other' || i, now() + interval '1 hour' FROM generate_series(1, 20) i",
    );
    await until(waits, (does) => does);
    await admin.query("UPDATE nodes SET lease_until = now() WHERE id LIKE 'other%'");
    await until(waits, (does) => !does);
    await sender.close();
    await close();
  });

  test('a delivered attempt waits longer for company than one that another delivery may wait for', async () => {
    const { store } = opened;
    const team = await addTeam(store);
    await addWebhook(store, team);
    const [plain, ordered] = [
      await publishHeld(store, newEvent(team)),
      await publishHeld(store, newEvent(team)),
    ];
    sent.length = 0;
    const delivered = finishOne(store, attemptOf(plain, { kind: 'delivered' }));
    const next = finishOne(store, { ...attemptOf(ordered, { kind: 'delivered' }), ordered: true });
    await Promise.all([delivered, next]);
    assert.deepEqual(sent.splice(0), ['finish', 'deliver']);
  });
});

describe('two nodes at once', () => {
  test('batches in opposite order: every call is answered, and nothing is made twice', async () => {
    const { url } = await createDatabase();
    const nodes = [await open(url), await open(url)];
    const [one, two] = nodes.map(({ store }) => store) as [Store, Store];
    const team = await addTeam(one);
    for (let i = 0; i < 10; i++) await addWebhook(one, team);
    const ids = Array.from({ length: 200 }, (_, n) => `both-${n}`);
    const call = async (store: Store, id: string) => {
      const outcome = await store.accept({ events: [newEvent(team, { id }), newEvent(team)] });
      assert.equal(outcome.kind, 'stored');
      return outcome.kind === 'stored' && outcome.events[0]?.kind === 'stored';
    };
    const claiming = [one, two].map(async (store) => {
      for (let round = 0; round < 20; round++) {
        const { claimed } = await store.claim({
          now: startAt + 1,
          lanes: [],
          others: { lanes: 64, each: 50 },
        });
        await store.release(
          claimed.map(({ key, tag, body }) => ({ key, tag, bytes: body.length })),
          startAt,
        );
      }
    });
    const [first, second] = await Promise.all([
      Promise.all(ids.map((id) => call(one, id))),
      Promise.all(ids.toReversed().map((id) => call(two, id))),
      ...claiming,
    ]);
    const stored = [...first, ...second].filter(Boolean).length;
    assert.equal(stored, ids.length, 'each id was stored by one of the two');
    const { rows } = await (nodes[0] as Opened).admin.query('SELECT count(*)::int AS n FROM events');
    assert.equal(rows[0].n, 600);
    await Promise.all(nodes.map(({ close }) => close()));
  });
});

describe('plans', () => {
  test('no hot statement reads a large table from end to end, 100,000 rows in each', async () => {
    await checkPlans((await createDatabase()).url, 100_000);
  });

  for (const [rows, left] of [
    [0, false],
    [0, true],
    [1, false],
    [10, true],
  ] as const) {
    const pages = left ? 'in many pages' : 'in as few pages';
    test(`unfinished deliveries are looked up, each or its lane, also as planned for ${rows} ${pages}`, async () => {
      await checkPlansOfFew((await createDatabase()).url, rows, left);
    });
  }
});
