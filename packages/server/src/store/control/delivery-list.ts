// Deliveries of a team or of one webhook, newest first: each webhook's are one range of the keys, and a list is the
// ranges merged. What no index serves (type, status, cause, project) is looked through, see looks.ts.
import { type RawBuilder, sql } from 'kysely';
import type { Store } from '../store.ts';
import type { DeliveryRow } from './history.ts';
import { type FoundPage, lookThrough } from './looks.ts';

type State = DeliveryRow['state'];

/** A webhook that was removed before `removedSince` (epoch ms) has no deliveries left to list. */
export type DeliveryScope =
  | { kind: 'webhook'; tag: string }
  | { kind: 'team'; teamId: string; removedSince: number };

export interface DeliveryFilter {
  /** Those of one webhook, or of all of a team's. */
  scope: DeliveryScope;
  states: readonly State[] | null;
  types: readonly string[] | null;
  projectId: string | null;
  /** Judges the last answer's status; null where there was none. */
  status: ((status: number | null) => boolean) | null;
  causes: readonly string[] | null;
  /** Bounds of the key, which begins with the delivery's time: at or above, below. */
  fromKey: string | null;
  belowKey: string | null;
  limit: number;
}

/** Above all keys: their last character is a `z` at the most. */
const aboveAll = '~';
const never = sql<null>`CAST(NULL AS integer)`;
const noText = sql<null>`CAST(NULL AS text)`;

/** A table of deliveries, or the part of it in one state that has an index. */
interface Source {
  table: 'born' | 'pending' | 'deliveries';
  columns: RawBuilder<unknown>;
  /** Conditions on the row `d` (and `x`, the same table), and on its endpoint `e`. */
  where(row: 'd' | 'x'): RawBuilder<unknown>;
  endpoint: RawBuilder<unknown>;
}

const every = sql`1 = 1`;
const state = (name: State) => sql`CAST(${sql.lit(name)} AS text) AS state`;

/** Held from birth: of these nothing is written yet but their event. */
const born = (endpoint: RawBuilder<unknown>): Source => ({
  table: 'born',
  columns: sql`${state('pending')}, 0 AS attempts, ${never} AS last_status, ${noText} AS last_cause,
    ${never} AS finished_at, ${never} AS available_at`,
  where: () => every,
  endpoint,
});
const pending = (endpoint: RawBuilder<unknown>): Source => ({
  table: 'pending',
  columns: sql`${state('pending')}, d.attempts, d.last_status, d.last_cause, ${never} AS finished_at, d.available_at`,
  where: (row) => sql`${sql.ref(`${row}.extra`)} = 0`,
  endpoint,
});
const finished = (only: 'failed' | 'canceled' | null): Source => ({
  table: 'deliveries',
  columns: sql`d.state, d.attempts, d.last_status, d.last_cause, d.finished_at, ${never} AS available_at`,
  // Said as the index of what was not delivered says it.
  where: (row) =>
    only === null
      ? every
      : sql`${sql.ref(`${row}.state`)} = ${sql.lit(only)} AND ${sql.ref(`${row}.state`)} <> 'delivered'`,
  endpoint: every,
});

/**
 * Where deliveries of these states are, in the order in which a delivery moves: read so, none is missed between two
 * reads, and the newest truth is read last.
 */
function sourcesOf(states: readonly State[] | null): Source[] {
  const wants = (one: State) => states === null || states.includes(one);
  const sources: Source[] = [];
  if (wants('pending') || wants('canceled')) {
    const endpoint =
      wants('pending') && wants('canceled')
        ? every
        : wants('pending')
          ? sql`e.removed_at IS NULL`
          : sql`e.removed_at IS NOT NULL`;
    sources.push(born(endpoint), pending(endpoint));
  }
  if (wants('delivered')) sources.push(finished(null));
  else {
    if (wants('failed')) sources.push(finished('failed'));
    if (wants('canceled')) sources.push(finished('canceled'));
  }
  return sources;
}

