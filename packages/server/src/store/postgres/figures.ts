// Figures on PostgreSQL: each thread of a node adds what it has counted, at most once a second in one statement, and the
// backlog is read from such counters too, but for small ones, which are counted.
import type { Clock, Timer } from '../../clock.ts';
import { latencyBuckets } from '../../core/latency.ts';
import { StoreUnavailable } from '../errors.ts';
import { addCounts, endpointCounts, healthColumns, mergeHealth, teamCounts } from '../figure-columns.ts';
import type { Backlog } from '../store.ts';
import {
  hourMs,
  keptMs,
  minuteMs,
  slotMs,
  startOf,
  type Tally,
  type TallyBatch,
  writeEveryMs,
} from '../tally.ts';
import type { Run } from './connection.ts';

const parameters = (from: number, types: readonly string[]): string =>
  types.map((type, index) => `$${from + index}::${type}[]`).join(', ');
const all = (columns: readonly string[], put: (column: string) => string): string =>
  columns.map(put).join(', ');

const healthTypes = healthColumns.map((name) =>
  /^tag$|cause|detail|url|state/.test(name) ? 'text' : 'int8',
);
const cellTypes = ['text', 'int8', ...endpointCounts.map(() => 'int4')];
const cellsAt = 1;
const teamsAt = cellsAt + cellTypes.length;
const healthAt = teamsAt + 3;

const writeText = `
WITH widths (width) AS (VALUES (${minuteMs}::int8), (${hourMs}::int8)),
cells AS (
  SELECT c.*, e.team_id FROM unnest(${parameters(cellsAt, cellTypes)}) AS c (tag, at, ${endpointCounts.join(', ')})
    JOIN endpoints e ON e.tag = c.tag
),
endpoint_sums AS (
  INSERT INTO endpoint_figures (tag, width, at, ${endpointCounts.join(', ')})
  SELECT c.tag, w.width, c.at - c.at % w.width, ${all(endpointCounts, (name) => `sum(c.${name})::int4`)}
    FROM cells c CROSS JOIN widths w GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
  ON CONFLICT (tag, width, at) DO UPDATE SET ${addCounts('endpoint_figures', endpointCounts)}
),
teams AS (
  SELECT team_id, at, 0 AS accepted, delivered, failed, attempts, attempts_failed FROM cells
  UNION ALL
  SELECT a.team_id, a.at, a.events, 0, 0, 0, 0 FROM unnest(${parameters(teamsAt, ['text', 'int8', 'int4'])}) AS a (team_id, at, events)
),
team_sums AS (
  INSERT INTO team_figures (team_id, width, at, ${teamCounts.join(', ')})
  SELECT t.team_id, w.width, t.at - t.at % w.width, ${all(teamCounts, (name) => `sum(t.${name})::int4`)}
    FROM teams t CROSS JOIN widths w GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
  ON CONFLICT (team_id, width, at) DO UPDATE SET ${addCounts('team_figures', teamCounts)}
)
INSERT INTO endpoint_health (${healthColumns.join(', ')}, pending)
SELECT ${all(healthColumns, (name) => `h.${name}`)}, h.slot_came - h.slot_left
  FROM unnest(${parameters(healthAt, healthTypes)}) AS h (${healthColumns.join(', ')})
  JOIN endpoints e ON e.tag = h.tag AND e.removed_at IS NULL
 ORDER BY h.tag
ON CONFLICT (tag) DO UPDATE SET pending = endpoint_health.pending + excluded.pending, ${mergeHealth}`;

/** The columns of some rows, each as an array. */
const columnsOf = (rows: readonly (readonly unknown[])[], width: number): unknown[][] =>
  Array.from({ length: width }, (_, column) => rows.map((row) => row[column]));

