// The plans of the hot statements and of the lists on PostgreSQL: with so many rows in each large table, none of them
// reads one from end to end.
import assert from 'node:assert/strict';
import pg from 'pg';
import {
  addTeam,
  addWebhook,
  attemptOf,
  claimLane,
  finishOne,
  newEvent,
  startAt,
} from '../../src/store/conformance/bed.ts';
import { listDeliveries } from '../../src/store/control/delivery-list.ts';
import { listEvents } from '../../src/store/control/history.ts';
import { openPostgresStore } from '../../src/store/postgres/client.ts';
import { planSettings } from '../../src/store/postgres/connection.ts';
import type { Store } from '../../src/store/store.ts';

const large = /Seq Scan on (pending|events\w*|deliveries\w*|attempts\w*|event_ids)\b/;

interface Asked {
  name: string;
  text: string;
  values: unknown[];
}

/** What the lists of a team and of a webhook ask. */
async function listsOf(store: Store, teamId: string, tag: string) {
  const asked: Asked[] = [];
  const read: Store['read'] = (query) => {
    asked.push({ name: 'list', text: query.sql, values: [...query.parameters] });
    return store.read(query);
  };
  const through = Object.assign(Object.create(store) as Store, { queries: store.queries, read });
  const every = {
    types: null,
    projectId: null,
    status: null,
    causes: null,
    fromKey: null,
    belowKey: null,
    limit: 50,
  };
  const team = { kind: 'team', teamId, removedSince: 1 } as const;
  for (const scope of [team, { kind: 'webhook', tag } as const]) {
    for (const states of [null, ['failed', 'canceled']] as const) {
      const { rows } = await listDeliveries(through, { ...every, scope, states });
      assert.equal(rows.length, states === null ? 50 : 0);
    }
  }
  await listEvents(through, {
    teamId,
    type: 'y',
    projectId: null,
    since: null,
    until: null,
    before: null,
    limit: 5,
  });
  assert.ok(asked.length > 10);
  return asked;
}

/** A parameter as it is now: the bytes of a statement that is over are used again. */
const copyOf = (value: unknown): unknown => (Buffer.isBuffer(value) ? Buffer.from(value) : value);

/**
 * Asserts that no hot statement and no list reads a large table from end to end.
 * @param url of an empty database
 * @param rows in each large table
 */
export async function checkPlans(url: string, rows: number): Promise<void> {
  await withStore(url, (store, admin) => checkPlansOf(store, admin, rows));
}

/** What a look into each index of `pending` has to go by, so that it does not read a lane, or all of them. */
const looks: Record<string, RegExp> = {
  pending_pkey: /Index Cond: .*\btag\b.* AND .*\bid\b/,
  pending_by_lane: /Index Cond: .*\btag\b.* AND .*\bavailable_at\b/,
  pending_by_order: /Index Cond: .*\btag\b.* AND .*\border_key\b/,
  pending_held_in_order: /Index Cond: .*\btag\b.* AND .*\border_key\b/,
};

/**
 * Asserts that the hot statements, and those that prune, look up what they want of unfinished deliveries, also when they are
 * planned while there are `rows` of them: a session keeps that plan when many come.
 * @param url of an empty database
 * @param left pages that many more have left behind: `pending` is large and empty then
 */
export async function checkPlansOfFew(url: string, rows: number, left: boolean): Promise<void> {
  await withStore(url, async (store, admin) => {
    const team = await addTeam(store);
    const { tag } = await addWebhook(store, team);
    await store.accept({ events: [newEvent(team)] });
    await admin.query(waiting(team, tag, 10));
    const texts = await hotStatements(store, team, tag, {
      names: ['oldest', 'prune'],
      async run() {
        const before = Date.now() + 60_000;
        while ((await store.prune(before, 10)) > 0);
      },
    });
    const fill = (from: number, count: number) => `
      INSERT INTO pending (tag, id, event_seq, type, available_at, bytes, created_at)
        SELECT '${tag}', 'few' || i, i, 'x', i, 1, i FROM generate_series(${from}, ${from + count - 1}) i`;
    await admin.query('DELETE FROM pending');
    if (left) await admin.query(`${fill(100, 20_000)}; DELETE FROM pending`);
    await admin.query('VACUUM (TRUNCATE false) pending');
    await admin.query(fill(1, rows));
    await admin.query('VACUUM (TRUNCATE false, ANALYZE) pending');
    await admin.query(sessionSettings);
    for (const { name, text, values } of texts) {
      await admin.query(`PREPARE asked AS ${text}`);
      const nothing = values.map(() => 'NULL').join(', ');
      const plan = await explain(admin, `EXECUTE asked(${nothing})`, []);
      await admin.query('DEALLOCATE asked');
      assert.doesNotMatch(plan, large, `${name}\n${plan}`);
      const lines = plan.split('\n');
      for (const [at, line] of lines.entries()) {
        const index = / using (\w+) on pending\b/.exec(line)?.[1];
        if (index !== undefined) assert.match(lines[at + 1] ?? '', looks[index] ?? /^$/, `${name}\n${plan}`);
      }
    }
  });
}

