// Finish: an attempt and the state it caused, in one commit, and only while the delivery is still held. A finished
// delivery leaves `births` or `pending` for `deliveries`; see core/delivery.ts for the states.
import type { DatabaseSync } from 'node:sqlite';
import type { FinishOutcome } from '../store.ts';
import type { EndState } from '../tally.ts';
import type { ArrivedAttempt } from './attempt-pack.ts';
import { heldAt, rangeOf, unheld } from './available-at.ts';
import type { Origin } from './births.ts';
import type { Lanes } from './lanes.ts';

interface Held {
  event_seq: number;
  type: string;
  asked: number;
  order_key: string | null;
  created_at: number;
}

const originOf = ({ event_seq, type, created_at }: Held) => ({ seq: event_seq, type, createdAt: created_at });

const lost: FinishOutcome = { kind: 'lost' };
const nothingDue: FinishOutcome = { kind: 'written', dueAt: null };

export class Finisher {
  readonly #lanes: Lanes;
  readonly #takeHeld;
  readonly #findHeld;
  readonly #postpone;
  readonly #insertDelivery;
  readonly #insertCanceled;
  readonly #lastCanceled;
  readonly #insertAttempt;
  readonly #insertExtra;
  readonly #updateDelivery;
  readonly #againExtra;
  readonly #nextInOrder;
  readonly #removedRows;

