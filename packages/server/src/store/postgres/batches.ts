// Calls that share a statement: what is asked for while a statement is under way goes together with the next one.
import type { Clock, Timer } from '../../clock.ts';
import { StoreUnavailable } from '../errors.ts';

interface Waiting<Item, Result> {
  item: Item;
  resolve(result: Result): void;
  reject(error: unknown): void;
}

export interface BatchRules<Item, Result> {
  clock: Clock;
  /** How many items one statement carries at the most, and of how many bytes; one alone may be larger. */
  most: number;
  mostBytes: number;
  bytesOf(item: Item): number;
  /** How long items wait for company, ms, after a statement that carried `last` of them, unless enough wait already. */
  waitMs(last: number): number;
  /** How many are enough, where a statement has lately carried at most `lately` of them. */
  enough(lately: number): number;
  /** What an item takes up: no statement has two that take up the same. */
  keysOf(item: Item): string[];
  /** Does them all, or throws and has done none. One result for each, in order. */
  run(items: Item[]): Promise<Result[]>;
}

/** How much of the most that a statement carried is remembered after the next one. */
const remembered = 0.98;

export class Batches<Item, Result> {
  readonly #rules: BatchRules<Item, Result>;
  #waiting: Waiting<Item, Result>[] = [];
  #running = false;
  #last = 0;
  #lately = 0;
  #scheduled = false;
  #timer: Timer | null = null;
  #onEmpty: (() => void)[] = [];

  constructor(rules: BatchRules<Item, Result>) {
    this.#rules = rules;
  }

  add(item: Item): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject });
      this.#schedule();
    });
  }

  /** Has what waits go now. */
  flush(): void {
    this.#timer?.cancel();
    this.#timer = null;
    void this.#run();
  }

  /** The same where an item that takes up `key` is among it. */
  flushFor(key: string): void {
    if (this.#waiting.some(({ item }) => this.#rules.keysOf(item).includes(key))) this.flush();
  }

  /** Resolves when nothing waits and nothing is under way. */
  async drain(): Promise<void> {
    this.flush();
    if (!this.#running && this.#waiting.length === 0) return;
    await new Promise<void>((resolve) => this.#onEmpty.push(resolve));
  }

  #schedule(): void {
    const { clock, enough } = this.#rules;
    if (this.#running || this.#scheduled) return;
    const waitMs = this.#rules.waitMs(this.#last);
    if (waitMs > 0 && this.#waiting.length < enough(this.#lately)) {
      this.#timer ??= clock.after(waitMs, () => this.flush());
      return;
    }
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.flush();
    });
  }

  #take(): Waiting<Item, Result>[] {
    const { most, mostBytes, bytesOf, keysOf } = this.#rules;
    const taken: Waiting<Item, Result>[] = [];
    const left: Waiting<Item, Result>[] = [];
    const keys = new Set<string>();
    let bytes = 0;
    let isFull = false;
    for (const waiting of this.#waiting) {
      bytes += bytesOf(waiting.item);
      isFull ||= taken.length === most || (taken.length > 0 && bytes > mostBytes);
      const own = isFull ? null : keysOf(waiting.item);
      if (own === null || own.some((key) => keys.has(key))) {
        left.push(waiting);
        continue;
      }
      for (const key of own) keys.add(key);
      taken.push(waiting);
    }
    this.#waiting = left;
    return taken;
  }

  async #run(): Promise<void> {
    if (this.#running) return;
    const batch = this.#take();
    if (batch.length > 0) {
      this.#running = true;
      this.#last = batch.length;
      this.#lately = Math.max(batch.length, this.#lately * remembered);
      await this.#serve(batch);
      this.#running = false;
    }
    if (this.#waiting.length > 0) this.#schedule();
    else for (const resolve of this.#onEmpty.splice(0)) resolve();
  }

  /** A batch that was refused for one of its items is split, so that nobody fails for another. */
  async #serve(batch: Waiting<Item, Result>[]): Promise<void> {
    try {
      const results = await this.#rules.run(batch.map(({ item }) => item));
      for (const [index, { resolve }] of batch.entries()) resolve(results[index] as Result);
    } catch (error) {
      if (batch.length === 1 || error instanceof StoreUnavailable) {
        for (const { reject } of batch) reject(error);
        return;
      }
      const half = Math.ceil(batch.length / 2);
      await this.#serve(batch.slice(0, half));
      await this.#serve(batch.slice(half));
    }
  }
}
