// A lane: one endpoint's own queue in this process, its concurrency, its rate, its breaker. It decides whether the
// next delivery may start; the dispatcher decides whose turn it is.
import { afterFailure, afterSuccess, type Breaker, closedBreaker, wake } from '../core/breaker.ts';
import { type Concurrency, freshConcurrency, grow, restart, shrink } from '../core/concurrency.ts';
import type { Task } from './attempt.ts';
import type { Endpoint } from './endpoints.ts';

/** Why a lane's next delivery can't start now. `wait` is in ms. */
export type Readiness =
  | { kind: 'ready' }
  | { kind: 'empty' }
  /** As many under way as the lane may have: one must finish first. */
  | { kind: 'full' }
  | { kind: 'resting'; waitMs: number }
  | { kind: 'paced'; waitMs: number };

const ready: Readiness = { kind: 'ready' };
const empty: Readiness = { kind: 'empty' };
const full: Readiness = { kind: 'full' };

export class Lane {
  readonly tag: string;
  /** Deliveries held, in the order they came; `head` is the next one. */
  #queue: Task[] = [];
  #head = 0;
  underWay = 0;
  breaker: Breaker = closedBreaker;
  #concurrency: Concurrency = freshConcurrency;
  #nextStartMs = 0;
  /** How the last attempt ended. Only lanes that are proven may have all of the sockets. */
  standing: 'untried' | 'proven' | 'failed' = 'untried';
  /** Whether the lane stands in the dispatcher's ring. */
  inRing = false;
  /** Whether it waits for a socket of the half that unproven lanes share. */
  waitsForShare = false;
  /** Whether a timer brings it back into the ring when its rate allows the next start. */
  pacing = false;
  /** Whether its endpoint is being read. */
  reading = false;

  constructor(tag: string) {
    this.tag = tag;
  }

  get waiting(): number {
    return this.#queue.length - this.#head;
  }

  get isIdle(): boolean {
    return this.underWay === 0 && this.waiting === 0 && this.breaker.kind === 'closed';
  }

  get limit(): number {
    return Math.floor(this.#concurrency.limit);
  }

  push(task: Task): void {
    this.#queue.push(task);
  }

  /** The next delivery, without taking it. */
  peek(): Task | undefined {
    return this.#queue[this.#head];
  }

  take(): Task | undefined {
    const task = this.#queue[this.#head];
    if (task === undefined) return undefined;
    this.#head += 1;
    if (this.#head > 64 && this.#head * 2 > this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
    return task;
  }

  /** Empties the queue: its deliveries go back to the store. */
  takeAll(): Task[] {
    const tasks = this.#queue.slice(this.#head);
    this.#queue = [];
    this.#head = 0;
    return tasks;
  }

  readiness(endpoint: Endpoint, nowMs: number): Readiness {
    if (this.waiting === 0) return empty;
    this.breaker = wake(this.breaker, nowMs);
    if (this.breaker.kind === 'open') return { kind: 'resting', waitMs: this.breaker.untilMs - nowMs };
    const cap = this.breaker.kind === 'probing' ? 1 : this.limit;
    if (this.underWay >= Math.min(cap, endpoint.maxConcurrency ?? cap)) return full;
    if (endpoint.ratePerSecond !== null && this.#nextStartMs > nowMs) {
      return { kind: 'paced', waitMs: this.#nextStartMs - nowMs };
    }
    return ready;
  }

  started(endpoint: Endpoint, nowMs: number): void {
    this.underWay += 1;
    if (endpoint.ratePerSecond !== null) {
      this.#nextStartMs = Math.max(nowMs, this.#nextStartMs) + 1000 / endpoint.ratePerSecond;
    }
  }

  succeeded(ceiling: number): void {
    this.underWay -= 1;
    this.standing = 'proven';
    this.#concurrency =
      this.breaker.kind === 'closed' ? grow(this.#concurrency, ceiling) : restart(this.#concurrency);
    this.breaker = afterSuccess(this.breaker);
  }

  failed(overloaded: boolean, threshold: number, nowMs: number, tookMs: number): void {
    this.underWay -= 1;
    this.standing = 'failed';
    this.breaker = afterFailure(this.breaker, threshold, nowMs);
    if (overloaded) this.#concurrency = shrink(this.#concurrency, nowMs, tookMs);
  }
}
