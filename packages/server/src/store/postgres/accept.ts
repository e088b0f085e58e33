// Accept on PostgreSQL: ids, events, matching and deliveries of any number of publish calls in one statement, which is
// its own transaction. What it answers about an id that was there already is fetched afterwards, by another.
import { type Content, sameContent } from '../../core/content.ts';
import { timeOfId } from '../../id.ts';
import type { Accepted, AcceptGroup, AcceptOutcome, Birth, NewEvent } from '../store.ts';
import { bornSuffix, heldAt, markLanes, orderedOffset } from './available-at.ts';
import type { Run, Statement } from './connection.ts';
import type { Hints } from './hints.ts';
import { numbersBeginAt, numbersPerMs } from './numbers.ts';

/** A publisher hears within this time that the database is away. */
const publishDeadlineMs = 1_500;

/** How an event's id was chosen: by Posthorn, or by a publisher, alone in its call or beside others. */
const ownId = { made: 0, alone: 1, among: 2 } as const;

const text = `
WITH input AS (
  SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::int8[], $8::int8[],
                       $9::int8[], $10::text[], $11::int8[], $12::int8[], $13::int8[], $14::bool[])
    WITH ORDINALITY AS i (uid, id, team_id, type, project_id, region, created_at, given, accepted_at, only_tag, at, length,
                          own, made, ord)
),
numbered AS MATERIALIZED (
  SELECT i.*, (floor(extract(epoch FROM clock_timestamp()) * 1000)::int8 - ${numbersBeginAt}) * ${numbersPerMs}
              + nextval('event_numbers') % ${numbersPerMs} AS seq
    FROM input i ORDER BY ord
),
ids AS (
  INSERT INTO event_ids (team_id, id, event_seq)
  SELECT n.team_id, n.id, n.seq FROM numbered n
   WHERE n.own > 0
     AND NOT (n.made AND EXISTS (SELECT 1 FROM events e WHERE e.id = n.id AND e.team_id = n.team_id))
   ORDER BY n.team_id, n.id
  ON CONFLICT DO NOTHING
  RETURNING team_id, id
),
fresh AS MATERIALIZED (
  SELECT n.* FROM numbered n LEFT JOIN ids k ON k.team_id = n.team_id AND k.id = n.id
   -- A call of several events is stored whole or not at all: the division by zero takes the statement back.
   WHERE CASE WHEN n.own = 0 OR k.id IS NOT NULL THEN true WHEN n.own = 2 THEN 1 / (n.own - 2) = 0 ELSE false END
),
matched AS MATERIALIZED (
  SELECT f.ord, f.seq, f.uid, f.type, f.accepted_at, f.project_id, f.length, e.tag, e.version, e.ordering, e.shift_ms,
         e.ordering = 'none' AND e.max_concurrency IS NULL AND e.rate_per_second IS NULL AS plain
    FROM fresh f CROSS JOIN LATERAL (
      SELECT e.* FROM subscriptions s
        JOIN endpoints e ON e.tag = s.tag
        JOIN teams t ON t.id = s.team_id
       WHERE f.only_tag IS NULL AND s.team_id = f.team_id AND s.type = f.type
         AND e.enabled = 1 AND e.removed_at IS NULL
         AND (e.kind <> 'webhook' OR t.plan <> 'hobby')
         AND (e.all_projects = 1
              OR EXISTS (SELECT 1 FROM endpoint_projects p WHERE p.tag = e.tag AND p.project_id = f.project_id))
      UNION ALL
      SELECT e.* FROM endpoints e
       WHERE e.tag = f.only_tag AND e.team_id = f.team_id AND e.enabled = 1 AND e.removed_at IS NULL
    ) e
),
judged AS MATERIALIZED (
  SELECT m.*, coalesce(h.closed, false) AS closed,
         m.plain AND $16::text IS NOT NULL AND EXISTS (SELECT 1 FROM nodes n WHERE n.id = $16 AND n.lease_until > now())
         AND NOT EXISTS (SELECT 1 FROM lanes l WHERE l.tag = m.tag AND l.due_at <= m.accepted_at)
         AND row_number() OVER (ORDER BY m.ord, m.tag) <= $17::int8
         AND row_number() OVER (PARTITION BY m.tag ORDER BY m.ord) <= coalesce(h.count, $18::int8)
         AND sum(m.length) OVER (PARTITION BY m.tag ORDER BY m.ord) - m.length < coalesce(h.bytes, $19::int8) AS leased
    FROM matched m
    LEFT JOIN unnest($20::text[], $21::int8[], $22::int8[], $23::bool[]) AS h (tag, count, bytes, closed) ON h.tag = m.tag
),
stored AS (
  INSERT INTO events (seq, team_id, id, uid, type, project_id, region, created_at, created_at_given, accepted_at, test,
                      deliveries, body)
  SELECT f.seq, f.team_id, f.id, CASE WHEN f.uid <> f.id THEN f.uid END, f.type, f.project_id, f.region, f.created_at,
         f.given, f.accepted_at, CASE WHEN f.only_tag IS NULL THEN 0 ELSE 1 END, coalesce(m.count, 0),
         substring($15::bytea FROM f.at::int + 1 FOR f.length::int)
    FROM fresh f LEFT JOIN (SELECT ord, count(*) AS count FROM matched GROUP BY ord) m ON m.ord = f.ord
   ORDER BY f.seq
),
made AS (
  INSERT INTO pending (tag, id, event_seq, type, available_at, holder, order_key, bytes, created_at)
  SELECT j.tag, j.uid || j.tag, j.seq, j.type,
         CASE WHEN j.leased THEN ${heldAt} WHEN j.ordering = 'none' THEN j.accepted_at - j.shift_ms
              ELSE j.accepted_at - j.shift_ms + ${orderedOffset} END,
         CASE WHEN j.leased THEN $16 || '${bornSuffix}' END,
         CASE j.ordering WHEN 'none' THEN NULL WHEN 'all' THEN '' ELSE coalesce(j.project_id, '') END,
         j.length, j.accepted_at
    FROM judged j ORDER BY j.tag, j.uid
),
marked AS (${markLanes('SELECT tag, min(accepted_at) FROM judged WHERE NOT leased AND NOT closed GROUP BY tag')})
SELECT n.ord, f.ord IS NOT NULL AS stored, j.tag, j.version, j.leased, j.length
  FROM numbered n LEFT JOIN fresh f ON f.ord = n.ord LEFT JOIN judged j ON j.ord = n.ord
 ORDER BY n.ord, j.tag`;

