// Reading what has happened: events, deliveries, attempts. Lists page by key, newest first; deliveries have theirs in
// delivery-list.ts.
import { sql } from 'kysely';
import { uidLength } from '../../id.ts';
import type { Store } from '../store.ts';
import { type FoundPage, lookThrough } from './looks.ts';
import type { Row } from './tables.ts';

export type EventRow = Row<'events'>;
export type EventSummary = Omit<EventRow, 'body'>;
export type AttemptRow = Omit<Row<'delivery_attempts'>, 'tag'>;

/** A delivery, finished or not. `availableAt` is only set while it is pending; see sqlite/lanes.ts for its ranges. */
export interface DeliveryRow {
  key: string;
  tag: string;
  type: string;
  state: 'pending' | 'delivered' | 'failed' | 'canceled';
  attempts: number;
  lastStatus: number | null;
  lastCause: string | null;
  createdAt: number;
  finishedAt: number | null;
  availableAt: number | null;
  eventId: string;
  eventTeamId: string;
  projectId: string | null;
  webhookId: string;
  webhookTeamId: string;
  webhookKind: Row<'endpoints'>['kind'];
  webhookUrl: string;
  removedAt: number | null;
  enabled: number;
  shiftMs: number;
}

export interface EventFilter {
  teamId: string;
  type: string | null;
  projectId: string | null;
  since: number | null;
  until: number | null;
  before: number | null;
  limit: number;
}

/** A team's events, newest first; `next` is the number below which the list goes on. */
export function listEvents(store: Store, filter: EventFilter): Promise<FoundPage<EventSummary, number>> {
  const { type, projectId, since, until } = filter;
  const isFiltered = type !== null || projectId !== null || since !== null || until !== null;
  const matches = (row: EventSummary) =>
    (type === null || row.type === type) &&
    (projectId === null || row.project_id === projectId) &&
    (since === null || row.created_at >= since) &&
    (until === null || row.created_at <= until);
  return lookThrough<EventSummary, number>({
    below: filter.before,
    limit: filter.limit,
    matches: isFiltered ? matches : null,
    keyOf: ({ seq }) => seq,
    fetch: (below, count) => newestEvents(store, filter.teamId, below, count),
  });
}

function newestEvents(store: Store, teamId: string, below: number | null, count: number) {
  let query = store.queries
    .selectFrom('events')
    .select(['seq', 'team_id', 'id', 'uid', 'type', 'project_id', 'region', 'created_at', 'created_at_given'])
    .select(['accepted_at', 'test', 'deliveries'])
    .where('team_id', '=', teamId)
    .orderBy('seq', 'desc')
    .limit(count);
  if (below !== null) query = query.where('seq', '<', below);
  return store.read(query.compile());
}

/** The events of an id: one within a team, one per team that has it for `teamId` null. */
export function findEvents(store: Store, id: string, teamId: string | null): Promise<EventRow[]> {
  let query = store.queries.selectFrom('events').selectAll().where('id', '=', id).limit(2);
  if (teamId !== null) query = query.where('team_id', '=', teamId);
  return store.read(query.compile());
}

/** What a delivery says of its endpoint and its event; `d` is the row of the delivery itself. */
const surroundings = [
  'd.id as key',
  'd.tag as tag',
  'd.type as type',
  'd.created_at as createdAt',
  'v.id as eventId',
  'v.team_id as eventTeamId',
  'v.project_id as projectId',
  'e.id as webhookId',
  'e.team_id as webhookTeamId',
  'e.kind as webhookKind',
  'e.url as webhookUrl',
  'e.removed_at as removedAt',
  'e.enabled as enabled',
  'e.shift_ms as shiftMs',
] as const;

const unfinishedState = sql<
  DeliveryRow['state']
>`case when e.removed_at is null then 'pending' else 'canceled' end`;

/** Deliveries that are held from birth: nothing of them is written yet but their event. */
function bornDeliveries(store: Store) {
  return store.queries
    .selectFrom('born as d')
    .innerJoin('endpoints as e', 'e.tag', 'd.tag')
    .innerJoin('events as v', 'v.seq', 'd.event_seq')
    .select(surroundings)
    .select([sql<number>`0`.as('attempts'), unfinishedState.as('state'), 'e.removed_at as finishedAt'])
    .select([sql<number | null>`null`.as('lastStatus'), sql<string | null>`null`.as('lastCause')])
    .select(sql<number | null>`null`.as('availableAt'));
}

