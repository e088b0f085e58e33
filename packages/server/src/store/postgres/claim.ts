// Claim on PostgreSQL: a few deliveries of each lane that is asked for or due, in one statement, however many wait.
// Rows that another node is taking are passed over. A lane with an order or a limit has one owner at a time, kept in its
// marker's row; everybody else leaves it alone while the owner lives.
import type { Claimed, ClaimRequest, ClaimResult } from '../store.ts';
import { heldAt, orderedOffset, replayedOffset } from './available-at.ts';
import type { Run } from './connection.ts';
import type { Hints } from './hints.ts';

/** While a lane is being worked off, its marker stands this far ahead, as a safety net only. */
const workingMs = 5_000;
/** How many keys of an ordered lane one claim looks at. */
const orderedKeys = 1_000;
/** Who claims for a process that does not send, as tests do: it has no lease. */
export const nobody = 'nobody';
/** The marker of a lane that has an owner and no work. */
const never = heldAt;

const text = `
WITH
due AS (
  SELECT l.tag, l.owner FROM lanes l
   WHERE l.due_at <= $3::int8 AND NOT l.tag = ANY ($1::text[])
   ORDER BY l.due_at, l.tag LIMIT $4::int8 FOR UPDATE SKIP LOCKED
),
-- Read as they are at this moment, others' commits since the statement began included.
asked AS (
  SELECT l.tag, l.owner FROM lanes l WHERE l.tag = ANY ($1::text[]) ORDER BY l.tag FOR UPDATE SKIP LOCKED
),
locked AS (SELECT tag, owner FROM due UNION ALL SELECT tag, owner FROM asked),
wanted AS (
  SELECT tag, most, most_replayed, bytes
    FROM unnest($1::text[], $2::int8[], $14::int8[], $8::int8[]) AS a (tag, most, most_replayed, bytes)
  UNION ALL
  SELECT d.tag, least($5::int8, coalesce(r.most, $9::int8)), least($5::int8, coalesce(r.most, $9::int8)),
         coalesce(r.bytes, $10::int8)
    FROM due d LEFT JOIN unnest($11::text[], $12::int8[], $13::int8[]) AS r (tag, most, bytes) ON r.tag = d.tag
),
looked AS MATERIALIZED (
  SELECT w.tag, w.most, w.most_replayed, w.bytes, e.version, e.shift_ms, $3::int8 - e.shift_ms AS lane_now,
         e.removed_at IS NULL AND e.enabled = 1 AS alive, coalesce(l.touched, 0) AS touched,
         l.tag IS NULL OR EXISTS (SELECT 1 FROM locked o WHERE o.tag = w.tag) AS untouched,
         e.ordering <> 'none' OR e.max_concurrency IS NOT NULL OR e.rate_per_second IS NOT NULL AS special
    FROM wanted w
    JOIN endpoints e ON e.tag = w.tag
    LEFT JOIN lanes l ON l.tag = w.tag
   -- A node whose lease has ended takes nothing: what it took nobody would find.
   WHERE ($6::text = '${nobody}' OR EXISTS (SELECT 1 FROM nodes n WHERE n.id = $6 AND n.lease_until > now()))
     AND ((e.ordering = 'none' AND e.max_concurrency IS NULL AND e.rate_per_second IS NULL)
      OR EXISTS (SELECT 1 FROM locked o WHERE o.tag = w.tag
                   AND (o.owner IS NULL OR o.owner = $6
                        OR NOT EXISTS (SELECT 1 FROM nodes n WHERE n.id = o.owner AND n.lease_until > now()))))
),
free AS MATERIALIZED (
  SELECT k.tag, p.id, p.available_at, p.bytes
    FROM looked k CROSS JOIN LATERAL (
      SELECT p.id, p.available_at, p.bytes FROM pending p
       WHERE p.tag = k.tag AND p.available_at <= k.lane_now AND p.available_at < ${replayedOffset}
         AND p.available_at < ${heldAt}
       ORDER BY p.available_at, p.id LIMIT k.most FOR UPDATE SKIP LOCKED
    ) p
   WHERE k.alive
),
-- What replays made, beside all that is live.
free_replayed AS MATERIALIZED (
  SELECT k.tag, p.id, p.available_at, p.bytes
    FROM looked k CROSS JOIN LATERAL (
      SELECT p.id, p.available_at, p.bytes FROM pending p
       WHERE p.tag = k.tag AND p.available_at >= ${replayedOffset} AND p.available_at <= k.lane_now + ${replayedOffset}
         AND p.available_at < ${heldAt}
       ORDER BY p.available_at, p.id LIMIT k.most_replayed FOR UPDATE SKIP LOCKED
    ) p
   WHERE k.alive
),
-- By the length in the row: to join the partitioned events here let PostgreSQL 18.4 crash (signal 11 in
-- perform_pruning_base_step), since a row that another session has just changed makes it plan the parts of the statement
-- a second time, and both share what they know of partitions.
sized AS (
  SELECT f.tag, f.id, f.available_at,
         sum(f.bytes) OVER (PARTITION BY f.tag ORDER BY f.available_at, f.id) - f.bytes AS before
    FROM (SELECT * FROM free UNION ALL SELECT * FROM free_replayed) f
),
fitting AS MATERIALIZED (
  SELECT s.tag, s.id, s.available_at FROM sized s JOIN looked k ON k.tag = s.tag WHERE s.before < k.bytes
),
heads AS MATERIALIZED (
  SELECT k.tag, h.id, h.order_key, h.available_at,
         h.available_at - ${orderedOffset} <= k.lane_now AS is_due, k.most
    FROM looked k CROSS JOIN LATERAL ordered_heads(k.tag, ${orderedKeys}) h
   WHERE k.alive AND k.special AND h.available_at < ${heldAt}
     AND NOT EXISTS (SELECT 1 FROM pending b WHERE b.tag = k.tag AND b.order_key = h.order_key
                        AND b.order_key IS NOT NULL AND b.available_at >= ${heldAt})
),
first_heads AS MATERIALIZED (
  SELECT h.tag, h.id, h.available_at,
         h.is_due AND row_number() OVER (PARTITION BY h.tag, h.is_due ORDER BY h.order_key)
           <= h.most - (SELECT count(*) FROM fitting f WHERE f.tag = h.tag AND f.available_at < ${replayedOffset})
           AS chosen
    FROM heads h
),
taken AS (
  UPDATE pending p
     SET available_at = ${heldAt}, holder = $6,
         asked = greatest(p.asked, 1) * p.extra
    FROM (SELECT tag, id FROM fitting UNION ALL SELECT tag, id FROM first_heads WHERE chosen) c
   WHERE p.tag = c.tag AND p.id = c.id AND p.available_at < ${heldAt}
  RETURNING p.tag, p.id, p.event_seq, p.type, p.attempts, p.created_at, p.extra, p.replayed_at, p.schedule_from
),
verdict AS MATERIALIZED (
  SELECT k.tag, k.touched, k.untouched, k.special, k.alive, k.shift_ms, k.lane_now, least(f.next, h.next) AS next,
         r.next AS next_replayed
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
         AND p.available_at >= coalesce(last.at, -9000000000000000)
         AND (last.at IS NULL OR (p.available_at, p.id) > (last.at, last.id))
       ORDER BY p.available_at LIMIT 1
    ) f ON k.alive
    LEFT JOIN LATERAL (
      SELECT p.available_at - ${replayedOffset} AS next FROM pending p
       WHERE p.tag = k.tag AND p.available_at < ${orderedOffset} AND p.available_at < ${heldAt}
         AND p.available_at >= coalesce(last_replayed.at, ${replayedOffset})
         AND (last_replayed.at IS NULL OR (p.available_at, p.id) > (last_replayed.at, last_replayed.id))
       ORDER BY p.available_at LIMIT 1
    ) r ON k.alive
    LEFT JOIN (SELECT tag, min(available_at) - ${orderedOffset} AS next FROM first_heads WHERE NOT chosen GROUP BY tag) h
      ON h.tag = k.tag
),
markers AS MATERIALIZED (
  SELECT v.tag, v.touched, v.special AND v.alive AS kept,
         CASE WHEN least(v.next, v.next_replayed) <= v.lane_now THEN $3::int8 + ${workingMs}
              ELSE least(v.next, v.next_replayed) + v.shift_ms END AS due_at
    FROM verdict v
   -- Somebody else's marker of this moment is left alone: to wait for it while holding others would be a deadlock.
   WHERE v.untouched
),
dropped AS (
  DELETE FROM lanes l USING markers m WHERE l.tag = m.tag AND m.due_at IS NULL AND NOT m.kept AND l.touched = m.touched
),
moved AS (
  INSERT INTO lanes AS l (tag, due_at, owner, touched)
  SELECT m.tag, coalesce(m.due_at, ${never}), CASE WHEN m.kept THEN $6 END, m.touched FROM markers m
   WHERE m.due_at IS NOT NULL OR m.kept ORDER BY m.tag
  ON CONFLICT (tag) DO UPDATE
    SET due_at = CASE WHEN l.touched = excluded.touched THEN excluded.due_at ELSE least(l.due_at, excluded.due_at) END,
        owner = excluded.owner
)
SELECT t.tag, t.id, t.type, t.attempts, t.created_at, t.extra, t.replayed_at, t.schedule_from, k.version, v.body,
       NULL::bool AS more, NULL::bool AS more_replayed, NULL::int8 AS next_due
  FROM taken t JOIN looked k ON k.tag = t.tag JOIN events v ON v.seq = t.event_seq
UNION ALL
SELECT v.tag, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, v.next IS NOT NULL AND v.next <= v.lane_now,
       v.next_replayed IS NOT NULL AND v.next_replayed <= v.lane_now, m.due_at
  FROM verdict v LEFT JOIN markers m ON m.tag = v.tag
UNION ALL
SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
       (SELECT l.due_at FROM lanes l WHERE l.due_at < $7::int8 AND NOT EXISTS (SELECT 1 FROM looked k WHERE k.tag = l.tag)
         ORDER BY l.due_at LIMIT 1)`;

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
  const known = hints.forAccept();
  const unknown = hints.roomOf(null);
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
      never,
      rooms.map(({ bytes }) => bytes),
      unknown.count,
      unknown.bytes,
      known.tags,
      known.tags.map((tag) => hints.roomOf(tag).count),
      known.tags.map((tag) => hints.roomOf(tag).bytes),
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
    }
    if (row.next_due !== null && (result.nextDueAt === null || row.next_due < result.nextDueAt)) {
      result.nextDueAt = row.next_due;
    }
  }
  claimed.sort((a, b) => a.createdAt - b.createdAt || (a.key < b.key ? -1 : 1));
  result.claimed = claimed;
  return result;
}
