// The rarer statements: a redelivery, markers rebuilt, figures, what the sender needs to know of endpoints.
import { uidLength } from '../../id.ts';
import type { EndpointRow, RedeliverOutcome, Step, StoreFigures } from '../store.ts';
import type { Tally } from '../tally.ts';
import { atOnce, beginning, heldAt, markLanes, orderedOffset, replayedOffset } from './available-at.ts';
import type { Run } from './connection.ts';
import { backlogInAll } from './figures.ts';
import { turnText } from './replay.ts';

const waitingText = `
SELECT p.extra, p.available_at FROM pending p WHERE p.tag = $1 AND p.id = $2 FOR UPDATE`;

const endpointText = 'SELECT enabled, removed_at, shift_ms FROM endpoints WHERE tag = $1 FOR SHARE';
const finishedText =
  'SELECT event_seq, type, state, attempts, created_at FROM deliveries WHERE tag = $1 AND id = $2';
const forwardText = `
UPDATE pending SET asked = asked + 1,
       available_at = CASE WHEN available_at >= ${heldAt} THEN available_at WHEN order_key IS NULL THEN $3::int8
                           ELSE $3::int8 + ${orderedOffset} END
 WHERE tag = $1 AND id = $2`;
const extraText = `
INSERT INTO pending (tag, id, event_seq, type, attempts, available_at, extra, asked, bytes, created_at)
SELECT $1, $2, $3, $4, $5, $6, 1, 1, octet_length(v.body), $7 FROM events v WHERE v.seq = $3`;

/** One attempt now: brings a pending delivery forward, or makes one beside a finished delivery. In a transaction. */
export async function redeliver(
  run: Run,
  { key, now, audit, tally }: { key: string; now: number; audit: Step; tally: Tally },
): Promise<RedeliverOutcome> {
  const tag = key.slice(uidLength);
  const one = async <Row>(text: string, values: unknown[]): Promise<Row | undefined> =>
    (await run({ name: null, text, values })).rows[0] as Row | undefined;
  await one(turnText, [tag]);
  const waiting = await one(waitingText, [tag, key]);
  const finished = await one<{
    event_seq: number;
    type: string;
    state: string;
    attempts: number;
    created_at: number;
  }>(finishedText, [tag, key]);
  if (waiting === undefined && finished === undefined) return 'missing';
  const endpoint = await one<{ enabled: number; removed_at: number | null; shift_ms: number }>(endpointText, [
    tag,
  ]);
  if (endpoint === undefined || endpoint.removed_at !== null || finished?.state === 'canceled')
    return 'canceled';
  if (endpoint.enabled !== 1) return 'disabled';
  const laneNow = now - endpoint.shift_ms;
  if (waiting !== undefined) await one(forwardText, [tag, key, laneNow]);
  else if (finished !== undefined) {
    const { event_seq, type, attempts, created_at } = finished;
    await one(extraText, [tag, key, event_seq, type, attempts, laneNow, created_at]);
    tally.pending(tag, 1);
  }
  await one(markLanes(`SELECT ${atOnce}, $1::text, $2::int8`), [tag, laneNow]);
  await one(audit.query.sql, [...audit.query.parameters]);
  return 'queued';
}

const holdText = `
WITH gone AS (DELETE FROM markers WHERE tag = $1)
INSERT INTO markers (due_at, tag, low) VALUES ($2, $1, ${beginning})`;

/** Has nobody look at a lane before `at` (epoch ms), and then at all of it: what is born meanwhile adds no marker. */
export async function holdLane(run: Run, tag: string, at: number): Promise<void> {
  await run({ name: 'hold lane', text: holdText, values: [tag, at] });
}

