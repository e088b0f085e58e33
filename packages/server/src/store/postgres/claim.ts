// Claim on PostgreSQL: a few deliveries of each lane that is asked for or due, in one statement, however many wait.
// Rows that another node is taking are passed over. A lane with an order or a limit has one owner at a time, kept in its
// row of `lanes`; everybody else leaves it alone while the owner lives.
import type { Claimed, ClaimRequest, ClaimResult } from '../store.ts';
import { atOnce, beginning, heldAt, markLanes, orderedOffset, replayedOffset } from './available-at.ts';
import { byKey } from './by-key.ts';
import type { Run } from './connection.ts';
import type { Hints } from './hints.ts';

/** While a lane is being worked off, its marker stands this far ahead, as a safety net only. */
const workingMs = 5_000;
/** How many keys of an ordered lane one claim looks at. */
const orderedKeys = 1_000;
/** How many markers a claim takes for each other lane that it may look at, and of all lanes that are asked for. */
const markersEach = 8;
const ownMarkers = 1_024;
/** Who claims for a process that does not send, as tests do: it has no lease. */
export const nobody = 'nobody';

/** A lane whose owner lives is its owner's; its markers are left to it. */
const notAnothers = `NOT EXISTS (SELECT 1 FROM lanes l JOIN nodes n ON n.id = l.owner
                    WHERE l.tag = m.tag AND l.owner <> $6::text AND n.lease_until > now())`;

/**
 * Nothing here may walk past what has left a table: beside a transaction that somebody leaves open it can't be vacuumed, and
 * after a minute a claim of 160 deliveries of 20 lanes touched 22,399 buffers instead of 1,876. Markers are found from the
 * floors on (floors.ts), a lane's deliveries from the `low` of its markers on, or from where this node left off, and what is
 * taken by its place in the table: 2,005 at the start and 2,206 after that minute, 2,079 and 2,021 in another run. docs/postgres.md has what was tried.
 *
 * Markers are taken away by whoever has looked at their lane, and one is left if the lane has more. A delivery that this
 * statement does not see yet came with a marker that it does not see either.
 */
