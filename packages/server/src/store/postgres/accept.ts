// Accept on PostgreSQL: ids, events, matching and deliveries of any number of publish calls in one statement, which is
// its own transaction. What it answers about an id that was there already is fetched afterwards, by another.
import { type Content, sameContent } from '../../core/content.ts';
import { timeOfId } from '../../id.ts';
import type { Accepted, AcceptGroup, AcceptOutcome, Birth, NewEvent } from '../store.ts';
import { type Arrays, withArrays } from './arrays.ts';
import { atOnce, bornSuffix, heldAt, markLanes, orderedOffset } from './available-at.ts';
import type { Run, Statement } from './connection.ts';
import type { Hints } from './hints.ts';
import { type Lot, lotsOf } from './lots.ts';
import { numbersBeginAt, numbersPerMs } from './numbers.ts';

/** A publisher hears within this time that the database is away. */
const publishDeadlineMs = 1_500;

/** How an event's id was chosen: by Posthorn, or by a publisher, alone in its call or beside others. */
const ownId = { made: 0, alone: 1, among: 2 } as const;

/**
 * What an event matches, and whether those births are held, is judged for each lot of alike events (team, type, project)
 * and endpoint, and not for each of the deliveries, of which a batch has hundreds. The processor time of the database and
 * of this process, per delivery, batches of 50 and of 30 events at fan-out 1 and 10: an accept 37 and 12 µs when each
 * delivery was judged, 28 and 6.5 so.
 */
const text = `
WITH input AS (
  SELECT i.uid, coalesce(i.id, i.uid) AS id, i.region, i.created_at, i.given, i.accepted_at, i.at, i.length, i.own, i.made,
         i.lot, i.ord
    FROM unnest($1::text[], $2::text[], $3::text[], $4::int8[], $5::int8[], $6::int8[], $7::int8[], $8::int8[], $9::int8[],
                $10::bool[], $11::int8[])
      WITH ORDINALITY AS i (uid, id, region, created_at, given, accepted_at, at, length, own, made, lot, ord)
),
lots AS MATERIALIZED (
  SELECT * FROM unnest($13::int8[], $14::text[], $15::text[], $16::text[], $17::text[], $18::int8[], $19::int8[])
    AS l (no, team_id, type, project_id, only_tag, events, bytes)
),
numbered AS MATERIALIZED (
  SELECT i.*, (floor(date_part('epoch', clock_timestamp()) * 1000)::int8 - ${numbersBeginAt}) * ${numbersPerMs}
              + nextval('event_numbers') % ${numbersPerMs} AS seq
    FROM input i ORDER BY ord
),
given AS MATERIALIZED (
  SELECT n.*, l.team_id, l.type, l.project_id, l.only_tag FROM numbered n JOIN lots l ON l.no = n.lot
),
ids AS (
  INSERT INTO event_ids (team_id, id, event_seq)
  SELECT n.team_id, n.id, n.seq FROM given n
   WHERE n.own > 0
     AND NOT (n.made AND EXISTS (SELECT 1 FROM events e WHERE e.id = n.id AND e.team_id = n.team_id))
   ORDER BY n.team_id, n.id
  ON CONFLICT DO NOTHING
  RETURNING team_id, id
),
fresh AS MATERIALIZED (
  SELECT n.* FROM given n LEFT JOIN ids k ON k.team_id = n.team_id AND k.id = n.id
   -- A call of several events is stored whole or not at all: the division by zero takes the statement back.
   WHERE CASE WHEN n.own = 0 OR k.id IS NOT NULL THEN true WHEN n.own = 2 THEN 1 / (n.own - 2) = 0 ELSE false END
),
matched AS MATERIALIZED (
  SELECT k.no, k.events, k.bytes, e.tag, e.version, e.ordering, e.shift_ms, coalesce(h.closed, false) AS closed,
         coalesce(h.count, $23::int8) AS room, coalesce(h.bytes, $24::int8) AS room_bytes,
         e.ordering = 'none' AND e.max_concurrency IS NULL AND e.rate_per_second IS NULL
         AND EXISTS (SELECT 1 FROM nodes n WHERE n.id = $20::text AND n.lease_until > now())
         AND NOT EXISTS (SELECT 1 FROM markers m WHERE m.tag = e.tag AND m.due_at = ${atOnce} AND m.number >= $29::int8)
         AND NOT EXISTS (SELECT 1 FROM markers m
                          WHERE m.tag = e.tag AND m.due_at >= $30::int8 AND m.due_at <= $21::int8) AS holdable
    FROM lots k CROSS JOIN LATERAL (
      SELECT e.* FROM subscriptions s
        JOIN endpoints e ON e.tag = s.tag
        JOIN teams t ON t.id = s.team_id
       WHERE k.only_tag IS NULL AND s.team_id = k.team_id AND s.type = k.type
         AND e.enabled = 1 AND e.removed_at IS NULL
         AND (e.kind <> 'webhook' OR t.plan <> 'hobby')
         AND (e.all_projects = 1
              OR EXISTS (SELECT 1 FROM endpoint_projects p WHERE p.tag = e.tag AND p.project_id = k.project_id))
      UNION ALL
      SELECT e.* FROM endpoints e
       WHERE e.tag = k.only_tag AND e.team_id = k.team_id AND e.enabled = 1 AND e.removed_at IS NULL
    ) e
    LEFT JOIN unnest($25::text[], $26::int8[], $27::int8[], $28::bool[]) AS h (tag, count, bytes, closed) ON h.tag = e.tag
),
judged AS MATERIALIZED (
  SELECT m.*,
         m.holdable AND sum(m.events) OVER (ORDER BY m.no, m.tag) <= $22::int8
         AND sum(m.events) OVER (PARTITION BY m.tag ORDER BY m.no) <= m.room
         AND sum(m.bytes) OVER (PARTITION BY m.tag ORDER BY m.no) - m.bytes < m.room_bytes AS leased
    FROM matched m
),
stored AS (
  INSERT INTO events (seq, team_id, id, uid, type, project_id, region, created_at, created_at_given, accepted_at, test,
                      deliveries, body)
  SELECT f.seq, f.team_id, f.id, CASE WHEN f.uid <> f.id THEN f.uid END, f.type, f.project_id, f.region, f.created_at,
         f.given, f.accepted_at, CASE WHEN f.only_tag IS NULL THEN 0 ELSE 1 END, coalesce(m.count, 0),
         substring($12::bytea FROM f.at::int + 1 FOR f.length::int)
    FROM fresh f LEFT JOIN (SELECT no, count(*) AS count FROM matched GROUP BY no) m ON m.no = f.lot
),
made AS (
  INSERT INTO pending (tag, id, event_seq, type, available_at, holder, order_key, bytes, created_at)
  SELECT j.tag, f.uid || j.tag, f.seq, f.type,
         CASE WHEN j.leased THEN ${heldAt} WHEN j.ordering = 'none' THEN f.accepted_at - j.shift_ms
              ELSE f.accepted_at - j.shift_ms + ${orderedOffset} END,
         CASE WHEN j.leased THEN $20 || '${bornSuffix}' END,
         CASE j.ordering WHEN 'none' THEN NULL WHEN 'all' THEN '' ELSE coalesce(f.project_id, '') END,
         f.length, f.accepted_at
    FROM judged j JOIN fresh f ON f.lot = j.no ORDER BY j.tag, f.uid
),
marked AS (${markLanes(`SELECT ${atOnce}, j.tag, min(f.accepted_at - j.shift_ms) FROM judged j JOIN fresh f ON f.lot = j.no
                         WHERE NOT j.leased AND NOT j.closed GROUP BY j.tag`)})
SELECT j.no AS lot, j.tag, j.version, j.leased, NULL::int4[] AS stored FROM judged j
UNION ALL
SELECT NULL, NULL, NULL, NULL,
       CASE WHEN (SELECT count(*) FROM fresh) < cardinality($1) THEN array(SELECT ord::int4 FROM fresh) END`;

