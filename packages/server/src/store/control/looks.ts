// Lists with filters that no index serves: rows are looked through newest first, a bounded number in one call, and what
// was found is answered with where to go on.

/** How many rows a filtered list fetches at once, and how often it does so in one call. */
const rowsPerLook = 1_000;
const mostLooks = 3;

/** `next` is the key below which the list goes on; null at its end. A page may hold fewer rows than asked for, or none. */
export interface FoundPage<Row, Key> {
  rows: Row[];
  next: Key | null;
}

export interface Looking<Row, Key> {
  /** The key below which to begin; null: at the newest. */
  below: Key | null;
  limit: number;
  /** Null: every row is wanted. */
  matches: ((row: Row) => boolean) | null;
  keyOf(row: Row): Key;
  /** Reads at most `count` rows below `below`, newest first. */
  fetch(below: Key | null, count: number): Promise<Row[]>;
}

/** Reads a page of a list, looking at no more than 3,000 rows. */
export async function lookThrough<Row, Key>(looking: Looking<Row, Key>): Promise<FoundPage<Row, Key>> {
  const { limit, matches, keyOf, fetch } = looking;
  const count = matches === null ? limit + 1 : rowsPerLook;
  const found: Row[] = [];
  let { below } = looking;
  for (let look = 0; look < mostLooks; look++) {
    const rows = await fetch(below, count);
    found.push(...(matches === null ? rows : rows.filter(matches)));
    const last = found[limit - 1];
    if (found.length > limit && last !== undefined) return { rows: found.slice(0, limit), next: keyOf(last) };
    const end = rows.at(-1);
    if (end === undefined || rows.length < count) return { rows: found, next: null };
    below = keyOf(end);
  }
  return { rows: found, next: below };
}
