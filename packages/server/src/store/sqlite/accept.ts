// Accept: events, their matching and their deliveries, inside the commit that the writer has open. Matching reads
// the subscriptions as they are committed; what it found is kept until the next change of the control plane,
// which passes through the same thread.
import type { DatabaseSync } from 'node:sqlite';
import { type Content, sameContent } from '../../core/content.ts';
import type { Accepted, AcceptOutcome, Birth, NewEvent } from '../store.ts';
import { orderedOffset } from './available-at.ts';
import type { Origin } from './births.ts';
import type { Lanes, Match } from './lanes.ts';

const noBirths: Birth[] = [];

export class Acceptor {
  readonly #lanes: Lanes;
  readonly #db: DatabaseSync;
  readonly #known;
  readonly #insertEvent;
  readonly #insertPending;
  readonly #match;
  readonly #matchOne;
  readonly #matches = new Map<string, Match[]>();

  constructor(db: DatabaseSync, lanes: Lanes) {
    this.#db = db;
    this.#lanes = lanes;
    this.#known = db.prepare(
      'SELECT created_at, created_at_given, deliveries, project_id, body FROM events WHERE id = ? AND team_id = ?',
    );
    this.#insertEvent = db.prepare(
      `INSERT INTO events (team_id, id, uid, type, project_id, region, created_at, created_at_given, accepted_at, test, deliveries, born, body)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    this.#insertPending = db.prepare(
      'INSERT INTO pending (id, tag, event_seq, type, available_at, order_key, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)',
    );
    // Team, plan, type, project scope, enabled: the whole matching rule.
    this.#match = db.prepare(
      `SELECT e.tag, e.version, e.ordering
         FROM subscriptions s
         JOIN endpoints e ON e.tag = s.tag
         JOIN teams t ON t.id = s.team_id
        WHERE s.team_id = ? AND s.type = ? AND e.enabled = 1 AND e.removed_at IS NULL
          AND (e.kind <> 'webhook' OR t.plan <> 'hobby')
          AND (e.all_projects = 1
               OR EXISTS (SELECT 1 FROM endpoint_projects p WHERE p.tag = e.tag AND p.project_id = ?))
        ORDER BY e.tag`,
    );
    this.#matchOne = db.prepare(
      `SELECT tag, version, ordering FROM endpoints
        WHERE tag = ? AND team_id = ? AND enabled = 1 AND removed_at IS NULL`,
    );
  }

  /** Forgets matches: called inside every change of the control plane. */
  forget(): void {
    this.#matches.clear();
  }

  /** Stores a publish call's events, all or nothing. */
  acceptGroup(events: NewEvent[]): AcceptOutcome {
    if (events.length === 1) {
      const event = events[0] as NewEvent;
      const known = this.#findKnown(event);
      if (known === 'conflict') return { kind: 'conflict', index: 0 };
      if (known === null) this.#lanes.tally.accepted(event.teamId, event.acceptedAt, 1);
      return { kind: 'stored', events: [known ?? this.store(event)] };
    }
    // Only publishers' own ids can conflict, so only then is there something to take back.
    const guarded = events.some((event) => event.uid !== event.id);
    if (guarded) this.#db.exec('SAVEPOINT accept_group');
    const accepted: Accepted[] = [];
    const point = this.#lanes.point();
    for (let index = 0; index < events.length; index++) {
      const event = events[index] as NewEvent;
      const known = this.#findKnown(event);
      if (known === 'conflict') {
        this.#db.exec('ROLLBACK TO accept_group; RELEASE accept_group');
        this.#lanes.rewind(point);
        return { kind: 'conflict', index };
      }
      accepted.push(known ?? this.store(event));
    }
    if (guarded) this.#db.exec('RELEASE accept_group');
    this.#countAccepted(events, accepted);
    return { kind: 'stored', events: accepted };
  }

  /** Of one team and time, as all events of a call are. */
  #countAccepted(events: NewEvent[], accepted: Accepted[]): void {
    const first = events[0];
    const stored = accepted.filter(({ kind }) => kind === 'stored').length;
    if (first !== undefined && stored > 0) this.#lanes.tally.accepted(first.teamId, first.acceptedAt, stored);
  }

  #findKnown(event: NewEvent): Accepted | 'conflict' | null {
    if (event.uid === event.id) return null;
    const row = this.#known.get(event.id, event.teamId) as
      | {
          created_at: number;
          created_at_given: number;
          deliveries: number;
          project_id: string | null;
          body: Uint8Array;
        }
      | undefined;
    if (row === undefined) return null;
    const first: Content = {
      projectId: row.project_id,
      createdAtGiven: row.created_at_given === 1,
      body: row.body,
    };
    if (!sameContent(first, event)) return 'conflict';
    return { kind: 'known', createdAt: row.created_at, deliveries: row.deliveries };
  }

  /** Stores one event, known to be new, and makes its deliveries. */
  store(event: NewEvent): Accepted {
    const matches = this.#findMatches(event);
    const births = matches.length === 0 ? noBirths : matches.map((match) => this.#bear(match, event));
    const stored = this.#insertEvent.run(
      event.teamId,
      event.id,
      event.uid === event.id ? null : event.uid,
      event.type,
      event.projectId,
      event.region,
      event.createdAt,
      event.createdAtGiven ? 1 : 0,
      event.acceptedAt,
      event.only === null ? 0 : 1,
      matches.length,
      bornTags(births),
      event.body,
    );
    if (births.length > 0) this.#makeDeliveries(event, Number(stored.lastInsertRowid), matches, births);
    return { kind: 'stored', births };
  }

  #bear({ tag, version, ordering }: Match, event: NewEvent): Birth {
    const leased = this.#lanes.mayHold(tag, ordering);
    if (leased) this.#lanes.hold(tag, event.body.length);
    return { tag, version, leased };
  }

  #makeDeliveries(event: NewEvent, seq: number, matches: Match[], births: Birth[]): void {
    const { type, uid, acceptedAt } = event;
    let origin: Origin | null = null;
    for (let index = 0; index < births.length; index++) {
      const { tag, leased } = births[index] as Birth;
      this.#lanes.countPending(tag, 1);
      if (leased) {
        origin ??= this.#lanes.births.origin(uid, seq, type, acceptedAt);
        this.#lanes.births.add(tag, origin);
        continue;
      }
      const { ordering } = matches[index] as Match;
      const orderKey = ordering === 'none' ? null : ordering === 'all' ? '' : (event.projectId ?? '');
      const laneNow = acceptedAt - (this.#lanes.state(tag)?.shiftMs ?? 0);
      const availableAt = orderKey === null ? laneNow : orderedOffset + laneNow;
      this.#lanes.setBehind(tag, true);
      this.#lanes.markBorn(tag, acceptedAt);
      this.#insertPending.run(uid + tag, tag, seq, type, availableAt, orderKey, acceptedAt);
    }
  }

  #findMatches(event: NewEvent): Match[] {
    if (event.only !== null) return this.#matchOne.all(event.only, event.teamId) as unknown as Match[];
    const key = `${event.teamId}\0${event.type}\0${event.projectId ?? ''}`;
    const known = this.#matches.get(key);
    if (known !== undefined) return known;
    const found = this.#match.all(event.teamId, event.type, event.projectId) as unknown as Match[];
    if (this.#matches.size > 20_000) this.#matches.clear();
    this.#matches.set(key, found);
    return found;
  }
}

/** The tags of leased births as a JSON array; null if there are none. Tags are letters and digits. */
function bornTags(births: Birth[]): string | null {
  let tags = '';
  for (const { tag, leased } of births) {
    if (leased) tags += tags === '' ? tag : `","${tag}`;
  }
  return tags === '' ? null : `["${tags}"]`;
}
