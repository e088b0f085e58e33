// A lane: one endpoint's own queue in this process, its concurrency, its rate, its breaker. It decides whether the
// next delivery may start; the dispatcher decides whose turn it is. What a replay made stands behind everything else, and
// has half of the lane's requests at the most, so that a live delivery finds room at once.
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

/** When a replay lets a delivery start at the earliest, monotonic ms. */
export interface ReplayStart {
  replayId: string;
  atMs: number;
}

/** Of what was claimed: its time has come. */
const noReplay: ReplayStart = { replayId: '', atMs: 0 };

/** The part of a lane's requests that replays may have. */
const replayedShare = 1 / 2;

const ready: Readiness = { kind: 'ready' };
const empty: Readiness = { kind: 'empty' };
const full: Readiness = { kind: 'full' };

export class Lane {
  readonly tag: string;
  /** Deliveries held, in the order they came; `head` is the next one. */
  #queue: Task[] = [];
  #head = 0;
  /** What replays made, in the order of their time to start (monotonic ms). */
  #replayed: { task: Task; start: ReplayStart }[] = [];
  underWay = 0;
  /** Those of them that a replay made. */
  underWayReplayed = 0;
  breaker: Breaker = closedBreaker;
  #concurrency: Concurrency = freshConcurrency;
  #nextStartMs = 0;
  /** How the last attempt ended. Only lanes that are proven may have all of the sockets. */
  standing: 'untried' | 'proven' | 'failed' = 'untried';
  /** Whether the lane stands in the dispatcher's ring. */
  inRing = false;
  /** Whether it waits for a socket of the half that unproven lanes share. */
  waitsForShare = false;
  /** When a timer brings it back into the ring, monotonic ms: its rate, or a replay's, then allows the next start. */
  wakesAtMs = Number.POSITIVE_INFINITY;
  /** Whether its endpoint is being read. */
  reading = false;

  constructor(tag: string) {
    this.tag = tag;
  }

  get waiting(): number {
    return this.waitingLive + this.#replayed.length;
  }

  /** Those that no replay made. */
  get waitingLive(): number {
    return this.#queue.length - this.#head;
  }

  get waitingReplayed(): number {
    return this.#replayed.length;
  }

  /** Those that the replay of this id has just made. */
  waitingOf(replayId: string): number {
    return this.#replayed.filter(({ start }) => start.replayId === replayId).length;
  }

  get isIdle(): boolean {
    return this.underWay === 0 && this.waiting === 0 && this.breaker.kind === 'closed';
  }

  get limit(): number {
    return Math.floor(this.#concurrency.limit);
  }

  push(task: Task, start: ReplayStart = noReplay): void {
    if (task.replay === undefined) {
      this.#queue.push(task);
      return;
    }
    let at = this.#replayed.length;
    while (at > 0 && (this.#replayed[at - 1]?.start.atMs ?? 0) > start.atMs) at -= 1;
    this.#replayed.splice(at, 0, { task, start });
  }

  /** The next delivery, without taking it. */
  peek(): Task | undefined {
    return this.#queue[this.#head] ?? this.#replayed[0]?.task;
  }

  take(): Task | undefined {
    const task = this.#queue[this.#head];
    if (task === undefined) return this.#replayed.shift()?.task;
    this.#head += 1;
    if (this.#head > 64 && this.#head * 2 > this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
    return task;
  }

  /** Empties the queue: its deliveries go back to the store. */
  takeAll(): Task[] {
    const tasks = [...this.#queue.slice(this.#head), ...this.#replayed.map(({ task }) => task)];
    this.#queue = [];
    this.#replayed = [];
    this.#head = 0;
    return tasks;
  }

  readiness(endpoint: Endpoint, nowMs: number): Readiness {
    if (this.waiting === 0) return empty;
    this.breaker = wake(this.breaker, nowMs);
    if (this.breaker.kind === 'open') return { kind: 'resting', waitMs: this.breaker.untilMs - nowMs };
    const cap = this.breaker.kind === 'probing' ? 1 : this.limit;
    const most = Math.min(cap, endpoint.maxConcurrency ?? cap);
    if (this.underWay >= most) return full;
    const replayed = this.waitingLive === 0 ? this.#replayed[0] : undefined;
    if (replayed !== undefined) {
      if (this.underWayReplayed >= Math.max(1, most * replayedShare)) return full;
      if (replayed.start.atMs > nowMs) return { kind: 'paced', waitMs: replayed.start.atMs - nowMs };
    }
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