/** Adds a batch to what is stored. */
async function writeBatch(run: Run, batch: TallyBatch, now: number): Promise<void> {
  const cells: unknown[][] = [];
  const health: unknown[][] = [];
  for (const [tag, endpoint] of batch.endpoints) {
    for (const cell of endpoint.cells) {
      const { at, delivered, failed, canceled, attempts, attemptsFailed, latency } = cell;
      cells.push([tag, at, delivered, failed, canceled, attempts, attemptsFailed, ...latency]);
    }
    const { failingSince, lastSuccessAt, lastFailure, lastEnd, restsUntil, came, left } = endpoint;
    health.push([
      tag,
      failingSince,
      lastSuccessAt,
      lastFailure?.at ?? null,
      lastFailure?.status ?? null,
      lastFailure?.cause ?? null,
      lastFailure?.detail?.replaceAll('\0', '\uFFFD') ?? null,
      lastFailure?.url ?? null,
      lastEnd?.at ?? null,
      lastEnd?.state ?? null,
      restsUntil === undefined ? -1 : (restsUntil ?? 0),
      startOf(now, slotMs),
      came,
      left,
      now,
    ]);
  }
  const teams = [...batch.teams].flatMap(([teamId, minutes]) =>
    [...minutes].map(([at, events]) => [teamId, at, events]),
  );
  await run({
    name: 'write figures',
    text: writeText,
    values: [
      ...columnsOf(cells, 7 + latencyBuckets),
      ...columnsOf(teams, 3),
      ...columnsOf(health, healthColumns.length),
    ],
  });
}

/** The first batch after a quiet time waits this long for company, ms. */
const companyMs = 20;
/** Somebody who asks for figures waits for so many batches of them at the most. */
const mostRounds = 8;

export class FigureWriter {
  readonly #run: Run;
  readonly #tally: Tally;
  readonly #clock: Clock;
  /** What could not be written while the database was away: it goes before anything newer. */
  #batch: TallyBatch | null = null;
  #writing: Promise<boolean> | null = null;
  #timer: Timer | null = null;
  #nextMs = Number.NEGATIVE_INFINITY;

  constructor(run: Run, tally: Tally, clock: Clock) {
    this.#run = run;
    this.#tally = tally;
    this.#clock = clock;
  }

  /** Hears that something was counted. */
  soon(): void {
    if (this.#timer !== null || (this.#tally.isEmpty && this.#batch === null)) return;
    const waitMs = Math.max(companyMs, this.#nextMs - this.#clock.monotonic());
    this.#timer = this.#clock.after(waitMs, () => {
      this.#timer = null;
      void this.#write().then(() => this.soon());
    });
  }

