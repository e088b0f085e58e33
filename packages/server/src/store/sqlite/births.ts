// Deliveries that this process holds from birth and that have no row of their own yet: their event's row names them
// (`born`), and a row of `births` says which events may have such. Most are finished within milliseconds and never
// need more; one that takes longer gets its row in `pending`. After a crash the next start makes the rows.
// Measured (fan-out 1 and 10, deliveries/s): a row in `pending` from birth to end 17,500 and 33,500; without 20,400
// and 38,000.
import type { DatabaseSync } from 'node:sqlite';
import { type Clock, systemClock } from '../../clock.ts';
import { uidLength } from '../../id.ts';
import { heldAt } from './available-at.ts';

/** How long a delivery goes without a row, in ms: bounds what a list must look through, and a start has to mend. */
const rowlessMs = 1_000;
/** How many rows one commit makes for those that took longer. */
const rowsPerCommit = 512;

/** The event of born deliveries. */
export interface Origin {
  uid: string;
  /** The endpoints whose deliveries are held without a row. */
  tags: string[];
  seq: number;
  type: string;
  createdAt: number;
  commit: CommitBirths;
}

/** The births of one commit, one row of `births`. */
interface CommitBirths {
  first: number;
  last: number;
  left: number;
  /** Monotonic ms. */
  at: number;
  stored: boolean;
}

export class Births {
  /** By the event's uid: a delivery's own key in its place took the writer 0.6 µs more of each at fan-out 10. */
  readonly #origins = new Map<string, Origin>();
  /** Commits that lost their last birth during this commit: they give up their row. */
  readonly #emptied = new Set<CommitBirths>();
  /** What the commit under way has done here: an event, a tag and whether it was taken, in turn. See `Lanes`. */
  readonly #undo: (Origin | string | boolean)[] = [];
  #commit: CommitBirths | null = null;
  readonly #clock: Clock;
  readonly #insertCommit;
  readonly #deleteCommit;
  readonly #insertRow;
  readonly #recover;

  constructor(db: DatabaseSync, clock: Clock = systemClock) {
    this.#clock = clock;
    this.#insertCommit = db.prepare('INSERT INTO births (first_seq, last_seq) VALUES (?, ?)');
    this.#deleteCommit = db.prepare('DELETE FROM births WHERE first_seq = ?');
    this.#insertRow = db.prepare(
      `INSERT INTO pending (id, tag, event_seq, type, attempts, available_at, last_status, last_cause, created_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    this.#recover = [
      `INSERT INTO pending (id, tag, event_seq, type, available_at, created_at)
       SELECT id, tag, event_seq, type, ${heldAt}, created_at FROM born`,
      'DELETE FROM births',
    ].map((sql) => db.prepare(sql));
  }

  /** The event behind births that follow: a part of the commit under way. */
  origin(uid: string, seq: number, type: string, createdAt: number): Origin {
    this.#commit ??= { first: seq, last: seq, left: 0, at: this.#clock.monotonic(), stored: false };
    this.#commit.last = seq;
    return { uid, tags: [], seq, type, createdAt, commit: this.#commit };
  }

  add(tag: string, origin: Origin): void {
    this.#undo.push(origin, tag, false);
    this.#add(tag, origin);
  }

  /** Whether a delivery is held without a row. */
  has(key: string): boolean {
    return this.#origins.get(key.slice(0, uidLength))?.tags.includes(key.slice(uidLength)) === true;
  }

  /** Takes a delivery out, which then is finished or gets a row; undefined if it has one or is not held. */
  take(key: string): Origin | undefined {
    const origin = this.#origins.get(key.slice(0, uidLength));
    if (origin === undefined) return undefined;
    const tag = key.slice(uidLength);
    if (!this.#remove(tag, origin)) return undefined;
    this.#undo.push(origin, tag, true);
    if (origin.commit.left === 0) this.#emptied.add(origin.commit);
    return origin;
  }

  /** Gives a delivery its row: `availableAt` is lane time, or says that it stays held. */
  writeRow(
    key: string,
    tag: string,
    { seq, type, createdAt }: Origin,
    availableAt: number,
    last: { attempts: number; status: number | null; cause: string | null } = unsent,
  ): void {
    const { attempts, status, cause } = last;
    this.#insertRow.run(key, tag, seq, type, attempts, availableAt, status, cause, createdAt);
  }

  /** Gives a delivery that is held without a row a row, so that more can be noted of it. */
  materialise(key: string, tag: string): void {
    const origin = this.take(key);
    if (origin !== undefined) this.writeRow(key, tag, origin, heldAt);
  }

  /** The last statements of a commit: its own births, those of others that are over, and the slow ones' rows. */
  beforeCommit(): void {
    const slowSince = this.#clock.monotonic() - rowlessMs;
    let rows = 0;
    for (const { uid, tags, commit } of this.#origins.values()) {
      if (commit.at > slowSince || rows >= rowsPerCommit) break;
      rows += tags.length;
      for (let tag = tags.at(-1); tag !== undefined; tag = tags.at(-1)) this.materialise(uid + tag, tag);
    }
    const commit = this.#commit;
    if (commit !== null && commit.left > 0) {
      this.#insertCommit.run(commit.first, commit.last);
      commit.stored = true;
    }
    for (const { left, stored, first } of this.#emptied) {
      if (left === 0 && stored) this.#deleteCommit.run(first);
    }
  }

  /** A start after a crash: every delivery that has no row gets one. */
  recover(): void {
    for (const statement of this.#recover) statement.run();
  }

  /** The first of those without a row, whose key begins with its time; null if there are none. */
  oldestKey(): string | null {
    for (const { uid, tags } of this.#origins.values()) return uid + tags[0];
    return null;
  }

  /** The same of one lane. */
  oldestKeyOf(tag: string): string | null {
    for (const { uid, tags } of this.#origins.values()) if (tags.includes(tag)) return uid + tag;
    return null;
  }

  point(): number {
    return this.#undo.length;
  }

  settle(): void {
    this.#undo.length = 0;
    this.#emptied.clear();
    this.#commit = null;
  }

  rewind(point: number): void {
    while (this.#undo.length > point) {
      const taken = this.#undo.pop() as boolean;
      const tag = this.#undo.pop() as string;
      const origin = this.#undo.pop() as Origin;
      if (taken) this.#add(tag, origin);
      else this.#remove(tag, origin);
    }
    if (point === 0) this.settle();
  }

  #add(tag: string, origin: Origin): void {
    if (origin.tags.length === 0) this.#origins.set(origin.uid, origin);
    origin.tags.push(tag);
    origin.commit.left += 1;
  }

  /** Whether it was there. */
  #remove(tag: string, origin: Origin): boolean {
    const { tags } = origin;
    const at = tags.indexOf(tag);
    if (at < 0) return false;
    const last = tags.pop() as string;
    if (at < tags.length) tags[at] = last;
    if (tags.length === 0) this.#origins.delete(origin.uid);
    origin.commit.left -= 1;
    return true;
  }
}

const unsent = { attempts: 0, status: null, cause: null };
