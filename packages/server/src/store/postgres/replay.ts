// Replay on PostgreSQL: deliveries of the past made again, in one statement with how far the replay has come. All replays
// of a webhook have one owner, a node with a lease; when it dies another goes on.
//
// What is to be made is read first, then made, and nothing may come between. Whoever makes something of a webhook again,
// replay or redelivery, raises its `turn` under the lock of its row: a statement that was read for under an older turn
// makes nothing, even one that was stuck in a dead node's session. An attempt that ends meanwhile can only take away work
// that was seen; then the statement divides by zero, which takes it back whole. The statement that writes reads no
// partitioned table but in its last part: rows that others change are looked at again (see claim.ts).
import { type Clock, systemClock } from '../../clock.ts';
import { StoreUnavailable } from '../errors.ts';
import {
  type Choice,
  choose,
  mostRunning,
  type ReplayCandidate,
  type ReplayRow,
  readRunning,
} from '../replay-page.ts';
import type { Claimed, ReplayRequest, ReplayStep, RunningReplay } from '../store.ts';
import { atOnce, bornSuffix, heldAt, laneTime, markLanes, replayedOffset } from './available-at.ts';
import { byKey } from './by-key.ts';
import { divisionByZero, type Run, stateOf } from './connection.ts';
import type { Hints } from './hints.ts';
import { freeReplayed } from './nodes.ts';

const stale: ReplayStep = { kind: 'stale' };

const nodeLives = (id: string) =>
  `EXISTS (SELECT 1 FROM nodes n WHERE n.id = ${id} AND n.lease_until > now())`;

const runningText = `
SELECT r.*, coalesce(l.turn, 0) AS turn
  FROM replays r JOIN endpoints e ON e.tag = r.tag LEFT JOIN replay_lanes l ON l.tag = r.tag
 WHERE r.state = 'running' AND e.enabled = 1 AND e.removed_at IS NULL
   AND (l.owner IS NULL OR l.owner = $1 OR NOT ${nodeLives('l.owner')})
 ORDER BY r.id LIMIT ${mostRunning}`;

/** Raises the turn of a webhook: everything that was read for before makes nothing any more. */
export const turnText = `
INSERT INTO replay_lanes AS l (tag, turn) VALUES ($1, 1) ON CONFLICT (tag) DO UPDATE SET turn = l.turn + 1`;

/**
 * Takes a lane with an order or a limit, which one node at a time sends from (claim.ts); any other lane is everybody's.
 */
const laneText = `
WITH special AS (
  SELECT e.tag FROM endpoints e
   WHERE e.tag = $1 AND (e.ordering <> 'none' OR e.max_concurrency IS NOT NULL OR e.rate_per_second IS NOT NULL)
),
taken AS (
  INSERT INTO lanes AS l (tag, due_at, owner) SELECT s.tag, ${heldAt}, $2 FROM special s
  ON CONFLICT (tag) DO UPDATE SET owner = excluded.owner
   WHERE l.owner IS NULL OR l.owner = excluded.owner OR NOT ${nodeLives('l.owner')}
  RETURNING l.tag
)
SELECT EXISTS (SELECT 1 FROM taken) OR NOT EXISTS (SELECT 1 FROM special) AS ours`;

const makeText = `
WITH lane AS (
  INSERT INTO replay_lanes AS l (tag, owner, turn)
  SELECT e.tag, $2, 1
    FROM endpoints e JOIN replays r ON r.tag = e.tag
   WHERE r.id = $1 AND r.state = 'running' AND e.enabled = 1 AND e.removed_at IS NULL AND ${nodeLives('$2')}
  ON CONFLICT (tag) DO UPDATE SET owner = excluded.owner, turn = l.turn + 1 WHERE l.turn = $3::int8
  RETURNING l.tag, l.turn
),
input AS (
  SELECT l.tag, e.version, ${laneTime('$4::int8', '$4::int8')} AS lane_now, i.*
    FROM lane l JOIN endpoints e ON e.tag = l.tag
    CROSS JOIN unnest($5::text[], $6::int8[], $7::text[], $8::int8[], $9::int8[], $10::bool[])
      AS i (id, seq, type, attempts, bytes, waits)
),
made AS (
  INSERT INTO pending (tag, id, event_seq, type, attempts, available_at, holder, extra, asked, bytes, created_at,
                       replayed_at, schedule_from)
  SELECT i.tag, i.id, i.seq, i.type, i.attempts, ${heldAt}, $2 || '${bornSuffix}', $11::int8, $11::int8, i.bytes, $4,
         $4, i.attempts
    FROM input i WHERE NOT i.waits ORDER BY i.id
  ON CONFLICT DO NOTHING
  RETURNING id
),
-- Beside what is asked for or under way already: one attempt more, and a schedule after it. What was asked for by hand
-- does not wait for a replay.
asked AS (
  UPDATE pending p
     SET asked = p.asked + 1, replayed_at = $4, schedule_from = p.attempts,
         available_at = CASE WHEN p.available_at >= ${heldAt} THEN p.available_at WHEN p.replayed_at IS NULL THEN i.lane_now
                             ELSE i.lane_now + ${replayedOffset} END
    FROM input i WHERE i.waits AND ${byKey('p', 'i.tag', 'i.id')}
  RETURNING p.id
),
marked AS (${markLanes(`SELECT DISTINCT ${atOnce}, i.tag, i.lane_now FROM input i WHERE EXISTS (SELECT 1 FROM asked)`)}),
moved AS (
  UPDATE replays r
     SET made = r.made + $12::int8 / (CASE WHEN done.count = $12::int8 THEN 1 ELSE 0 END),
         walking = $13, after = $14, state = $15, finished_at = CASE WHEN $15 = 'running' THEN NULL ELSE $4::int8 END
    FROM lane l, (SELECT (SELECT count(*) FROM made) + (SELECT count(*) FROM asked) AS count) done
   WHERE r.id = $1 AND r.state = 'running'
  RETURNING r.id
),
-- A replay that was stopped meanwhile is not moved on, and makes nothing.
whole AS MATERIALIZED (SELECT l.turn / (SELECT count(*) FROM moved) AS turn FROM lane l)
SELECT w.turn, i.id, i.version, v.body
  FROM whole w LEFT JOIN (input i JOIN made m ON m.id = i.id JOIN events v ON v.seq = i.seq) ON true
 ORDER BY i.id`;

