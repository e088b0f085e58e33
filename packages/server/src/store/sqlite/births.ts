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

/** The event of a born delivery. All of one event share it. */
export interface Origin {
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

/** What the commit under way has done here, so that it can be taken back; see `Lanes`. */
type Undo = { key: string; origin: Origin; taken: boolean };

export class Births {
  readonly #origins = new Map<string, Origin>();
  /** Commits that lost a birth during this commit: those that lost their last give up their row. */
  readonly #thinned = new Set<CommitBirths>();
  readonly #undo: Undo[] = [];
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
  origin(seq: number, type: string, createdAt: number): Origin {
    this.#commit ??= { first: seq, last: seq, left: 0, at: this.#clock.monotonic(), stored: false };
    this.#commit.last = seq;
    return { seq, type, createdAt, commit: this.#commit };
  }

  add(key: string, origin: Origin): void {
    this.#undo.push({ key, origin, taken: false });
    this.#add(key, origin);
  }

  /** Whether a delivery is held without a row. */
  has(key: string): boolean {
    return this.#origins.has(key);
  }

  /** Takes a delivery out, which then is finished or gets a row; undefined if it has one or is not held. */
  take(key: string): Origin | undefined {
    const origin = this.#origins.get(key);
    if (origin === undefined) return undefined;
    this.#undo.push({ key, origin, taken: true });
    this.#remove(key, origin);
    this.#thinned.add(origin.commit);
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
    for (const [key, { commit }] of this.#origins) {
      if (commit.at > slowSince || rows === rowsPerCommit) break;
      this.materialise(key, key.slice(uidLength));
      rows += 1;
    }
    const commit = this.#commit;
    if (commit !== null && commit.left > 0) {
      this.#insertCommit.run(commit.first, commit.last);
      commit.stored = true;
    }
    for (const thinned of this.#thinned) {
      if (thinned.left === 0 && thinned.stored) this.#deleteCommit.run(thinned.first);
    }
  }

  /** A start after a crash: every delivery that has no row gets one. */
  recover(): void {
    for (const statement of this.#recover) statement.run();
  }

  /** The first of those without a row, whose key begins with its time; null if there are none. */
  oldestKey(): string | null {
    for (const key of this.#origins.keys()) return key;
    return null;
  }

  /** The same of one lane. */
  oldestKeyOf(tag: string): string | null {
    for (const key of this.#origins.keys()) if (key.endsWith(tag)) return key;
    return null;
  }

  point(): number {
    return this.#undo.length;
  }

  settle(): void {
    this.#undo.length = 0;
    this.#thinned.clear();
    this.#commit = null;
  }

  rewind(point: number): void {
    while (this.#undo.length > point) {
      const { key, origin, taken } = this.#undo.pop() as Undo;
      if (taken) this.#add(key, origin);
      else this.#remove(key, origin);
    }
    if (point === 0) this.settle();
  }

  #add(key: string, origin: Origin): void {
    this.#origins.set(key, origin);
    origin.commit.left += 1;
  }

  #remove(key: string, origin: Origin): void {
    this.#origins.delete(key);
    origin.commit.left -= 1;
  }
}

const unsent = { attempts: 0, status: null, cause: null };
