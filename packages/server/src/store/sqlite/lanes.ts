// What the writer thread knows of lanes between commits: which endpoints exist, how many deliveries of each this
// process holds, which have due work left in the file. One thread writes, so none of it can be out of date.
import type { DatabaseSync } from 'node:sqlite';
import { Room } from '../room.ts';
import { type EndState, Tally } from '../tally.ts';
import { Births } from './births.ts';

/** An endpoint as matching and claiming see it. */
export interface EndpointState {
  version: number;
  enabled: boolean;
  removedAt: number | null;
  ordering: 'none' | 'project' | 'all';
  shiftMs: number;
  /** Since when the lane's time stands still; null while its endpoint is enabled. */
  disabledAt: number | null;
}

/** One endpoint that an event matches. */
export interface Match {
  tag: string;
  version: number;
  ordering: 'none' | 'project' | 'all';
}

/** A moment within a commit. */
export interface Point {
  lanes: number;
  births: number;
}

export const startOfCommit: Point = { lanes: 0, births: 0 };

type Undo = 'held' | 'letGo' | 'ahead' | 'behind' | 'more' | 'less';

export class Lanes {
  readonly #delivers: boolean;
  readonly #selectState;
  readonly #putMarker;
  readonly #dropMarker;
  readonly #forceMarker;
  readonly #room = new Room();
  readonly #closed = new Set<string>();
  /** Lanes with due work in the file: deliveries born meanwhile queue behind it. */
  readonly #behind = new Set<string>();
  readonly #states = new Map<string, EndpointState | null>();
  /** What to take back when a commit or a part of it is rolled back: a code, a tag and a number of bytes in turn. */
  readonly #undo: (string | number)[] = [];
  /** What is held from birth and has no row. */
  readonly births: Births;
  /** Removed endpoints that may still have pending rows, to be written as canceled. */
  readonly removed = new Set<string>();
  /** What is counted for the figures since they were last written. */
  readonly tally = new Tally();
  /** Unfinished deliveries by lane, and of all together; right at every moment, a start counts them once. */
  readonly #backlog = new Map<string, number>();
  #pendingTotal = 0;

