// Prune on PostgreSQL: by days (prune-days.ts), or where the retention is too short for that event by event, as in SQLite.
import { byKey } from './by-key.ts';
import type { Connections } from './connection.ts';
import { DayPruner } from './prune-days.ts';

const dayMs = 86_400_000;
/** Below this retention days are too coarse, and events leave one by one. */
export const byRowBelowMs = 3 * dayMs;

const looksText = `
SELECT seq, accepted_at FROM events WHERE seq > $1 ORDER BY seq LIMIT $2`;

const pruneText = `
WITH old AS (
  SELECT v.seq, v.team_id, v.id, coalesce(v.uid, v.id) AS uid FROM events v
   WHERE v.seq = ANY ($1::int8[])
     AND NOT EXISTS (SELECT 1 FROM endpoints e JOIN pending p ON ${byKey('p', 'e.tag', 'coalesce(v.uid, v.id) || e.tag')}
                      WHERE e.team_id = v.team_id AND p.event_seq = v.seq)
),
keys AS (SELECT o.seq, e.tag, o.uid || e.tag AS key FROM old o JOIN endpoints e ON e.team_id = o.team_id),
a AS (DELETE FROM attempts t USING keys k WHERE t.delivery_id = k.key AND t.event_seq = k.seq),
d AS (DELETE FROM deliveries t USING keys k WHERE t.tag = k.tag AND t.id = k.key AND t.event_seq = k.seq),
i AS (DELETE FROM event_ids t USING old o WHERE t.team_id = o.team_id AND t.id = o.id)
DELETE FROM events t USING old o WHERE t.seq = o.seq`;

const replaysText = "DELETE FROM replays WHERE state <> 'running' AND finished_at < $1";

export class Pruner {
  readonly #connections: Connections;
  readonly #byRowBelowMs: number;
  readonly #days: DayPruner;
  #from = 0;

  constructor(connections: Connections, belowMs: number) {
    this.#connections = connections;
    this.#byRowBelowMs = belowMs;
    this.#days = new DayPruner(connections);
  }

  /** Looks at up to `limit` events accepted before `before` (epoch ms); answers how many, zero at the end of a round. */
  async prune(before: number, limit: number, now: number): Promise<number> {
    const looked = await this.#pruneEvents(before, limit, now);
    if (looked === 0) await this.#connections.run({ name: null, text: replaysText, values: [before] });
    return looked;
  }

  async #pruneEvents(before: number, limit: number, now: number): Promise<number> {
    if (now - before >= this.#byRowBelowMs) return this.#days.prune(before, limit, now);
    const { run } = this.#connections;
    const found = await run({ name: 'oldest', text: looksText, values: [this.#from, limit] });
    const rows = found.rows as { seq: number; accepted_at: number }[];
    const end = rows.findIndex(({ accepted_at }) => accepted_at >= before);
    const old = (end < 0 ? rows : rows.slice(0, end)).map(({ seq }) => seq);
    if (old.length > 0) await run({ name: 'prune', text: pruneText, values: [old] });
    this.#from = old.length < limit ? 0 : (old.at(-1) ?? 0);
    return old.length < limit ? 0 : old.length;
  }
}
