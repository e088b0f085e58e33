// Markers and the floors at which a look begins: whatever a floor says, nothing that is unclaimed is lost, and a claim costs
// the same beside a transaction that is left open.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import pg from 'pg';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { createDatabase } from '../../../test/support/postgres.ts';
import {
  addTeam,
  addWebhook,
  attemptOf,
  claimLane,
  claimOthers,
  finishOne,
  newEvent,
  publish,
  startAt,
} from '../conformance/bed.ts';
import type { Claimed, Store } from '../store.ts';
import { claim, nobody } from './claim.ts';
import { openPostgresStore } from './client.ts';
import { Connections } from './connection.ts';
import { Hints } from './hints.ts';

const minute = 60_000;

describe('markers', () => {
  let url = '';
  let admin: pg.Client;
  /** One accepts, so that everything is born unclaimed; two nodes send. */
  let accepting: Store;
  let one: Store;
  let two: Store;

  const open = (delivers: boolean, now = startAt) => {
    const connection = { url, size: 4, deadlineMs: 60_000, connectMs: 5_000 };
    return openPostgresStore({ connection, now, delivers });
  };

  before(async () => {
    ({ url } = await createDatabase());
    admin = new pg.Client({ connectionString: url });
    await admin.connect();
    [accepting, one, two] = [await open(false), await open(true), await open(true)];
    await admin.query("UPDATE nodes SET lease_until = now() + interval '1 hour'");
  });
  after(async () => {
    await Promise.all([accepting.close(), one.close(), two.close(), admin.end()]);
  });

  const keysOf = (claimed: { key: string }[]) => claimed.map(({ key }) => key).toSorted();

  /** A lane of its own, and how to make an unclaimed delivery in it. */
  async function newLane(ordering: 'none' | 'all' = 'none') {
    const team = await addTeam(accepting);
    const { tag } = await addWebhook(accepting, team, { ordering });
    const bear = async (at = startAt): Promise<string> => {
      const event = newEvent(team, { at });
      await publish(accepting, event);
      return event.uid + tag;
    };
    return { team, tag, bear };
  }

  describe('a floor', () => {
    /** A node with a clock of the test's, whose floors have risen. */
    async function risen() {
      const connections = new Connections({ url, size: 1, deadlineMs: 20_000, connectMs: 5_000 });
      const clock = new FakeClock();
      const hints = new Hints(clock);
      const look = () => {
        const request = { now: startAt + minute, lanes: [], others: { lanes: 64, each: 8 } };
        return claim(connections.run, request, nobody, hints);
      };
      const lane = await newLane();
      for (let time = 0; time < 3; time++) {
        await lane.bear();
        assert.equal((await look()).claimed.length, 1);
        await clock.advance(2_100);
      }
      // All markers are looked at now, and not again within the next five seconds.
      await clock.advance(5_000);
      await look();
      assert.ok(hints.floors.number > 0 && hints.floors.dueAt > startAt, 'the floors have risen');
      return { ...lane, clock, look, close: () => connections.close() };
    }

    test('that has passed a marker hides it until all are looked at, 5 seconds later at the most', async () => {
      for (const place of ['number = 1', `due_at = ${startAt - minute}`]) {
        const { tag, bear, clock, look, close } = await risen();
        const key = await bear();
        await admin.query(`UPDATE markers SET ${place} WHERE tag = $1`, [tag]);
        assert.deepEqual((await look()).claimed, []);
        await clock.advance(5_000);
        assert.deepEqual(keysOf((await look()).claimed), [key]);
        await close();
      }
    });

    test('leaves room for commits under way: a number from before is found at once', async () => {
      const { tag, bear, clock, look, close } = await risen();
      const reserved = await admin.query("SELECT nextval('marker_numbers')::int AS number");
      for (let time = 0; time < 5; time++) {
        await bear();
        assert.equal((await look()).claimed.length, 1);
        await clock.advance(300);
      }
      const late = await bear();
      await admin.query('UPDATE markers SET number = $1 WHERE tag = $2', [reserved.rows[0].number, tag]);
      assert.deepEqual(keysOf((await look()).claimed), [late]);
      await close();
    });
  });

  describe('nothing is left without a marker', () => {
    /** A session more, once a statement of this database waits for a lock. */
    async function waitsForLock(): Promise<pg.Client> {
      const watch = new pg.Client({ connectionString: url });
      await watch.connect();
      const text =
        "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
      while ((await watch.query(text)).rowCount === 0);
      return watch;
    }

    test('an accept that was under way while a claim emptied its lane', async () => {
      const { team, tag, bear } = await newLane();
      await bear();
      // Held up in its middle by somebody who may yet store the same id.
      await admin.query('BEGIN');
      await admin.query("INSERT INTO event_ids VALUES ($1, 'mine', 1)", [team]);
      const event = newEvent(team, { id: 'mine' });
      const accepted = accepting.accept({ events: [event] });
      await (await waitsForLock()).end();
      assert.equal((await claimOthers(one, startAt)).claimed.length, 1);
      assert.deepEqual((await claimOthers(one, startAt)).claimed, []);
      await admin.query('ROLLBACK');
      await accepted;
      assert.deepEqual(keysOf((await claimOthers(one, startAt)).claimed), [event.uid + tag]);
    });

    test('what was moved between the beginning of a claim and its lock', async () => {
      // Lanes are looked at in any order: until a claim is held up at the other lane first.
      for (;;) {
        const [plain, owned] = [await newLane(), await newLane('all')];
        const [key, head] = [await plain.bear(), await owned.bear()];
        // Held up by somebody who may yet enter that lane.
        await admin.query('BEGIN');
        await admin.query('INSERT INTO lanes (tag, due_at) VALUES ($1, 9000000000000000)', [owned.tag]);
        const claiming = claimOthers(one, startAt);
        const other = await waitsForLock();
        const moved = await other.query(
          'UPDATE pending SET asked = asked WHERE id IN (SELECT id FROM pending WHERE tag = $1 FOR UPDATE SKIP LOCKED)',
          [plain.tag],
        );
        await other.end();
        await admin.query('ROLLBACK');
        const { claimed, looked } = await claiming;
        if (moved.rowCount === 0) continue;
        assert.deepEqual(keysOf(claimed), [head]);
        assert.equal(looked.find(({ tag }) => tag === plain.tag)?.more, true);
        const again = (await claimOthers(one, startAt + 5_000)).claimed;
        assert.deepEqual(keysOf(again), [key]);
        return;
      }
    });

    test('what a dead node held, due before all that the lane had', async () => {
      const { tag, bear } = await newLane();
      const early = await bear(startAt);
      assert.deepEqual(keysOf(await claimLane(two, tag, startAt)), [early]);
      const late = await bear(startAt + 2 * minute);
      assert.deepEqual(keysOf(await claimLane(one, tag, startAt + 3 * minute)), [late]);
      await admin.query(
        "UPDATE nodes SET lease_until = now() - interval '1 second' WHERE id = (SELECT holder FROM pending WHERE id = $1)",
        [early],
      );
      await two.close();
      // Who starts takes over at once.
      two = await open(true, startAt + minute);
      await admin.query("UPDATE nodes SET lease_until = now() + interval '1 hour'");
      assert.deepEqual(keysOf(await claimLane(one, tag, startAt + 3 * minute)), [early]);
    });

    test('a lane that has lost its marker, by the sweep', async () => {
      const { tag, bear } = await newLane();
      const key = await bear(startAt);
      await admin.query('DELETE FROM markers WHERE tag = $1', [tag]);
      assert.deepEqual((await claimOthers(one, startAt)).claimed, []);
      await one.sweep(startAt);
      await one.sweep(startAt);
      const { rows } = await admin.query('SELECT count(*)::int AS count FROM markers WHERE tag = $1', [tag]);
      assert.equal(rows[0].count, 1, 'and no more than one');
      assert.deepEqual(keysOf((await claimOthers(one, startAt)).claimed), [key]);
    });

    test('what a node of the version before has marked, in its own table', async () => {
      const { tag, bear } = await newLane();
      const key = await bear(startAt);
      await admin.query('DELETE FROM markers WHERE tag = $1', [tag]);
      await admin.query(
        'INSERT INTO lanes AS l (tag, due_at) VALUES ($1, $2) ON CONFLICT (tag) DO UPDATE SET due_at = excluded.due_at',
        [tag, startAt],
      );
      assert.deepEqual(keysOf((await claimOthers(one, startAt)).claimed), [key]);
    });

    test('a lane with an owner: its markers are left to it, and wake nobody else', async () => {
      const { bear } = await newLane('all');
      const first = await bear();
      const [head] = (await claimOthers(one, startAt)).claimed;
      assert.equal(head?.key, first);
      const second = await bear();
      const others = await claimOthers(two, startAt);
      assert.deepEqual(others.claimed, []);
      assert.ok((others.nextDueAt ?? Number.POSITIVE_INFINITY) > startAt);
      await finishOne(one, attemptOf(head, { kind: 'delivered' }));
      assert.deepEqual((await claimOthers(two, startAt)).claimed, []);
      assert.deepEqual(keysOf((await claimOthers(one, startAt)).claimed), [second]);
    });
  });

  test('beside an open transaction a claim costs the same after 30,000 deliveries', async () => {
    const [lanes, each, passes] = [20, 100, 15];
    const { url: own } = await createDatabase();
    const connection = { url: own, size: 4, deadlineMs: 60_000, connectMs: 5_000 };
    const born = await openPostgresStore({ connection, now: startAt, delivers: false });
    const sending = await openPostgresStore({ connection, now: startAt, delivers: true });
    const [bystander, explaining] = [0, 1].map(() => new pg.Client({ connectionString: own })) as [
      pg.Client,
      pg.Client,
    ];
    await Promise.all([bystander.connect(), explaining.connect()]);
    await explaining.query(
      'SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_bitmapscan = off',
    );
    const team = await addTeam(born);
    for (let lane = 0; lane < lanes; lane++) await addWebhook(born, team);
    let buffers = 0;
    const query = pg.Client.prototype.query;
    const explain = async (text: string, values: unknown[]) => {
      await explaining.query('BEGIN');
      const { rows } = await explaining.query({
        text: `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ${text}`,
        values,
      });
      await explaining.query('ROLLBACK');
      const [{ Plan: plan }] = rows[0]['QUERY PLAN'];
      buffers = plan['Shared Hit Blocks'] + plan['Shared Read Blocks'];
    };
    /** Has deliveries of all lanes made, claimed and delivered; answers the buffers that the claim touches. */
    const pass = async (count: number, measured: boolean): Promise<number> => {
      const calls = Array.from({ length: count }, () =>
        born.accept({ events: [newEvent(team, { at: Date.now() })] }),
      );
      await Promise.all(calls);
      pg.Client.prototype.query = function (this: pg.Client, ...given: unknown[]) {
        const [first] = given as [{ name?: string; text: string; values: unknown[] }];
        const go = () => (query as (...all: unknown[]) => unknown).apply(this, given);
        return measured && first.name === 'claim' ? explain(first.text, first.values).then(go) : go();
      } as typeof query;
      let claimed: Claimed[];
      try {
        ({ claimed } = await sending.claim({
          now: Date.now(),
          lanes: [],
          others: { lanes: 64, each: count },
        }));
      } finally {
        pg.Client.prototype.query = query;
      }
      assert.equal(claimed.length, count * lanes);
      await Promise.all(
        claimed.map((held) => finishOne(sending, attemptOf(held, { kind: 'delivered' }, Date.now()))),
      );
      return buffers;
    };
    await pass(each, false);
    const atStart = await pass(8, true);
    await bystander.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
    await bystander.query('SELECT pg_current_xact_id()');
    for (let time = 0; time < passes; time++) await pass(each, false);
    const beside = await pass(8, true);
    assert.ok(beside <= 1.3 * atStart, `${beside} of ${atStart} buffers`);
    await bystander.query('ROLLBACK');
    await Promise.all([born.close(), sending.close(), bystander.end(), explaining.end()]);
  });
});
