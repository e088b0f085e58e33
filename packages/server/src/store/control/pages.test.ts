import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { containing, type PageOf, readTimePage } from './pages.ts';

interface Item {
  id: number;
  created_at: number;
}

/** A table that answers as a store does. */
const fetchFrom = (items: Item[]) => (page: { limit: number; since: number | null; until: number | null }) =>
  Promise.resolve(
    items
      .filter((item) => page.since === null || item.created_at >= page.since)
      .filter((item) => page.until === null || item.created_at < page.until)
      .toSorted((a, b) => b.created_at - a.created_at || a.id - b.id)
      .slice(0, page.limit),
  );

test('the pages of a list hold every row once, newest first, however many share a millisecond', async () => {
  const times = fc.array(fc.integer({ min: 1, max: 8 }), { maxLength: 40 });
  await fc.assert(
    fc.asyncProperty(times, fc.integer({ min: 1, max: 7 }), async (stamps, limit) => {
      const items = stamps.map((created_at, id) => ({ id, created_at }));
      const seen: Item[] = [];
      let until: number | null = null;
      for (let pages = 0; pages <= items.length; pages++) {
        const page: PageOf<Item> = await readTimePage({ limit, since: null, until }, fetchFrom(items));
        seen.push(...page.rows);
        until = page.next;
        if (until === null) break;
        assert.ok(page.rows.length > 0);
      }
      assert.equal(until, null);
      const expected = await fetchFrom(items)({ limit: 100, since: null, until: null });
      assert.deepEqual(seen, expected);
    }),
  );
});

test('what is searched for is taken literally', () => {
  assert.equal(containing('50%_a\\b'), '%50\\%\\_a\\\\b%');
});
