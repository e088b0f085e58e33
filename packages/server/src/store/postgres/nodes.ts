// Nodes and their leases, by the database's clock. A node that sends renews its lease every few seconds; what a node held
// whose lease has ended is due again at once, for anybody. A node that comes back after that takes a new name: what it
// held under the old one is no longer its own.
import { heldAt, laneTime, markLanes, orderedOffset } from './available-at.ts';
import type { Run } from './connection.ts';

/** How long a lease is good for, and how often it is renewed, ms. Work of a dead node is taken over within their sum. */
export const leaseMs = 10_000;
export const renewMs = 3_000;

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

const expiredText = 'DELETE FROM nodes WHERE lease_until <= now() RETURNING id';

const rescueText = `
WITH orphans AS (
  SELECT p.tag, p.id, ${laneTime('$1::int8', '$1::int8')} AS lane_at, e.removed_at IS NOT NULL AS removed
    FROM pending p JOIN endpoints e ON e.tag = p.tag
   WHERE p.available_at = ${heldAt} AND NOT EXISTS (SELECT 1 FROM nodes n WHERE n.id = p.holder AND n.lease_until > now())
   ORDER BY p.tag, p.id FOR UPDATE OF p SKIP LOCKED
),
freed AS (
  UPDATE pending p
     SET holder = NULL, available_at = CASE WHEN p.order_key IS NULL THEN o.lane_at ELSE o.lane_at + ${orderedOffset} END
    FROM orphans o WHERE p.tag = o.tag AND p.id = o.id
),
gone AS (
  INSERT INTO removed_lanes (tag) SELECT DISTINCT tag FROM orphans WHERE removed ORDER BY tag ON CONFLICT DO NOTHING
),
marked AS (${markLanes('SELECT DISTINCT tag, $1::int8 FROM orphans')})
SELECT count(*) AS count FROM orphans`;

/**
 * Takes over what nodes without a lease held: due at `now` (epoch ms). Looks through all pending work, and therefore only
 * when a lease has ended, or `always`.
 * @returns how many deliveries there were
 */
export async function rescue(run: Run, now: number, always: boolean): Promise<number> {
  const { count } = await run({ name: 'expired', text: expiredText, values: [] });
  if (count === 0 && !always) return 0;
  const { rows } = await run({ name: 'rescue', text: rescueText, values: [now] });
  return (rows[0] as { count: number } | undefined)?.count ?? 0;
}
