// A change of the control plane on PostgreSQL: its steps, its audit record and its events in one transaction.
import type { Birth, Change, ChangeOutcome } from '../store.ts';
import { acceptInside } from './accept.ts';
import { atOnce, beginning, heldAt, markLanes } from './available-at.ts';
import { type Connections, type Run, stateOf } from './connection.ts';
import type { Hints } from './hints.ts';

class Refused extends Error {
  readonly step: number;
  constructor(step: number, reason: string) {
    super(reason);
    this.step = step;
  }
}

/** SQLSTATE class 23: a constraint was violated. */
const constraintClass = '23';

async function runSteps(run: Run, { steps }: Change): Promise<Record<string, unknown>[][]> {
  const all: Record<string, unknown>[][] = [];
  for (const [index, { query, rows: wanted, otherwise }] of steps.entries()) {
    let affected: number;
    try {
      const { rows, count } = await run({ name: null, text: query.sql, values: [...query.parameters] });
      all.push(rows);
      affected = count;
    } catch (error) {
      const violated = stateOf(error)?.startsWith(constraintClass) === true;
      if (violated && otherwise !== undefined) throw new Refused(index, otherwise);
      throw error;
    }
    if (wanted !== undefined && affected !== wanted)
      throw new Refused(index, otherwise ?? 'changed meanwhile');
  }
  return all;
}

const touchText = `
WITH touched AS (
  SELECT e.tag, e.enabled, e.removed_at, e.ordering = 'none' AND e.max_concurrency IS NULL AND e.rate_per_second IS NULL AS plain
    FROM endpoints e WHERE e.tag = ANY ($1::text[])
),
disowned AS (DELETE FROM lanes l USING touched t WHERE l.tag = t.tag AND t.plain),
gone AS (
  INSERT INTO removed_lanes (tag) SELECT tag FROM touched WHERE removed_at IS NOT NULL ORDER BY tag ON CONFLICT DO NOTHING
)
${markLanes(`SELECT ${atOnce}, t.tag, ${beginning} FROM touched t WHERE t.removed_at IS NULL AND t.enabled = 1
  AND EXISTS (SELECT 1 FROM pending p WHERE p.tag = t.tag AND p.available_at < ${heldAt})`)}`;

/** All steps and events of a change, or none of them. */
export async function applyChange(
  connections: Connections,
  change: Change,
  node: string | null,
  hints: Hints,
): Promise<ChangeOutcome> {
  try {
    const done = await connections.transaction(async (run) => {
      const rows = await runSteps(run, change);
      const accepted = await acceptInside(run, change.events, node, hints);
      if (change.touched.length > 0) {
        await run({ name: null, text: touchText, values: [change.touched] });
      }
      return { rows, ...accepted };
    });
    done.commit();
    const births: Birth[][] = done.births;
    return { kind: 'done', rows: done.rows, births };
  } catch (error) {
    if (error instanceof Refused) return { kind: 'refused', step: error.step, reason: error.message };
    throw error;
  }
}
