// What is fetched from the store: which lanes have more there than memory holds, when something is due, and one claim at a
// time that asks for lanes that run low, and looks at a few others that are due.
import type { Clock, Timer } from '../clock.ts';
import type { Claimed, ClaimRequest, ClaimResult, DeliveryStore } from '../store/store.ts';
import type { Lane } from './lane.ts';

/**
 * A lane asks the store for more when fewer wait in memory than `low` times its concurrency, up to `high` times: what
 * it sends in a few rounds. A lane that hangs holds little, however much of it is due.
 */
const water = { low: 4, high: 16 };
/**
 * While so many deliveries of all lanes together wait in memory, only lanes that are nearly empty are given more, and few
 * at a time: more would wait no shorter, and each takes 2 KiB.
 */
const enoughWaiting = 8_192;
/** From one lane a claim takes so many at least: they lie side by side, so that 32 touch few more pages than 8. */
const perLane = 32;
/** How many other due lanes a claim looks at, and how many deliveries it takes of each. */
const otherLanes = { lanes: 16, each: 8 };
/**
 * For so long after its start a node looks at few lanes at once, claims `much` at first and more as time goes by, and pauses after
 * each claim that brought `much`: `times` as long as the claim took after a second, half of that after two. Without it a
 * thousand endpoints were read, connected to and tried all at once, by code that was not compiled yet: while 300,000
 * deliveries were worked off another endpoint's p95 was 48 ms in the first half of a second and 6 later; with pauses alone 20 to 33,
 * and 9 to 20 since claims grow, too.
 */
const gentle = { forMs: 4_000, much: 16, times: 8, mostPauseMs: 60, lanes: { lanes: 4, each: 4 } };
/**
 * A little: fewer deliveries born a second than this, looked at so often; the longest pause for their sake, ms; and how many
 * other lanes a claim then looks at. On PostgreSQL short claims did nothing for others while each brought 128 of other lanes besides.
 */
const little = { perSecond: 1_000, everyMs: 100, mostPauseMs: 50, lanes: { lanes: 4, each: 8 } };
/** Due work is looked for this often at least, whatever the timers say. */
const pollMs = 1_000;
/** After the store failed, it is asked again after this time. */
const troubleMs = 500;

export interface ClaimsParts {
  store: DeliveryStore;
  clock: Clock;
  laneFor(tag: string): Lane;
  isKnown(tag: string): boolean;
  /** How many deliveries wait in all lanes together. */
  waiting(): number;
  /** Takes what the store gave, which this process holds from now on. */
  take(claimed: Claimed[]): void;
  /** A claim is under way, and over. */
  onBegin(): void;
  onEnd(): void;
  onFault(error: unknown, doing: string): void;
}

export class Claims {
  readonly #parts: ClaimsParts;
  /** Lanes of which the store has due deliveries that nobody holds, live ones and those that replays made. */
  readonly #behind = new Set<Lane>();
  readonly #replaysBehind = new Set<Lane>();
  /**
   * Those that may run low, in the order in which they are asked for. Without it each claim looked at all that are behind: with
   * a thousand lanes a tenth of this thread's time.
   */
  readonly #hungry = new Set<Lane>();
  #claiming = false;
  #startedMs = Number.NEGATIVE_INFINITY;
  /** Deliveries born since `#bornSinceMs`, and whether it were a few before. */
  #born = 0;
  #bornSinceMs = 0;
  #isLittleBorn = false;
  #claimAgain = false;
  #othersDue = true;
  #dueAt = Number.POSITIVE_INFINITY;
  #dueTimer: Timer | null = null;
  #pollTimer: Timer | null = null;
  #stopping = false;

  constructor(parts: ClaimsParts) {
    this.#parts = parts;
  }

  /** Begins to look for what is due, and goes on with it. */
  start(): void {
    this.#startedMs = this.#parts.clock.monotonic();
    this.#poll();
  }

  #poll(): void {
    if (this.#stopping) return;
    this.#lookAtBirths();
    this.lookAround();
    this.#pollTimer = this.#parts.clock.after(pollMs, () => this.#poll());
  }

  /** Claims nothing more; what a claim under way brings is still taken. */
  stop(): void {
    this.#stopping = true;
    this.#dueTimer?.cancel();
    this.#pollTimer?.cancel();
  }

  isBehind(lane: Lane): boolean {
    return this.#behind.has(lane) || this.#replaysBehind.has(lane);
  }

