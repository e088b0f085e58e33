// The delivering half of a store in memory, for tests of the engine: what it was asked, what it holds, and calls that
// fail or wait when a test wants them to.
import type {
  AttemptRecord,
  Claimed,
  ClaimRequest,
  ClaimResult,
  DeliveryListener,
  DeliveryStore,
  EndpointRow,
  FinishOutcome,
  Lease,
  ReplayRequest,
  ReplayStep,
  RunningReplay,
} from '../../src/store/store.ts';

interface Row {
  claimed: Claimed;
  dueAt: number;
  held: boolean;
}

type Call =
  | 'runningReplays'
  | 'makeReplayed'
  | 'claim'
  | 'finish'
  | 'release'
  | 'endpoints'
  | 'cancelRemoved'
  | 'prune'
  | 'sweep';

/** An endpoint as the store has it. */
export const endpointRow = (tag: string, changes: Partial<EndpointRow> = {}): EndpointRow => ({
  tag,
  id: `hook ${tag}`,
  kind: 'webhook',
  teamId: 'team_1',
  version: 1,
  url: `https://${tag}.example/hook`,
  secretSealed: Buffer.from('secret'),
  oldSecretSealed: null,
  oldSecretUntil: null,
  enabled: true,
  removed: false,
  maxConcurrency: null,
  ratePerSecond: null,
  ordering: 'none',
  ...changes,
});

export class FakeDeliveries implements DeliveryStore {
  readonly rows = new Map<string, Row>();
  readonly endpointRows = new Map<string, EndpointRow>();
  readonly claims: ClaimRequest[] = [];
  readonly finished: AttemptRecord[] = [];
  readonly released: { key: string; at: number }[] = [];
  /** Lanes that were closed and not opened again. */
  readonly closedLanes = new Set<string>();
  readonly markers = new Map<string, number>();
  /** Tags that `endpoints` was asked for. */
  readonly endpointReads: string[] = [];
  endpointQueries = 0;
  /** Calls that fail while they stand here. */
  readonly failing = new Set<Call>();
  /** While set, calls of this kind wait for it. */
  readonly gates = new Map<Call, Promise<void>>();
  /** What `cancelRemoved` answers, one after the other; then zero. */
  readonly cancelCounts: number[] = [];
  cancels = 0;
  /** What `prune` was asked, and what it answers, one after the other; then zero. */
  readonly prunes: number[] = [];
  readonly pruneCounts: number[] = [];
  /** The same of `pruneFigures`. */
  readonly figurePrunes: number[] = [];
  readonly figurePruneCounts: number[] = [];
  /** Replays that run, and what each has yet to make. */
  readonly replays = new Map<string, { replay: RunningReplay; left: Claimed[] }>();
  /** How many deliveries each step of a replay was to make. */
  readonly replayRequests: number[] = [];
  leaseEndsAt = Number.POSITIVE_INFINITY;
  claimSize = 128;
  shortClaimSize = 64;
  claimPause = 0;
  listener: DeliveryListener | null = null;
  sweeps: number[] = [];

  async prune(before: number): Promise<number> {
    this.prunes.push(before);
    await this.#enter('prune');
    return this.pruneCounts.shift() ?? 0;
  }

  listen(listener: DeliveryListener): void {
    this.listener = listener;
  }

