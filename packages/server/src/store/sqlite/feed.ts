// The feed on SQLite: one writer, so that the numbers of events, attempts and cancellations are the order of commits. A
// place is three numbers. Attempts of all teams lie in one range; those of the teams asked for are picked from it.
import type { FeedPosition, FeedRequest, FeedResult, FeedRow } from '../store.ts';

/** Runs one query; parameters are `?` in order. */
type Read = (sql: string, parameters: unknown[]) => Promise<unknown[]>;

interface Place {
  events: number;
  attempts: number;
  canceled: number;
}

const kinds = ['events', 'attempts', 'canceled'] as const;

const endsText = `
SELECT coalesce((SELECT max(seq) FROM events), 0) AS "events",
       coalesce((SELECT max(seq) FROM attempts), 0) AS "attempts",
       coalesce((SELECT max(canceled_order) FROM deliveries WHERE canceled_order IS NOT NULL), 0) AS "canceled",
       coalesce((SELECT min(seq) FROM attempts), 1) AS "firstAttempt"`;

const eventsText = (teams: string) => `
SELECT team_id AS "teamId", seq AS "number", coalesce(uid, id) AS "uid", id AS "id", type AS "type",
       project_id AS "projectId", created_at AS "createdAt", accepted_at AS "acceptedAt", deliveries AS "deliveries"
  FROM events WHERE team_id IN (${teams}) AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?`;

const attemptsText = (teams: string) => `
SELECT e.team_id AS "teamId", a.seq AS "number", a.delivery_id AS "key", a.number AS "attempt",
       a.started_at AS "startedAt", a.duration_ms AS "durationMs", a.status AS "status", a.cause AS "cause"
  FROM attempts a CROSS JOIN endpoints e
 WHERE a.seq > ? AND a.seq <= ? AND e.tag = substr(a.delivery_id, 22) AND e.team_id IN (${teams}) ORDER BY a.seq`;

const canceledText = (teams: string) => `
SELECT e.team_id AS "teamId", d.canceled_order AS "number", d.id AS "key", d.event_seq AS "eventSeq"
  FROM deliveries d CROSS JOIN endpoints e
 WHERE d.canceled_order IS NOT NULL AND d.canceled_order > ? AND d.canceled_order <= ?
   AND e.tag = d.tag AND e.team_id IN (${teams}) ORDER BY d.canceled_order`;

const write = ({ events, attempts, canceled }: Place): FeedPosition => `s${events}.${attempts}.${canceled}`;

function readPlace(position: FeedPosition): Place | null {
  const match = /^s(\d{1,16})\.(\d{1,16})\.(\d{1,16})$/.exec(position);
  if (match === null) return null;
  const [, events, attempts, canceled] = match;
  return { events: Number(events), attempts: Number(attempts), canceled: Number(canceled) };
}

async function readEnds(read: Read): Promise<Place & { firstAttempt: number }> {
  const [ends] = (await read(endsText, [])) as (Place & { firstAttempt: number })[];
  return ends ?? { events: 0, attempts: 0, canceled: 0, firstAttempt: 1 };
}

export async function feedPosition(read: Read): Promise<FeedPosition> {
  return write(await readEnds(read));
}

export async function readFeed(
  read: Read,
  { teamIds, from, until, limit }: FeedRequest,
): Promise<FeedResult> {
  const ends = await readEnds(read);
  const start = readPlace(from);
  if (start === null) return { rows: [], position: write(ends), more: false, lost: true };
  if (kinds.some((kind) => start[kind] > ends[kind])) {
    // Numbers begin again when a table was emptied: all that is in it came afterwards.
    for (const kind of kinds) if (start[kind] > ends[kind]) start[kind] = 0;
    return { rows: [], position: write(start), more: true, lost: true };
  }
  const end = (until === null ? null : readPlace(until)) ?? ends;
  const teams = teamIds.map(() => '?').join(', ');
  const firstAttempt = Math.max(start.attempts, ends.firstAttempt - 1);
  const cut: Place = {
    events: end.events,
    attempts: Math.min(end.attempts, firstAttempt + limit),
    canceled: Math.min(end.canceled, start.canceled + limit),
  };
  const at: Place = { ...start };
  const rows: FeedRow[] = [];
  const take = (kind: keyof Place, number: number): FeedPosition => {
    at[kind] = number;
    return write(at);
  };
  const events = (await read(eventsText(teams), [...teamIds, start.events, end.events, limit])) as (Omit<
    Extract<FeedRow, { kind: 'event' }>,
    'kind' | 'position' | 'eventSeq'
  > & { number: number })[];
  if (events.length === limit) cut.events = events.at(-1)?.number ?? end.events;
  for (const { number, ...row } of events) {
    rows.push({ kind: 'event', ...row, eventSeq: number, position: take('events', number) });
  }
  at.events = cut.events;
  if (cut.attempts > firstAttempt) {
    const found = (await read(attemptsText(teams), [firstAttempt, cut.attempts, ...teamIds])) as (Omit<
      Extract<FeedRow, { kind: 'attempt' }>,
      'kind' | 'position' | 'eventSeq' | 'number'
    > & { number: number; attempt: number })[];
    for (const { number, attempt, ...row } of found) {
      const position = take('attempts', number);
      rows.push({ kind: 'attempt', ...row, number: attempt, eventSeq: null, position });
    }
  }
  at.attempts = cut.attempts;
  if (cut.canceled > start.canceled) {
    const found = (await read(canceledText(teams), [start.canceled, cut.canceled, ...teamIds])) as {
      teamId: string;
      number: number;
      key: string;
      eventSeq: number;
    }[];
    for (const { number, ...row } of found) {
      rows.push({ kind: 'canceled', ...row, position: take('canceled', number) });
    }
  }
  return { rows, position: write(cut), more: kinds.some((kind) => cut[kind] < end[kind]), lost: false };
}