interface AnswerRow {
  ord: number;
  stored: boolean;
  tag: string | null;
  version: number;
  leased: boolean;
  length: number;
}

/** The statement that stores `events`; `group` says which call each is of. */
function acceptStatement(
  events: readonly NewEvent[],
  groups: readonly number[],
  node: string | null,
  hints: Hints,
) {
  const column = <Value>(read: (event: NewEvent, index: number) => Value) => events.map(read);
  let at = 0;
  const starts = events.map(({ body }) => {
    at += body.length;
    return at - body.length;
  });
  const own = (event: NewEvent, index: number) =>
    event.uid === event.id ? ownId.made : groups[index] === 1 ? ownId.alone : ownId.among;
  const known = hints.forAccept();
  const statement: Statement = {
    name: 'accept',
    text,
    deadlineMs: publishDeadlineMs,
    values: [
      column(({ uid }) => uid),
      column(({ id }) => id),
      column(({ teamId }) => teamId),
      column(({ type }) => type),
      column(({ projectId }) => projectId),
      column(({ region }) => region),
      column(({ createdAt }) => createdAt),
      column(({ createdAtGiven }) => (createdAtGiven ? 1 : 0)),
      column(({ acceptedAt }) => acceptedAt),
      column(({ only }) => only),
      starts,
      column(({ body }) => body.length),
      column(own),
      column(({ id, uid }) => id !== uid && timeOfId(id) !== null),
      Buffer.concat(
        events.map(({ body }) => body),
        at,
      ),
      node,
      known.inAll,
      known.unknown.count,
      known.unknown.bytes,
      known.tags,
      known.counts,
      known.bytes,
      known.closed,
    ],
  };
  return statement;
}

const knownText = `
SELECT e.team_id, e.id, e.created_at, e.created_at_given, e.deliveries, e.project_id, e.body
  FROM unnest($1::text[], $2::text[]) AS i (team_id, id)
  JOIN events e ON e.id = i.id AND e.team_id = i.team_id`;

interface KnownRow {
  team_id: string;
  id: string;
  created_at: number;
  created_at_given: number;
  deliveries: number;
  project_id: string | null;
  body: Uint8Array;
}

const contentOf = (row: KnownRow): Content => ({
  projectId: row.project_id,
  createdAtGiven: row.created_at_given === 1,
  body: row.body,
});

/** What became of each event of a batch: its births, or null where its id was there already. */
async function store(
  run: Run,
  events: readonly NewEvent[],
  groups: readonly number[],
  node: string | null,
  hints: Hints,
): Promise<(Birth[] | null)[]> {
  const { rows } = await run(acceptStatement(events, groups, node, hints));
  const births: (Birth[] | null)[] = events.map(() => null);
  for (const row of rows as unknown as AnswerRow[]) {
    const at = row.ord - 1;
    if (!row.stored) continue;
    births[at] ??= [];
    if (row.tag !== null) births[at].push({ tag: row.tag, version: row.version, leased: row.leased });
  }
  return births;
}

/** Tells the hints what a commit has made. */
function note(events: readonly NewEvent[], births: readonly (Birth[] | null)[], hints: Hints): void {
  for (const [index, event] of events.entries()) {
    const born = births[index] ?? null;
    if (born === null) continue;
    hints.tally.accepted(event.teamId, event.acceptedAt, 1);
    for (const { tag, leased } of born) {
      hints.tally.pending(tag, 1);
      if (leased) hints.hold(event.uid + tag, tag, event.body.length);
      else hints.setBehind(tag, true);
    }
  }
}

