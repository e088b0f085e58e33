// How a statement finds rows of `pending` by their keys.

/**
 * The condition that `row` of `pending` is the one whose tag and id are given, by one look into its key's index for each that
 * is given. Written with plain equalities it may be planned otherwise: `pending` is nearly empty most of the time, a session plans
 * a statement once, and a plan that was made then reads the whole index, which is cheap until a backlog comes: with 30,000 that
 * waited 256 attempts took 0.9 s and not 10 ms, and deliveries came up to 56 s late until the next vacuum had sessions plan
 * anew. An equality with an array is no condition for a merge or a hash, so that no such plan is thought of.
 */
export const byKey = (row: string, tag: string, id: string): string =>
  `${row}.tag = ANY (ARRAY[${tag}]) AND ${row}.id = ANY (ARRAY[${id}])`;
