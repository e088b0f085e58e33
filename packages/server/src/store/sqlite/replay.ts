// Replay: deliveries of the past made again, in one commit with how far the replay has come. What is made is held from
// then on, so that it is no work that live deliveries would queue behind. One process writes, so that only a replay that
// was stopped or moved on meanwhile has to be told from one that was not.
import type { DatabaseSync } from 'node:sqlite';
import { choose, mostRunning, type ReplayCandidate, type ReplayRow, readRunning } from '../replay-page.ts';
import type { Claimed, ReplayRequest, ReplayStep, RunningReplay } from '../store.ts';
import { heldAt, replayedOffset } from './available-at.ts';
import type { Lanes } from './lanes.ts';

const stale: ReplayStep = { kind: 'stale' };

export class ReplayMaker {
  readonly #lanes: Lanes;
  readonly #running;
  readonly #isWhereItWas;
  readonly #moveOn;
  readonly #insert;
  readonly #askAgain;
  readonly #body;

  constructor(db: DatabaseSync, lanes: Lanes) {
    this.#lanes = lanes;
    this.#running = db.prepare(
      `SELECT r.* FROM replays r JOIN endpoints e ON e.tag = r.tag
        WHERE r.state = 'running' AND e.enabled = 1 AND e.removed_at IS NULL ORDER BY r.id LIMIT ${mostRunning}`,
    );
    this.#isWhereItWas = db.prepare(
      "SELECT 1 FROM replays WHERE id = ? AND state = 'running' AND walking = ? AND after = ?",
    );
    this.#moveOn = db.prepare(
      'UPDATE replays SET walking = ?, after = ?, made = made + ?, state = ?, finished_at = ? WHERE id = ?',
    );
    this.#insert = db.prepare(
      `INSERT INTO pending (tag, id, event_seq, type, attempts, available_at, extra, asked, created_at, replayed_at, schedule_from)
       VALUES (?1, ?2, ?3, ?4, ?5, ${heldAt}, ?6, ?6, ?7, ?7, ?5)`,
    );
    // Beside what is asked for or under way already: one attempt more, and a schedule after it. What was asked for by hand
    // does not wait for a replay.
    this.#askAgain = db.prepare(
      `UPDATE pending SET asked = asked + 1, replayed_at = ?, schedule_from = attempts,
         available_at = iif(available_at = ${heldAt}, available_at, ? + iif(replayed_at IS NULL, 0, ${replayedOffset}))
       WHERE tag = ? AND id = ?`,
    );
    this.#body = db.prepare('SELECT body FROM events WHERE seq = ?');
  }

  /** Replays that may go on: those of disabled endpoints wait. */
  running(): RunningReplay[] {
    return (this.#running.all() as unknown as ReplayRow[]).map((row) => readRunning(row, 0));
  }

  /** @param readPage reads the next keys after the replay's cursor */
  make(request: ReplayRequest, readPage: () => ReplayCandidate[]): ReplayStep {
    const { replay, now } = request;
    const { id, tag, cursor: before } = replay;
    const endpoint = this.#lanes.state(tag);
    if (endpoint === null || endpoint.removedAt !== null || !endpoint.enabled) return stale;
    if (this.#isWhereItWas.get(id, before.state, before.after) === undefined) return stale;
    if (!this.#lanes.hasRoom(tag)) return { kind: 'made', claimed: [], due: false, next: replay };
    const { chosen, cursor } = choose(request, readPage());
    const claimed: Claimed[] = [];
    let made = 0;
    for (const candidate of chosen) {
      // Born in this very commit: it is not missed.
      if (this.#lanes.births.has(candidate.key)) continue;
      made += 1;
      if (candidate.waits === 1)
        this.#askAgain.run(now, this.#lanes.laneTime(tag, now, now), tag, candidate.key);
      else claimed.push(this.#makeOne(tag, endpoint.version, candidate, before.state !== 'missed', now));
    }
    const due = claimed.length < made;
    if (due) this.#lanes.mark(tag, now);
    const { state, after } = cursor ?? before;
    if (cursor === null) this.#moveOn.run(state, after, made, 'done', now, id);
    else this.#moveOn.run(state, after, made, 'running', null, id);
    return { kind: 'made', claimed, due, next: cursor === null ? null : { ...replay, cursor } };
  }

  /** Makes the row of one delivery, held: `extra` beside its finished one, else the first of its event. */
  #makeOne(tag: string, version: number, candidate: ReplayCandidate, extra: boolean, now: number): Claimed {
    const { key, seq, type, attempts } = candidate;
    const { body } = this.#body.get(seq) as { body: Uint8Array };
    this.#insert.run(tag, key, seq, type, attempts, extra ? 1 : 0, now);
    this.#lanes.countPending(tag, 1);
    this.#lanes.hold(tag, body.length);
    const replay = { at: now, from: attempts };
    return { key, tag, version, type, attempts, createdAt: now, extra, replay, body };
  }
}
