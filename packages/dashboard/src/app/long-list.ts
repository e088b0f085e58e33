// A list that is read by key, page after page, and of which only the pages around what is looked at stay in memory: the
// rest is a cursor and a number. A list of a million costs what a list of some hundreds does. (A cache of queries kept
// every page that was ever read: 8 MB for 20,000 rows.)
import { useEffect, useMemo, useRef, useSyncExternalStore } from 'react';

export interface ListPage<Item> {
  items: Item[];
  next: string | null;
}

type Read<Item> = (cursor: string | null, signal: AbortSignal) => Promise<ListPage<Item>>;

interface Known {
  cursor: string | null;
  /** Rows before this page. */
  start: number;
  /** Null until it has been read. */
  length: number | null;
}

/** How far from what is looked at pages are kept, and the next one is read. */
const around = 50;
/** Pages without a row, one after another, that are read without being asked to: a rare filter has many. */
const emptyAtOnce = 20;

export class LongList<Item> {
  /** Which list it is: its team and filters. */
  readonly name: string;
  readonly #read: Read<Item>;
  #pages: Known[] = [{ cursor: null, start: 0, length: null }];
  /** Pages in memory, by their place in `#pages`. */
  #held = new Map<number, Item[]>();
  #reading = new Map<number, AbortController>();
  #from = 0;
  #to = around;
  #patience = emptyAtOnce;
  #error: unknown = null;
  #version = 0;
  #listeners = new Set<() => void>();

  constructor(name: string, read: Read<Item>) {
    this.name = name;
    this.#read = read;
  }

  /** Reads while somebody listens. */
  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    this.#arrange();
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) this.#abandon();
    };
  };

  /** Changes with everything that can be seen. */
  version = (): number => this.#version;

  /** Rows known of so far. */
  get count(): number {
    const last = this.#pages.at(-1) as Known;
    return last.start + (last.length ?? 0);
  }

  get isComplete(): boolean {
    return this.#pages.at(-1)?.length !== null;
  }

  /** So many pages without a row came that it stopped looking; `goOn` looks at as many more. */
  get isPaused(): boolean {
    return !this.isComplete && this.#empty > this.#patience;
  }

  get isLoading(): boolean {
    return this.#reading.size > 0;
  }

  get error(): unknown {
    return this.#error;
  }

  /** How many pages at the end had no row. */
  get #empty(): number {
    const lastFull = this.#pages.findLastIndex(({ length }) => length !== null && length > 0);
    return this.#pages.length - 1 - lastFull;
  }

  /** The row at an index; undefined while its page is not in memory. */
  at(index: number): Item | undefined {
    const place = this.#placeOf(index);
    return this.#held.get(place)?.[index - (this.#pages[place] as Known).start];
  }

  #placeOf(index: number): number {
    let low = 0;
    let high = this.#pages.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#pages[middle] as Known).start <= index) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** Tells which rows are looked at. */
  look(from: number, to: number): void {
    if (from === this.#from && to === this.#to) return;
    this.#from = from;
    this.#to = to;
    this.#arrange();
  }

  goOn(): void {
    this.#patience = this.#empty + emptyAtOnce;
    this.#arrange();
    this.#changed();
  }

  retry(): void {
    this.#error = null;
    this.#arrange();
    this.#changed();
  }

  /** Begins anew at the newest. */
  restart(): void {
    this.#abandon();
    this.#pages = [{ cursor: null, start: 0, length: null }];
    this.#from = 0;
    this.#to = around;
    this.#patience = emptyAtOnce;
    this.#error = null;
    this.#arrange();
    this.#changed();
  }

  /**
   * Puts a row in the place of the one that it is a newer form of.
   * @returns whether there is one in memory
   */
  replace(item: Item, isSame: (other: Item) => boolean): boolean {
    for (const [place, items] of this.#held) {
      const at = items.findIndex(isSame);
      if (at < 0) continue;
      this.#held.set(place, items.with(at, item));
      this.#changed();
      return true;
    }
    return false;
  }

  /** Reads the pages that are wanted, forgets those that are not. */
  #arrange(): void {
    if (this.#listeners.size === 0) return;
    const isWanted = ({ start, length }: Known): boolean => {
      if (start > this.#to + around) return false;
      return length === null ? !this.isPaused : length > 0 && start + length >= this.#from - around;
    };
    const first = this.#placeOf(Math.max(0, this.#from - around));
    const last = this.#pages.length - 1;
    const wanted = new Set<number>();
    for (
      let place = first;
      place <= last && (this.#pages[place] as Known).start <= this.#to + around;
      place++
    ) {
      if (isWanted(this.#pages[place] as Known)) wanted.add(place);
    }
    for (const place of this.#held.keys()) if (!wanted.has(place)) this.#held.delete(place);
    for (const [place, ending] of this.#reading) {
      if (wanted.has(place)) continue;
      ending.abort();
      this.#reading.delete(place);
    }
    if (this.#error !== null) return;
    for (const place of wanted) {
      if (!this.#held.has(place) && !this.#reading.has(place)) void this.#load(place);
    }
  }

  async #load(place: number): Promise<void> {
    const ending = new AbortController();
    this.#reading.set(place, ending);
    const page = this.#pages[place] as Known;
    try {
      const { items, next } = await this.#read(page.cursor, ending.signal);
      if (ending.signal.aborted) return;
      this.#held.set(place, items);
      if (page.length === null) {
        this.#pages[place] = { ...page, length: items.length };
        if (next !== null) this.#pages.push({ cursor: next, start: page.start + items.length, length: null });
      }
    } catch (error) {
      if (ending.signal.aborted) return;
      this.#error = error;
    }
    this.#reading.delete(place);
    this.#arrange();
    this.#changed();
  }

  #abandon(): void {
    for (const ending of this.#reading.values()) ending.abort();
    this.#reading.clear();
    this.#held.clear();
  }

  #changed(): void {
    this.#version += 1;
    for (const listener of this.#listeners) listener();
  }
}

/**
 * The list of that name; another name is another list.
 * @param read reads the page at a cursor; null is the first
 */
export function useLongList<Item>(name: string, read: Read<Item>): LongList<Item> {
  const latest = useRef(read);
  useEffect(() => {
    latest.current = read;
  });
  const list = useMemo(() => new LongList<Item>(name, (...given) => latest.current(...given)), [name]);
  useSyncExternalStore(list.subscribe, list.version);
  return list;
}
