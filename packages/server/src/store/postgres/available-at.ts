// Pieces of SQL about `available_at`, which says when a row of `pending` may be claimed: real times (a lane's own, real
// time less what its endpoint was disabled for), and three ranges beyond all of them, as in SQLite (sqlite/available-at.ts).
export { heldAt, orderedOffset, rangeOf, replayedOffset } from '../sqlite/available-at.ts';

/** The lane time of the real time `at`, `now` being the real time of this moment; `e` is the endpoint. */
export const laneTime = (at: string, now: string): string =>
  `(${at} - e.shift_ms - CASE WHEN e.enabled = 1 OR e.disabled_at IS NULL THEN 0 ELSE greatest(0, ${now} - e.disabled_at) END)`;

/** Adds a marker for `SELECT tag, due_at`, or brings one forward; whoever saw the lane empty hears of it. */
export const markLanes = (select: string): string => `
  INSERT INTO lanes AS l (tag, due_at) ${select} ORDER BY 1
  ON CONFLICT (tag) DO UPDATE SET due_at = least(l.due_at, excluded.due_at), touched = l.touched + 1`;

/** After a node's name in `holder` of what it holds from birth; what it has claimed has the name alone. */
export const bornSuffix = ':born';
/** Whether a row is held by the node of the parameter `node`. */
export const heldBy = (holder: string, node: string): string =>
  `${holder} IN (${node}, ${node} || '${bornSuffix}')`;
/** Whether the node that holds a row still has its lease. */
export const holderLives = (holder: string): string =>
  `EXISTS (SELECT 1 FROM nodes n WHERE n.id = split_part(${holder}, ':', 1) AND n.lease_until > now())`;
