// Nodes and their leases, by the database's clock. A node that sends renews its lease every few seconds; what a node held
// whose lease has ended is due again at once, for anybody. A node that comes back after that takes a new name: what it
// held under the old one is no longer its own.
import { uidLength } from '../../id.ts';
import { StoreUnavailable } from '../errors.ts';
import { atOnce, bornSuffix, heldAt, holderLives, laneTime, markLanes, rangeOf } from './available-at.ts';
import { byKey } from './by-key.ts';
import type { Run } from './connection.ts';

/** How long a lease is good for, and how often it is renewed, ms. Work of a dead node is taken over within their sum. */
export const leaseMs = 10_000;
export const renewMs = 3_000;

/** Other nodes hear of new work on this channel. */
export const workChannel = 'posthorn_work';
/** And of a change of what they keep in memory on this one, with its name. */
export const newsChannel = 'posthorn_news';

const interval = `interval '${leaseMs} milliseconds'`;

/** Enters a node that sends. */
export async function enterNode(run: Run, id: string): Promise<void> {
  await run({
    name: null,
    text: `INSERT INTO nodes (id, lease_until) VALUES ($1, now() + ${interval})`,
    values: [id],
  });
}

/** Renews a lease; answers whether there still was one. */
export async function renewLease(run: Run, id: string): Promise<boolean> {
  const { count } = await run({
    name: 'renew',
    text: `UPDATE nodes SET lease_until = now() + ${interval} WHERE id = $1 AND lease_until > now()`,
    values: [id],
  });
  return count === 1;
}

/** A node that stops: what it could not give back is due at once. */
export async function leaveNode(run: Run, id: string): Promise<void> {
  await run({ name: null, text: 'UPDATE nodes SET lease_until = now() WHERE id = $1', values: [id] });
}

const censusText = `
WITH dead AS (DELETE FROM nodes WHERE lease_until <= now() RETURNING id)
SELECT (SELECT count(*) FROM dead) AS dead, (SELECT count(*) FROM nodes WHERE lease_until > now()) AS living`;

/** Frees held rows for which `condition` holds, due at $1 (epoch ms). */
const freeText = (condition: string): string => `
WITH orphans AS (
  SELECT p.tag, p.id, ${laneTime('$1::int8', '$1::int8')} AS lane_at, e.removed_at IS NOT NULL AS removed
    FROM pending p JOIN endpoints e ON e.tag = p.tag
   WHERE p.available_at = ${heldAt} AND ${condition}
   ORDER BY p.tag, p.id FOR UPDATE OF p SKIP LOCKED
),
freed AS (
  UPDATE pending p
     SET holder = NULL, available_at = o.lane_at + ${rangeOf('p')}
    FROM orphans o WHERE ${byKey('p', 'o.tag', 'o.id')}
),
gone AS (
  INSERT INTO removed_lanes (tag) SELECT DISTINCT tag FROM orphans WHERE removed ORDER BY tag ON CONFLICT DO NOTHING
),
marked AS (${markLanes(`SELECT ${atOnce}, tag, min(lane_at) FROM orphans GROUP BY tag`)})
SELECT count(*) AS count FROM orphans`;

/**
 * The dead are read once, as names: a row that another node has taken over and claimed since this statement began is judged
 * again by its new holder, and PostgreSQL judges only the row again, never the `nodes` that a NOT EXISTS was joined with.
 */
const rescueText = freeText(
  `p.holder = ANY (ARRAY(SELECT DISTINCT h.holder FROM pending h WHERE h.available_at = ${heldAt} AND NOT ${holderLives('h.holder')}))`,
);
const freeBornText = freeText(
  `p.holder = $2 || '${bornSuffix}' AND left(p.id, ${uidLength}) = ANY ($3::text[])`,
);
const freeReplayedText = freeText(`p.holder = $2 || '${bornSuffix}' AND p.id = ANY ($3::text[])`);
const freeClaimedText = freeText('p.holder = $2 AND NOT p.id = ANY ($3::text[])');

const countOf = ({ rows }: { rows: Record<string, unknown>[] }): number =>
  (rows[0] as { count: number } | undefined)?.count ?? 0;

/** Frees what was born of events (by uid) whose publish was never answered, so that nobody knows that it is held. */
export async function freeBorn(run: Run, now: number, node: string, uids: string[]): Promise<number> {
  return countOf(await run({ name: 'free born', text: freeBornText, values: [now, node, uids] }));
}

/** Frees deliveries (by key) that a replay may have made whose answer was lost. */
export async function freeReplayed(run: Run, now: number, node: string, keys: string[]): Promise<number> {
  return countOf(await run({ name: 'free replayed', text: freeReplayedText, values: [now, node, keys] }));
}

/** Frees what a claim took whose answer was lost: everything claimed but `known` (keys). No claim may be under way. */
export async function freeClaimed(run: Run, now: number, node: string, known: string[]): Promise<number> {
  return countOf(await run({ name: 'free claimed', text: freeClaimedText, values: [now, node, known] }));
}

/**
 * Takes over what nodes without a lease held: due at `now` (epoch ms). Looks through all pending work, and therefore only
 * when a lease has ended, or `always`.
 * @returns how many deliveries there were, and how many nodes that send are alive
 */
export async function rescue(
  run: Run,
  now: number,
  always: boolean,
): Promise<{ deliveries: number; living: number }> {
  const { rows } = await run({ name: 'census', text: censusText, values: [] });
  const { dead, living } = rows[0] as { dead: number; living: number };
  if (dead === 0 && !always) return { deliveries: 0, living };
  return { deliveries: countOf(await run({ name: 'rescue', text: rescueText, values: [now] })), living };
}

/** A notification that is lost is made up for by those who look by themselves. */
export function ignoreLostHint(error: unknown): void {
  if (!(error instanceof StoreUnavailable)) throw error;
}