/** The newest `count` rows of a source below `below`. */
function newestOf(source: Source, filter: DeliveryFilter, below: string, count: number) {
  const { scope } = filter;
  const table = sql.table(source.table);
  const from = filter.fromKey ?? '';
  // Of each webhook no more than the newest `count`, or all would be sorted to find the newest of all.
  const least =
    scope.kind === 'webhook' || source.table === 'born'
      ? sql`${from}`
      : sql`coalesce((SELECT x.id FROM ${table} x WHERE x.tag = e.tag AND ${source.where('x')}
            AND x.id >= ${from} AND x.id < ${below} ORDER BY x.id DESC LIMIT 1 OFFSET ${count - 1}), ${from})`;
  const within =
    scope.kind === 'webhook'
      ? sql`e.tag = ${scope.tag}`
      : sql`e.team_id = ${scope.teamId} AND (e.removed_at IS NULL OR e.removed_at >= ${scope.removedSince})`;
  return sql<DeliveryRow>`
    SELECT f.id AS "key", f.tag AS "tag", f.type AS "type",
           CASE WHEN f.state = 'pending' AND e.removed_at IS NOT NULL THEN 'canceled' ELSE f.state END AS "state",
           f.attempts AS "attempts", f.last_status AS "lastStatus", f.last_cause AS "lastCause",
           f.created_at AS "createdAt",
           CASE WHEN f.state = 'pending' THEN e.removed_at ELSE f.finished_at END AS "finishedAt",
           f.available_at AS "availableAt", v.id AS "eventId", v.team_id AS "eventTeamId", v.project_id AS "projectId",
           e.id AS "webhookId", e.team_id AS "webhookTeamId", e.kind AS "webhookKind", e.url AS "webhookUrl",
           e.removed_at AS "removedAt", e.enabled AS "enabled", e.shift_ms AS "shiftMs"
      FROM (
        SELECT d.id, d.tag, d.event_seq, d.type, d.created_at, ${source.columns}
          FROM endpoints e CROSS JOIN ${table} d
         WHERE ${within} AND ${source.endpoint}
           AND d.tag = e.tag AND ${source.where('d')} AND d.id >= ${least} AND d.id < ${below}
         ORDER BY d.id DESC LIMIT ${count}
      ) f
      JOIN endpoints e ON e.tag = f.tag
      JOIN events v ON v.seq = f.event_seq
     ORDER BY f.id DESC`;
}

/** Whether a delivery is one that the filter wants; null where the ranges already say so. */
function judge(filter: DeliveryFilter): ((row: DeliveryRow) => boolean) | null {
  const { states, types, projectId, status, causes } = filter;
  // One that was finished while it was looked for may be in another state by now.
  const ranged = states === null || (states.length === 1 && states[0] !== 'delivered');
  if (types === null && projectId === null && status === null && causes === null && ranged) return null;
  return (row) =>
    (states === null || states.includes(row.state)) &&
    (types === null || types.includes(row.type)) &&
    (projectId === null || row.projectId === projectId) &&
    (status === null || status(row.lastStatus)) &&
    (causes === null || (row.lastCause !== null && causes.includes(row.lastCause)));
}

/** A page of deliveries, newest first; `next` is the key below which the list goes on. */
export function listDeliveries(
  store: Store,
  filter: DeliveryFilter,
): Promise<FoundPage<DeliveryRow, string>> {
  const sources = sourcesOf(filter.states);
  return lookThrough<DeliveryRow, string>({
    below: filter.belowKey,
    limit: filter.limit,
    matches: judge(filter),
    keyOf: ({ key }) => key,
    async fetch(below, count) {
      const byKey = new Map<string, DeliveryRow>();
      for (const source of sources) {
        const query = newestOf(source, filter, below ?? aboveAll, count).compile(store.queries);
        for (const row of await store.read(query)) byKey.set(row.key, row);
      }
      return [...byKey.values()].toSorted((a, b) => (a.key < b.key ? 1 : -1)).slice(0, count);
    },
  });
}

/** The page of `rows`, all there are, that the filter wants: for the few deliveries of one event. */
export function pickDeliveries(rows: DeliveryRow[], filter: DeliveryFilter): FoundPage<DeliveryRow, string> {
  const { scope, fromKey, belowKey, limit } = filter;
  const matches = judge(filter) ?? (({ state: now }) => filter.states?.includes(now) ?? true);
  const found = rows
    .filter(
      (row) =>
        (scope.kind === 'team' || row.tag === scope.tag) &&
        (fromKey === null || row.key >= fromKey) &&
        (belowKey === null || row.key < belowKey) &&
        matches(row),
    )
    .toSorted((a, b) => (a.key < b.key ? 1 : -1));
  return { rows: found.slice(0, limit), next: found.length > limit ? (found[limit - 1]?.key ?? null) : null };
}
