// Finish on PostgreSQL: any number of attempts and the states they cause, in one statement, and only for deliveries that
// this node still holds. core/delivery.ts draws the states; sqlite/finish.ts is the same, row by row.
import type { AttemptRecord, FinishOutcome, Lease } from '../store.ts';
import type { Tally } from '../tally.ts';
import { withArrays } from './arrays.ts';
import { atOnce, heldAt, heldBy, laneTime, markLanes, rangeOf } from './available-at.ts';
import { byKey } from './by-key.ts';
import type { Run } from './connection.ts';
import type { Hints } from './hints.ts';

const text = `
WITH input AS (
  SELECT * FROM unnest($1::text[], $2::text[], $3::int8[], $4::int8[], $5::text[], $6::int8[], $7::int8[], $8::float8[],
                       $9::int8[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[],
                       $16::int8[], $17::int8[], $18::int8[])
    AS i (tag, id, number, extra, next, retry_at, started_at, duration_ms, status, cause, detail, timings, url,
          request_headers, response_headers, body_at, body_length, truncated)
),
held AS MATERIALIZED (
  SELECT i.*, i.started_at + round(i.duration_ms::numeric)::int8 AS finished_at, p.event_seq, p.type, p.asked, p.order_key,
         p.created_at
    FROM pending p JOIN input i ON ${byKey('p', 'i.tag', 'i.id')}
   WHERE ${heldBy('p.holder', '$20::text')} AND p.available_at = ${heldAt} AND p.extra = i.extra
   ORDER BY i.tag, i.id FOR UPDATE OF p
),
decided AS MATERIALIZED (
  SELECT h.*, e.removed_at IS NULL AS there,
         ${laneTime('h.finished_at', 'h.finished_at')} AS lane_now,
         ${laneTime('CASE WHEN h.asked > h.extra THEN h.finished_at ELSE h.retry_at END', 'h.finished_at')} AS lane_retry,
         CASE
           WHEN h.extra = 1 AND h.asked > 1 AND e.removed_at IS NULL THEN 'extra again'
           WHEN h.extra = 1 AND h.next = 'retry' AND e.removed_at IS NULL THEN 'extra retry'
           WHEN h.extra = 1 THEN 'extra over'
           WHEN h.next = 'retry' AND e.removed_at IS NULL THEN 'retry'
           WHEN h.next = 'retry' THEN 'canceled'
           WHEN h.next = 'failed' AND h.asked > 0 AND e.removed_at IS NULL THEN 'failed, asked'
           ELSE h.next
         END AS fate
    FROM held h JOIN endpoints e ON e.tag = h.tag
),
ends AS (
  DELETE FROM pending p USING decided d
   WHERE ${byKey('p', 'd.tag', 'd.id')} AND d.fate IN ('delivered', 'failed', 'canceled', 'extra over')
),
stays AS (
  UPDATE pending p
     SET holder = NULL,
         attempts = d.number,
         available_at = CASE d.fate WHEN 'failed, asked' THEN d.lane_now WHEN 'extra again' THEN d.lane_now + ${rangeOf('p')}
                                    ELSE d.lane_retry + ${rangeOf('p')} END,
         extra = CASE d.fate WHEN 'failed, asked' THEN 1 ELSE p.extra END,
         asked = CASE d.fate WHEN 'retry' THEN 0 WHEN 'extra retry' THEN 0 WHEN 'failed, asked' THEN 1 ELSE p.asked - 1 END,
         schedule_from = CASE d.fate WHEN 'extra again' THEN d.number ELSE p.schedule_from END,
         order_key = CASE d.fate WHEN 'failed, asked' THEN NULL ELSE p.order_key END,
         last_status = CASE d.fate WHEN 'retry' THEN d.status ELSE p.last_status END,
         last_cause = CASE d.fate WHEN 'retry' THEN d.cause ELSE p.last_cause END
    FROM decided d
   WHERE ${byKey('p', 'd.tag', 'd.id')} AND d.fate IN ('extra again', 'extra retry', 'retry', 'failed, asked')
),
ended AS (
  INSERT INTO deliveries (tag, id, event_seq, type, state, attempts, last_status, last_cause, created_at, finished_at)
  SELECT d.tag, d.id, d.event_seq, d.type, CASE d.fate WHEN 'failed, asked' THEN 'failed' ELSE d.fate END, d.number,
         d.status, d.cause, d.created_at, d.finished_at
    FROM decided d WHERE d.fate IN ('delivered', 'failed', 'canceled', 'failed, asked')
),
again AS (
  UPDATE deliveries v
     SET attempts = d.number, last_status = d.status, last_cause = d.cause,
         finished_at = CASE WHEN d.next = 'delivered' AND v.state <> 'delivered' THEN d.finished_at ELSE v.finished_at END,
         state = CASE WHEN d.next = 'delivered' THEN 'delivered' ELSE v.state END
    FROM decided d
   WHERE d.extra = 1 AND v.tag = d.tag AND v.id = d.id AND v.event_seq = d.event_seq
),
logged AS (
  INSERT INTO attempts (delivery_id, number, event_seq, started_at, duration_ms, status, cause, detail, timings, url,
                        request_headers, response_headers, response_body, truncated)
  SELECT d.id, d.number, d.event_seq, d.started_at, d.duration_ms, d.status, d.cause, d.detail, d.timings, d.url,
         d.request_headers, d.response_headers,
         CASE WHEN d.body_length >= 0 THEN substring($19::bytea FROM d.body_at::int + 1 FOR d.body_length::int) END,
         d.truncated
    FROM decided d
),
outcome AS MATERIALIZED (
  SELECT d.tag, d.id, d.fate,
         CASE
           WHEN d.fate IN ('retry', 'extra retry') THEN CASE WHEN d.asked > d.extra THEN d.finished_at ELSE d.retry_at END
           WHEN d.fate IN ('extra again', 'failed, asked') THEN d.finished_at
           WHEN d.fate IN ('delivered', 'failed') AND d.order_key IS NOT NULL AND EXISTS (
             SELECT 1 FROM pending p WHERE p.tag = d.tag AND p.order_key = d.order_key AND p.order_key IS NOT NULL
                AND p.id <> d.id) THEN d.finished_at
         END AS due_at,
         d.fate IN ('retry', 'extra retry') AND d.asked <= d.extra AS waits,
         CASE WHEN d.fate IN ('retry', 'extra retry') THEN d.lane_retry ELSE d.lane_now END AS low
    FROM decided d
),
marked AS (${markLanes(`SELECT CASE WHEN bool_and(waits) THEN min(due_at) ELSE ${atOnce} END, tag, min(low) FROM outcome
                         WHERE due_at IS NOT NULL GROUP BY tag`)})
SELECT o.id, o.due_at, o.fate FROM outcome o`;