  /** Writes what was counted so far, as far as the database is there. */
  async flush(): Promise<void> {
    for (let round = 0; round < mostRounds && (await this.#write()); round++);
  }

  /** The last words of a node. */
  async close(): Promise<void> {
    this.#timer?.cancel();
    while (await this.#write());
    this.#timer?.cancel();
  }

  /** Writes one batch; answers whether that was done and there is more. */
  async #write(): Promise<boolean> {
    await this.#writing;
    this.#writing = this.#writeOne();
    return this.#writing;
  }

  async #writeOne(): Promise<boolean> {
    this.#batch ??= this.#tally.take();
    if (this.#batch === null) return false;
    this.#nextMs = this.#clock.monotonic() + writeEveryMs;
    try {
      await writeBatch(this.#run, this.#batch, this.#clock.now());
      this.#batch = null;
    } catch (error) {
      if (error instanceof StoreUnavailable) return false;
      // Figures that can't be written are lost, and whoever delivers goes on.
      this.#batch = null;
      process.emitWarning(error instanceof Error ? error : String(error));
    }
    return !this.#tally.isEmpty;
  }
}

/**
 * A backlog of so many is counted when it is asked for; a larger one is read from its counter. With 1,000,000 pending in one
 * lane that takes 0.3 to 0.8 ms (the first of a session 3 to 40); counting them all took 110 to 160 ms, and the scrape of
 * /metrics with them in that lane and 200 in each of 1,000 others takes 20 to 80 ms.
 */
const countedUpTo = 1_000;
/** The same where all lanes are asked for at once. */
const countedUpToInAll = 10;

/** The backlog of the lane `t`, with `h` its row of `endpoint_health`. */
const backlogOf = (upTo: number): string =>
  `CASE WHEN c.count <= ${upTo} THEN c.count ELSE greatest(coalesce(h.pending, 0), c.count) END`;
/** A lane without a counter, new or of a removed endpoint, is counted further, up to `countedUpTo`. */
const boundedCount = (upTo: number): string =>
  `LEFT JOIN endpoint_health h ON h.tag = t.tag
     AND EXISTS (SELECT 1 FROM endpoints e WHERE e.tag = t.tag AND e.removed_at IS NULL)
   CROSS JOIN LATERAL (
     SELECT count(*) AS count FROM (
       SELECT 1 FROM pending p WHERE p.tag = t.tag ORDER BY p.id
        LIMIT CASE WHEN h.tag IS NULL THEN ${countedUpTo + 1} ELSE ${upTo + 1} END) s) c`;

const backlogsText = `
SELECT t.tag, ${backlogOf(countedUpTo)} AS pending, f.id AS "oldestKey"
  FROM unnest($1::text[]) WITH ORDINALITY AS t (tag, ord)
  ${boundedCount(countedUpTo)}
  LEFT JOIN LATERAL (
    SELECT p.id FROM pending p WHERE p.tag = t.tag AND p.extra = 0 AND p.replayed_at IS NULL ORDER BY p.id LIMIT 1) f ON true
 ORDER BY t.ord`;

export async function readBacklogs(run: Run, tags: string[]): Promise<Backlog[]> {
  const { rows } = await run({ name: 'backlogs', text: backlogsText, values: [tags] });
  return rows as unknown as Backlog[];
}

/** The backlog of all lanes in `tags`, a table of them. */
export const backlogInAll = `
  SELECT coalesce(sum(${backlogOf(countedUpToInAll)}), 0)::int8 FROM tags t ${boundedCount(countedUpToInAll)} WHERE t.tag IS NOT NULL`;

/** A lane is counted anew after so long, ms, and for each of its deliveries one more. */
const recountEveryMs = 30_000;
const lanesPerRecount = 64;

const recountText = `
WITH RECURSIVE tags AS (
  (SELECT p.tag FROM pending p ORDER BY p.tag LIMIT 1)
  UNION ALL
  SELECT (SELECT p.tag FROM pending p WHERE p.tag > t.tag ORDER BY p.tag LIMIT 1) FROM tags t WHERE t.tag IS NOT NULL
),
chosen AS MATERIALIZED (
  SELECT t.tag FROM tags t JOIN endpoints e ON e.tag = t.tag AND e.removed_at IS NULL
    LEFT JOIN endpoint_health h ON h.tag = t.tag
   WHERE coalesce(h.counted_at, 0) + ${recountEveryMs} + coalesce(h.pending, 0) <= $1::int8
   ORDER BY coalesce(h.counted_at, 0), t.tag LIMIT ${lanesPerRecount}
)
INSERT INTO endpoint_health (tag, pending, counted_at)
SELECT c.tag, (SELECT count(*) FROM pending p WHERE p.tag = c.tag), $1 FROM chosen c ORDER BY c.tag
ON CONFLICT (tag) DO UPDATE SET pending = excluded.pending, counted_at = excluded.counted_at`;

/**
 * Counts some lanes anew, those first that were not for longest: a counter may lack what a node had counted when it was
 * killed, or what a statement did whose answer was lost.
 */
export async function recount(run: Run, now: number): Promise<void> {
  await run({ name: 'recount', text: recountText, values: [now] });
}

const pruneText = (table: string, of: string): string => `
DELETE FROM ${table} f USING (
  SELECT ${of}, width, at FROM ${table} WHERE width = $1 AND at < $2 ORDER BY at LIMIT $3 FOR UPDATE SKIP LOCKED) o
 WHERE f.${of} = o.${of} AND f.width = o.width AND f.at = o.at`;

const pruning = [pruneText('endpoint_figures', 'tag'), pruneText('team_figures', 'team_id')];

/** Deletes up to `limit` rows of each kind that are too old at `now`; answers how many there were. */
export async function pruneFigures(run: Run, now: number, limit: number): Promise<number> {
  let gone = 0;
  for (const text of pruning) {
    for (const width of [minuteMs, hourMs] as const) {
      gone += (await run({ name: null, text, values: [width, now - keptMs[width], limit] })).count;
    }
  }
  return gone;
}
