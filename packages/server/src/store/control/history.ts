// Reading what has happened: events, deliveries, attempts. Lists page by key, newest first.
import { sql } from 'kysely';
import { uidLength } from '../../id.ts';
import type { Store } from '../store.ts';
import type { Row } from './tables.ts';

export type EventRow = Row<'events'>;
export type EventSummary = Omit<EventRow, 'body'>;
export type AttemptRow = Row<'attempts'>;

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

function pendingDeliveries(store: Store) {
  return store.queries
    .selectFrom('pending as d')
    .innerJoin('endpoints as e', 'e.tag', 'd.tag')
    .innerJoin('events as v', 'v.seq', 'd.event_seq')
    .select([
      'd.id as key',
      'd.tag as tag',
      'd.type as type',
      'd.attempts as attempts',
      'd.created_at as createdAt',
    ])
    .select(['d.last_status as lastStatus', 'd.last_cause as lastCause', 'd.available_at as availableAt'])
    .select(
      sql<DeliveryRow['state']>`case when e.removed_at is null then 'pending' else 'canceled' end`.as(
        'state',
      ),
    )
    .select('e.removed_at as finishedAt')
    .select([
      'v.id as eventId',
      'v.team_id as eventTeamId',
      'e.id as webhookId',
      'e.team_id as webhookTeamId',
    ])
    .select([
      'e.url as webhookUrl',
      'e.removed_at as removedAt',
      'e.enabled as enabled',
      'e.shift_ms as shiftMs',
    ])
    .where('d.extra', '=', 0);
}

function finishedDeliveries(store: Store) {
  return store.queries
    .selectFrom('deliveries as d')
    .innerJoin('endpoints as e', 'e.tag', 'd.tag')
    .innerJoin('events as v', 'v.seq', 'd.event_seq')
    .select([
      'd.id as key',
      'd.tag as tag',
      'd.type as type',
      'd.attempts as attempts',
      'd.created_at as createdAt',
    ])
    .select([
      'd.last_status as lastStatus',
      'd.last_cause as lastCause',
      sql<number | null>`null`.as('availableAt'),
    ])
    .select(['d.state as state', 'd.finished_at as finishedAt'])
    .select([
      'v.id as eventId',
      'v.team_id as eventTeamId',
      'e.id as webhookId',
      'e.team_id as webhookTeamId',
    ])
    .select([
      'e.url as webhookUrl',
      'e.removed_at as removedAt',
      'e.enabled as enabled',
      'e.shift_ms as shiftMs',
    ]);
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

/** An endpoint's deliveries, newest first: what is pending and what is finished, merged by key. */
export async function listDeliveries(store: Store, filter: DeliveryFilter): Promise<DeliveryRow[]> {
  const { tag, state, type, fromKey, belowKey, limit } = filter;
  const lists: Promise<DeliveryRow[]>[] = [];
  if (state === null || state === 'pending' || state === 'canceled') {
    let query = pendingDeliveries(store).where('d.tag', '=', tag).orderBy('d.id', 'desc').limit(limit);
    if (state === 'pending') query = query.where('e.removed_at', 'is', null);
    if (state === 'canceled') query = query.where('e.removed_at', 'is not', null);
    if (type !== null) query = query.where('d.type', '=', type);
    if (fromKey !== null) query = query.where('d.id', '>=', fromKey);
    if (belowKey !== null) query = query.where('d.id', '<', belowKey);
    lists.push(store.read(query.compile()) as Promise<DeliveryRow[]>);
  }
  if (state !== 'pending') {
    let query = finishedDeliveries(store).where('d.tag', '=', tag).orderBy('d.id', 'desc').limit(limit);
    if (state !== null) query = query.where('d.state', '=', state);
    // Lets the index of what is not delivered serve.
    if (state === 'failed' || state === 'canceled') query = query.where(sql<boolean>`d.state <> 'delivered'`);
    if (type !== null) query = query.where('d.type', '=', type);
    if (fromKey !== null) query = query.where('d.id', '>=', fromKey);
    if (belowKey !== null) query = query.where('d.id', '<', belowKey);
    lists.push(store.read(query.compile()) as Promise<DeliveryRow[]>);
  }
  // A delivery that finished between the two reads stands in both: the finished one is the newer truth.
  const byKey = new Map((await Promise.all(lists)).flat().map((row) => [row.key, row]));
  return [...byKey.values()].toSorted((a, b) => (a.key < b.key ? 1 : -1)).slice(0, limit);
}

/** One delivery by its key; `teamId` null looks in every team. */
export async function findDelivery(
  store: Store,
  key: string,
  teamId: string | null,
): Promise<DeliveryRow | null> {
  const tag = key.slice(uidLength);
  let finished = finishedDeliveries(store).where('d.tag', '=', tag).where('d.id', '=', key);
  let pending = pendingDeliveries(store).where('d.tag', '=', tag).where('d.id', '=', key);
  if (teamId !== null) {
    finished = finished.where('e.team_id', '=', teamId);
    pending = pending.where('e.team_id', '=', teamId);
  }
  // Pending first: what finishes between the two reads is then found by the second.
  const waiting = (await store.read(pending.compile())) as DeliveryRow[];
  const done = (await store.read(finished.compile())) as DeliveryRow[];
  return done[0] ?? waiting[0] ?? null;
}

/** An event's deliveries, through the endpoints of its team. */
export async function listDeliveriesOfEvent(store: Store, event: EventRow): Promise<DeliveryRow[]> {
  const uid = event.uid ?? event.id;
  const key = sql<string>`${uid} || e.tag`;
  const pending = pendingDeliveries(store).where('e.team_id', '=', event.team_id).whereRef('d.id', '=', key);
  const finished = finishedDeliveries(store)
    .where('e.team_id', '=', event.team_id)
    .whereRef('d.id', '=', key);
  const waiting = (await store.read(pending.compile())) as DeliveryRow[];
  const done = (await store.read(finished.compile())) as DeliveryRow[];
  const byKey = new Map([...waiting, ...done].map((row) => [row.key, row]));
  return [...byKey.values()].toSorted((a, b) => (a.key < b.key ? -1 : 1));
}

/** A delivery's attempts, first to last. */
export function listAttempts(store: Store, key: string): Promise<AttemptRow[]> {
  return store.read(
    store.queries
      .selectFrom('attempts')
      .selectAll()
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
