// Whose turn it is. Holds this process's lanes, gives each a fair turn, bounds the sockets, and sees that every delivery it
// holds ends as a record or goes back. What is due in the store is fetched by claims.ts.
//
//   births ─┐                        ┌─▶ attempt ─▶ record ─▶ finish (store) ─▶ maybe due again
//           ├─▶ lane's queue ─▶ ring ┤
//   claims ─┘                        └─▶ given back (breaker open, disabled, stopping)
import type { Clock, Timer } from '../clock.ts';
import type { AttemptRecord, Claimed, DeliveryStore, Lease } from '../store/store.ts';
import { type AttemptSettings, prepare, record, type Settled, settle, type Task } from './attempt.ts';
import { Claims } from './claims.ts';
import type { Endpoint, EndpointBook } from './endpoints.ts';
import { Lane, type ReplayStart } from './lane.ts';
import { Ring } from './ring.ts';
import type { Sender, SendResult } from './sender.ts';

export interface DispatcherSettings extends AttemptSettings {
  laneConcurrency: number;
  maxSockets: number;
  breakerFailures: number;
}

/** What others hear of an attempt that has been recorded. */
export interface AttemptNews {
  task: Task;
  endpoint: Endpoint;
  result: SendResult;
  settled: Settled;
  next: string;
}

export interface DispatcherParts {
  store: DeliveryStore;
  sender: Sender;
  endpoints: EndpointBook;
  clock: Clock;
  settings: DispatcherSettings;
  /** Opens a span around an attempt; its `traceparent` goes to the receiver. */
  startSpan(
    task: Task,
    endpoint: Endpoint,
  ): { traceparent: string; end(status: number | null, cause: string | null): void };
  onAttempt(news: AttemptNews): void;
  /** Hears how many deliveries wait in all lanes together, at each change. */
  onWaiting(count: number): void;
  /** Something broke that is nobody's delivery's fault. */
  onFault(error: unknown, doing: string): void;
}

/** A lane has so many rounds of a replay's deliveries in memory, or this many at the least; and so many of all replays. */
const replayedRounds = 2;
const leastReplayed = 16;
const mostReplayed = 512;
/** After the store failed, it is asked again after this time. */
const troubleMs = 500;
/** How often a lease that is over is looked at again. */
const leaseWaitMs = 250;
/**
 * So many attempts begin before answers are looked at again: what more would begin meanwhile only waits on the other side,
 * and in the caches' way.
 */
const startsAtOnce = 64;
/**
 * A lane with so few live deliveries waiting keeps up. Not only one that had none: what is published 5 ms apart comes out of one
 * commit together where commits take longer, and the second delivery then stood behind all that works off a backlog. Beside
 * 300,000 deliveries at a thousand endpoints that was 45 ms for one in a hundred of another endpoint's.
 */
const fewWaiting = 8;
const mostIdleLanes = 20_000;
/**
 * The part of the sockets that lanes without a success may have together. One that was never tried may start its first
 * attempt from a larger part, so that dead lanes never keep a new one waiting for their deadlines.
 */
const unprovenShare = 1 / 2;
const untriedShare = 3 / 4;

export class Dispatcher {
  readonly #parts: DispatcherParts;
  readonly #lanes = new Map<string, Lane>();
  readonly #claims: Claims;
  readonly #ring = new Ring();
  readonly #waitForShare: Lane[] = [];
  #waiting = 0;
  #underWay = 0;
  #unproven = 0;
  #pumping = false;
  #leaseTimer: Timer | null = null;
  /** What attempts ask that begin under the present lease: whether they may still go. */
  #mayGo = this.#grant();
  #stopping = false;
  #abandoned = false;
  /** Attempts not recorded yet, claims and deliveries on their way back: what a stop waits for. */
  #unsettled = 0;
  #onSettled: (() => void) | null = null;
  #stopped: Promise<boolean> | null = null;

