// Pieces of SQL about `available_at`, which says when a row of `pending` may be claimed: real times (a lane's own, real
// time less what its endpoint was disabled for), and three ranges beyond all of them, as in SQLite (sqlite/available-at.ts).
import { heldAt, orderedOffset, rangeOf, replayedOffset } from '../sqlite/available-at.ts';

export { heldAt, orderedOffset, rangeOf, replayedOffset };

/** The lane time of the real time `at`, `now` being the real time of this moment; `e` is the endpoint. */
export const laneTime = (at: string, now: string): string =>
  `(${at} - e.shift_ms - CASE WHEN e.enabled = 1 OR e.disabled_at IS NULL THEN 0 ELSE greatest(0, ${now} - e.disabled_at) END)`;

/** Before all times: from here on a look at a lane sees all of it. */
export const beginning = -heldAt;
/** The `due_at` of a marker for which nobody has to wait. */
export const atOnce = 0;

/**
 * Adds markers for `SELECT due_at, tag, low`: when to look at a lane (real time, or `atOnce`), and from where on (lane
 * time). Whatever becomes unclaimed in a lane has a marker of the same commit, whose `low` does not lie behind it.
 */
export const markLanes = (select: string): string =>
  `INSERT INTO markers (due_at, tag, low) ${select} ORDER BY 2`;

/** After a node's name in `holder` of what it holds from birth; what it has claimed has the name alone. */
export const bornSuffix = ':born';
/** Whether a row is held by the node of the parameter `node`. */
export const heldBy = (holder: string, node: string): string =>
  `${holder} IN (${node}, ${node} || '${bornSuffix}')`;
/** Whether the node that holds a row still has its lease. */
export const holderLives = (holder: string): string =>
  `EXISTS (SELECT 1 FROM nodes n WHERE n.id = split_part(${holder}, ':', 1) AND n.lease_until > now())`;
