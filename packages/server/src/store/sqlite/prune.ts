// Prune: history older than the retention, oldest first, a few milliseconds of it in a turn. An event leaves whole, with
// its deliveries and attempts, and only when none of its deliveries is unfinished; its id is free again then.
import type { DatabaseSync } from 'node:sqlite';
import type { Lanes } from './lanes.ts';

/** The file gives pages back to the system when more than one in so many is free, so many at a time. */
const freeShare = 4;
const pagesAtOnce = 64;

interface Row {
  seq: number;
  team_id: string;
  uid: string;
  accepted_at: number;
}

export class Pruner {
  readonly #db: DatabaseSync;
  readonly #lanes: Lanes;
  readonly #oldest;
  readonly #tags;
  readonly #isPending;
  readonly #dropDelivery;
  readonly #dropAlone;
  readonly #dropAttempts;
  readonly #dropEvent;
  readonly #dropReplays;
  /** What is kept for its unfinished deliveries is passed over until the next round. */
  #from = 0;

  constructor(db: DatabaseSync, lanes: Lanes) {
    this.#db = db;
    this.#lanes = lanes;
    this.#oldest = db.prepare(
      `SELECT seq, team_id, coalesce(uid, id) AS uid, accepted_at FROM events
        WHERE seq > ? ORDER BY seq LIMIT ?`,
    );
    this.#tags = db.prepare('SELECT tag FROM endpoints WHERE team_id = ?');
    this.#isPending = db.prepare('SELECT 1 FROM pending WHERE tag = ? AND id = ?');
    this.#dropDelivery = db.prepare('DELETE FROM deliveries WHERE tag = ? AND id = ? RETURNING attempt');
    this.#dropAlone = db.prepare('DELETE FROM attempts WHERE seq = ?');
    this.#dropAttempts = db.prepare('DELETE FROM attempts WHERE delivery_id = ? AND alone = 0');
    this.#dropEvent = db.prepare('DELETE FROM events WHERE seq = ?');
    this.#dropReplays = db.prepare("DELETE FROM replays WHERE state <> 'running' AND finished_at < ?");
  }

  /** Looks at up to `limit` events accepted before `before` (epoch ms); answers how many, zero at the end of a round. */
  prune(before: number, limit: number): number {
    const rows = this.#oldest.all(this.#from, limit) as unknown as Row[];
    const tagsOf = new Map<string, string[]>();
    let looked = 0;
    for (const row of rows) {
      if (row.accepted_at >= before) break;
      let tags = tagsOf.get(row.team_id);
      if (tags === undefined) {
        tags = (this.#tags.all(row.team_id) as { tag: string }[]).map(({ tag }) => tag);
        tagsOf.set(row.team_id, tags);
      }
      this.#from = row.seq;
      looked += 1;
      // Also of an event that matched nothing: a replay may have made deliveries of it.
      this.#pruneOne(row, tags);
    }
    if (looked < limit) {
      this.#from = 0;
      this.#dropReplays.run(before);
      this.#giveBack();
      return 0;
    }
    return looked;
  }

  #pruneOne({ seq, uid }: Row, tags: string[]): void {
    const isUnfinished = (tag: string) =>
      this.#lanes.births.has(uid + tag) || this.#isPending.get(tag, uid + tag) !== undefined;
    if (tags.some(isUnfinished)) return;
    for (const tag of tags) {
      const dropped = this.#dropDelivery.get(tag, uid + tag) as { attempt: number | null } | undefined;
      if (dropped === undefined) continue;
      this.#dropAttempts.run(uid + tag);
      if (dropped.attempt !== null) this.#dropAlone.run(dropped.attempt);
    }
    this.#dropEvent.run(seq);
  }

  #giveBack(): void {
    const { pages, free } = this.#db
      .prepare(
        'SELECT page_count AS pages, freelist_count AS free FROM pragma_page_count, pragma_freelist_count',
      )
      .get() as { pages: number; free: number };
    if (free * freeShare > pages) this.#db.exec(`PRAGMA incremental_vacuum(${pagesAtOnce})`);
  }
}