/** So many events, with a delivery each that waits. */
const waiting = (team: string, tag: string, rows: number): string =>
  `INSERT INTO events (seq, team_id, id, type, created_at, created_at_given, accepted_at, test, deliveries, body)
     SELECT i, '${team}', 'event' || i, 'x', i, 0, i, 0, 1, '' FROM generate_series(1, ${rows}) i;
   INSERT INTO pending (tag, id, event_seq, type, available_at, bytes, created_at)
     SELECT '${tag}', 'waits' || i, i, 'x', i, 1, i FROM generate_series(1, ${rows}) i`;

const sessionSettings = Object.entries(planSettings)
  .map(([name, value]) => `SET ${name} = ${value}`)
  .join('; ');

async function explain(admin: pg.Client, text: string, values: unknown[]): Promise<string> {
  const { rows } = await admin.query({ text: `EXPLAIN ${text}`, values });
  return rows.map((row) => row['QUERY PLAN']).join('\n');
}

async function withStore(
  url: string,
  work: (store: Store, admin: pg.Client) => Promise<void>,
): Promise<void> {
  const admin = new pg.Client({ connectionString: url });
  await admin.connect();
  const connection = { url, size: 4, deadlineMs: 60_000, connectMs: 5_000 };
  const store = await openPostgresStore({ connection, now: startAt, delivers: true });
  try {
    await admin.query("UPDATE nodes SET lease_until = now() + interval '1 hour'");
    await work(store, admin);
  } finally {
    await store.close();
    await admin.end();
  }
}

async function checkPlansOf(store: Store, admin: pg.Client, rows: number): Promise<void> {
  const team = await addTeam(store);
  const { tag } = await addWebhook(store, team);
  await store.accept({ events: [newEvent(team)] });
  await admin.query(`
    INSERT INTO deliveries (tag, id, event_seq, type, state, attempts, created_at, finished_at)
      SELECT '${tag}', 'id' || i, i, 'x', 'delivered', 1, i, i FROM generate_series(1, ${rows}) i;
    INSERT INTO attempts (delivery_id, number, event_seq, started_at, duration_ms, timings, url, request_headers, truncated)
      SELECT 'id' || i, 1, i, i, 1, '', '', '', 0 FROM generate_series(1, ${rows}) i;
    ${waiting(team, tag, rows)};
    ANALYZE;`);
  const texts = await hotStatements(store, team, tag);
  await admin.query(sessionSettings);
  texts.push(...(await listsOf(store, team, tag)));
  for (const { name, text, values } of texts) {
    const plan = await explain(admin, text, values);
    assert.doesNotMatch(plan, large, `${name}\n${plan}`);
  }
}

/** Has the store carry out each hot statement, and what `more` runs by statements of those names; answers them with their parameters. */
async function hotStatements(
  store: Store,
  team: string,
  tag: string,
  more: { names: string[]; run(): Promise<void> } = { names: [], run: () => Promise.resolve() },
): Promise<Asked[]> {
  const texts: Asked[] = [];
  const query = pg.Client.prototype.query;
  pg.Client.prototype.query = function (this: pg.Client, ...given: unknown[]) {
    const [first] = given as [{ name?: string; text: string; values: unknown[] }];
    // Figures go by themselves, once a second whatever there is to do.
    const hot = first.name !== undefined && first.name !== 'write figures';
    if (hot) texts.push({ name: first.name ?? '', text: first.text, values: first.values.map(copyOf) });
    return (query as (...all: unknown[]) => unknown).apply(this, given);
  } as typeof query;
  try {
    const event = newEvent(team, { id: 'given' });
    await store.accept({ events: [event] });
    await store.accept({ events: [{ ...event, uid: newEvent(team).uid }] });
    const [held, other, failing] = await claimLane(store, tag, startAt);
    assert.ok(held !== undefined && other !== undefined && failing !== undefined);
    await finishOne(store, attemptOf(held, { kind: 'delivered' }));
    await store.release([{ key: other.key, tag, bytes: 1 }], startAt);
    await finishOne(store, attemptOf(failing, { kind: 'retry', at: startAt }));
    await more.run();
  } finally {
    pg.Client.prototype.query = query;
  }
  const hot = ['accept', 'claim', 'deliver', 'finish', 'known', 'release'];
  assert.deepEqual(
    [...new Set(texts.map(({ name }) => name))].toSorted(),
    [...hot, ...more.names].toSorted(),
  );
  return texts;
}