const text = `
WITH
-- Markers, from the floors on: for at once and for a time, of other lanes and of those that are asked for.
heard AS (
  SELECT m.due_at, m.number, m.tag, m.low, m.ctid AS place FROM markers m
   WHERE m.due_at = ${atOnce} AND m.number >= $14::int8 AND NOT m.tag = ANY ($1::text[]) AND ${notAnothers}
   ORDER BY m.number LIMIT $4::int8 * ${markersEach} FOR UPDATE SKIP LOCKED
),
awaited AS (
  SELECT m.due_at, m.number, m.tag, m.low, m.ctid AS place FROM markers m
   WHERE m.due_at >= $15::int8 AND m.due_at <= $3::int8 AND NOT m.tag = ANY ($1::text[]) AND ${notAnothers}
   ORDER BY m.due_at, m.number LIMIT $4::int8 * ${markersEach} FOR UPDATE SKIP LOCKED
),
own_heard AS (
  SELECT m.due_at, m.number, m.tag, m.low, m.ctid AS place FROM markers m
   WHERE m.tag = ANY ($1::text[]) AND m.due_at = ${atOnce} AND m.number >= $14::int8 LIMIT ${ownMarkers} FOR UPDATE SKIP LOCKED
),
own_awaited AS (
  SELECT m.due_at, m.number, m.tag, m.low, m.ctid AS place FROM markers m
   WHERE m.tag = ANY ($1::text[]) AND m.due_at >= $15::int8 AND m.due_at <= $3::int8 LIMIT ${ownMarkers} FOR UPDATE SKIP LOCKED
),
rung AS MATERIALIZED (
  SELECT * FROM heard UNION ALL SELECT * FROM awaited UNION ALL SELECT * FROM own_heard UNION ALL SELECT * FROM own_awaited
),
due AS (
  SELECT tag, min(low) AS low, min(number) AS first FROM rung WHERE NOT tag = ANY ($1::text[])
   GROUP BY tag ORDER BY min(number) LIMIT $4::int8
),
wanted AS (
  SELECT a.tag, a.most, a.most_replayed, a.bytes, least(a.place, r.low) AS low, r.tag IS NOT NULL OR a.place = ${beginning} AS marks
    FROM unnest($1::text[], $2::int8[], $16::int8[], $7::int8[], $13::int8[]) AS a (tag, most, most_replayed, bytes, place)
    LEFT JOIN (SELECT tag, min(low) AS low FROM rung WHERE tag = ANY ($1::text[]) GROUP BY tag) r ON r.tag = a.tag
  UNION ALL
  SELECT o.tag, least($5::int8, coalesce(r.most, $8::int8)), least($5::int8, coalesce(r.most, $8::int8)),
         coalesce(r.bytes, $9::int8), o.low, true
    FROM due o LEFT JOIN unnest($10::text[], $11::int8[], $12::int8[]) AS r (tag, most, bytes) ON r.tag = o.tag
),
known AS MATERIALIZED (
  SELECT w.tag, w.most, w.most_replayed, w.bytes, w.low, w.marks, e.version, e.shift_ms, $3::int8 - e.shift_ms AS lane_now,
         e.removed_at IS NULL AND e.enabled = 1 AS alive,
         e.ordering <> 'none' OR e.max_concurrency IS NOT NULL OR e.rate_per_second IS NOT NULL AS special
    FROM wanted w JOIN endpoints e ON e.tag = w.tag
   -- A node whose lease has ended takes nothing: what it took nobody would find.
   WHERE $6::text = '${nobody}' OR EXISTS (SELECT 1 FROM nodes n WHERE n.id = $6 AND n.lease_until > now())
),
-- Read as they are at this moment, others' commits since the statement began included.
locked AS MATERIALIZED (
  SELECT l.tag, l.owner FROM known k JOIN lanes l ON l.tag = k.tag WHERE k.special ORDER BY l.tag FOR UPDATE OF l SKIP LOCKED
),
entered AS (
  INSERT INTO lanes (tag, due_at, owner)
  SELECT k.tag, ${heldAt}, $6 FROM known k
   WHERE k.special AND NOT EXISTS (SELECT 1 FROM lanes l WHERE l.tag = k.tag) ORDER BY k.tag
  ON CONFLICT DO NOTHING
  RETURNING tag
),
owned AS MATERIALIZED (
  SELECT o.tag, o.owner FROM locked o
   WHERE o.owner IS NULL OR o.owner = $6 OR NOT EXISTS (SELECT 1 FROM nodes n WHERE n.id = o.owner AND n.lease_until > now())
  UNION ALL
  SELECT tag, $6 FROM entered
),
taken_over AS (
  UPDATE lanes l SET owner = $6 FROM owned o WHERE l.tag = o.tag AND o.owner IS DISTINCT FROM $6
),
looked AS MATERIALIZED (
  SELECT k.* FROM known k WHERE NOT k.special OR EXISTS (SELECT 1 FROM owned o WHERE o.tag = k.tag)
),
free AS MATERIALIZED (
  SELECT k.tag, p.id, p.available_at, p.bytes, p.place
    FROM looked k CROSS JOIN LATERAL (
      SELECT p.id, p.available_at, p.bytes, p.ctid AS place FROM pending p
       WHERE p.tag = k.tag AND p.available_at >= k.low AND p.available_at <= k.lane_now
         AND p.available_at < ${replayedOffset} AND p.available_at < ${heldAt}
       ORDER BY p.available_at, p.id LIMIT k.most FOR UPDATE SKIP LOCKED
    ) p
   WHERE k.alive
),
-- What replays made, beside all that is live.
free_replayed AS MATERIALIZED (
  SELECT k.tag, p.id, p.available_at, p.bytes, p.place
    FROM looked k CROSS JOIN LATERAL (
      SELECT p.id, p.available_at, p.bytes, p.ctid AS place FROM pending p
       WHERE p.tag = k.tag AND p.available_at <= k.lane_now + ${replayedOffset}
         AND p.available_at < ${heldAt} AND p.available_at >= greatest(k.low, 0) + ${replayedOffset}
       ORDER BY p.available_at, p.id LIMIT k.most_replayed FOR UPDATE SKIP LOCKED
    ) p
   WHERE k.alive
),
-- By the length in the row: to join the partitioned events here let PostgreSQL 18.4 crash (signal 11 in
-- perform_pruning_base_step), since a row that another session has just changed makes it plan the parts of the statement
-- a second time, and both share what they know of partitions.
sized AS (
  SELECT f.tag, f.id, f.available_at, f.place,
         sum(f.bytes) OVER (PARTITION BY f.tag ORDER BY f.available_at, f.id) - f.bytes AS before
    FROM (SELECT * FROM free UNION ALL SELECT * FROM free_replayed) f
),
fitting AS MATERIALIZED (
  SELECT s.tag, s.id, s.available_at, s.place FROM sized s JOIN looked k ON k.tag = s.tag WHERE s.before < k.bytes
),
heads AS MATERIALIZED (
  SELECT k.tag, h.id, h.order_key, h.available_at,
         h.available_at - ${orderedOffset} <= k.lane_now AS is_due, k.most
    FROM looked k CROSS JOIN LATERAL ordered_heads(k.tag, ${orderedKeys}) h
   WHERE k.alive AND k.special AND h.available_at < ${heldAt}
     AND NOT EXISTS (SELECT 1 FROM pending b WHERE b.tag = k.tag AND b.order_key = h.order_key
                        AND b.order_key IS NOT NULL AND b.available_at >= ${heldAt} OFFSET 0)
),
first_heads AS MATERIALIZED (
  SELECT h.tag, h.id, h.available_at,
         h.is_due AND row_number() OVER (PARTITION BY h.tag, h.is_due ORDER BY h.order_key)
           <= h.most - (SELECT count(*) FROM fitting f WHERE f.tag = h.tag AND f.available_at < ${replayedOffset})
           AS chosen
    FROM heads h
),
-- By their place in the table, where they have just been locked: a look-up of each by its key was a third of what a claim
-- touches, and grew with the depth of that index. Whoever was moved between the beginning of this statement and the lock is
-- not found there: it is left, and seen by the next.
taken AS MATERIALIZED (
  UPDATE pending p
     SET available_at = ${heldAt}, holder = $6,
         asked = greatest(p.asked, 1) * p.extra
   WHERE p.ctid = ANY (ARRAY(SELECT f.place FROM fitting f UNION ALL
                            SELECT b.ctid FROM first_heads h JOIN pending b ON ${byKey('b', 'h.tag', 'h.id')} WHERE h.chosen))
     -- Not as the claim's index has it: planned for an empty table, it would be read from end to end.
     AND p.available_at + 0 < ${heldAt}
  RETURNING p.tag, p.id, p.event_seq, p.type, p.attempts, p.created_at, p.extra, p.replayed_at, p.schedule_from
),
missed AS MATERIALIZED (
  SELECT f.tag, min(f.available_at) FILTER (WHERE f.available_at < ${replayedOffset}) AS next,
         min(f.available_at) FILTER (WHERE f.available_at >= ${replayedOffset}) - ${replayedOffset} AS next_replayed
    FROM fitting f
   WHERE NOT EXISTS (SELECT 1 FROM taken t WHERE t.tag = f.tag AND t.id = f.id) GROUP BY f.tag
),
verdict AS MATERIALIZED (
  SELECT k.tag, k.marks, k.shift_ms, k.lane_now, least(m.next, f.next, h.next) AS next,
         least(m.next_replayed, r.next) AS next_replayed,
         least(m.next, m.next_replayed, coalesce(f.next, last.at), coalesce(r.next, last_replayed.at - ${replayedOffset})) AS place
    FROM looked k
    -- Joined before the next, whose look in the index then begins there and not at all that has left the lane.
    LEFT JOIN LATERAL (
      SELECT t.available_at AS at, t.id FROM fitting t WHERE t.tag = k.tag AND t.available_at < ${replayedOffset}
       ORDER BY t.available_at DESC, t.id DESC LIMIT 1
    ) last ON true
    LEFT JOIN LATERAL (
      SELECT t.available_at AS at, t.id FROM fitting t WHERE t.tag = k.tag AND t.available_at >= ${replayedOffset}
       ORDER BY t.available_at DESC, t.id DESC LIMIT 1
    ) last_replayed ON true
    LEFT JOIN LATERAL (
      SELECT p.available_at AS next FROM pending p
       WHERE p.tag = k.tag AND p.available_at < ${replayedOffset} AND p.available_at < ${heldAt}
         AND p.available_at >= coalesce(last.at, k.low)
         AND (last.at IS NULL OR (p.available_at, p.id) > (last.at, last.id))
       ORDER BY p.available_at LIMIT 1
    ) f ON k.alive
    LEFT JOIN LATERAL (
      SELECT p.available_at - ${replayedOffset} AS next FROM pending p
       WHERE p.tag = k.tag AND p.available_at < ${orderedOffset} AND p.available_at < ${heldAt}
         AND p.available_at >= coalesce(last_replayed.at, greatest(k.low, 0) + ${replayedOffset})
         AND (last_replayed.at IS NULL OR (p.available_at, p.id) > (last_replayed.at, last_replayed.id))
       ORDER BY p.available_at LIMIT 1
    ) r ON k.alive
    LEFT JOIN missed m ON m.tag = k.tag
    LEFT JOIN (SELECT c.tag, min(c.available_at) - ${orderedOffset} AS next FROM first_heads c
                WHERE NOT c.chosen OR NOT EXISTS (SELECT 1 FROM taken t WHERE t.tag = c.tag AND t.id = c.id) GROUP BY c.tag) h
      ON h.tag = k.tag
),
ahead AS MATERIALIZED (
  SELECT v.tag, coalesce(v.place, ${heldAt}) AS low,
         CASE WHEN least(v.next, v.next_replayed) <= v.lane_now THEN $3::int8 + ${workingMs}
              ELSE least(v.next, v.next_replayed) + v.shift_ms END AS due_at
    FROM verdict v WHERE v.next IS NOT NULL OR v.next_replayed IS NOT NULL
),
spent AS (
  DELETE FROM markers m WHERE m.ctid = ANY (ARRAY(SELECT r.place FROM rung r WHERE r.tag IN (SELECT tag FROM looked)))
),
marked AS (${markLanes('SELECT a.due_at, a.tag, a.low FROM ahead a JOIN verdict v ON v.tag = a.tag WHERE v.marks')})
SELECT t.tag, t.id, t.type, t.attempts, t.created_at, t.extra, t.replayed_at, t.schedule_from, k.version, v.body,
       NULL::bool AS more, NULL::bool AS more_replayed, NULL::int8 AS next_due, NULL::int8 AS place, NULL::int8 AS left_due, NULL::int8 AS last_number
  FROM taken t JOIN looked k ON k.tag = t.tag JOIN events v ON v.seq = t.event_seq
UNION ALL
SELECT v.tag, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, v.next IS NOT NULL AND v.next <= v.lane_now,
       v.next_replayed IS NOT NULL AND v.next_replayed <= v.lane_now, a.due_at, v.place, NULL, NULL
  FROM verdict v LEFT JOIN ahead a ON a.tag = v.tag
UNION ALL
SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
       CASE WHEN c.looked > 0 AND (c.is_full OR c.left_number IS NOT NULL OR c.left_due IS NOT NULL) THEN $3::int8
            ELSE (SELECT m.due_at FROM markers m WHERE m.due_at > greatest($3::int8, ${atOnce}) ORDER BY m.due_at LIMIT 1)
       END,
       coalesce(c.left_number, c.last_heard), coalesce(c.left_due, c.last_awaited),
       (SELECT s.last_value FROM marker_numbers s)
  FROM (SELECT (SELECT count(*) FROM looked) AS looked,
               (SELECT min(h.number) FROM heard h WHERE NOT h.tag IN (SELECT tag FROM looked)) AS left_number,
               (SELECT min(w.due_at) FROM awaited w WHERE NOT w.tag IN (SELECT tag FROM looked)) AS left_due,
               (SELECT max(h.number) FROM heard h HAVING count(*) >= $4 * ${markersEach}) AS last_heard,
               (SELECT max(w.due_at) FROM awaited w HAVING count(*) >= $4 * ${markersEach}) AS last_awaited,
               $4 > 0 AND greatest((SELECT count(*) FROM heard), (SELECT count(*) FROM awaited)) >= $4 * ${markersEach} AS is_full
       ) c`;

