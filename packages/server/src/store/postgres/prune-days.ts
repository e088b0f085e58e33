// Prune by days: the partitions of a day whose every event is older than the retention are dropped whole, unless something
// of it is unfinished. The ids that its publishers chose lie in a table of their own, since they are unique over all days,
// and leave first, a few at a time: a drop holds the history's tables against every publish, and for as long as it lasts.
import { type Connections, type Run, stateOf } from './connection.ts';
import { firstNumberAt } from './numbers.ts';

const dayMs = 86_400_000;
/** A drop may not take longer than this once it has what it waited for. */
const dropWithinMs = 1_000;
/** After one that had to be given up, as beside a `pg_dump`, the next is tried so much later. */
const dropAgainMs = 300_000;
const undefinedTable = '42P01';

interface Day {
  /** YYYYMMDD, as in the names of its partitions. */
  name: string;
  /** Its events' numbers: from the first, to the one before the second. */
  bounds: [number, number];
}

/** The last event whose id was looked at; in the order of `events_by_id`. */
type Place = [id: string, teamId: string];

export class DayPruner {
  readonly #connections: Connections;
  readonly #dropWaitMs: number;
  /** The days of this round that are still to go, the oldest first; null between rounds. */
  #days: Day[] | null = null;
  #place: Place | null = null;
  #dropNotBefore = 0;

  /** A drop waits no longer than `dropWaitMs` for those who read, since those who publish wait behind it. */
  constructor(connections: Connections, dropWaitMs = 200) {
    this.#connections = connections;
    this.#dropWaitMs = dropWaitMs;
  }

  /** Looks at up to `limit` events of days that ended before `before` (epoch ms); answers how many, zero at the end of a round. */
  async prune(before: number, limit: number, now: number): Promise<number> {
    if (now < this.#dropNotBefore) return 0;
    const { run } = this.#connections;
    this.#days ??= await findDays(run, before);
    for (let day = this.#days[0]; day !== undefined; day = this.#days[0]) {
      try {
        // What is unfinished keeps its day, and the day its ids.
        if (this.#place !== null || !(await isUnfinished(run, day))) {
          const { looked, last } = await deleteIds(run, day, this.#place ?? ['', ''], limit);
          this.#place = last ?? this.#place;
          if (looked > 0) return looked;
          await this.#drop(day, now);
        }
      } catch (error) {
        // Another node was faster.
        if (stateOf(error) !== undefinedTable) throw error;
      }
      this.#days.shift();
      this.#place = null;
    }
    this.#days = null;
    return 0;
  }

  async #drop(day: Day, now: number): Promise<void> {
    try {
      await this.#connections.transaction((run) => drop(run, day, this.#dropWaitMs));
    } catch (error) {
      if (error instanceof AskedFor) return;
      if (stateOf(error) !== undefinedTable) this.#dropNotBefore = now + dropAgainMs;
      throw error;
    }
  }
}

/** A delivery of the day was asked for again, after a look had found none unfinished: the day stays. */
class AskedFor extends Error {}

async function findDays(run: Run, before: number): Promise<Day[]> {
  const { rows } = await run({
    name: null,
    text: "SELECT relname AS name FROM pg_class WHERE relname LIKE 'events\\_p________' ORDER BY relname",
    values: [],
  });
  return (rows as { name: string }[]).flatMap((row) => {
    const name = row.name.slice('events_p'.length);
    const start = Date.UTC(Number(name.slice(0, 4)), Number(name.slice(4, 6)) - 1, Number(name.slice(6, 8)));
    return start + dayMs > before
      ? []
      : [{ name, bounds: [firstNumberAt(start), firstNumberAt(start + dayMs)] as [number, number] }];
  });
}

async function isUnfinished(run: Run, { bounds }: Day): Promise<boolean> {
  const text = 'SELECT 1 FROM pending WHERE event_seq >= $1 AND event_seq < $2 LIMIT 1';
  return (await run({ name: null, text, values: bounds })).count > 0;
}

/**
 * Deletes the ids of up to `limit` events of a day after `place`. From the index of the day's events alone, and each id by one
 * look into theirs (an equality with an array: see by-key.ts); an id that a later event carries is that one's.
 */
async function deleteIds(run: Run, { name, bounds }: Day, place: Place, limit: number) {
  const { rows } = await run({
    name: null,
    text: `
WITH looked AS MATERIALIZED (
  SELECT v.id, v.team_id FROM events_p${name} v WHERE (v.id, v.team_id) > ($1::text, $2::text)
   ORDER BY v.id, v.team_id LIMIT $3
),
gone AS (
  DELETE FROM event_ids t USING looked l
   WHERE t.team_id = ANY (ARRAY[l.team_id]) AND t.id = ANY (ARRAY[l.id]) AND t.event_seq >= $4 AND t.event_seq < $5
)
SELECT id, team_id FROM looked`,
    values: [...place, limit, ...bounds],
  });
  const last = rows.at(-1) as { id: string; team_id: string } | undefined;
  return { looked: rows.length, last: last === undefined ? null : ([last.id, last.team_id] as Place) };
}

/** Drops a day's partitions. Looks again, now that nobody can ask for a delivery of the day, whether one is unfinished. */
async function drop(run: Run, day: Day, waitMs: number): Promise<void> {
  const plain = (text: string) => run({ name: null, text, values: [] });
  await plain(`SET LOCAL lock_timeout = ${waitMs}`);
  for (const table of ['attempts', 'deliveries', 'events']) await plain(`DROP TABLE ${table}_p${day.name}`);
  await plain(`SET LOCAL statement_timeout = ${dropWithinMs}`);
  if (await isUnfinished(run, day)) throw new AskedFor();
}