interface AnswerRow {
  /** Null in the one row about the events themselves. */
  lot: number | null;
  tag: string;
  version: number;
  leased: boolean;
  /** Which events were stored, from 1; null for all of them. */
  stored: number[] | null;
}

/** The statement that stores `events`; `group` says which call each is of. */
function acceptStatement(
  events: readonly NewEvent[],
  groups: readonly number[],
  { lots, lotOf }: ReturnType<typeof lotsOf>,
  { node, hints, arrays }: { node: string | null; hints: Hints; arrays: Arrays },
) {
  const column = <Value>(read: (event: NewEvent, index: number) => Value) => events.map(read);
  const ofLots = <Value>(read: (lot: Lot) => Value) => lots.map(read);
  let bytes = 0;
  let latest = 0;
  const starts = events.map(({ body, acceptedAt }) => {
    bytes += body.length;
    latest = Math.max(latest, acceptedAt);
    return bytes - body.length;
  });
  const own = (event: NewEvent, index: number) =>
    event.uid === event.id ? ownId.made : groups[index] === 1 ? ownId.alone : ownId.among;
  const known = hints.forAccept(new Set(events.map(({ teamId }) => teamId)));
  const statement: Statement = {
    name: 'accept',
    text,
    deadlineMs: publishDeadlineMs,
    values: [
      arrays.texts(column(({ uid }) => uid)),
      arrays.texts(column(({ uid, id }) => (uid === id ? null : id))),
      arrays.texts(column(({ region }) => region)),
      arrays.int8s(column(({ createdAt }) => createdAt)),
      arrays.int8s(column(({ createdAtGiven }) => (createdAtGiven ? 1 : 0))),
      arrays.int8s(column(({ acceptedAt }) => acceptedAt)),
      arrays.int8s(starts),
      arrays.int8s(column(({ body }) => body.length)),
      arrays.int8s(column(own)),
      arrays.bools(column(({ id, uid }) => id !== uid && timeOfId(id) !== null)),
      arrays.int8s(lotOf),
      arrays.join(
        events.map(({ body }) => body),
        bytes,
      ),
      arrays.int8s(ofLots(({ no }) => no)),
      arrays.texts(ofLots(({ event }) => event.teamId)),
      arrays.texts(ofLots(({ event }) => event.type)),
      arrays.texts(ofLots(({ event }) => event.projectId)),
      arrays.texts(ofLots(({ event }) => event.only)),
      arrays.int8s(ofLots((lot) => lot.events)),
      arrays.int8s(ofLots((lot) => lot.bytes)),
      node,
      latest,
      known.inAll,
      known.unknown.count,
      known.unknown.bytes,
      arrays.texts(known.tags),
      arrays.int8s(known.counts),
      arrays.int8s(known.bytes),
      arrays.bools(known.closed),
      hints.floors.number,
      hints.floors.dueAt,
    ],
  };
  return statement;
}

