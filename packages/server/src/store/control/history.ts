// Reading what has happened: events, deliveries, attempts. Lists page by key, newest first.
import { sql } from 'kysely';
import { uidLength } from '../../id.ts';
import type { Store } from '../store.ts';
import type { Row } from './tables.ts';

export type EventRow = Row<'events'>;
export type EventSummary = Omit<EventRow, 'body'>;
export type AttemptRow = Omit<Row<'attempts'>, 'seq'>;

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
  webhookId: string;
  webhookTeamId: string;
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

export function listEvents(store: Store, filter: EventFilter): Promise<EventSummary[]> {
  let query = store.queries
    .selectFrom('events')
    .select(['seq', 'team_id', 'id', 'uid', 'type', 'project_id', 'region', 'created_at', 'created_at_given'])
    .select(['accepted_at', 'test', 'deliveries'])
    .where('team_id', '=', filter.teamId)
    .orderBy('seq', 'desc')
    .limit(filter.limit);
  if (filter.type !== null) query = query.where('type', '=', filter.type);
  if (filter.projectId !== null) query = query.where('project_id', '=', filter.projectId);
  if (filter.since !== null) query = query.where('created_at', '>=', filter.since);
  if (filter.until !== null) query = query.where('created_at', '<=', filter.until);
  if (filter.before !== null) query = query.where('seq', '<', filter.before);
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
  'e.id as webhookId',
  'e.team_id as webhookTeamId',
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

export interface DeliveryFilter {
  tag: string;
  state: DeliveryRow['state'] | null;
  type: string | null;
  /** Bounds of the key, which begins with the delivery's time: at or above, below. */
  fromKey: string | null;
  belowKey: string | null;
  limit: number;
}

/**
 * An endpoint's deliveries, newest first: what is held from birth, pending and finished, merged by key. Read in the
 * order in which a delivery moves, so that none is missed between two reads; the newest truth is read last.
 */
export async function listDeliveries(store: Store, filter: DeliveryFilter): Promise<DeliveryRow[]> {
  const { tag, state, type, fromKey, belowKey, limit } = filter;
  const found: DeliveryRow[] = [];
  if (state === null || state === 'pending' || state === 'canceled') {
    for (const source of [bornDeliveries(store), pendingDeliveries(store)] as ReturnType<
      typeof pendingDeliveries
    >[]) {
      let query = source.where('d.tag', '=', tag).orderBy('d.id', 'desc').limit(limit);
      if (state === 'pending') query = query.where('e.removed_at', 'is', null);
      if (state === 'canceled') query = query.where('e.removed_at', 'is not', null);
      if (type !== null) query = query.where('d.type', '=', type);
      if (fromKey !== null) query = query.where('d.id', '>=', fromKey);
      if (belowKey !== null) query = query.where('d.id', '<', belowKey);
      found.push(...((await store.read(query.compile())) as DeliveryRow[]));
    }
  }
  if (state !== 'pending') {
    let query = finishedDeliveries(store).where('d.tag', '=', tag).orderBy('d.id', 'desc').limit(limit);
    if (state !== null) query = query.where('d.state', '=', state);
    // Lets the index of what is not delivered serve.
    if (state === 'failed' || state === 'canceled') query = query.where(sql<boolean>`d.state <> 'delivered'`);
    if (type !== null) query = query.where('d.type', '=', type);
    if (fromKey !== null) query = query.where('d.id', '>=', fromKey);
    if (belowKey !== null) query = query.where('d.id', '<', belowKey);
    found.push(...((await store.read(query.compile())) as DeliveryRow[]));
  }
  const byKey = new Map(found.map((row) => [row.key, row]));
  return [...byKey.values()].toSorted((a, b) => (a.key < b.key ? 1 : -1)).slice(0, limit);
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
export function listAttempts(store: Store, key: string): Promise<AttemptRow[]> {
  return store.read(
    store.queries
      .selectFrom('attempts')
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
      .where('delivery_id', '=', key)
      .orderBy('number')
      .compile(),
  );
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
