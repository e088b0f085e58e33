// Writes the tally of the writer thread into the tables of figures: as a part of the commit that happens to be under way,
// at most once a second, or for somebody who asks. Also takes away figures that are too old.
import type { DatabaseSync } from 'node:sqlite';
import type { Clock } from '../../clock.ts';
import { addCounts, endpointCounts, healthColumns, mergeHealth, teamCounts } from '../figure-columns.ts';
import {
  type Cell,
  type EndpointTally,
  hourMs,
  keptMs,
  minuteMs,
  slotMs,
  startOf,
  type Tally,
  widths,
  writeEveryMs,
} from '../tally.ts';

const marks = (count: number): string => Array.from({ length: count }, () => '?').join(', ');

export class FigureWriter {
  readonly #tally: Tally;
  readonly #clock: Clock;
  readonly #findEndpoint;
  readonly #addEndpoint;
  readonly #addTeam;
  readonly #mergeHealth;
  readonly #pruning;
  #nextMs = Number.NEGATIVE_INFINITY;

  constructor(db: DatabaseSync, tally: Tally, clock: Clock) {
    this.#tally = tally;
    this.#clock = clock;
    this.#findEndpoint = db.prepare(
      'SELECT team_id AS "teamId", removed_at AS "removedAt" FROM endpoints WHERE tag = ?',
    );
    this.#addEndpoint = db.prepare(
      `INSERT INTO endpoint_figures (tag, width, at, ${endpointCounts.join(', ')}) VALUES (${marks(3 + endpointCounts.length)})
       ON CONFLICT (tag, width, at) DO UPDATE SET ${addCounts('endpoint_figures', endpointCounts)}`,
    );
    this.#addTeam = db.prepare(
      `INSERT INTO team_figures (team_id, width, at, ${teamCounts.join(', ')}) VALUES (${marks(3 + teamCounts.length)})
       ON CONFLICT (team_id, width, at) DO UPDATE SET ${addCounts('team_figures', teamCounts)}`,
    );
    this.#mergeHealth = db.prepare(
      `INSERT INTO endpoint_health (${healthColumns.join(', ')}) VALUES (${marks(healthColumns.length)})
       ON CONFLICT (tag) DO UPDATE SET ${mergeHealth}`,
    );
    this.#pruning = (
      [
        ['endpoint_figures', 'tag'],
        ['team_figures', 'team_id'],
      ] as const
    ).map(([table, of]) =>
      db.prepare(
        `DELETE FROM ${table} WHERE (${of}, width, at) IN (
           SELECT ${of}, width, at FROM ${table} WHERE width = ? AND at < ? ORDER BY at LIMIT ?)`,
      ),
    );
  }

  /** How long until something is to be written, ms; null if there is nothing. */
  get waitMs(): number | null {
    return this.#tally.isEmpty ? null : Math.max(0, this.#nextMs - this.#clock.monotonic());
  }

  /** The part of a commit that writes figures, once a second. */
  beforeCommit(): void {
    const nowMs = this.#clock.monotonic();
    if (this.#tally.isEmpty || nowMs < this.#nextMs) return;
    this.#nextMs = nowMs + writeEveryMs;
    this.write();
  }

  /** Writes a batch of what was counted; answers whether there is more. */
  write(): boolean {
    const batch = this.#tally.take();
    if (batch === null) return false;
    const now = this.#clock.now();
    const teams = new TeamSums();
    for (const [teamId, minutes] of batch.teams) {
      for (const [at, events] of minutes) teams.add(teamId, at, [events, 0, 0, 0, 0]);
    }
    for (const [tag, endpoint] of batch.endpoints) {
      const found = this.#findEndpoint.get(tag) as { teamId: string; removedAt: number | null } | undefined;
      if (found === undefined) continue;
      for (const cell of endpoint.cells) {
        this.#addCell(tag, cell);
        const { delivered, failed, attempts, attemptsFailed } = cell;
        teams.add(found.teamId, cell.at, [0, delivered, failed, attempts, attemptsFailed]);
      }
      if (found.removedAt === null) this.#putHealth(tag, endpoint, now);
    }
    for (const [teamId, at, counts] of teams.all()) {
      for (const width of widths) this.#addTeam.run(teamId, width, startOf(at, width), ...counts);
    }
    return !this.#tally.isEmpty;
  }

  #addCell(tag: string, cell: Cell): void {
    const { at, delivered, failed, canceled, attempts, attemptsFailed, latency } = cell;
    const counts = [delivered, failed, canceled, attempts, attemptsFailed, ...latency];
    for (const width of widths) this.#addEndpoint.run(tag, width, startOf(at, width), ...counts);
  }

  #putHealth(tag: string, endpoint: EndpointTally, now: number): void {
    const { failingSince, lastSuccessAt, lastFailure, lastEnd, restsUntil, came, left } = endpoint;
    this.#mergeHealth.run(
      tag,
      failingSince,
      lastSuccessAt,
      lastFailure?.at ?? null,
      lastFailure?.status ?? null,
      lastFailure?.cause ?? null,
      lastFailure?.detail ?? null,
      lastFailure?.url ?? null,
      lastEnd?.at ?? null,
      lastEnd?.state ?? null,
      restsUntil === undefined ? -1 : (restsUntil ?? 0),
      startOf(now, slotMs),
      came,
      left,
      now,
    );
  }

  /** Deletes up to `limit` rows of each kind that are too old at `now`; answers how many there were. */
  prune(now: number, limit: number): number {
    let gone = 0;
    for (const statement of this.#pruning) {
      for (const width of [minuteMs, hourMs] as const) {
        gone += Number(statement.run(width, now - keptMs[width], limit).changes);
      }
    }
    return gone;
  }
}

/** Counts by team and minute. */
class TeamSums {
  readonly #sums = new Map<string, Map<number, number[]>>();

  add(teamId: string, at: number, counts: number[]): void {
    let minutes = this.#sums.get(teamId);
    if (minutes === undefined) {
      minutes = new Map();
      this.#sums.set(teamId, minutes);
    }
    const sum = minutes.get(at) ?? [0, 0, 0, 0, 0];
    minutes.set(
      at,
      sum.map((value, index) => value + (counts[index] ?? 0)),
    );
  }

  *all(): Generator<[string, number, number[]]> {
    for (const [teamId, minutes] of this.#sums) {
      for (const [at, counts] of minutes) yield [teamId, at, counts];
    }
  }
}