/** Has a session plan the statement: it accepts nothing. */
export async function planAccept(run: Run, node: string | null, hints: Hints): Promise<void> {
  await withArrays((arrays) => run(acceptStatement([], [], lotsOf([]), { node, hints, arrays })));
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
  const lots = lotsOf(events);
  const { rows } = await withArrays((arrays) =>
    run(acceptStatement(events, groups, lots, { node, hints, arrays })),
  );
  const births: Birth[][] = lots.lots.map(() => []);
  let stored: Set<number> | null = null;
  for (const row of rows as unknown as AnswerRow[]) {
    if (row.lot !== null) births[row.lot]?.push({ tag: row.tag, version: row.version, leased: row.leased });
    else if (row.stored !== null) stored = new Set(row.stored);
  }
  for (const born of births) born.sort((a, b) => (a.tag < b.tag ? -1 : 1));
  return lots.lotOf.map((lot, index) =>
    stored === null || stored.has(index + 1) ? (births[lot] ?? []) : null,
  );
}

/** Tells the hints what a commit has made. */
function note(events: readonly NewEvent[], births: readonly (Birth[] | null)[], hints: Hints): void {
  for (let at = 0; at < events.length; at++) {
    const event = events[at] as NewEvent;
    const born = births[at] ?? null;
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
  if (events.length === 1) return { distinct: events, first: [0] };
  const distinct: NewEvent[] = [];
  const first: number[] = [];
  const seen = new Map<string, number>();
  for (let index = 0; index < events.length; index++) {
    const event = events[index] as NewEvent;
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

/** How many bytes of bodies a call has. */
export const bytesOf = ({ distinct }: AcceptItem): number =>
  distinct.reduce((sum, { body }) => sum + body.length, 0);

interface OpenEvent {
  item: AcceptItem;
  event: NewEvent;
  at: number;
}

/** The events of a batch of calls that nothing is known of yet, and how many of its call each is among. */
function openOf(items: readonly AcceptItem[]) {
  const open: OpenEvent[] = [];
  const events: NewEvent[] = [];
  const groups: number[] = [];
  for (const item of items) {
    const { distinct, outcomes } = item;
    const before = events.length;
    for (let at = 0; at < distinct.length; at++) {
      if (outcomes[at] !== null) continue;
      const event = distinct[at] as NewEvent;
      open.push({ item, event, at });
      events.push(event);
    }
    const own = events.length - before;
    for (let nth = 0; nth < own; nth++) groups.push(own);
  }
  return { open, events, groups };
}

/** One round of a batch of calls: those that are still undecided afterwards go again. */
export async function acceptBatch(
  run: Run,
  items: AcceptItem[],
  node: string | null,
  hints: Hints,
): Promise<(AcceptOutcome | 'again')[]> {
  const { open, events, groups } = openOf(items);
  const births = events.length === 0 ? [] : await store(run, events, groups, node, hints);
  note(events, births, hints);
  const repeated: OpenEvent[] = [];
  for (let index = 0; index < open.length; index++) {
    const one = open[index] as OpenEvent;
    const made = births[index] ?? null;
    if (made === null) repeated.push(one);
    else one.item.outcomes[one.at] = { kind: 'stored', births: made };
  }
  const conflicts = repeated.length === 0 ? new Map<AcceptItem, number>() : await readKnown(run, repeated);
  return items.map((item) => {
    const conflict = conflicts.get(item);
    if (conflict !== undefined) return { kind: 'conflict', index: item.first.indexOf(conflict) };
    return item.outcomes.includes(null) ? 'again' : outcomeOf(item);
  });
}

/** Looks up ids that are there already; answers where the content is another. */
export async function readKnown(run: Run, events: OpenEvent[]): Promise<Map<AcceptItem, number>> {
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