  async #enter(call: Call): Promise<void> {
    await this.gates.get(call);
    if (this.failing.has(call)) throw new Error(`The store is away (${call}).`);
  }

  /** Puts a delivery into the store that nobody holds. */
  put(claimed: Claimed, dueAt: number): void {
    this.rows.set(claimed.key, { claimed, dueAt, held: false });
  }

  /** Puts a delivery into the store that was held at birth. */
  putHeld(claimed: Claimed): void {
    this.rows.set(claimed.key, { claimed, dueAt: 0, held: true });
  }

  /** Keys of what is left, held or not. */
  left(): { held: string[]; waiting: string[] } {
    const rows = [...this.rows.values()];
    const keys = (held: boolean) => rows.filter((row) => row.held === held).map(({ claimed }) => claimed.key);
    return { held: keys(true), waiting: keys(false) };
  }

  async claim(request: ClaimRequest): Promise<ClaimResult> {
    await this.#enter('claim');
    this.claims.push(request);
    const { now, lanes, others } = request;
    // As PostgreSQL does.
    if (lanes.some(({ count, replayed }) => count < 0 || replayed < 0))
      throw new Error('LIMIT must not be negative');
    const wanted = new Map(lanes.map(({ tag, count, replayed }) => [tag, { live: count, replayed }]));
    const waiting = [...this.rows.values()].filter(({ held }) => !held);
    for (const { claimed } of waiting) {
      if (wanted.size >= lanes.length + others.lanes) break;
      if (!wanted.has(claimed.tag) && (this.markers.get(claimed.tag) ?? 0) <= now)
        wanted.set(claimed.tag, { live: others.each, replayed: others.each });
    }
    const result: ClaimResult = { claimed: [], looked: [], nextDueAt: null };
    for (const [tag, { live, replayed }] of wanted) {
      const { enabled = false, removed = true, version = 0 } = this.endpointRows.get(tag) ?? {};
      const due =
        enabled && !removed ? waiting.filter((row) => row.claimed.tag === tag && row.dueAt <= now) : [];
      const isReplayed = (row: Row) => row.claimed.replay !== undefined;
      const [ours, theirs] = [due.filter((row) => !isReplayed(row)), due.filter(isReplayed)];
      for (const row of [...ours.slice(0, live), ...theirs.slice(0, replayed)]) {
        row.held = true;
        result.claimed.push({ ...row.claimed, version });
      }
      result.looked.push({ tag, more: ours.length > live, moreReplayed: theirs.length > replayed });
    }
    const later = waiting
      .filter(({ held }) => !held)
      .map(({ dueAt, claimed }) => Math.max(dueAt, this.markers.get(claimed.tag) ?? 0))
      .filter((at) => at > now);
    if (later.length > 0) result.nextDueAt = Math.min(...later);
    return result;
  }

  finish(record: AttemptRecord, done: (outcome: FinishOutcome | Error) => void): void {
    this.#finish(record).then(done, done);
  }

  async #finish(record: AttemptRecord): Promise<FinishOutcome> {
    await this.#enter('finish');
    const row = this.rows.get(record.key);
    if (row?.held !== true) return { kind: 'lost' };
    this.finished.push(record);
    if (record.next.kind !== 'retry') {
      this.rows.delete(record.key);
      return { kind: 'written', dueAt: null };
    }
    row.claimed = { ...row.claimed, attempts: record.number };
    Object.assign(row, { held: false, dueAt: record.next.at });
    return { kind: 'written', dueAt: record.next.at };
  }

  async release(leases: Lease[], at: number): Promise<void> {
    await this.#enter('release');
    for (const { key } of leases) {
      const row = this.rows.get(key);
      if (row?.held !== true) continue;
      Object.assign(row, { held: false, dueAt: at });
      this.released.push({ key, at });
    }
  }

  setLaneOpen(tag: string, open: boolean): void {
    if (open) this.closedLanes.delete(tag);
    else this.closedLanes.add(tag);
  }

  holdLane(tag: string, at: number): Promise<void> {
    this.markers.set(tag, at);
    return Promise.resolve();
  }

  async endpoints(tags: string[]): Promise<EndpointRow[]> {
    this.endpointReads.push(...tags);
    this.endpointQueries += 1;
    // As they are when the query begins, however long its answer takes.
    const found = tags.flatMap((tag) => this.endpointRows.get(tag) ?? []);
    await this.#enter('endpoints');
    return found;
  }

  writeFigures(): Promise<void> {
    return Promise.resolve();
  }

  pruneFigures(now: number): Promise<number> {
    this.figurePrunes.push(now);
    return Promise.resolve(this.figurePruneCounts.shift() ?? 0);
  }

  async cancelRemoved(): Promise<number> {
    this.cancels += 1;
    await this.#enter('cancelRemoved');
    return this.cancelCounts.shift() ?? 0;
  }

  async runningReplays(): Promise<RunningReplay[]> {
    await this.#enter('runningReplays');
    return [...this.replays.values()].map(({ replay }) => replay);
  }

  async makeReplayed({ replay, most }: ReplayRequest): Promise<ReplayStep> {
    this.replayRequests.push(most);
    await this.#enter('makeReplayed');
    const running = this.replays.get(replay.id);
    if (running?.replay.turn !== replay.turn) return { kind: 'stale' };
    const claimed = running.left.splice(0, most);
    for (const one of claimed) this.putHeld(one);
    running.replay = { ...replay, turn: replay.turn + 1 };
    const over = running.left.length === 0;
    if (over) this.replays.delete(replay.id);
    return { kind: 'made', claimed, due: false, next: over ? null : running.replay };
  }

  async sweep(now: number): Promise<void> {
    await this.#enter('sweep');
    this.sweeps.push(now);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** A gate that holds calls until it is opened. */
export function newGate(): { gate: Promise<void>; open(): void } {
  let open = () => {};
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { gate, open: () => open() };
}