  /** @param delivers whether this process sends; else nothing is held at birth */
  constructor(db: DatabaseSync, delivers: boolean) {
    this.#delivers = delivers;
    this.births = new Births(db);
    this.#selectState = db.prepare(
      'SELECT version, enabled, removed_at, ordering, shift_ms, disabled_at FROM endpoints WHERE tag = ?',
    );
    this.#putMarker = db.prepare(
      'INSERT INTO lanes (tag, due_at) VALUES (?, ?) ON CONFLICT (tag) DO UPDATE SET due_at = min(due_at, excluded.due_at)',
    );
    this.#forceMarker = db.prepare(
      'INSERT INTO lanes (tag, due_at) VALUES (?, ?) ON CONFLICT (tag) DO UPDATE SET due_at = excluded.due_at',
    );
    this.#dropMarker = db.prepare('DELETE FROM lanes WHERE tag = ?');
  }

  /** The endpoint behind a tag, null if there never was one. */
  state(tag: string): EndpointState | null {
    const known = this.#states.get(tag);
    if (known !== undefined) return known;
    const row = this.#selectState.get(tag) as
      | {
          version: number;
          enabled: number;
          removed_at: number | null;
          ordering: string;
          shift_ms: number;
          disabled_at: number | null;
        }
      | undefined;
    const state =
      row === undefined
        ? null
        : {
            version: row.version,
            enabled: row.enabled === 1,
            removedAt: row.removed_at,
            ordering: row.ordering as EndpointState['ordering'],
            shiftMs: row.shift_ms,
            disabledAt: row.enabled === 1 ? null : row.disabled_at,
          };
    if (this.#states.size > 20_000) this.#states.clear();
    this.#states.set(tag, state);
    return state;
  }

  /** Whether the endpoint behind a tag is not removed. */
  isThere(tag: string): boolean {
    return this.state(tag)?.removedAt === null;
  }

  /** What the real time `at` is in the lane's own time, `now` being the real time of this moment. */
  laneTime(tag: string, at: number, now: number): number {
    const state = this.state(tag);
    if (state === null) return at;
    const stoodMs = state.disabledAt === null ? 0 : Math.max(0, now - state.disabledAt);
    return at - state.shiftMs - stoodMs;
  }

  /** Forgets what was read of endpoints: called inside every change of the control plane. */
  forget(): void {
    this.#states.clear();
  }

  noteRemoved(tag: string): void {
    this.removed.add(tag);
  }

  setOpen(tag: string, open: boolean): void {
    if (open) {
      this.#closed.delete(tag);
      this.tally.rests(tag, null);
    } else this.#closed.add(tag);
  }

  /** Whether a lane's breaker is open. */
  isClosed(tag: string): boolean {
    return this.#closed.has(tag);
  }

  /** Whether a delivery born now may be held at once: see DESIGN "leased at birth". */
  mayHold(tag: string, ordering: Match['ordering']): boolean {
    return (
      ordering === 'none' &&
      this.#delivers &&
      !this.#behind.has(tag) &&
      !this.#closed.has(tag) &&
      this.hasRoom(tag)
    );
  }

  /** Whether one more delivery of a lane may be held. */
  hasRoom(tag: string): boolean {
    return this.#room.has(tag);
  }

  /** Deliveries that this process holds. */
  get heldTotal(): number {
    return this.#room.total;
  }

  /** @param bytes the length of the event's body */
  hold(tag: string, bytes: number): void {
    this.#undo.push('held', tag, bytes);
    this.#room.add(tag, 1, bytes);
  }

  letGo(tag: string, bytes: number): void {
    this.#undo.push('letGo', tag, bytes);
    this.#room.add(tag, -1, bytes);
  }

  /** Unfinished deliveries of all lanes. */
  get pendingTotal(): number {
    return this.#pendingTotal;
  }

  /** Unfinished deliveries of a lane. */
  backlogOf(tag: string): number {
    return this.#backlog.get(tag) ?? 0;
  }

  /** A start: what is unfinished in the file. */
  setBacklog(tag: string, count: number): void {
    this.#backlog.set(tag, count);
    this.#pendingTotal += count;
  }

  /** Counts a delivery that becomes pending (+1) or is so no more (-1). */
  countPending(tag: string, by: 1 | -1): void {
    this.#undo.push(by === 1 ? 'more' : 'less', tag, 0);
    this.#addPending(tag, by);
    this.tally.pending(tag, by);
  }

  #addPending(tag: string, by: 1 | -1): void {
    const count = (this.#backlog.get(tag) ?? 0) + by;
    if (count === 0) this.#backlog.delete(tag);
    else this.#backlog.set(tag, count);
    this.#pendingTotal += by;
  }

  /** Counts a delivery that was canceled. */
  countCanceled(tag: string, at: number): void {
    this.countPending(tag, -1);
    this.tally.ended(tag, at, 'canceled' satisfies EndState);
  }

  /** Notes whether the file has due work left for a lane. */
  setBehind(tag: string, behind: boolean): void {
    if (behind === this.#behind.has(tag)) return;
    this.#undo.push(behind ? 'behind' : 'ahead', tag, 0);
    if (behind) this.#behind.add(tag);
    else this.#behind.delete(tag);
  }

  /** A point to go back to when what follows is rolled back in the file. */
  point(): Point {
    return { lanes: this.#undo.length, births: this.births.point() };
  }

  /** After a commit: nothing before it can be taken back any more. */
  settle(): void {
    this.#undo.length = 0;
    this.births.settle();
  }

  /** Takes back everything since `point`, as the file did. */
  rewind(point: Point): void {
    this.births.rewind(point.births);
    while (this.#undo.length > point.lanes) {
      const bytes = this.#undo.pop() as number;
      const tag = this.#undo.pop() as string;
      switch (this.#undo.pop() as Undo) {
        case 'held':
          this.#room.add(tag, -1, bytes);
          break;
        case 'letGo':
          this.#room.add(tag, 1, bytes);
          break;
        case 'behind':
          this.#behind.delete(tag);
          break;
        case 'ahead':
          this.#behind.add(tag);
          break;
        case 'more':
          this.#addPending(tag, -1);
          this.tally.notPending(tag, 1);
          break;
        case 'less':
          this.#addPending(tag, 1);
          this.tally.notPending(tag, -1);
          break;
      }
    }
  }

  /** Makes sure that the lane is looked at no later than `dueAt` (real time). */
  mark(tag: string, dueAt: number): void {
    this.#putMarker.run(tag, dueAt);
  }

  /** Marks a lane for a delivery born unclaimed. A closed lane keeps its marker, at the end of its breaker's rest. */
  markBorn(tag: string, dueAt: number): void {
    if (!this.#closed.has(tag)) this.mark(tag, dueAt);
  }

  /** Sets the lane's marker, later ones included; null removes it. */
  setMarker(tag: string, dueAt: number | null): void {
    if (dueAt === null) this.#dropMarker.run(tag);
    else this.#forceMarker.run(tag, dueAt);
  }
}
