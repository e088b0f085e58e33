// Pieces of SQL about `available_at`, which says when a row of `pending` may be claimed: real times (a lane's own, real
// time less what its endpoint was disabled for), and two ranges beyond all of them, as in SQLite (sqlite/available-at.ts).
export { heldAt, orderedOffset } from '../sqlite/available-at.ts';

/** The lane time of the real time `at`, `now` being the real time of this moment; `e` is the endpoint. */
export const laneTime = (at: string, now: string): string =>
  `(${at} - e.shift_ms - CASE WHEN e.enabled = 1 OR e.disabled_at IS NULL THEN 0 ELSE greatest(0, ${now} - e.disabled_at) END)`;

/** Adds a marker for `SELECT tag, due_at`, or brings one forward; whoever saw the lane empty hears of it. */
export const markLanes = (select: string): string => `
  INSERT INTO lanes AS l (tag, due_at) ${select} ORDER BY 1
  ON CONFLICT (tag) DO UPDATE SET due_at = least(l.due_at, excluded.due_at), touched = l.touched + 1`;
