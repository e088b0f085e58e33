// The finish of most deliveries on PostgreSQL: attempts of the schedule that were answered with a 2xx. Nothing about them
// depends on what their rows say, so that the rows are deleted without being locked and read before. All else that an
// attempt can lead to is finish.ts's.
import type { AttemptRecord, FinishOutcome } from '../store.ts';
import { withArrays } from './arrays.ts';
import { atOnce, heldAt, heldBy, markLanes } from './available-at.ts';
import { byKey } from './by-key.ts';
import type { Run } from './connection.ts';
import { finishedAtOf, storable } from './finish.ts';
import type { Hints } from './hints.ts';

/** Whether a record is of that kind, and no other delivery waits for it. */
export const isPlain = ({ next, extra, ordered }: AttemptRecord): boolean =>
  next.kind === 'delivered' && !extra && !ordered;

// The input is in the order of the keys, in which every statement locks rows.
const text = `
WITH gone AS (
  DELETE FROM pending p
   USING unnest($1::text[], $2::text[], $3::int8[], $4::int8[], $5::int8[], $6::float8[], $7::int8[], $8::text[],
                $9::text[], $10::text[], $11::text[], $12::int8[], $13::int8[], $14::int8[])
      AS i (tag, id, number, started_at, finished_at, duration_ms, status, timings, url, request_headers,
            response_headers, body_at, body_length, truncated)
   WHERE ${byKey('p', 'i.tag', 'i.id')}
     AND ${heldBy('p.holder', '$16::text')} AND p.available_at = ${heldAt} AND p.extra = 0
  RETURNING p.tag, p.id, p.event_seq, p.type, p.order_key, p.created_at, i.number, i.started_at, i.finished_at,
            i.duration_ms, i.status, i.timings, i.url, i.request_headers, i.response_headers, i.body_at, i.body_length,
            i.truncated
),
ended AS (
  INSERT INTO deliveries (tag, id, event_seq, type, state, attempts, last_status, last_cause, created_at, finished_at)
  SELECT g.tag, g.id, g.event_seq, g.type, 'delivered', g.number, g.status, NULL, g.created_at, g.finished_at FROM gone g
),
logged AS (
  INSERT INTO attempts (delivery_id, number, event_seq, started_at, duration_ms, status, timings, url, request_headers,
                        response_headers, response_body, truncated)
  SELECT g.id, g.number, g.event_seq, g.started_at, g.duration_ms, g.status, g.timings, g.url, g.request_headers,
         g.response_headers,
         CASE WHEN g.body_length >= 0 THEN substring($15::bytea FROM g.body_at::int + 1 FOR g.body_length::int) END,
         g.truncated
    FROM gone g
),
due AS MATERIALIZED (
  SELECT g.tag, g.id, g.finished_at FROM gone g
   WHERE g.order_key IS NOT NULL AND EXISTS (
     SELECT 1 FROM pending p WHERE p.tag = g.tag AND p.order_key = g.order_key AND p.order_key IS NOT NULL AND p.id <> g.id
     OFFSET 0)
),
marked AS (${markLanes(`SELECT DISTINCT ${atOnce}, tag, ${heldAt} FROM due`)})
SELECT (SELECT count(*) FROM gone) AS written,
       CASE WHEN (SELECT count(*) FROM gone) < cardinality($2::text[]) THEN (SELECT array_agg(id) FROM gone) END AS ids,
       (SELECT array_agg(id) FROM due) AS due`;

interface Answer {
  written: number;
  /** Of what was written, where it was not all. */
  ids: string[] | null;
  /** Those whose lane has work by the delivery's end: the next in order. */
  due: string[] | null;
}

/** Writes a batch of plain attempts of `node`. */
export async function deliverBatch(
  run: Run,
  records: AttemptRecord[],
  node: string,
  hints: Hints,
): Promise<FinishOutcome[]> {
  const sorted = records.toSorted((a, b) =>
    a.tag === b.tag ? (a.key < b.key ? -1 : 1) : a.tag < b.tag ? -1 : 1,
  );
  const column = <Value>(read: (record: AttemptRecord) => Value) => sorted.map(read);
  const bodies: Uint8Array[] = [];
  let bytes = 0;
  const starts = sorted.map(({ responseBody }) => {
    const start = bytes;
    if (responseBody !== null) {
      bodies.push(responseBody);
      bytes += responseBody.length;
    }
    return start;
  });
  const { rows } = await withArrays((arrays) =>
    run({
      name: 'deliver',
      text,
      values: [
        arrays.texts(column(({ tag }) => tag)),
        arrays.texts(column(({ key }) => key)),
        arrays.int8s(column(({ number }) => number)),
        arrays.int8s(column(({ startedAt }) => startedAt)),
        arrays.int8s(column(finishedAtOf)),
        arrays.float8s(column(({ durationMs }) => durationMs)),
        arrays.int8s(column(({ status }) => status)),
        arrays.texts(column(({ timings }) => timings)),
        arrays.texts(column(({ url }) => url)),
        arrays.texts(column(({ requestHeaders }) => requestHeaders)),
        arrays.texts(
          column(({ responseHeaders }) => (responseHeaders === null ? null : storable(responseHeaders))),
        ),
        arrays.int8s(starts),
        arrays.int8s(column(({ responseBody }) => responseBody?.length ?? -1)),
        arrays.int8s(column(({ truncated }) => (truncated ? 1 : 0))),
        arrays.join(bodies, bytes),
        node,
      ],
    }),
  );
  const answer = rows[0] as unknown as Answer;
  const written = answer.ids === null ? null : new Set(answer.ids);
  const due = answer.due === null ? null : new Set(answer.due);
  return records.map((record): FinishOutcome => {
    if (answer.written === 0 || written?.has(record.key) === false) return { kind: 'lost' };
    hints.letGo(record.key);
    hints.tally.attempt(record, 'delivered');
    hints.tally.pending(record.tag, -1);
    return { kind: 'written', dueAt: due?.has(record.key) === true ? finishedAtOf(record) : null };
  });
}
