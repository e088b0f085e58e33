// Lists that page by time, as Vercel's do: newest first, and the next page begins before the time that the last one
// ended at. Rows of one millisecond are never parted, or the rest of them would be on no page.

/** Which part of a list to read. `since` is inclusive, `until` exclusive, both epoch ms. */
export interface TimePage {
  limit: number;
  since: number | null;
  until: number | null;
}

export interface PageOf<Row> {
  rows: Row[];
  /** The `until` of the page after this one, null at the end. */
  next: number | null;
}

/** More rows of one millisecond than this are not to be expected; the page is cut there. */
const mostAtOnce = 10_000;

/**
 * Reads a page.
 * @param fetch reads at most `limit` rows within the bounds, newest first
 */
export async function readTimePage<Row extends { created_at: number }>(
  page: TimePage,
  fetch: (page: TimePage) => Promise<Row[]>,
): Promise<PageOf<Row>> {
  const rows = await fetch({ ...page, limit: page.limit + 1 });
  const over = rows[page.limit];
  if (over === undefined) return { rows, next: null };
  const edge = over.created_at;
  const whole = rows.filter((row) => row.created_at !== edge);
  const last = whole.at(-1);
  if (last !== undefined) return { rows: whole, next: last.created_at };
  // The whole page and more is of one millisecond.
  const together = await fetch({ limit: mostAtOnce, since: edge, until: edge + 1 });
  return { rows: together, next: edge };
}

/** `text` as a pattern for LIKE with the escape character `\`, which finds it anywhere. */
export function containing(text: string): string {
  return `%${text.replaceAll(/[\\%_]/g, (character) => `\\${character}`)}%`;
}
