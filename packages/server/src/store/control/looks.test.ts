import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lookThrough } from './looks.ts';

/** A list of the numbers below `size`, newest (highest) first, that counts what was read of it. */
function listOf(size: number, limit: number, matches: ((n: number) => boolean) | null) {
  let read = 0;
  const page = (below: number | null) =>
    lookThrough<number, number>({
      below,
      limit,
      matches,
      keyOf: (n) => n,
      fetch(from, count) {
        const first = from ?? size;
        const rows = Array.from({ length: Math.min(count, first) }, (_, i) => first - 1 - i);
        read += rows.length;
        return Promise.resolve(rows);
      },
    });
  return {
    page,
    /** Everything, page by page. */
    async all() {
      const pages: number[][] = [];
      let below: number | null = null;
      for (;;) {
        const { rows, next } = await page(below);
        pages.push(rows);
        if (next === null) return pages;
        below = next;
      }
    },
    read: () => read,
  };
}

test('without a filter a page reads one row more than it shows', async () => {
  const list = listOf(25, 10, null);
  assert.deepEqual((await list.page(null)).rows.length, 10);
  assert.equal(list.read(), 11);
  assert.deepEqual(
    (await list.all()).map((rows) => rows.length),
    [10, 10, 5],
  );
});

test('a page that ends where the list ends has no next one', async () => {
  assert.deepEqual(await listOf(10, 10, null).page(null), {
    rows: [9, 8, 7, 6, 5, 4, 3, 2, 1, 0],
    next: null,
  });
  assert.deepEqual(await listOf(0, 10, null).page(null), { rows: [], next: null });
});

test('a rare filter looks at 3,000 rows in a call, and the pages together miss nothing', async () => {
  const list = listOf(10_000, 10, (n) => n === 9_999 || n === 5);
  assert.deepEqual(await list.page(null), { rows: [9_999], next: 7_000 });
  assert.equal(list.read(), 3_000);
  assert.deepEqual((await list.all()).flat(), [9_999, 5]);
});

test('a filter that finds more than a page goes on where the page ended', async () => {
  const list = listOf(5_000, 10, (n) => n % 7 === 0);
  const expected = Array.from({ length: 5_000 }, (_, i) => 4_999 - i).filter((n) => n % 7 === 0);
  const pages = await list.all();
  assert.deepEqual(pages.flat(), expected);
  assert.equal(pages[0]?.length, 10);
});
