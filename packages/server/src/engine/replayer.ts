// The replayer: makes what replays ask for, a few deliveries at a time, as their lanes take them or their rates allow.
// It stands beside the keeper; what it makes is held by this process and goes to the lanes, where live deliveries go first.
import type { Clock, Timer } from '../clock.ts';
import { aheadMs, allowed, keptSince, makeAtMs, type Pace, spread } from '../core/replay.ts';
import type { Claimed, DeliveryStore, RunningReplay } from '../store/store.ts';
import type { ReplayStart } from './lane.ts';

/** How often replays are looked for, ms: those of other nodes that died, and those begun on a node that does not send. */
const lookEveryMs = 1_000;
/** After something came between, they are looked for again so soon. */
const lookAgainMs = 100;
/** How often a lane is looked at that has enough for now. */
const tickMs = 10;

export interface ReplayerParts {
  store: Pick<DeliveryStore, 'runningReplays' | 'makeReplayed'>;
  clock: Clock;
  retentionMs: number;
  /** How many deliveries a lane should be given; see `Dispatcher.roomForReplay`. */
  room(tag: string, replayId: string, ahead: number): number;
  /** Takes a delivery that is held. */
  take(claimed: Claimed, start: ReplayStart): void;
  /** Hears that the store has work now. */
  noteDue(at: number): void;
  /** Hears that everything of a replay is made. */
  onDone(replay: RunningReplay): void;
  onFault(error: unknown, doing: string): void;
}

interface Running {
  replay: RunningReplay;
  /** Null for one that is made as fast as its lane takes it. */
  pace: Pace | null;
}

export class Replayer {
  readonly #parts: ReplayerParts;
  #running = new Map<string, Running>();
  #lookAtMs = Number.NEGATIVE_INFINITY;
  #timer: Timer | null = null;
  #round: Promise<void> | null = null;
  #stopped = false;

  constructor(parts: ReplayerParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#tickIn(0);
  }

  /** Hears that something was changed, a replay begun perhaps. */
  wake(): void {
    this.#lookAtMs = Number.NEGATIVE_INFINITY;
    if (this.#timer !== null) this.#tickIn(0);
  }

  /** Ends after the step that is under way. Idempotent. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#round;
  }

  #tickIn(ms: number): void {
    this.#timer?.cancel();
    this.#timer = this.#parts.clock.after(ms, () => {
      this.#timer = null;
      this.#round = this.#runRound();
    });
  }

  async #runRound(): Promise<void> {
    let waitMs = lookEveryMs;
    try {
      if (this.#parts.clock.monotonic() >= this.#lookAtMs) await this.#look();
      for (const running of this.#running.values()) {
        if (this.#stopped) return;
        waitMs = Math.min(waitMs, await this.#step(running));
      }
      waitMs = Math.min(waitMs, this.#lookAtMs - this.#parts.clock.monotonic());
    } catch (error) {
      this.#parts.onFault(error, 'replaying');
      this.#lookSoon(lookEveryMs);
    }
    if (!this.#stopped) this.#tickIn(Math.max(0, waitMs));
  }

  /** Reads what runs. A replay that was here before keeps its pace. */
  async #look(): Promise<void> {
    const { store, clock } = this.#parts;
    this.#lookAtMs = clock.monotonic() + lookEveryMs;
    const found = await store.runningReplays();
    const before = this.#running;
    this.#running = new Map(
      found.map((replay) => {
        const { rate, id } = replay;
        const fresh = rate === null ? null : { ratePerSecond: rate, nextAtMs: clock.monotonic() };
        return [id, { replay, pace: before.get(id)?.pace ?? fresh }];
      }),
    );
  }

  #lookSoon(ms: number): void {
    this.#lookAtMs = Math.min(this.#lookAtMs, this.#parts.clock.monotonic() + ms);
  }

  /** Makes what may be made now; answers when to look at the replay again, ms from now. */
  async #step(running: Running): Promise<number> {
    const { store, clock, retentionMs } = this.#parts;
    const { replay, pace } = running;
    const ahead = pace === null ? 0 : Math.ceil((pace.ratePerSecond * aheadMs) / 1000);
    const due = pace === null ? Number.POSITIVE_INFINITY : allowed(pace, clock.monotonic());
    const most = Math.min(due, this.#parts.room(replay.tag, replay.id, ahead));
    if (most === 0) return pace === null || due > 0 ? tickMs : this.#untilNext(pace);
    const now = clock.now();
    const step = await store.makeReplayed({ replay, most, now, keptSince: keptSince(now, retentionMs) });
    if (step.kind === 'stale') {
      this.#running.delete(replay.id);
      this.#lookSoon(lookAgainMs);
      return lookEveryMs;
    }
    this.#handOver(running, step.claimed);
    if (step.due) this.#parts.noteDue(now);
    if (step.next === null) {
      this.#running.delete(replay.id);
      this.#parts.onDone(replay);
      return lookEveryMs;
    }
    running.replay = step.next;
    // Others of the webhook have not moved; what they read of it before would be out of date.
    for (const other of this.#running.values()) {
      if (other.replay.tag === replay.tag) other.replay = { ...other.replay, turn: step.next.turn };
    }
    // Where nothing matched it goes on at once.
    const moved = step.next.cursor.after !== replay.cursor.after;
    return moved && step.claimed.length === 0 && !step.due ? 0 : tickMs;
  }

  #untilNext(pace: Pace): number {
    return Math.max(tickMs, makeAtMs(pace) - this.#parts.clock.monotonic());
  }

  #handOver(running: Running, claimed: Claimed[]): void {
    const nowMs = this.#parts.clock.monotonic();
    const replayId = running.replay.id;
    let startsMs: number[] = [];
    if (running.pace !== null)
      ({ startsMs, pace: running.pace } = spread(running.pace, nowMs, claimed.length));
    for (const [at, one] of claimed.entries())
      this.#parts.take(one, { replayId, atMs: startsMs[at] ?? nowMs });
  }
}