/** What an attempt takes up in a batch: two results of one delivery go one after the other. */
export const keyOfRecord = (record: AttemptRecord): string[] => [record.key];

/** Writes a batch of attempts of `node`. */
export async function finishBatch(
  run: Run,
  records: AttemptRecord[],
  node: string,
  hints: Hints,
): Promise<FinishOutcome[]> {
  const column = <Value>(read: (record: AttemptRecord) => Value) => records.map(read);
  let at = 0;
  const starts = records.map(({ responseBody }) => {
    at += responseBody?.length ?? 0;
    return at - (responseBody?.length ?? 0);
  });
  const { rows } = await withArrays((arrays) =>
    run({
      name: 'finish',
      text,
      values: [
        arrays.texts(column(({ tag }) => tag)),
        arrays.texts(column(({ key }) => key)),
        arrays.int8s(column(({ number }) => number)),
        arrays.int8s(column(({ extra }) => (extra ? 1 : 0))),
        arrays.texts(column(({ next }) => next.kind)),
        arrays.int8s(column(({ next }) => (next.kind === 'retry' ? next.at : null))),
        arrays.int8s(column(({ startedAt }) => startedAt)),
        arrays.float8s(column(({ durationMs }) => durationMs)),
        arrays.int8s(column(({ status }) => status)),
        arrays.texts(column(({ cause }) => cause)),
        arrays.texts(column(({ detail }) => (detail === null ? null : storable(detail)))),
        arrays.texts(column(({ timings }) => timings)),
        arrays.texts(column(({ url }) => url)),
        arrays.texts(column(({ requestHeaders }) => requestHeaders)),
        arrays.texts(
          column(({ responseHeaders }) => (responseHeaders === null ? null : storable(responseHeaders))),
        ),
        arrays.int8s(starts),
        arrays.int8s(column(({ responseBody }) => responseBody?.length ?? -1)),
        arrays.int8s(column(({ truncated }) => (truncated ? 1 : 0))),
        Buffer.concat(
          records.flatMap(({ responseBody }) => (responseBody === null ? [] : [responseBody])),
          at,
        ),
        node,
      ],
    }),
  );
  const written = new Map((rows as unknown as WrittenRow[]).map((row) => [row.id, row]));
  return records.map((record): FinishOutcome => {
    const row = written.get(record.key);
    if (row === undefined) return { kind: 'lost' };
    hints.letGo(record.key);
    if (row.due_at !== null) hints.floors.lower(row.due_at);
    count(record, row.fate, hints.tally);
    return { kind: 'written', dueAt: row.due_at };
  });
}

/** When an attempt ended, epoch ms. */
export const finishedAtOf = ({ startedAt, durationMs }: AttemptRecord): number =>
  startedAt + Math.round(durationMs);

interface WrittenRow {
  id: string;
  due_at: number | null;
  /** What became of the delivery; see `decided`. */
  fate:
    | 'delivered'
    | 'failed'
    | 'canceled'
    | 'failed, asked'
    | 'retry'
    | 'extra again'
    | 'extra retry'
    | 'extra over';
}

