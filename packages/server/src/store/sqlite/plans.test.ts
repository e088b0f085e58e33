// Query plans: no statement of the hot path, and none of the lists, reads a table of work or history from end to end,
// neither on an empty file nor on a lopsided one that SQLite has analysed.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { after, before, describe, test } from 'node:test';
import type { CompiledQuery } from 'kysely';
import { replayStates } from '../../core/replay.ts';
import { type DeliveryFilter, listDeliveries } from '../control/delivery-list.ts';
import {
  type EventFilter,
  type EventRow,
  findBody,
  findDelivery,
  findEvents,
  listAttempts,
  listDeliveriesOfEvent,
  listEvents,
} from '../control/history.ts';
import { countReplayed, findReplay, findSeqFrom, listReplays, replayPage } from '../control/replays.ts';
import type { Store } from '../store.ts';
import { Acceptor } from './accept.ts';
import { Claimer } from './claim.ts';
import { Finisher } from './finish.ts';
import { Lanes } from './lanes.ts';
import { openWriter } from './open.ts';
import { Pruner } from './prune.ts';
import { queries } from './queries.ts';
import { ReplayMaker } from './replay.ts';

/** A database that remembers what was prepared on it. */
class Recorder extends DatabaseSync {
  readonly prepared: string[] = [];
  override prepare(sql: string): StatementSync {
    this.prepared.push(sql);
    return super.prepare(sql);
  }
}

/** The statements of the hot path. */
function hotStatements(path: string): string[] {
  const recorder = new Recorder(path);
  const lanes = new Lanes(recorder, true);
  const parts = [Acceptor, Claimer, Finisher, Pruner, ReplayMaker].map((Part) => new Part(recorder, lanes));
  assert.equal(parts.length, 5);
  recorder.close();
  return recorder.prepared;
}

/** What the lists and look-ups ask, each with its filters left out and filled in. */
async function listQueries(): Promise<string[]> {
  const asked: string[] = [];
  const read: Store['read'] = ({ sql }) => {
    asked.push(sql);
    return Promise.resolve([]);
  };
  const store = { queries, read } as Store;
  const nothing = { looked: 0, last: null, lastAt: null, matched: null, oldest: null, newest: null };
  const counting = { queries, read: (query: CompiledQuery) => read(query).then(() => [nothing]) } as Store;
  const open: EventFilter = {
    teamId: 't',
    type: null,
    projectId: null,
    since: null,
    until: null,
    before: null,
    limit: 9,
  };
  await listEvents(store, open);
  await listEvents(store, { ...open, type: 'x', projectId: 'p', since: 1, until: 2, before: 3 });
  const every: DeliveryFilter = {
    scope: { kind: 'webhook', tag: 't' },
    states: null,
    types: null,
    projectId: null,
    status: null,
    causes: null,
    fromKey: null,
    belowKey: null,
    limit: 9,
  };
  const team = { kind: 'team', teamId: 't', removedSince: 1 } as const;
  for (const scope of [every.scope, team]) {
    for (const states of [null, ['pending'], ['delivered'], ['failed'], ['canceled', 'failed']] as const) {
      await listDeliveries(store, { ...every, scope, states });
      await listDeliveries(store, { ...every, scope, states, types: ['x'], fromKey: 'a', belowKey: 'b' });
    }
  }
  for (const teamId of [null, 't']) {
    await findDelivery(store, 'k'.repeat(29), teamId);
    await findEvents(store, 'x', teamId);
  }
  await listDeliveriesOfEvent(store, { id: 'x', uid: null, team_id: 't' } as EventRow);
  await listAttempts(store, 'x');
  await findBody(store, 'x', 't');
  for (const types of [null, ['x', 'y']]) {
    for (const state of replayStates) {
      const period = { since: 1, until: 2, seqFrom: 1, createdAt: 3 };
      const query = { tag: 't', teamId: 't', types, states: [state], ...period };
      await countReplayed(counting, query);
      asked.push(replayPage(queries, query, { state, after: '' }, 9).compile().sql);
    }
  }
  await findSeqFrom(store, 1);
  await findReplay(store, 'x', 't');
  await listReplays(store, 't', 'x', 9);
  return asked;
}

