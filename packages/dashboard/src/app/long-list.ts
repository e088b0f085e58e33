// A list that is read by key, page after page, and of which only the pages around what is looked at stay in memory: the
// rest is a cursor and a number. A list of a million costs what a list of some hundreds does.
import { type UseQueryResult, useQueries, useQueryClient } from '@tanstack/react-query';
import { useCallback, useEffect, useState } from 'react';

export interface ListPage<Item> {
  items: Item[];
  next: string | null;
}

export interface LongList<Item> {
  /** Rows known of so far. */
  count: number;
  /** The row at an index; undefined while its page is being read. */
  at(index: number): Item | undefined;
  /** Tells which rows are looked at: their pages are read, and the next one when the end comes near. */
  look(from: number, to: number): void;
  isLoading: boolean;
  isComplete: boolean;
  /** So many pages without a row came that it stopped looking; `goOn` looks at as many more. */
  isPaused: boolean;
  goOn(): void;
  error: unknown;
  retry(): void;
  /** Begins anew at the newest. */
  restart(): void;
}

interface Known {
  cursor: string | null;
  /** Rows before this page. */
  start: number;
  /** Null until it has been read. */
  length: number | null;
}

const firstPage: Known[] = [{ cursor: null, start: 0, length: null }];
/** How far from the end the next page is read. */
const ahead = 50;
/** Pages without a row, one after another, that are read without being asked to: a rare filter has many. */
const emptyAtOnce = 20;
/** Pages that are not looked at are forgotten after this time. */
const forgetMs = 15_000;

/**
 * @param key names the list, its filters included; another key is another list
 * @param read reads the page at a cursor; null is the first
 */
export function useLongList<Item>(
  key: unknown[],
  read: (cursor: string | null, signal: AbortSignal) => Promise<ListPage<Item>>,
): LongList<Item> {
  const queries = useQueryClient();
  const name = JSON.stringify(key);
  const [list, setList] = useState({ name, pages: firstPage, round: 0, patience: emptyAtOnce });
  const [looked, setLooked] = useState({ from: 0, to: ahead });
  const isStale = list.name !== name;
  const pages = isStale ? firstPage : list.pages;
  useEffect(() => {
    if (isStale) {
      setList({ name, pages: firstPage, round: 0, patience: emptyAtOnce });
      setLooked({ from: 0, to: ahead });
    }
  }, [isStale, name]);

  const look = useCallback(
    (from: number, to: number) =>
      setLooked((before) => (from === before.from && to === before.to ? before : { from, to })),
    [],
  );
  const last = pages.at(-1) as Known;
  const empty = pages.length - 1 - pages.findLastIndex(({ length }) => length !== null && length > 0);
  const isPaused = !isStale && last.length === null && empty > list.patience;
  const wanted = pages.filter(({ start, length }) => {
    if (start > looked.to + ahead) return false;
    return length === null ? !isPaused : length > 0 && start + length >= looked.from - ahead;
  });
  const results: UseQueryResult<ListPage<Item>>[] = useQueries({
    queries: wanted.map(({ cursor }) => ({
      queryKey: [...key, 'page', isStale ? 0 : list.round, cursor],
      queryFn: ({ signal }: { signal: AbortSignal }) => read(cursor, signal),
      gcTime: forgetMs,
      staleTime: Number.POSITIVE_INFINITY,
    })),
  });

  const found = new Map<string | null, UseQueryResult<ListPage<Item>>>();
  for (const [index, page] of wanted.entries()) {
    const result = results[index];
    if (result !== undefined) found.set(page.cursor, result);
  }
  const lastPage = found.get(last.cursor)?.data;
  useEffect(() => {
    if (isStale || lastPage === undefined || last.length !== null) return;
    setList((before) => {
      const at = before.pages.length - 1;
      const known = before.pages[at];
      if (before.name !== name || known?.cursor !== last.cursor || known.length !== null) return before;
      const length = lastPage.items.length;
      const grown = [...before.pages.slice(0, at), { ...known, length }];
      if (lastPage.next !== null)
        grown.push({ cursor: lastPage.next, start: known.start + length, length: null });
      return { ...before, pages: grown };
    });
  }, [isStale, name, last, lastPage]);

  const pageOf = (index: number): Known | undefined => {
    let low = 0;
    let high = pages.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((pages[middle] as Known).start <= index) low = middle;
      else high = middle - 1;
    }
    return pages[low];
  };
  const failed = results.find(({ error }) => error !== null);
  return {
    count: last.start + (last.length ?? lastPage?.items.length ?? 0),
    at(index) {
      const page = pageOf(index);
      return page === undefined ? undefined : found.get(page.cursor)?.data?.items[index - page.start];
    },
    look,
    isLoading: last.length === null && lastPage === undefined && failed === undefined && !isPaused,
    isComplete: last.length !== null,
    isPaused,
    goOn: () => setList((before) => ({ ...before, patience: empty + emptyAtOnce })),
    error: failed?.error ?? null,
    retry: () => void failed?.refetch(),
    restart() {
      setLooked({ from: 0, to: ahead });
      setList((before) => ({ name, pages: firstPage, round: before.round + 1, patience: emptyAtOnce }));
      queries.removeQueries({ queryKey: [...key, 'page'], type: 'inactive' });
    },
  };
}