/** Counts an attempt that was written. */
function count(record: AttemptRecord, fate: WrittenRow['fate'], tally: Tally): void {
  switch (fate) {
    case 'delivered':
    case 'failed':
    case 'canceled':
      tally.attempt(record, fate);
      tally.pending(record.tag, -1);
      return;
    case 'failed, asked':
      tally.attempt(record, 'failed');
      return;
    case 'retry':
    case 'extra retry':
      tally.attempt(record, null);
      return;
    case 'extra again':
    case 'extra over':
      tally.attempt(record, record.next.kind === 'delivered' ? 'delivered' : null);
      if (fate === 'extra over') tally.pending(record.tag, -1);
  }
}

/** PostgreSQL's texts have no zero byte, which a receiver may well send. */
export const storable = (value: string): string =>
  value.includes('\0') ? value.replaceAll('\0', '\uFFFD') : value;

const releaseText = `
WITH given AS (
  SELECT p.tag, p.id, ${laneTime('$3::int8', '$3::int8')} AS lane_at, e.removed_at IS NOT NULL AS removed
    FROM unnest($1::text[], $2::text[]) AS i (tag, id)
    JOIN pending p ON ${byKey('p', 'i.tag', 'i.id')}
    JOIN endpoints e ON e.tag = i.tag
   WHERE ${heldBy('p.holder', '$4::text')} AND p.available_at = ${heldAt}
   ORDER BY i.tag, i.id FOR UPDATE OF p
),
freed AS (
  UPDATE pending p
     SET holder = NULL, available_at = g.lane_at + ${rangeOf('p')}
    FROM given g WHERE ${byKey('p', 'g.tag', 'g.id')}
),
gone AS (
  INSERT INTO removed_lanes (tag) SELECT DISTINCT tag FROM given WHERE removed ORDER BY tag ON CONFLICT DO NOTHING
),
marked AS (${markLanes(`SELECT ${atOnce}, tag, min(lane_at) FROM given GROUP BY tag`)})
SELECT tag, id FROM given`;

/** Gives back what `node` holds of `leases`, due at `at` (epoch ms). */
export async function release(
  run: Run,
  leases: Lease[],
  at: number,
  node: string,
  hints: Hints,
): Promise<void> {
  const { rows } = await run({
    name: 'release',
    text: releaseText,
    values: [leases.map(({ tag }) => tag), leases.map(({ key }) => key), at, node],
  });
  for (const { tag, id } of rows as { tag: string; id: string }[]) {
    hints.letGo(id);
    hints.setBehind(tag, true);
  }
}

const cancelText = `
WITH lane AS (
  SELECT r.tag, e.removed_at FROM removed_lanes r JOIN endpoints e ON e.tag = r.tag
   WHERE e.removed_at IS NOT NULL ORDER BY r.tag LIMIT 100 FOR UPDATE OF r SKIP LOCKED
),
chosen AS MATERIALIZED (
  SELECT l.tag, p.id, l.removed_at
    FROM lane l CROSS JOIN LATERAL (
      SELECT p.id FROM pending p WHERE p.tag = l.tag AND p.available_at < ${heldAt}
       ORDER BY p.id LIMIT $1::int8 FOR UPDATE SKIP LOCKED
    ) p
   LIMIT $1::int8
),
gone AS (
  DELETE FROM pending p USING chosen c WHERE ${byKey('p', 'c.tag', 'c.id')}
  RETURNING p.tag, p.id, p.event_seq, p.type, p.attempts, p.last_status, p.last_cause, p.created_at, p.extra, c.removed_at
),
written AS (
  INSERT INTO deliveries (tag, id, event_seq, type, state, attempts, last_status, last_cause, created_at, finished_at,
                          canceled_in)
  SELECT tag, id, event_seq, type, 'canceled', attempts, last_status, last_cause, created_at, removed_at,
         pg_current_xact_id()
    FROM gone WHERE extra = 0
),
empty AS (
  SELECT l.tag FROM lane l
   WHERE NOT EXISTS (SELECT 1 FROM pending p WHERE p.tag = l.tag AND NOT EXISTS (SELECT 1 FROM chosen c WHERE c.tag = p.tag AND c.id = p.id)
                     OFFSET 0)
),
over AS (DELETE FROM removed_lanes r USING empty e WHERE r.tag = e.tag),
unmarked AS (DELETE FROM markers m USING empty e WHERE m.tag = e.tag),
unowned AS (DELETE FROM lanes l USING empty e WHERE l.tag = e.tag)
SELECT tag, count(*) AS count, count(*) FILTER (WHERE extra = 0) AS canceled, min(removed_at) AS at FROM gone GROUP BY tag`;

/** Writes up to `limit` pending deliveries of removed endpoints as canceled; answers how many there were. */
export async function cancelRemoved(run: Run, limit: number, tally: Tally): Promise<number> {
  const { rows } = await run({ name: 'cancel', text: cancelText, values: [limit] });
  let all = 0;
  for (const row of rows as { tag: string; count: number; canceled: number; at: number }[]) {
    all += row.count;
    for (let left = row.canceled; left > 0; left--) tally.ended(row.tag, row.at, 'canceled');
  }
  return all;
}
