// Replays in the store: their rows, and which of the past each is about. One query finds it, both for counting and for
// making, on both dialects: a page of keys in order, each with whether it matches.
import { type CompiledQuery, type SelectQueryBuilder, sql } from 'kysely';
import { inOrder, type ReplayCursor } from '../../core/replay.ts';
import { timePrefix } from '../../id.ts';
import { disorderMs, type ReplayCandidate, type ReplayRow } from '../replay-page.ts';
import type { ReplayQuery, Step, Store } from '../store.ts';
import type { NewRow, Queries, Tables } from './tables.ts';

/** How many keys a count looks at in one question to the store. */
const countedAtOnce = 5_000;
/** Where a page of deliveries begins and ends: keys begin with their time. */
const bounds = ({ since, until }: ReplayQuery, after: string) => ({
  above: after === '' ? timePrefix(since) : after,
  below: timePrefix(until + 1),
});

function finishedPage(queries: Queries, query: ReplayQuery, { state, after }: ReplayCursor, look: number) {
  const { above, below } = bounds(query, after);
  let looked = queries
    .selectFrom('deliveries')
    .select(['tag', 'id', 'event_seq', 'type', 'state', 'attempts', 'finished_at'])
    .where('tag', '=', query.tag)
    .where('id', '>', above)
    .where('id', '<', below)
    .orderBy('id')
    .limit(look);
  // Lets the index of what is not delivered serve.
  if (state !== 'delivered')
    looked = looked.where(sql<boolean>`state = ${state}`).where(sql<boolean>`state <> 'delivered'`);
  const ofType = query.types === null ? sql`1 = 1` : sql`c.type in (${sql.join(query.types)})`;
  return queries
    .selectFrom(looked.as('c'))
    .leftJoin('events as v', 'v.seq', 'c.event_seq')
    .leftJoin('pending as p', (join) => join.onRef('p.tag', '=', 'c.tag').onRef('p.id', '=', 'c.id'))
    .select(['c.id as position', 'c.id as key', 'c.event_seq as seq', 'c.type as type'])
    .select('c.attempts as attempts')
    .select([sql<number>`v.accepted_at`.as('acceptedAt'), sql<number>`length(v.body)`.as('bytes')])
    .select(sql<number>`case when p.id is null then 0 else 1 end`.as('waits'))
    .select(
      sql<number>`case when v.test = 0 and c.state = ${state} and c.finished_at <= ${query.createdAt} and ${ofType}
        then 1 else 0 end`.as('matches'),
    )
    .orderBy('c.id');
}

/** Events that the endpoint, as it is now, would get and of which it has no delivery. */
function missedPage(queries: Queries, query: ReplayQuery, { after }: ReplayCursor, look: number) {
  const looked = queries
    .selectFrom('events')
    .select(['seq', 'team_id', 'type', 'project_id', 'test', 'accepted_at'])
    .select([
      sql<string>`coalesce(uid, id) || ${sql.val(query.tag)}`.as('key'),
      sql<number>`length(body)`.as('bytes'),
    ])
    .where('team_id', '=', query.teamId)
    .where('seq', '>', after === '' ? query.seqFrom - 1 : Number(after))
    .orderBy('seq')
    .limit(look);
  const ofType = query.types === null ? sql`1 = 1` : sql`c.type in (${sql.join(query.types)})`;
  return queries
    .selectFrom(looked.as('c'))
    .innerJoin('endpoints as e', (join) => join.on('e.tag', '=', query.tag))
    .innerJoin('teams as t', 't.id', 'e.team_id')
    .select(['c.seq as position', 'c.key as key', 'c.seq as seq', 'c.type as type'])
    .select([sql<number>`0`.as('attempts'), 'c.accepted_at as acceptedAt', 'c.bytes as bytes'])
    .select(sql<number>`0`.as('waits'))
    .select(
      sql<number>`case when c.test = 0 and c.accepted_at between ${query.since} and ${query.until} and ${ofType}
        and (e.kind <> 'webhook' or t.plan <> 'hobby')
        and exists (select 1 from subscriptions s where s.team_id = e.team_id and s.type = c.type and s.tag = e.tag)
        and (e.all_projects = 1 or exists (select 1 from endpoint_projects p
               where p.tag = e.tag and p.project_id = c.project_id))
        and not exists (select 1 from deliveries d
               where d.tag = e.tag and d.id = c.key and d.event_seq = c.seq)
        and not exists (select 1 from pending p where p.tag = e.tag and p.id = c.key)
        and c.key not in (select b.id from born b where b.tag = ${query.tag})
        then 1 else 0 end`.as('matches'),
    )
    .orderBy('c.seq');
}

type Page = SelectQueryBuilder<Tables, never, ReplayCandidate>;