/**
 * Stores the events of a change, inside its transaction; `commit` is to be called after it.
 * Their ids are Posthorn's own, so that none can be there already.
 */
export async function acceptInside(run: Run, events: NewEvent[], node: string | null, hints: Hints) {
  if (events.length === 0) return { births: [], commit: () => {} };
  const births = await store(
    run,
    events,
    events.map(() => 1),
    node,
    hints,
  );
  return { births: births.map((one) => one ?? []), commit: () => note(events, births, hints) };
}

/** The events of a call without those that repeat an earlier one of it; or where two of one id say different things. */
function withoutRepeats(
  events: NewEvent[],
): { distinct: NewEvent[]; first: number[] } | { conflict: number } {
  const distinct: NewEvent[] = [];
  const first: number[] = [];
  const seen = new Map<string, number>();
  for (const [index, event] of events.entries()) {
    const key = `${event.teamId}\0${event.id}`;
    const at = seen.get(key);
    if (at === undefined) {
      seen.set(key, distinct.length);
      first.push(distinct.length);
      distinct.push(event);
    } else if (sameContent(distinct[at] as NewEvent, event)) first.push(at);
    else return { conflict: index };
  }
  return { distinct, first };
}

/** A call on its way: what is known of its events so far. */
export interface AcceptItem {
  group: AcceptGroup;
  distinct: NewEvent[];
  first: number[];
  outcomes: (Accepted | null)[];
}

/** Prepares a call; a conflict within it is answered at once. */
export function readGroup(group: AcceptGroup): AcceptItem | AcceptOutcome {
  const read = withoutRepeats(group.events);
  if ('conflict' in read) return { kind: 'conflict', index: read.conflict };
  return { group, ...read, outcomes: read.distinct.map(() => null) };
}

/** The ids that no other call of the same statement may carry. */
export const idsOf = ({ distinct }: AcceptItem): string[] =>
  distinct.filter(({ uid, id }) => uid !== id).map(({ teamId, id }) => `${teamId}\0${id}`);

/** One round of a batch of calls: those that are still undecided afterwards go again. */
export async function acceptBatch(
  run: Run,
  items: AcceptItem[],
  node: string | null,
  hints: Hints,
): Promise<(AcceptOutcome | 'again')[]> {
  const open = items.flatMap((item) =>
    item.distinct.flatMap((event, at) => (item.outcomes[at] === null ? [{ item, event, at }] : [])),
  );
  const sizes = new Map<AcceptItem, number>();
  for (const { item } of open) sizes.set(item, (sizes.get(item) ?? 0) + 1);
  const events = open.map(({ event }) => event);
  const births =
    events.length === 0
      ? []
      : await store(
          run,
          events,
          open.map(({ item }) => sizes.get(item) ?? 1),
          node,
          hints,
        );
  note(events, births, hints);
  const repeated = open.filter((_, index) => births[index] === null);
  for (const [index, { item, at }] of open.entries()) {
    const made = births[index];
    if (made !== null && made !== undefined) item.outcomes[at] = { kind: 'stored', births: made };
  }
  const conflicts = repeated.length === 0 ? new Map<AcceptItem, number>() : await readKnown(run, repeated);
  return items.map((item) => {
    const conflict = conflicts.get(item);
    if (conflict !== undefined) return { kind: 'conflict', index: item.first.indexOf(conflict) };
    return item.outcomes.includes(null) ? 'again' : outcomeOf(item);
  });
}

/** Looks up ids that are there already; answers where the content is another. */
export async function readKnown(
  run: Run,
  events: { item: AcceptItem; event: NewEvent; at: number }[],
): Promise<Map<AcceptItem, number>> {
  const { rows } = await run({
    name: 'known',
    text: knownText,
    values: [events.map(({ event }) => event.teamId), events.map(({ event }) => event.id)],
  });
  const byId = new Map((rows as unknown as KnownRow[]).map((row) => [`${row.team_id}\0${row.id}`, row]));
  const conflicts = new Map<AcceptItem, number>();
  for (const { item, event, at } of events) {
    const row = byId.get(`${event.teamId}\0${event.id}`);
    if (row === undefined) continue;
    if (sameContent(contentOf(row), event)) {
      item.outcomes[at] = { kind: 'known', createdAt: row.created_at, deliveries: row.deliveries };
    } else if (!conflicts.has(item)) conflicts.set(item, at);
  }
  return conflicts;
}

function outcomeOf(item: AcceptItem): AcceptOutcome {
  const seen = new Set<number>();
  const events = item.first.map((at): Accepted => {
    const outcome = item.outcomes[at] as Accepted;
    if (!seen.has(at) || outcome.kind === 'known') {
      seen.add(at);
      return outcome;
    }
    const { createdAt } = item.distinct[at] as NewEvent;
    return { kind: 'known', createdAt, deliveries: outcome.births.length };
  });
  return { kind: 'stored', events };
}