  constructor(parts: DispatcherParts) {
    this.#parts = parts;
    const { store, clock, onFault } = parts;
    this.#claims = new Claims({
      store,
      clock,
      onFault,
      laneFor: (tag) => this.#laneFor(tag),
      isKnown: (tag) => this.#lanes.has(tag),
      waiting: () => this.#waiting,
      take: (claimed) => this.#takeClaimed(claimed),
      onBegin: () => {
        this.#unsettled += 1;
      },
      onEnd: () => this.#settleOne(),
    });
  }

  get figures(): { lanes: number; underWay: number; waiting: number; openBreakers: number } {
    let openBreakers = 0;
    for (const lane of this.#lanes.values()) {
      if (lane.breaker.kind !== 'closed') openBreakers += 1;
    }
    return { lanes: this.#lanes.size, underWay: this.#underWay, waiting: this.#waiting, openBreakers };
  }

  /** The lane of an endpoint as this process knows it, for people who ask how it is. */
  laneOf(tag: string): Lane | null {
    return this.#lanes.get(tag) ?? null;
  }

  start(): void {
    this.#parts.store.listen({
      onWork: () => this.#claims.lookAround(),
      onLeaseLost: () => this.#forgetAll(),
    });
    this.#claims.start();
  }

  /** What waits here is others' by now, and so is what is under way: its record will find that out. */
  #forgetAll(): void {
    this.#mayGo = this.#grant();
    for (const lane of this.#lanes.values()) this.#takeAll(lane);
    this.#claims.lookAround();
  }

  /** The answer is no for ever once another lease has begun. */
  #grant(): () => boolean {
    const mayGo = () =>
      this.#mayGo === mayGo && this.#parts.clock.monotonic() < this.#parts.store.leaseEndsAt;
    return mayGo;
  }

  /** A lease that is over may yet be renewed: what waits is looked at again before long. */
  #waitForLease(): void {
    if (this.#stopping) return;
    this.#leaseTimer ??= this.#parts.clock.after(leaseWaitMs, () => {
      this.#leaseTimer = null;
      this.#pumpSoon();
    });
  }

  /** Takes a delivery that was made in this process, which holds it; `start` of one that a replay has just made. */
  take(task: Task, start?: ReplayStart): void {
    if (start === undefined) this.#claims.noteBirth();
    this.#take(task, start);
  }

  #take(task: Task, start?: ReplayStart): void {
    if (this.#stopping) {
      this.#giveBackSoon([task]);
      return;
    }
    const lane = this.#laneFor(task.tag);
    lane.push(task, start);
    this.#countWaiting(1);
    this.#enter(lane);
    this.#pumpSoon();
  }

  #takeClaimed(claimed: Claimed[]): void {
    if (this.#stopping) this.#giveBackSoon(claimed.map(taskOf));
    else for (const one of claimed) this.#take(taskOf(one));
  }

  /**
   * How many more deliveries of a replay its lane should be given, so that it always has some to send and never many.
   * @param ahead how many are made ahead of their time
   */
  roomForReplay(tag: string, replayId: string, ahead: number): number {
    if (this.#stopping) return 0;
    const lane = this.#laneFor(tag);
    // What the store has for the lane comes first, a replay's retries among it.
    if (lane.breaker.kind !== 'closed' || lane.replayBreaker.kind !== 'closed' || this.#claims.isBehind(lane))
      return 0;
    const wanted = Math.max(replayedRounds * lane.limit, leastReplayed) + ahead;
    const own = wanted - lane.waitingOf(replayId);
    return Math.max(0, Math.min(own, mostReplayed - lane.waitingReplayed));
  }

  /** Hears that the store has due deliveries of a lane that nobody holds. */
  noteBehind(tag: string): void {
    this.#claims.noteBehind(this.#laneFor(tag));
  }

  /** Hears that something is due in the store at `at` (epoch ms). */
  noteDue(at: number): void {
    this.#claims.noteDue(at);
  }

  /** Hears that an endpoint was changed on this node. */
  noteChange(tag: string): void {
    this.#parts.endpoints.forget(tag);
    const lane = this.#lanes.get(tag);
    if (lane !== undefined && lane.waiting > 0) {
      this.#enter(lane);
      this.#pumpSoon();
    }
    this.#claims.lookAround();
  }

  /**
   * Starts nothing more, gives back what has not started, and waits until what is under way is recorded, at most
   * `timeoutMs`. What is still under way then is not recorded: the next start takes it up again. Idempotent.
   * @returns whether everything that was under way has ended
   */
  stop(timeoutMs: number): Promise<boolean> {
    this.#stopped ??= this.#stop(timeoutMs);
    return this.#stopped;
  }

  async #stop(timeoutMs: number): Promise<boolean> {
    this.#stopping = true;
    this.#claims.stop();
    this.#leaseTimer?.cancel();
    this.#giveBackSoon([...this.#lanes.values()].flatMap((lane) => this.#takeAll(lane)));
    if (this.#unsettled === 0) return true;
    await new Promise<void>((resolve) => {
      const timer = this.#parts.clock.after(timeoutMs, () => {
        this.#abandoned = true;
        resolve();
      });
      this.#onSettled = () => {
        timer.cancel();
        resolve();
      };
    });
    return !this.#abandoned;
  }

  /** Empties a lane. */
  #takeAll(lane: Lane): Task[] {
    const tasks = lane.takeAll();
    this.#countWaiting(-tasks.length);
    return tasks;
  }

  #countWaiting(by: number): void {
    this.#waiting += by;
    this.#parts.onWaiting(this.#waiting);
  }

  #settleOne(): void {
    this.#unsettled -= 1;
    if (this.#unsettled === 0) this.#onSettled?.();
  }

  #laneFor(tag: string): Lane {
    let lane = this.#lanes.get(tag);
    if (lane === undefined) {
      if (this.#lanes.size >= mostIdleLanes) this.#dropIdleLanes();
      lane = new Lane(tag);
      this.#lanes.set(tag, lane);
    }
    return lane;
  }

  #dropIdleLanes(): void {
    for (const [tag, lane] of this.#lanes) {
      if (lane.isIdle && !lane.inRing && !this.#claims.isBehind(lane)) this.#lanes.delete(tag);
    }
  }

  #enter(lane: Lane): void {
    if (lane.waitsForShare || lane.reading) return;
    const { waitingLive } = lane;
    const isFew = waitingLive > 0 && waitingLive <= fewWaiting;
    this.#ring.enter(lane, isFew && !this.#claims.isBehind(lane));
  }

  #pumpSoon(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    setImmediate(() => {
      this.#pumping = false;
      this.#pump();
    });
  }

  /** Turns the ring until nobody in it can start and nobody who waits for a share can either, a part of it at a time. */
  #pump(): void {
    const most = Math.min(this.#parts.settings.maxSockets, this.#underWay + startsAtOnce);
    this.#openShare();
    do {
      if (!this.#turnRing(most)) {
        this.#waitForLease();
        return;
      }
    } while (this.#underWay < most && this.#openShare());
    if (!this.#ring.isEmpty && this.#underWay < this.#parts.settings.maxSockets) this.#pumpSoon();
  }

  /** Gives each lane in the ring its turn, until `most` are under way; false when the lease is over. */
  #turnRing(most: number): boolean {
    const { clock, store } = this.#parts;
    while (this.#underWay < most) {
      // Asked before each send: after a pause of the process all its timers fire at once.
      let now = clock.monotonic();
      if (now >= store.leaseEndsAt) return this.#ring.isEmpty;
      const lane = this.#ring.next();
      if (lane === undefined) return true;
      let left = this.#ring.quantum;
      while (this.#begins(lane, now)) {
        left -= 1;
        if (left === 0 || this.#underWay >= most) break;
        now = clock.monotonic();
        if (now >= store.leaseEndsAt) break;
      }
    }
    return true;
  }

  /** Begins a lane's next attempt at `nowMs`, if it may; answers whether it did. */
  #begins(lane: Lane, nowMs: number): boolean {
    const task = lane.peek();
    if (task === undefined) return false;
    const before = this.#underWay;
    const endpoint = this.#parts.endpoints.peek(lane.tag, task.version);
    if (endpoint === null) this.#readEndpoint(lane);
    else this.#turn(lane, endpoint, nowMs);
    return this.#underWay > before;
  }

  #turn(lane: Lane, endpoint: Endpoint, nowMs: number): void {
    if (endpoint.removed || !endpoint.enabled) {
      this.#giveBackSoon(this.#takeAll(lane));
      return;
    }
    const readiness = lane.readiness(endpoint, nowMs);
    switch (readiness.kind) {
      case 'ready': {
        if (!this.#hasShare(lane)) {
          lane.waitsForShare = true;
          if (mayBegin(lane)) this.#waitForShare.unshift(lane);
          else this.#waitForShare.push(lane);
          return;
        }
        const task = lane.take();
        if (task !== undefined) {
          this.#countWaiting(-1);
          this.#start(lane, task, endpoint, nowMs);
        }
        if (lane.waiting > 0) this.#enter(lane);
        this.#claims.moreFor(lane);
        return;
      }
      case 'resting':
        this.#rest(lane, readiness.waitMs);
        return;
      case 'paced': {
        const wakesAtMs = nowMs + readiness.waitMs;
        // A live delivery must not wait for a timer that was set for a replay.
        if (wakesAtMs >= lane.wakesAtMs) return;
        lane.wakesAtMs = wakesAtMs;
        this.#parts.clock.after(readiness.waitMs, () => {
          if (lane.wakesAtMs === wakesAtMs) lane.wakesAtMs = Number.POSITIVE_INFINITY;
          this.#enter(lane);
          this.#pumpSoon();
        });
        return;
      }
      case 'full':
      case 'empty':
        return;
    }
  }

  #readEndpoint(lane: Lane): void {
    const { clock, endpoints, settings, store } = this.#parts;
    lane.reading = true;
    endpoints.read(lane.tag, (endpoint, fault) => {
      lane.reading = false;
      if (fault !== null) this.#parts.onFault(fault, 'reading an endpoint');
      const later = clock.now() + troubleMs;
      if (endpoint === null) this.#postpone(lane, later, later);
      else if (this.#underWay < settings.maxSockets && clock.monotonic() < store.leaseEndsAt) {
        this.#turn(lane, endpoint, clock.monotonic());
      } else this.#enter(lane);
      if (lane.waiting > 0) this.#pumpSoon();
    });
  }

  /** Gives all of a lane back, due at `at`, and has nobody look at it before `until` (both epoch ms). */
  #postpone(lane: Lane, at: number, until: number): void {
    this.#claims.forget(lane);
    this.#giveBackSoon(this.#takeAll(lane), at);
    this.#run(this.#parts.store.holdLane(lane.tag, until), 'holding a lane');
    this.noteDue(until);
  }

  /** A lane with an open breaker keeps nothing in memory; its marker in the store brings it back. */
  #rest(lane: Lane, waitMs: number): void {
    const { store, clock } = this.#parts;
    const now = clock.now();
    store.setLaneOpen(lane.tag, false);
    // Monotonic time has parts of a millisecond, and the store none.
    this.#postpone(lane, now, Math.ceil(now + waitMs));
  }

  #start(lane: Lane, task: Task, endpoint: Endpoint, nowMs: number): void {
    const { clock, sender, settings } = this.#parts;
    const startedAt = clock.now();
    const span = this.#parts.startSpan(task, endpoint);
    const request = prepare(task, endpoint, settings, startedAt, span.traceparent, this.#mayGo);
    const unproven = lane.standing !== 'proven';
    const replayed = task.replay !== undefined;
    lane.started(endpoint, nowMs, replayed);
    this.#underWay += 1;
    this.#unsettled += 1;
    if (unproven) this.#unproven += 1;
    sender.send(request, (result) => {
      if (this.#abandoned) return;
      const settled = settle(result);
      span.end(settled.status, settled.cause);
      this.#underWay -= 1;
      if (unproven) this.#unproven -= 1;
      this.#judgeLane(lane, settled, { tookMs: result.timings.totalMs, replayed });
      const at = { startedAt, now: clock.now(), random: clock.random() };
      const written = record(task, endpoint, request, result, settled, at, settings);
      this.#write(written, { task, endpoint, result, settled, next: written.next.kind });
      if (lane.waiting > 0) this.#enter(lane);
      else this.#claims.moreFor(lane);
      this.#pumpSoon();
    });
  }

  #judgeLane(lane: Lane, settled: Settled, attempt: { tookMs: number; replayed: boolean }): void {
    const { settings, store, clock } = this.#parts;
    const before: string = lane.breaker.kind;
    const replaysRested = lane.replayBreaker.kind === 'open';
    const { tookMs, replayed } = attempt;
    if (settled.success) lane.succeeded(settings.laneConcurrency, replayed);
    else lane.failed(settled.overloaded, settings.breakerFailures, clock.monotonic(), tookMs, replayed);
    if (lane.replayBreaker.kind === 'open' && !replaysRested) {
      this.#wakeReplays(lane, lane.replayBreaker.untilMs - clock.monotonic());
    }
    const { breaker } = lane;
    if (breaker.kind === 'closed' && before !== 'closed') {
      store.setLaneOpen(lane.tag, true);
      // Its marker may still stand at the end of a rest: it is asked for by name.
      this.#claims.noteBehind(lane);
    } else if (breaker.kind === 'open' && before !== 'open') {
      this.#rest(lane, breaker.untilMs - clock.monotonic());
    }
  }

  /** Replays that rest keep in memory what is there, and are given nothing more until this. */
  #wakeReplays(lane: Lane, waitMs: number): void {
    this.#parts.clock.after(waitMs, () => {
      lane.wakeReplays(this.#parts.clock.monotonic());
      this.#enter(lane);
      this.#pumpSoon();
      this.#claims.moreFor(lane);
    });
  }

  /** Whether a lane may start one more attempt, after `others` that are about to. */
  #hasShare(lane: Lane, others = 0): boolean {
    if (lane.standing === 'proven') return true;
    const share = mayBegin(lane) ? untriedShare : unprovenShare;
    return this.#unproven + others < this.#parts.settings.maxSockets * share;
  }

  /** Brings back into the ring as many of those that wait for a share as may start now; answers whether any. */
  #openShare(): boolean {
    let opened = 0;
    for (;;) {
      const lane = this.#waitForShare[0];
      if (lane === undefined || !this.#hasShare(lane, opened)) return opened > 0;
      this.#waitForShare.shift();
      lane.waitsForShare = false;
      this.#enter(lane);
      opened += 1;
    }
  }

  #write(written: AttemptRecord, news: AttemptNews): void {
    this.#parts.store.finish(written, (outcome) => {
      if (outcome instanceof Error) {
        // Nothing was written, so the delivery is still pending and held: it goes back, and is sent again.
        this.#parts.onFault(outcome, 'recording an attempt');
        this.#giveBackSoon([news.task]);
      } else {
        if (outcome.kind === 'lost') news.next = 'lost';
        else if (outcome.dueAt !== null) this.noteDue(outcome.dueAt);
        this.#parts.onAttempt(news);
      }
      this.#settleOne();
    });
  }

  /** Gives deliveries back, due at `at` (epoch ms). Until the store takes them they stay ours: nobody else sends them. */
  #giveBackSoon(tasks: Task[], at = this.#parts.clock.now()): void {
    if (tasks.length === 0) return;
    const leases: Lease[] = tasks.map(({ key, tag, body }) => ({ key, tag, bytes: body.length }));
    this.#unsettled += 1;
    this.#parts.store.release(leases, at).then(
      () => this.#settleOne(),
      (error: unknown) => {
        this.#parts.onFault(error, 'giving deliveries back');
        if (!this.#stopping) this.#parts.clock.after(troubleMs, () => this.#giveBackSoon(tasks));
        this.#settleOne();
      },
    );
  }

  #run(work: Promise<void>, doing: string): void {
    work.catch((error: unknown) => this.#parts.onFault(error, doing));
  }
}

/** Whether this would be a lane's very first attempt. */
const mayBegin = (lane: Lane): boolean => lane.standing === 'untried' && lane.underWay === 0;

/** A delivery that the store gave to this process, for the lane. */
export function taskOf(claimed: Claimed): Task {
  const { key, tag, version, type, attempts, createdAt, extra, replay, body } = claimed;
  return {
    key,
    tag,
    version,
    type,
    number: attempts + 1,
    createdAt,
    extra,
    ...(replay !== undefined && { replay }),
    body: Buffer.from(body.buffer, body.byteOffset, body.byteLength),
  };
}