const large = /^SCAN (?:\w+ )?(events|deliveries|attempts|pending|d|v)\b/;

describe('query plans', () => {
  let folder = '';
  let path = '';
  let db: DatabaseSync;

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'posthorn-plans-'));
    path = join(folder, 'plans.db');
    db = openWriter(path);
  });
  after(() => {
    db.close();
    rmSync(folder, { recursive: true });
  });

  function planOf(sql: string): string[] {
    return db
      .prepare(`EXPLAIN QUERY PLAN ${sql}`)
      .all()
      .map((row) => String(row.detail));
  }

  async function assertNoScan(): Promise<void> {
    const [hot, lists] = [hotStatements(path), await listQueries()];
    assert.ok(hot.length > 30 && lists.length > 20, `${hot.length} statements, ${lists.length} queries`);
    for (const sql of [...hot, ...lists]) {
      const plan = planOf(sql);
      assert.ok(!plan.some((line) => large.test(line)), `${sql}\n${plan.join('\n')}`);
    }
    for (const sql of lists) {
      const plan = planOf(sql);
      // What is held from birth is sorted: it is the work of about a second at the most.
      if (plan.includes('SCAN b')) continue;
      // A team's list sorts what its webhooks' ranges give: of each no more than a page.
      if (plan.some((line) => /^SEARCH x USING .*\(tag=\? AND (state=\? AND )?id>\? AND id<\?\)/.test(line)))
        continue;
      assert.ok(!plan.some((line) => /TEMP B-TREE FOR ORDER BY/.test(line)), `${sql}\n${plan.join('\n')}`);
    }
  }

  test('the judgement is right: a full scan is seen as one', () => {
    for (const sql of [
      'SELECT * FROM pending',
      'SELECT count(*) FROM events',
      'SELECT id FROM deliveries d WHERE type = 1',
    ]) {
      assert.match(planOf(sql).join('\n'), large, sql);
    }
  });

  test('an empty file', assertNoScan);

  test('a lopsided file, analysed: one team and one webhook have nearly everything', async () => {
    const numbers = 'WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)';
    db.exec(`
      INSERT INTO endpoints (tag, id, kind, team_id, url, secret_sealed, events, all_projects, project_ids, created_at, updated_at)
        ${numbers} SELECT 'tag' || i, 'hook' || i, 'webhook', iif(i < 2990, 'crowd', 'team' || i), '', x'', '[]', 1, '[]', i, i FROM n WHERE i > 2000;
      INSERT INTO events (team_id, id, type, created_at, created_at_given, accepted_at, test, deliveries, born, body)
        ${numbers} SELECT iif(i < 2990, 'crowd', 'team' || i), 'event' || i, 'x', i, 0, i, 0, 1, '["tag2001"]', x'' FROM n;
      INSERT INTO births (first_seq, last_seq) VALUES (2900, 3000);
      INSERT INTO deliveries (tag, id, event_seq, type, state, attempts, created_at, finished_at)
        ${numbers} SELECT iif(i < 2990, 'tag2001', 'tag' || i), 'id' || i, i, 'x', iif(i % 100, 'delivered', 'failed'), 1, i, i FROM n;
      INSERT INTO attempts (delivery_id, number, started_at, duration_ms, timings, url, request_headers, truncated)
        ${numbers} SELECT 'id' || i, 1, i, 1, '', '', '', 0 FROM n;
      INSERT INTO pending (tag, id, event_seq, type, available_at, order_key, created_at)
        ${numbers} SELECT iif(i < 2990, 'tag2001', 'tag' || i), 'id' || i, i, 'x', i, iif(i % 2, NULL, ''), i FROM n;
      INSERT INTO lanes (tag, due_at) SELECT DISTINCT tag, 1 FROM pending;
      ANALYZE;`);
    await assertNoScan();
  });
});
