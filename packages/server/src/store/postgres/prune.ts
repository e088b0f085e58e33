// Prune on PostgreSQL: partitions whose every event is older than the retention are dropped whole, unless one of their
// deliveries is unfinished. Where the retention is shorter than a partition is wide, events leave one by one as in SQLite.
import { byKey } from './by-key.ts';
import type { Connections, Run } from './connection.ts';
import { firstNumberAt } from './numbers.ts';

const dayMs = 86_400_000;
/** Below this retention days are too coarse, and events leave one by one. */
export const byRowBelowMs = 3 * dayMs;
/** A drop waits no longer than this for those who read, and is tried again in the next round. */
const dropWaitMs = 200;

const looksText = `
SELECT seq, accepted_at FROM events WHERE seq > $1 ORDER BY seq LIMIT $2`;

const pruneText = `
WITH old AS (
  SELECT v.seq, v.team_id, v.id, coalesce(v.uid, v.id) AS uid FROM events v
   WHERE v.seq = ANY ($1::int8[])
     AND NOT EXISTS (SELECT 1 FROM endpoints e JOIN pending p ON ${byKey('p', 'e.tag', 'coalesce(v.uid, v.id) || e.tag')}
                      WHERE e.team_id = v.team_id)
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
  #from = 0;

  constructor(connections: Connections, belowMs: number) {
    this.#connections = connections;
    this.#byRowBelowMs = belowMs;
  }

  /** Looks at up to `limit` events accepted before `before` (epoch ms); answers how many, zero at the end of a round. */
  async prune(before: number, limit: number, now: number): Promise<number> {
    const looked = await this.#pruneEvents(before, limit, now);
    if (looked === 0) await this.#connections.run({ name: null, text: replaysText, values: [before] });
    return looked;
  }

  async #pruneEvents(before: number, limit: number, now: number): Promise<number> {
    if (now - before >= this.#byRowBelowMs) {
      await this.#dropDays(before);
      return 0;
    }
    const { run } = this.#connections;
    const found = await run({ name: 'oldest', text: looksText, values: [this.#from, limit] });
    const rows = found.rows as { seq: number; accepted_at: number }[];
    const end = rows.findIndex(({ accepted_at }) => accepted_at >= before);
    const old = (end < 0 ? rows : rows.slice(0, end)).map(({ seq }) => seq);
    if (old.length > 0) await run({ name: 'prune', text: pruneText, values: [old] });
    this.#from = old.length < limit ? 0 : (old.at(-1) ?? 0);
    return old.length < limit ? 0 : old.length;
  }

  async #dropDays(before: number): Promise<void> {
    const { rows } = await this.#connections.run({
      name: null,
      text: "SELECT relname AS name FROM pg_class WHERE relname LIKE 'events\\_p________' ORDER BY relname",
      values: [],
    });
    for (const { name } of rows as { name: string }[]) {
      const day = name.slice('events_p'.length);
      const start = Date.UTC(Number(day.slice(0, 4)), Number(day.slice(4, 6)) - 1, Number(day.slice(6, 8)));
      if (start + dayMs > before) return;
      await this.#connections.transaction((run) => dropDay(run, day, start));
    }
  }
}

/** Drops a day's partitions, unless something of it is unfinished. */
async function dropDay(run: Run, day: string, start: number): Promise<void> {
  const plain = (text: string, values: unknown[] = []) => run({ name: null, text, values });
  const bounds = [firstNumberAt(start), firstNumberAt(start + dayMs)];
  const pending = await plain(
    'SELECT 1 FROM pending WHERE event_seq >= $1 AND event_seq < $2 LIMIT 1',
    bounds,
  );
  if (pending.count > 0) return;
  await plain(`SET LOCAL lock_timeout = ${dropWaitMs}`);
  for (const table of ['attempts', 'deliveries', 'events']) await plain(`DROP TABLE ${table}_p${day}`);
  await plain('DELETE FROM event_ids WHERE event_seq >= $1 AND event_seq < $2', bounds);
}