interface MadeRow {
  turn: number;
  id: string | null;
  version: number;
  body: Uint8Array;
}

/** How long what was asked of a database that did not answer may still happen, ms. */
const doubtMs = 15_000;

/** The replays of a node, as far as PostgreSQL lets it make them. */
export class ReplayMaker {
  readonly #run: Run;
  readonly #hints: Hints;
  readonly #clock: Clock;
  /** Keys, by webhook, of what may have been made without an answer; and until when, monotonic ms. */
  readonly #doubtful = new Map<string, { keys: string[]; until: number }>();

  constructor(run: Run, hints: Hints, clock: Clock = systemClock) {
    this.#run = run;
    this.#hints = hints;
    this.#clock = clock;
  }

  /** Replays that `node` may go on with. Those of whose last step nobody knows wait until it is cleared up. */
  async running(node: string): Promise<RunningReplay[]> {
    const now = this.#clock.monotonic();
    for (const [tag, { keys, until }] of this.#doubtful) {
      await freeReplayed(this.#run, this.#clock.now(), node, keys);
      if (until < now) this.#doubtful.delete(tag);
    }
    const { rows } = await this.#run({ name: 'running replays', text: runningText, values: [node] });
    return (rows as unknown as (ReplayRow & { turn: number })[])
      .filter(({ tag }) => !this.#doubtful.has(tag))
      .map((row) => readRunning(row, row.turn));
  }

  /** @param readPage reads the next keys after the replay's cursor, enough for `most` deliveries */
  async make(
    request: ReplayRequest,
    readPage: (most: number) => Promise<ReplayCandidate[]>,
    node: string,
  ): Promise<ReplayStep> {
    const { replay } = request;
    const lane = await this.#run({ name: 'replay lane', text: laneText, values: [replay.tag, node] });
    if (!(lane.rows[0] as { ours: boolean }).ours || this.#doubtful.has(replay.tag)) return stale;
    const room = this.#hints.roomOf(replay.tag).count;
    if (room === 0) return { kind: 'made', claimed: [], due: false, next: replay };
    const most = Math.min(request.most, room);
    const choice = choose({ ...request, most }, await readPage(most));
    try {
      return await this.#makeChosen(request, choice, node);
    } catch (error) {
      if (stateOf(error) === divisionByZero) return stale;
      if (error instanceof StoreUnavailable) {
        const keys = choice.chosen.map(({ key }) => key);
        this.#doubtful.set(replay.tag, { keys, until: this.#clock.monotonic() + doubtMs });
      }
      throw error;
    }
  }

  async #makeChosen(
    { replay, now }: ReplayRequest,
    { chosen, cursor }: Choice,
    node: string,
  ): Promise<ReplayStep> {
    const { tag, cursor: before } = replay;
    const { state, after } = cursor ?? before;
    const extra = before.state !== 'missed';
    const column = <Value>(read: (candidate: ReplayCandidate) => Value) => chosen.map(read);
    const { rows } = await this.#run({
      name: 'replay',
      text: makeText,
      values: [
        replay.id,
        node,
        replay.turn,
        now,
        column(({ key }) => key),
        column(({ seq }) => seq),
        column(({ type }) => type),
        column(({ attempts }) => attempts),
        column(({ bytes }) => bytes),
        column(({ waits }) => waits === 1),
        extra ? 1 : 0,
        chosen.length,
        state,
        after,
        cursor === null ? 'done' : 'running',
      ],
    });
    const made = rows as unknown as MadeRow[];
    const [first] = made;
    if (first === undefined) return stale;
    const known = new Map(chosen.map((candidate) => [candidate.key, candidate]));
    const claimed: Claimed[] = [];
    for (const { id, version, body } of made) {
      const candidate = known.get(id ?? '');
      if (candidate === undefined) continue;
      const { key, type, attempts } = candidate;
      this.#hints.hold(key, tag, body.length);
      this.#hints.tally.pending(tag, 1);
      const schedule = { at: now, from: attempts };
      claimed.push({ key, tag, version, type, attempts, createdAt: now, extra, replay: schedule, body });
    }
    const next = cursor === null ? null : { ...replay, cursor, turn: first.turn };
    return { kind: 'made', claimed, due: claimed.length < chosen.length, next };
  }
}