  /** Hears that the store has due deliveries of a lane that nobody holds. */
  noteBehind(lane: Lane): void {
    this.#behind.add(lane);
    this.#hungry.add(lane);
    this.#claimSoon();
  }

  /** A delivery was born that goes past the store. */
  noteBirth(): void {
    this.#born += 1;
  }

  /** A lane is looked at again when its marker in the store says so. */
  forget(lane: Lane): void {
    this.#behind.delete(lane);
    this.#replaysBehind.delete(lane);
    this.#hungry.delete(lane);
  }

  /** Hears that something is due in the store at `at` (epoch ms). */
  noteDue(at: number): void {
    if (at >= this.#dueAt) return;
    this.#dueAt = at;
    this.#dueTimer?.cancel();
    this.#dueTimer = this.#parts.clock.after(at - this.#parts.clock.now(), () => {
      this.#dueAt = Number.POSITIVE_INFINITY;
      this.#dueTimer = null;
      this.lookAround();
    });
  }

  /** Looks at lanes that nobody asked for, too. */
  lookAround(): void {
    this.#othersDue = true;
    this.#claimSoon();
  }

  /** Asks for more of a lane, if there is more and it should be given some. */
  moreFor(lane: Lane): void {
    if (!this.#wantsMore(lane)) return;
    this.#hungry.add(lane);
    this.#claimSoon();
  }

  #claimSoon(): void {
    if (this.#stopping) return;
    if (this.#claiming) {
      this.#claimAgain = true;
      return;
    }
    this.#claiming = true;
    setImmediate(() => void this.#claim());
  }

  /** One claim at a time. Lanes that wait for a breaker are not asked for: their marker stands at its end. */
  async #claim(): Promise<void> {
    const { store, clock } = this.#parts;
    this.#claimAgain = false;
    const beganMs = clock.monotonic();
    const lanes = this.#askFor(beganMs);
    const others = this.#othersDue ? this.#someLanes(beganMs) : { lanes: 0, each: 0 };
    if (lanes.length === 0 && others.lanes === 0) {
      this.#claiming = false;
      return;
    }
    this.#othersDue = false;
    this.#parts.onBegin();
    let pauseMs = 0;
    try {
      const result = await store.claim({ now: clock.now(), lanes, others });
      pauseMs = this.#pauseAfter(beganMs, result.claimed.length);
      this.#receive(result, others.lanes);
    } catch (error) {
      this.#parts.onFault(error, 'claiming deliveries');
      for (const { tag } of lanes) this.#hungry.add(this.#parts.laneFor(tag));
      this.#claimAgain = false;
      this.#othersDue = true;
      clock.after(troubleMs, () => this.#claimSoon());
    }
    this.#parts.onEnd();
    if (pauseMs >= 1) clock.after(pauseMs, () => this.#goOn());
    else this.#goOn();
  }

  #isGentle(nowMs: number): boolean {
    return nowMs - this.#startedMs < gentle.forMs;
  }

  /** How many deliveries a claim at `nowMs` asks for by name at the most. */
  #sizeAt(nowMs: number): number {
    const { claimSize, shortClaimSize } = this.#parts.store;
    const size = this.#isLittleBorn ? shortClaimSize : claimSize;
    if (!this.#isGentle(nowMs)) return size;
    return Math.max(gentle.much, Math.floor((size * (nowMs - this.#startedMs)) / gentle.forMs));
  }

  /** How many lanes that nobody asked for a claim at `nowMs` looks at. */
  #someLanes(nowMs: number): ClaimRequest['others'] {
    if (this.#isGentle(nowMs)) return gentle.lanes;
    return this.#isLittleBorn ? little.lanes : otherLanes;
  }

  /** How long others are left alone after a claim that brought so many, ms. */
  #pauseAfter(beganMs: number, claimed: number): number {
    this.#lookAtBirths();
    const nowMs = this.#parts.clock.monotonic();
    const tookMs = nowMs - beganMs;
    if (this.#isGentle(nowMs)) {
      if (claimed < gentle.much) return 0;
      const seconds = (nowMs - this.#startedMs) / 1_000;
      return Math.min((tookMs * gentle.times) / seconds, gentle.mostPauseMs);
    }
    if (!this.#isLittleBorn) return 0;
    const { claimPause, shortClaimSize } = this.#parts.store;
    return Math.min(tookMs * claimPause * Math.min(claimed / shortClaimSize, 1), little.mostPauseMs);
  }

  #goOn(): void {
    this.#claiming = false;
    if (this.#claimAgain) this.#claimSoon();
  }

  #lookAtBirths(): void {
    const nowMs = this.#parts.clock.monotonic();
    const sinceMs = nowMs - this.#bornSinceMs;
    if (sinceMs < little.everyMs) return;
    this.#isLittleBorn = this.#born > 0 && (this.#born * 1_000) / sinceMs < little.perSecond;
    this.#born = 0;
    this.#bornSinceMs = nowMs;
  }

  /** What a claim asks for by name: lanes that run low, those that were asked for longest ago first. */
  #askFor(nowMs: number): ClaimRequest['lanes'] {
    // A larger claim holds up the accepts that share its turn, and its bodies the memory: with 100,000 due deliveries of 100
    // lanes, up to 65,000 in one claim took others' p99 to 0.9 s and the process to 860 MiB.
    const size = this.#sizeAt(nowMs);
    const share = Math.max(perLane, Math.ceil(size / Math.max(1, this.#hungry.size)));
    const lanes: ClaimRequest['lanes'] = [];
    let left = size;
    for (const lane of this.#hungry) {
      if (left <= 0) {
        this.#claimAgain = true;
        break;
      }
      // Who wants nothing now asks for itself when it does.
      this.#hungry.delete(lane);
      if (!this.#wantsMore(lane)) continue;
      const count = this.#behind.has(lane) ? Math.min(this.#liveWanted(lane), share, left) : 0;
      left -= count;
      const replayed = this.#replaysBehind.has(lane) ? Math.min(replayedWanted(lane), share, left) : 0;
      left -= replayed;
      lanes.push({ tag: lane.tag, count, replayed });
    }
    return lanes;
  }

  /** How many more live deliveries a lane takes from the store. */
  #liveWanted(lane: Lane): number {
    const wanted = liveWanted(lane);
    if (this.#parts.waiting() < enoughWaiting) return wanted;
    return lane.waitingLive < otherLanes.each ? Math.min(wanted, perLane - lane.waitingLive) : 0;
  }

  /** Whether a lane should be given more of what the store has for it. */
  #wantsMore(lane: Lane): boolean {
    if (lane.breaker.kind === 'open') return false;
    return (
      (this.#behind.has(lane) && this.#liveWanted(lane) > 0) ||
      (this.#replaysBehind.has(lane) && replayedWanted(lane) > 0)
    );
  }

  /** @param others how many lanes it might look at that nobody had named */
  #receive({ claimed, looked, nextDueAt }: ClaimResult, others: number): void {
    this.#parts.take(claimed);
    if (this.#stopping) return;
    const got = new Set(claimed.map(({ tag }) => tag));
    for (const { tag, more, moreReplayed } of looked) {
      if (!more && !moreReplayed && !this.#parts.isKnown(tag)) continue;
      const lane = this.#parts.laneFor(tag);
      if (more) this.#behind.add(lane);
      else this.#behind.delete(lane);
      const isNews = moreReplayed && !this.#replaysBehind.has(lane);
      if (moreReplayed) this.#replaysBehind.add(lane);
      else this.#replaysBehind.delete(lane);
      if (!this.#wantsMore(lane)) continue;
      this.#hungry.add(lane);
      // Only where something came: else the store had no room for more, and a finish asks again.
      if (got.has(tag) || isNews) this.#claimAgain = true;
    }
    if (others > 0 && looked.length >= others) {
      this.#othersDue = true;
      this.#claimAgain = true;
    }
    if (nextDueAt !== null) this.noteDue(nextDueAt);
  }
}

/** How many more live deliveries a lane takes from the store. One that is only being probed takes no more than the probe. */
function liveWanted(lane: Lane): number {
  if (lane.breaker.kind !== 'closed') return Math.max(0, 1 - lane.waitingLive - lane.underWay);
  return lane.waitingLive < water.low * lane.limit ? water.high * lane.limit - lane.waitingLive : 0;
}

/** The same of those that replays made. */
function replayedWanted(lane: Lane): number {
  if (lane.replayBreaker.kind === 'open') return 0;
  const { waitingReplayed, limit } = lane;
  if (lane.breaker.kind !== 'closed' || lane.replayBreaker.kind !== 'closed')
    return Math.max(0, 1 - lane.waiting - lane.underWay);
  return waitingReplayed < water.low * limit ? water.high * limit - waitingReplayed : 0;
}