function pendingDeliveries(store: Store) {
  return store.queries
    .selectFrom('pending as d')
    .innerJoin('endpoints as e', 'e.tag', 'd.tag')
    .innerJoin('events as v', 'v.seq', 'd.event_seq')
    .select(surroundings)
    .select(['d.attempts as attempts', unfinishedState.as('state'), 'e.removed_at as finishedAt'])
    .select(['d.last_status as lastStatus', 'd.last_cause as lastCause', 'd.available_at as availableAt'])
    .where('d.extra', '=', 0);
}

function finishedDeliveries(store: Store) {
  return store.queries
    .selectFrom('deliveries as d')
    .innerJoin('endpoints as e', 'e.tag', 'd.tag')
    .innerJoin('events as v', 'v.seq', 'd.event_seq')
    .select(surroundings)
    .select(['d.attempts as attempts', 'd.state as state', 'd.finished_at as finishedAt'])
    .select(['d.last_status as lastStatus', 'd.last_cause as lastCause'])
    .select(sql<number | null>`null`.as('availableAt'));
}

/** One delivery by its key; `teamId` null looks in every team. */
export async function findDelivery(
  store: Store,
  key: string,
  teamId: string | null,
): Promise<DeliveryRow | null> {
  const tag = key.slice(uidLength);
  const sources = [bornDeliveries(store), pendingDeliveries(store), finishedDeliveries(store)];
  let found: DeliveryRow | null = null;
  for (const source of sources as ReturnType<typeof pendingDeliveries>[]) {
    let query = source.where('d.tag', '=', tag).where('d.id', '=', key);
    if (teamId !== null) query = query.where('e.team_id', '=', teamId);
    const [row] = (await store.read(query.compile())) as DeliveryRow[];
    found = row ?? found;
  }
  return found;
}

/** How many keys one query looks up. */
const keysAtOnce = 1_000;

/**
 * Deliveries by their keys, as far as there are any.
 * @param between numbers of events between which theirs lie, where that is known
 */
export async function findDeliveries(
  store: Store,
  keys: readonly string[],
  between: [number, number] | null,
): Promise<Map<string, DeliveryRow>> {
  const byKey = new Map<string, DeliveryRow>();
  for (let at = 0; at < keys.length; at += keysAtOnce) {
    const some = keys.slice(at, at + keysAtOnce);
    const tags = [...new Set(some.map((key) => key.slice(uidLength)))];
    const sources = [bornDeliveries(store), pendingDeliveries(store), finishedDeliveries(store)];
    for (const source of sources as ReturnType<typeof pendingDeliveries>[]) {
      let query = source.where('d.tag', 'in', tags).where('d.id', 'in', some);
      if (between !== null)
        query = query.where('d.event_seq', '>=', between[0]).where('d.event_seq', '<=', between[1]);
      for (const row of (await store.read(query.compile())) as DeliveryRow[]) byKey.set(row.key, row);
    }
  }
  return byKey;
}

/** An event's deliveries, through the endpoints of its team. */
export async function listDeliveriesOfEvent(store: Store, event: EventRow): Promise<DeliveryRow[]> {
  const uid = event.uid ?? event.id;
  const key = sql<string>`${uid} || e.tag`;
  const sources = [bornDeliveries(store), pendingDeliveries(store), finishedDeliveries(store)];
  const byKey = new Map<string, DeliveryRow>();
  for (const source of sources as ReturnType<typeof pendingDeliveries>[]) {
    const query = source.where('e.team_id', '=', event.team_id).whereRef('d.id', '=', key);
    for (const row of (await store.read(query.compile())) as DeliveryRow[]) byKey.set(row.key, row);
  }
  return [...byKey.values()].toSorted((a, b) => (a.key < b.key ? -1 : 1));
}

/** A delivery's attempts, first to last. */
export async function listAttempts(store: Store, key: string): Promise<AttemptRow[]> {
  const rows = await store.read(
    store.queries
      .selectFrom('delivery_attempts')
      .select([
        'delivery_id',
        'number',
        'started_at',
        'duration_ms',
        'status',
        'cause',
        'detail',
        'timings',
        'url',
      ])
      .select(['request_headers', 'response_headers', 'response_body', 'truncated'])
      .where('tag', '=', key.slice(uidLength))
      .where('delivery_id', '=', key)
      .compile(),
  );
  return rows.toSorted((a, b) => a.number - b.number);
}

/** The body of a delivery's event. */
export async function findBody(store: Store, eventId: string, teamId: string): Promise<Uint8Array | null> {
  const rows = await store.read(
    store.queries
      .selectFrom('events')
      .select('body')
      .where('id', '=', eventId)
      .where('team_id', '=', teamId)
      .compile(),
  );
  return rows[0]?.body ?? null;
}