  constructor(db: DatabaseSync, lanes: Lanes) {
    this.#lanes = lanes;
    const held = 'event_seq, type, asked, order_key, created_at';
    this.#takeHeld = db.prepare(
      `DELETE FROM pending WHERE tag = ? AND id = ? AND available_at = ${heldAt} RETURNING ${held}`,
    );
    this.#findHeld = db.prepare(
      `SELECT ${held} FROM pending WHERE tag = ? AND id = ? AND available_at = ${heldAt}`,
    );
    this.#postpone = db.prepare(
      `UPDATE pending SET attempts = ?, available_at = ? + ${rangeOf('pending')}, asked = 0,
         last_status = ?, last_cause = ? WHERE tag = ? AND id = ?`,
    );
    this.#insertDelivery = db.prepare(
      `INSERT INTO deliveries (id, tag, event_seq, type, state, attempts, last_status, last_cause, created_at, finished_at,
         attempt)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    this.#insertCanceled = db.prepare(
      `INSERT INTO deliveries (id, tag, event_seq, type, state, attempts, last_status, last_cause, created_at, finished_at,
         canceled_order)
       VALUES (?, ?, ?, ?, 'canceled', ?, ?, ?, ?, ?, ?)`,
    );
    this.#lastCanceled = db.prepare(
      'SELECT max(canceled_order) AS last FROM deliveries WHERE canceled_order IS NOT NULL',
    );
    this.#insertAttempt = db.prepare(
      `INSERT INTO attempts (delivery_id, number, started_at, duration_ms, status, cause, detail, timings, url,
         request_headers, response_headers, response_body, truncated, alone)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, CAST(? AS TEXT), ?, ?, ?, ?)`,
    );
    this.#insertExtra = db.prepare(
      `INSERT INTO pending (id, tag, event_seq, type, attempts, available_at, extra, asked, created_at)
       VALUES (?, ?, ?, ?, ?, ?, 1, ?, ?)`,
    );
    this.#updateDelivery = db.prepare(
      `UPDATE deliveries SET attempts = ?3, last_status = ?4, last_cause = ?5,
         finished_at = iif(?1 AND state <> 'delivered', ?2, finished_at), state = iif(?1, 'delivered', state)
       WHERE tag = ?6 AND id = ?7`,
    );
    this.#againExtra = db.prepare(
      `UPDATE pending SET attempts = ?1, schedule_from = ?1, asked = asked - 1, available_at = ?2 + ${rangeOf('pending')}
        WHERE tag = ?3 AND id = ?4`,
    );
    this.#nextInOrder = db.prepare('SELECT 1 FROM pending WHERE tag = ? AND order_key = ? LIMIT 1');
    this.#removedRows = db.prepare(
      `DELETE FROM pending WHERE tag = ?1 AND id IN (SELECT id FROM pending WHERE tag = ?1 AND ${unheld} LIMIT ?2)
       RETURNING id, event_seq, type, attempts, last_status, last_cause, created_at, extra`,
    );
  }

  finish(record: ArrivedAttempt): FinishOutcome {
    const finishedAt = record.startedAt + Math.round(record.durationMs);
    if (record.extra) return this.#finishExtra(record, finishedAt);
    const { next } = record;
    if (next.kind === 'retry') return this.#finishRetry(record, next.at, finishedAt);
    const origin = this.#lanes.births.take(record.key);
    if (origin !== undefined) {
      this.#lanes.letGo(record.tag, record.bytes);
      this.#writeEnd(record, origin, next.kind, finishedAt);
      return nothingDue;
    }
    const row = this.#takeHeld.get(record.tag, record.key) as Held | undefined;
    if (row === undefined) return lost;
    this.#lanes.letGo(record.tag, record.bytes);
    this.#writeEnd(record, originOf(row), next.kind, finishedAt);
    let dueAt: number | null = null;
    if (next.kind === 'failed' && row.asked > 0 && this.#lanes.isThere(record.tag)) {
      // Somebody asked for an attempt while the last one was on its way: it still gets one.
      this.#insertExtra.run(
        record.key,
        record.tag,
        row.event_seq,
        row.type,
        record.number,
        this.#lanes.laneTime(record.tag, finishedAt, finishedAt),
        1,
        row.created_at,
      );
      this.#lanes.countPending(record.tag, 1);
      dueAt = finishedAt;
    } else if (row.order_key !== null && this.#nextInOrder.get(record.tag, row.order_key) !== undefined) {
      dueAt = finishedAt;
    }
    if (dueAt === null) return nothingDue;
    this.#lanes.mark(record.tag, dueAt);
    return { kind: 'written', dueAt };
  }

  #finishRetry(record: ArrivedAttempt, at: number, finishedAt: number): FinishOutcome {
    const origin = this.#lanes.births.take(record.key);
    if (origin !== undefined) return this.#finishFirstRetry(record, origin, at, finishedAt);
    const row = this.#findHeld.get(record.tag, record.key) as Held | undefined;
    if (row === undefined) return lost;
    this.#lanes.letGo(record.tag, record.bytes);
    if (!this.#lanes.isThere(record.tag)) {
      this.#takeHeld.get(record.tag, record.key);
      this.#writeEnd(record, originOf(row), 'canceled', finishedAt);
      return nothingDue;
    }
    this.#writeAttempt(record, null);
    const dueAt = row.asked > 0 ? finishedAt : at;
    this.#postpone.run(
      record.number,
      this.#lanes.laneTime(record.tag, dueAt, finishedAt),
      record.status,
      record.cause,
      record.tag,
      record.key,
    );
    this.#lanes.mark(record.tag, dueAt);
    return { kind: 'written', dueAt };
  }

  /** The first attempt of a delivery that has no row yet, and needs one now. */
  #finishFirstRetry(record: ArrivedAttempt, origin: Origin, at: number, finishedAt: number): FinishOutcome {
    const { tag, key, number, status, cause } = record;
    this.#lanes.letGo(tag, record.bytes);
    if (!this.#lanes.isThere(tag)) {
      this.#writeEnd(record, origin, 'canceled', finishedAt);
      return nothingDue;
    }
    this.#writeAttempt(record, null);
    const availableAt = this.#lanes.laneTime(tag, at, finishedAt);
    this.#lanes.births.writeRow(key, tag, origin, availableAt, { attempts: number, status, cause });
    this.#lanes.mark(tag, at);
    return { kind: 'written', dueAt: at };
  }

  /** An attempt beside a finished delivery: success makes the delivery `delivered`, else its state stays. */
  #finishExtra(record: ArrivedAttempt, finishedAt: number): FinishOutcome {
    const row = this.#findHeld.get(record.tag, record.key) as Held | undefined;
    if (row === undefined) return lost;
    this.#lanes.letGo(record.tag, record.bytes);
    const delivered = record.next.kind === 'delivered' ? 1 : 0;
    this.#updateDelivery.run(
      delivered,
      finishedAt,
      record.number,
      record.status,
      record.cause,
      record.tag,
      record.key,
    );
    this.#writeAttempt(record, delivered === 1 ? 'delivered' : null);
    if (row.asked > 1 && this.#lanes.isThere(record.tag)) {
      const laneNow = this.#lanes.laneTime(record.tag, finishedAt, finishedAt);
      this.#againExtra.run(record.number, laneNow, record.tag, record.key);
      this.#lanes.mark(record.tag, finishedAt);
      return { kind: 'written', dueAt: finishedAt };
    }
    if (record.next.kind === 'retry' && this.#lanes.isThere(record.tag)) {
      const { at } = record.next;
      this.#postpone.run(
        record.number,
        this.#lanes.laneTime(record.tag, at, finishedAt),
        record.status,
        record.cause,
        record.tag,
        record.key,
      );
      this.#lanes.mark(record.tag, at);
      return { kind: 'written', dueAt: at };
    }
    this.#takeHeld.get(record.tag, record.key);
    this.#lanes.countPending(record.tag, -1);
    return nothingDue;
  }

  /** A delivery leaves what is pending, with its last attempt. */
  #writeEnd(
    record: ArrivedAttempt,
    origin: Pick<Origin, 'seq' | 'type' | 'createdAt'>,
    state: EndState,
    finishedAt: number,
  ): void {
    this.#lanes.countPending(record.tag, -1);
    const isAlone = state === 'delivered' && record.number === 1;
    const seq = this.#writeAttempt(record, state, isAlone);
    this.#insertDelivery.run(
      record.key,
      record.tag,
      origin.seq,
      origin.type,
      state,
      record.number,
      record.status,
      record.cause,
      origin.createdAt,
      finishedAt,
      isAlone ? seq : null,
    );
  }

  /**
   * @param end the state that the attempt ended its delivery in, null if it goes on or had ended before
   * @param isAlone whether it is found by its number, which the delivery's row has: an entry less in an index, for all but a few
   * @returns its number
   */
  #writeAttempt(record: ArrivedAttempt, end: EndState | null, isAlone = false): number | bigint {
    this.#lanes.tally.attempt(record, end);
    const { lastInsertRowid } = this.#insertAttempt.run(
      record.key,
      record.number,
      record.startedAt,
      record.durationMs,
      record.status,
      record.cause,
      record.detail,
      record.timings,
      record.url,
      record.requestHeaders,
      record.responseHeaders,
      record.responseBody,
      record.truncated ? 1 : 0,
      isAlone ? 1 : 0,
    );
    return lastInsertRowid;
  }

  /** Writes up to `limit` pending deliveries of removed endpoints as canceled; answers how many there were. */
  cancelRemoved(limit: number): number {
    let done = 0;
    let order: number | null = null;
    for (const tag of this.#lanes.removed) {
      const removedAt = this.#lanes.state(tag)?.removedAt ?? null;
      if (removedAt === null) {
        // The change that removed it was rolled back with its commit.
        this.#lanes.removed.delete(tag);
        continue;
      }
      const rows = this.#removedRows.all(tag, limit - done) as unknown as (Held & {
        id: string;
        attempts: number;
        last_status: number | null;
        last_cause: string | null;
        extra: number;
      })[];
      for (const row of rows) {
        if (row.extra === 1) {
          this.#lanes.countPending(tag, -1);
          continue;
        }
        this.#lanes.countCanceled(tag, removedAt);
        order = (order ?? (this.#lastCanceled.get() as { last: number | null }).last ?? 0) + 1;
        this.#insertCanceled.run(
          row.id,
          tag,
          row.event_seq,
          row.type,
          row.attempts,
          row.last_status,
          row.last_cause,
          row.created_at,
          removedAt,
          order,
        );
      }
      done += rows.length;
      if (done >= limit) return done;
      this.#lanes.setMarker(tag, null);
      this.#lanes.removed.delete(tag);
    }
    return done;
  }
}