const sweepText = `
WITH RECURSIVE tags AS (
  (SELECT p.tag FROM pending p ORDER BY p.tag LIMIT 1)
  UNION ALL
  SELECT (SELECT p.tag FROM pending p WHERE p.tag > t.tag ORDER BY p.tag LIMIT 1) FROM tags t WHERE t.tag IS NOT NULL
),
alive AS (
  SELECT e.tag, e.shift_ms FROM tags t JOIN endpoints e ON e.tag = t.tag WHERE e.enabled = 1 AND e.removed_at IS NULL
),
found AS (
  SELECT a.tag,
         least(f.available_at, r.available_at - ${replayedOffset}) AS low,
         CASE WHEN EXISTS (SELECT 1 FROM pending p WHERE p.tag = a.tag AND p.order_key IS NOT NULL)
                OR least(f.available_at, r.available_at - ${replayedOffset}) + a.shift_ms <= $1::int8 THEN ${atOnce}
              ELSE least(f.available_at, r.available_at - ${replayedOffset}) + a.shift_ms END AS due_at
    FROM alive a LEFT JOIN LATERAL (
      SELECT p.available_at FROM pending p
       WHERE p.tag = a.tag AND p.available_at < ${replayedOffset} AND p.available_at < ${heldAt}
       ORDER BY p.available_at LIMIT 1) f ON true
    LEFT JOIN LATERAL (
      SELECT p.available_at FROM pending p
       WHERE p.tag = a.tag AND p.available_at >= ${replayedOffset} AND p.available_at < ${orderedOffset}
         AND p.available_at < ${heldAt}
       ORDER BY p.available_at LIMIT 1) r ON true
)
${markLanes(`SELECT f.due_at, f.tag, coalesce(f.low, ${heldAt}) FROM found f
  WHERE f.due_at IS NOT NULL AND NOT f.tag = ANY ($2::text[])
    AND NOT EXISTS (SELECT 1 FROM markers m WHERE m.tag = f.tag AND m.due_at <= f.due_at AND m.low <= coalesce(f.low, ${heldAt}))`)}`;

/** Marks every lane that has unclaimed work, closed ones excepted. */
export async function sweep(run: Run, now: number, closed: string[]): Promise<void> {
  await run({ name: 'sweep', text: sweepText, values: [now, closed] });
}

const figuresText = `
WITH RECURSIVE tags AS (
  (SELECT p.tag FROM pending p ORDER BY p.tag LIMIT 1)
  UNION ALL
  SELECT (SELECT p.tag FROM pending p WHERE p.tag > t.tag ORDER BY p.tag LIMIT 1) FROM tags t WHERE t.tag IS NOT NULL
)
SELECT (${backlogInAll}) AS pending,
       (SELECT count(*) FROM waiting_lanes) AS "waitingLanes",
       (SELECT min(f.id) FROM tags t CROSS JOIN LATERAL (
          SELECT p.id FROM pending p WHERE p.tag = t.tag AND p.extra = 0 AND p.replayed_at IS NULL ORDER BY p.id LIMIT 1) f) AS "oldestKey"`;

export async function readFigures(
  run: Run,
): Promise<Pick<StoreFigures, 'pending' | 'waitingLanes' | 'oldestKey'>> {
  const { rows } = await run({ name: 'figures', text: figuresText, values: [] });
  return rows[0] as unknown as Pick<StoreFigures, 'pending' | 'waitingLanes' | 'oldestKey'>;
}

const endpointsText = `
SELECT tag, id, kind, team_id AS "teamId", version, url, secret_sealed AS "secretSealed",
       old_secret_sealed AS "oldSecretSealed", old_secret_until AS "oldSecretUntil", enabled,
       removed_at AS "removedAt", max_concurrency AS "maxConcurrency", rate_per_second AS "ratePerSecond", ordering
  FROM endpoints WHERE tag = ANY ($1::text[])`;

type StoredEndpoint = Omit<EndpointRow, 'enabled' | 'removed'> & {
  enabled: number;
  removedAt: number | null;
};

export async function readEndpoints(run: Run, tags: string[]): Promise<EndpointRow[]> {
  const { rows } = await run({ name: 'endpoints', text: endpointsText, values: [tags] });
  return (rows as unknown as StoredEndpoint[]).map(({ enabled, removedAt, ...rest }) => ({
    ...rest,
    enabled: enabled === 1,
    removed: removedAt !== null,
  }));
}
