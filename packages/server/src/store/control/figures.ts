// Reading the figures of endpoints and teams that are kept as counters (store/tally.ts), and the changes of an endpoint's
// row of health that belong to a change of the control plane.
import { sql } from 'kysely';
import { latencyBuckets } from '../../core/latency.ts';
import { latencyColumns } from '../figure-columns.ts';
import type { Step, Store } from '../store.ts';
import { hourMs, minuteMs, startOf } from '../tally.ts';
import type { Row } from './tables.ts';

export type HealthRow = Row<'endpoint_health'>;

/** What happened in a window of time. `latency` has one count per bucket of core/latency.ts. */
export interface Window {
  delivered: number;
  failed: number;
  attempts: number;
  attemptsFailed: number;
  latency: number[];
}

const noWindow = (): Window => ({
  delivered: 0,
  failed: 0,
  attempts: 0,
  attemptsFailed: 0,
  latency: Array.from({ length: latencyBuckets }, () => 0),
});

type CountName = 'delivered' | 'failed' | 'attempts' | 'attempts_failed';
type Counted = Record<CountName | `l${number}`, number>;

function addTo(window: Window, row: Counted): void {
  window.delivered += row.delivered;
  window.failed += row.failed;
  window.attempts += row.attempts;
  window.attemptsFailed += row.attempts_failed;
  for (let bucket = 0; bucket < latencyBuckets; bucket++) {
    window.latency[bucket] = (window.latency[bucket] ?? 0) + (row[`l${bucket}`] ?? 0);
  }
}

export interface Windows {
  '5m': Window;
  '1h': Window;
  '24h': Window;
}

export const noWindows = (): Windows => ({ '5m': noWindow(), '1h': noWindow(), '24h': noWindow() });

/** Some endpoints' last 5 minutes, hour and 24 hours before `now`, each from the beginning of its first bucket. */
export async function readWindows(store: Store, tags: string[], now: number): Promise<Map<string, Windows>> {
  const byTag = new Map(tags.map((tag) => [tag, noWindows()]));
  if (tags.length === 0) return byTag;
  const fiveMinutesAgo = startOf(now - 5 * minuteMs, minuteMs);
  const since = (width: number, from: number) =>
    store.queries
      .selectFrom('endpoint_figures')
      .select((eb) => [
        'tag',
        sql<number>`case when at >= ${fiveMinutesAgo} then 1 else 0 end`.as('recent'),
        ...(['delivered', 'failed', 'attempts', 'attempts_failed', ...latencyColumns] as CountName[]).map(
          (name) => eb.fn.sum<number>(name).as(name),
        ),
      ])
      .where('tag', 'in', tags)
      .where('width', '=', width)
      .where('at', '>=', from)
      .groupBy(['tag', 'recent'])
      .compile();
  const [minutes, hours] = await Promise.all([
    store.read(since(minuteMs, startOf(now - hourMs, minuteMs))),
    store.read(since(hourMs, startOf(now - 24 * hourMs, hourMs))),
  ]);
  for (const row of minutes as unknown as (Counted & { tag: string; recent: number })[]) {
    const windows = byTag.get(row.tag);
    if (windows === undefined) continue;
    addTo(windows['1h'], row);
    if (row.recent === 1) addTo(windows['5m'], row);
  }
  for (const row of hours as unknown as (Counted & { tag: string })[]) {
    const windows = byTag.get(row.tag);
    if (windows !== undefined) addTo(windows['24h'], row);
  }
  return byTag;
}

/** The rows of health of some endpoints; those that nothing was ever sent to have none. */
export async function readHealth(store: Store, tags: string[]): Promise<Map<string, HealthRow>> {
  if (tags.length === 0) return new Map();
  const rows = await store.read(
    store.queries.selectFrom('endpoint_health').selectAll().where('tag', 'in', tags).compile(),
  );
  return new Map(rows.map((row) => [row.tag, row]));
}

export interface TeamPoint {
  at: number;
  accepted: number;
  delivered: number;
  failed: number;
  attempts: number;
  attemptsFailed: number;
}

/** A team's figures in buckets of `width` (a minute or an hour) from `since` on, oldest first; empty ones are left out. */
export function readTeamPoints(
  store: Store,
  teamId: string,
  width: number,
  since: number,
): Promise<TeamPoint[]> {
  return store.read(
    store.queries
      .selectFrom('team_figures')
      .select(['at', 'accepted', 'delivered', 'failed', 'attempts', 'attempts_failed as attemptsFailed'])
      .where('team_id', '=', teamId)
      .where('width', '=', width)
      .where('at', '>=', since)
      .orderBy('at')
      .compile(),
  );
}

/** What was delivered and failed at some endpoints in each hour from `since` on. */
export async function readHours(
  store: Store,
  tags: string[],
  since: number,
): Promise<{ tag: string; at: number; delivered: number; failed: number }[]> {
  if (tags.length === 0) return [];
  return store.read(
    store.queries
      .selectFrom('endpoint_figures')
      .select(['tag', 'at', 'delivered', 'failed'])
      .where('tag', 'in', tags)
      .where('width', '=', hourMs)
      .where('at', '>=', since)
      .compile(),
  );
}

/** The clock of failures begins anew: the endpoint was enabled again. */
export function forgetFailures(store: Store, tag: string): Step {
  return {
    query: store.queries
      .updateTable('endpoint_health')
      .set({ failing_since: null, warned_at: null, disabled_at: null, rests_until: 0 })
      .where('tag', '=', tag)
      .compile(),
  };
}