/** The next `look` keys after a cursor, in order, each with whether the query is about it. */
export function replayPage(queries: Queries, query: ReplayQuery, cursor: ReplayCursor, look: number): Page {
  const page = cursor.state === 'missed' ? missedPage : finishedPage;
  return page(queries, query, cursor, look);
}

/** What a count gives; times in epoch ms, of when the events were accepted. */
export interface ReplayCount {
  matched: number;
  oldest: number | null;
  newest: number | null;
}

/** Counts what a query is about, a page at a time, so that nobody waits for it for long. */
export async function countReplayed(store: Store, query: ReplayQuery): Promise<ReplayCount> {
  const total: ReplayCount = { matched: 0, oldest: null, newest: null };
  for (const state of inOrder(query.states)) {
    for (let after: string | null = ''; after !== null; ) {
      const page = await store.read(countPage(store.queries, query, { state, after }));
      const { looked, last, lastAt, matched, oldest, newest } = page[0] as CountedPage;
      total.matched += matched ?? 0;
      if (oldest !== null) total.oldest = Math.min(oldest, total.oldest ?? oldest);
      if (newest !== null) total.newest = Math.max(newest, total.newest ?? newest);
      const over = looked < countedAtOnce || (state === 'missed' && (lastAt ?? 0) > query.until + disorderMs);
      after = over ? null : String(last);
    }
  }
  return total;
}

interface CountedPage {
  looked: number;
  last: string | number | null;
  lastAt: number | null;
  /** Null of a page that is empty. */
  matched: number | null;
  oldest: number | null;
  newest: number | null;
}

function countPage(queries: Queries, query: ReplayQuery, cursor: ReplayCursor): CompiledQuery<CountedPage> {
  const at = sql`case when x.matches = 1 then x."acceptedAt" end`;
  return queries
    .selectFrom(replayPage(queries, query, cursor, countedAtOnce).as('x'))
    .select([
      sql<number>`count(*)`.as('looked'),
      sql<string | number | null>`max(x.position)`.as('last'),
      sql<number | null>`max(x."acceptedAt")`.as('lastAt'),
      sql<number | null>`sum(x.matches)`.as('matched'),
      sql<number | null>`min(${at})`.as('oldest'),
      sql<number | null>`max(${at})`.as('newest'),
    ])
    .compile();
}

/**
 * The number below which no event lies that was accepted at or after `since`, found by halves. Numbers rise with the time of
 * acceptance, save for `disorderMs`.
 */
export async function findSeqFrom(store: Store, since: number): Promise<number> {
  const at = since - disorderMs;
  const next = async (from: number) => {
    const query = store.queries.selectFrom('events').select(['seq', 'accepted_at']).orderBy('seq').limit(1);
    return (await store.read(query.where('seq', '>=', from).compile()))[0];
  };
  const newest = await store.read(
    store.queries
      .selectFrom('events')
      .select(({ fn }) => fn.max('seq').as('seq'))
      .compile(),
  );
  let low = (await next(0))?.seq ?? 0;
  let high = (newest[0]?.seq ?? 0) + 1;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const found = await next(middle);
    if (found === undefined || found.accepted_at >= at) high = middle;
    else low = found.seq + 1;
  }
  return low;
}

export function insertReplay(store: Store, row: NewRow<'replays'>): Step {
  return { query: store.queries.insertInto('replays').values(row).compile(), rows: 1 };
}

/** Ends a replay, or all of an endpoint, that still run. */
export function stopReplays(store: Store, which: { id: string } | { tag: string }, at: number): Step {
  const query = store.queries
    .updateTable('replays')
    .set({ state: 'stopped', finished_at: at })
    .where('state', '=', 'running');
  return {
    query: ('id' in which ? query.where('id', '=', which.id) : query.where('tag', '=', which.tag)).compile(),
  };
}

/** A replay as people see it: of which webhook. */
export type ShownReplay = ReplayRow & { webhook_id: string };

function shownReplays(store: Store) {
  return store.queries
    .selectFrom('replays as r')
    .innerJoin('endpoints as e', 'e.tag', 'r.tag')
    .selectAll('r')
    .select('e.id as webhook_id');
}

/** One replay; `teamId` null looks in every team. */
export async function findReplay(
  store: Store,
  id: string,
  teamId: string | null,
): Promise<ShownReplay | null> {
  let query = shownReplays(store).where('r.id', '=', id);
  if (teamId !== null) query = query.where('r.team_id', '=', teamId);
  return (await store.read(query.compile()))[0] ?? null;
}

/** An endpoint's replays, newest first; `before` is the id that the page begins below. */
export function listReplays(
  store: Store,
  tag: string,
  before: string | null,
  limit: number,
): Promise<ShownReplay[]> {
  let query = shownReplays(store).where('r.tag', '=', tag).orderBy('r.id', 'desc').limit(limit);
  if (before !== null) query = query.where('r.id', '<', before);
  return store.read(query.compile());
}
