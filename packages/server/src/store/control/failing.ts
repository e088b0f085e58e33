// Webhooks whose every attempt failed for long, by the clock that endpoint_health keeps: from the first failure after the
// last success to the last failure.
import { sql } from 'kysely';
import type { Step, Store } from '../store.ts';
import type { Row } from './tables.ts';
import { updateWebhook } from './webhooks.ts';

export type FailingRow = Pick<Row<'endpoints'>, 'tag' | 'id' | 'team_id' | 'version' | 'url'> &
  Omit<Row<'endpoint_health'>, 'failing_since'> & { failing_since: number };

/** Enabled webhooks that are to be announced or disabled, those first that have failed for longest. */
export function findFailing(
  store: Store,
  { warnAfterMs, disableAfterMs, limit }: { warnAfterMs: number; disableAfterMs: number; limit: number },
): Promise<FailingRow[]> {
  const failedForMs = sql<number>`h.last_failure_at - h.failing_since`;
  return store.read(
    store.queries
      .selectFrom('endpoint_health as h')
      .innerJoin('endpoints as e', 'e.tag', 'h.tag')
      .selectAll('h')
      .select(['e.id', 'e.team_id', 'e.version', 'e.url'])
      .select(sql<number>`h.failing_since`.as('failing_since'))
      .where('h.failing_since', 'is not', null)
      .where('e.kind', '=', 'webhook')
      .where('e.enabled', '=', 1)
      .where('e.removed_at', 'is', null)
      .where(failedForMs, '>=', warnAfterMs)
      .where(({ or, eb }) => or([eb('h.warned_at', 'is', null), eb(failedForMs, '>=', disableAfterMs)]))
      .orderBy('h.failing_since')
      .limit(limit)
      .compile(),
  );
}

/** Notes that it was announced, unless it was before or an attempt has succeeded since. */
export function announceFailing(store: Store, row: FailingRow, at: number): Step {
  return {
    query: store.queries
      .updateTable('endpoint_health')
      .set({ warned_at: at })
      .where('tag', '=', row.tag)
      .where('failing_since', '=', row.failing_since)
      .where('warned_at', 'is', null)
      .compile(),
    rows: 1,
    otherwise: 'announced',
  };
}

/** Disables it as it was when it was looked at; its lane's time stands still from now on. */
export function disableFailing(store: Store, row: FailingRow, at: number): Step {
  return updateWebhook(store, row.tag, row.version, { enabled: 0, disabled_at: at, updated_at: at });
}

/** Notes that Posthorn disabled it, unless an attempt has succeeded since. */
export function markDisabled(store: Store, row: FailingRow, at: number): Step {
  return {
    query: store.queries
      .updateTable('endpoint_health')
      .set({ disabled_at: at })
      .where('tag', '=', row.tag)
      .where('failing_since', '=', row.failing_since)
      .compile(),
    rows: 1,
    otherwise: 'succeeded',
  };
}
