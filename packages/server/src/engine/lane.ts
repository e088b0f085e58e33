// A lane: one endpoint's own queue in this process, its concurrency, its rate, its breaker. It decides whether the
// next delivery may start; the dispatcher decides whose turn it is. What a replay made stands behind everything else, has
// half of the lane's requests at the most, and a breaker and a concurrency of its own: whatever becomes of it, a live
// delivery does not wait for it.
import { afterFailure, afterSuccess, type Breaker, closedBreaker, wake } from '../core/breaker.ts';
import { type Concurrency, freshConcurrency, grow, restart, shrink } from '../core/concurrency.ts';
import type { Task } from './attempt.ts';
import type { Endpoint } from './endpoints.ts';
import { Queue } from './queue.ts';

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

const afterSuccessOf = (concurrency: Concurrency, breaker: Breaker, ceiling: number): Concurrency =>
  breaker.kind === 'closed' ? grow(concurrency, ceiling) : restart(concurrency);

export class Lane {
  readonly tag: string;
  /** Deliveries held, in the order they came. */
  readonly #queue = new Queue<Task>();
  /** What replays made, in the order of their time to start (monotonic ms). */
  #replayed: { task: Task; start: ReplayStart }[] = [];
  underWay = 0;
  /** Those of them that a replay made. */
  underWayReplayed = 0;
  breaker: Breaker = closedBreaker;
  /** The replays' own: their failures hold up nothing else. */
  replayBreaker: Breaker = closedBreaker;
  #concurrency: Concurrency = freshConcurrency;
  #replayConcurrency: Concurrency = freshConcurrency;
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
    return this.#queue.size;
  }

  get waitingReplayed(): number {
    return this.#replayed.length;
  }

  /** Those that the replay of this id has just made. */
  waitingOf(replayId: string): number {
    return this.#replayed.filter(({ start }) => start.replayId === replayId).length;
  }

  get isIdle(): boolean {
    const isClosed = this.breaker.kind === 'closed' && this.replayBreaker.kind === 'closed';
    return this.underWay === 0 && this.waiting === 0 && isClosed;
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
    return this.#queue.peek() ?? this.#replayed[0]?.task;
  }

  take(): Task | undefined {
    return this.#queue.take() ?? this.#replayed.shift()?.task;
  }

  /** Empties the queue: its deliveries go back to the store. */
  takeAll(): Task[] {
    const tasks = [...this.#queue.takeAll(), ...this.#replayed.map(({ task }) => task)];
    this.#replayed = [];
    return tasks;
  }

  readiness(endpoint: Endpoint, nowMs: number): Readiness {
    if (this.waiting === 0) return empty;
    this.breaker = wake(this.breaker, nowMs);
    if (this.breaker.kind === 'open') return { kind: 'resting', waitMs: this.breaker.untilMs - nowMs };
    const cap = this.breaker.kind === 'probing' ? 1 : this.limit;
    const most = Math.min(cap, endpoint.maxConcurrency ?? cap);
    if (this.underWay >= most && !this.#mayPassReplayed(endpoint)) return full;
    const replayed = this.waitingLive === 0 ? this.#replayed[0] : undefined;
    if (replayed !== undefined) {
      this.wakeReplays(nowMs);
      const { replayBreaker } = this;
      if (replayBreaker.kind === 'open') return { kind: 'paced', waitMs: replayBreaker.untilMs - nowMs };
      const share = Math.min(most * replayedShare, Math.floor(this.#replayConcurrency.limit));
      const mostReplayed = replayBreaker.kind === 'probing' ? 1 : Math.max(1, share);
      if (this.underWayReplayed >= mostReplayed) return full;
      if (replayed.start.atMs > nowMs) return { kind: 'paced', waitMs: replayed.start.atMs - nowMs };
    }
    if (endpoint.ratePerSecond !== null && this.#nextStartMs > nowMs) {
      return { kind: 'paced', waitMs: this.#nextStartMs - nowMs };
    }
    return ready;
  }

  /** The replays' breaker as it is now. */
  wakeReplays(nowMs: number): void {
    this.replayBreaker = wake(this.replayBreaker, nowMs);
  }

  /** Whether the next one is live and all that is in its way are attempts of replays: only the endpoint's own limit counts. */
  #mayPassReplayed({ maxConcurrency }: Endpoint): boolean {
    return (
      this.waitingLive > 0 &&
      this.underWay === this.underWayReplayed &&
      this.underWay < (maxConcurrency ?? Number.POSITIVE_INFINITY)
    );
  }

  started(endpoint: Endpoint, nowMs: number, replayed = false): void {
    this.underWay += 1;
    if (replayed) this.underWayReplayed += 1;
    if (endpoint.ratePerSecond !== null) {
      this.#nextStartMs = Math.max(nowMs, this.#nextStartMs) + 1000 / endpoint.ratePerSecond;
    }
  }

  /** @param replayed whether it was an attempt of a replay, whose success also says that the endpoint is there */
  succeeded(ceiling: number, replayed = false): void {
    this.#ended(replayed);
    this.standing = 'proven';
    this.#concurrency = afterSuccessOf(this.#concurrency, this.breaker, ceiling);
    this.breaker = afterSuccess(this.breaker);
    if (!replayed) return;
    this.#replayConcurrency = afterSuccessOf(this.#replayConcurrency, this.replayBreaker, ceiling);
    this.replayBreaker = afterSuccess(this.replayBreaker);
  }

  /** @param overloaded whether it calls for fewer requests at once */
  failed(overloaded: boolean, threshold: number, nowMs: number, tookMs: number, replayed = false): void {
    this.#ended(replayed);
    this.standing = 'failed';
    if (replayed) {
      // Where it was to show whether the endpoint is back, replays rest at once, and the next live delivery shows it.
      const probed = this.breaker.kind === 'probing' && this.replayBreaker.kind === 'closed';
      this.replayBreaker = afterFailure(probed ? this.breaker : this.replayBreaker, threshold, nowMs);
      if (overloaded) this.#replayConcurrency = shrink(this.#replayConcurrency, nowMs, tookMs);
      return;
    }
    this.breaker = afterFailure(this.breaker, threshold, nowMs);
    if (overloaded) this.#concurrency = shrink(this.#concurrency, nowMs, tookMs);
  }

  #ended(replayed: boolean): void {
    this.underWay -= 1;
    if (replayed) this.underWayReplayed -= 1;
  }
}
