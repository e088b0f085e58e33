// The ranges of `available_at`, which says when a row of `pending` may be claimed: real times (a lane's own), and three
// that lie beyond all of them.

/** Of a delivery that this process holds. After a crash, none is held. */
export const heldAt = 9_000_000_000_000_000;
/** The condition of the index `pending_by_lane`, word for word: only queries that repeat it can use the index. */
export const unheld = 'available_at < 9000000000000000';
/**
 * Added to the time of rows that a replay made: whatever becomes due of them stands behind all that is live, and is claimed
 * only when it is asked for.
 */
export const replayedOffset = 2_000_000_000_000_000;
/** Added to the time of rows in an ordered lane, so that they are found by their order and not their time. */
export const orderedOffset = 4_000_000_000_000_000;
/** What is added to the time of the row `p`. */
export const rangeOf = (p: string): string =>
  `(CASE WHEN ${p}.order_key IS NOT NULL THEN ${orderedOffset} WHEN ${p}.replayed_at IS NOT NULL THEN ${replayedOffset} ELSE 0 END)`;