interface ResultRow {
  tag: string | null;
  id: string | null;
  type: string;
  attempts: number;
  created_at: number;
  extra: number;
  replayed_at: number | null;
  schedule_from: number;
  version: number;
  body: Uint8Array;
  more: boolean;
  more_replayed: boolean;
  next_due: number | null;
  /** Of a lane: where its first was. In the last row, as `left_due`: the first marker that was left. */
  place: number | null;
  left_due: number | null;
  last_number: number | null;
}

/** Claims for `node` what `request` asks for and there is room for. */
export async function claim(
  run: Run,
  request: ClaimRequest,
  node: string,
  hints: Hints,
): Promise<ClaimResult> {
  const { lanes, others, now } = request;
  const rooms = lanes.map(({ tag }) => hints.roomOf(tag));
  const held = hints.heldLanes();
  const unknown = hints.roomOf(null);
  const { floors } = hints;
  if (others.lanes > 0) floors.begin(now);
  const { rows } = await run({
    name: 'claim',
    text,
    values: [
      lanes.map(({ tag }) => tag),
      lanes.map(({ count }, index) => Math.min(count, rooms[index]?.count ?? 0)),
      now,
      others.lanes,
      others.each,
      node,
      rooms.map(({ bytes }) => bytes),
      unknown.count,
      unknown.bytes,
      held,
      held.map((tag) => hints.roomOf(tag).count),
      held.map((tag) => hints.roomOf(tag).bytes),
      lanes.map(({ tag }) => floors.placeOf(tag)),
      floors.number,
      floors.dueAt,
      lanes.map(({ count, replayed }, index) =>
        Math.min(replayed, Math.max(0, (rooms[index]?.count ?? 0) - count)),
      ),
    ],
  });
  const result: ClaimResult = { claimed: [], looked: [], nextDueAt: null };
  const claimed: Claimed[] = [];
  for (const row of rows as unknown as ResultRow[]) {
    if (row.id !== null && row.tag !== null) {
      const { id: key, tag, version, type, attempts, created_at: createdAt, extra, body } = row;
      const { replayed_at: at, schedule_from: from } = row;
      hints.hold(key, tag, body.length);
      claimed.push({
        key,
        tag,
        version,
        type,
        attempts,
        createdAt,
        extra: extra === 1,
        ...(at !== null && { replay: { at, from } }),
        body,
      });
      continue;
    }
    if (row.tag !== null) {
      hints.setBehind(row.tag, row.more);
      result.looked.push({ tag: row.tag, more: row.more, moreReplayed: row.more_replayed });
      if (row.place !== null) floors.setPlace(row.tag, row.place);
    } else if (others.lanes > 0) {
      floors.raise(now, { number: row.place, dueAt: row.left_due, lastNumber: row.last_number ?? 0 });
      hints.noteFloors();
    }
    if (row.next_due !== null && (result.nextDueAt === null || row.next_due < result.nextDueAt)) {
      result.nextDueAt = row.next_due;
    }
  }
  claimed.sort((a, b) => a.createdAt - b.createdAt || (a.key < b.key ? -1 : 1));
  result.claimed = claimed;
  return result;
}
