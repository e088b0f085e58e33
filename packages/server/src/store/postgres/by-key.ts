// How a statement finds rows of `pending` by their keys.

/**
 * The condition that `row` of `pending` is the one whose tag and id are given, by one look into its key's index for each that
 * is given. Written with plain equalities it may be planned otherwise: `pending` is nearly empty most of the time, a session plans
 * a statement once, and a plan that was made then reads the whole index, which is cheap until a backlog comes: with 30,000 that
 * waited 256 attempts took 0.9 s and not 10 ms, and deliveries came up to 56 s late until the next vacuum had sessions plan
 * anew. An equality with an array is no condition for a merge or a hash, so that no such plan is thought of. A nested loop that
 * reads the whole index for each is, where the statement wants nothing of the row but its key, or wants it in the key's order
 * or joined by its tag: with such a look 100 events took 20 to 100 ms to prune beside 5,000 deliveries under way, and not 2.
 * The statements that go by this ask for none of these. In an EXISTS an `OFFSET 0` does the same: one look each, by what is given.
 */
export const byKey = (row: string, tag: string, id: string): string =>
  `${row}.tag = ANY (ARRAY[${tag}]) AND ${row}.id = ANY (ARRAY[${id}])`;
