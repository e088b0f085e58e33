// Account webhooks in the store: rows of `endpoints` of the kind `webhook`, their subscriptions and their projects.
import type { Step, Store } from '../store.ts';
import { stopReplays } from './replays.ts';
import type { NewRow, Row, Tables } from './tables.ts';

export type WebhookRow = Row<'endpoints'>;

/** One webhook that is not removed; `teamId` null looks in every team. */
export async function findWebhook(
  store: Store,
  id: string,
  teamId: string | null,
): Promise<WebhookRow | null> {
  const webhook = await findWebhookEver(store, id, teamId);
  return webhook?.removed_at === null ? webhook : null;
}

/** The same, removed ones included: their deliveries can still be read. */
export async function findWebhookEver(
  store: Store,
  id: string,
  teamId: string | null,
): Promise<WebhookRow | null> {
  let query = store.queries
    .selectFrom('endpoints')
    .selectAll()
    .where('id', '=', id)
    .where('kind', '=', 'webhook');
  if (teamId !== null) query = query.where('team_id', '=', teamId);
  const rows = await store.read(query.compile());
  return rows[0] ?? null;
}

/** The tags of teams' endpoints, those included that were removed since `removedSince` (epoch ms). */
export function listTags(
  store: Store,
  teamIds: string[],
  removedSince: number,
): Promise<{ tag: string; team_id: string }[]> {
  return store.read(
    store.queries
      .selectFrom('endpoints')
      .select(['tag', 'team_id'])
      .where('team_id', 'in', teamIds)
      .where(({ or, eb }) => or([eb('removed_at', 'is', null), eb('removed_at', '>=', removedSince)]))
      .compile(),
  );
}

/** A team's webhooks, those included that were removed since `removedSince` (epoch ms): at most `limit`, newest first. */
export function listWebhooksEver(
  store: Store,
  teamId: string,
  removedSince: number,
  limit: number,
): Promise<WebhookRow[]> {
  return store.read(
    store.queries
      .selectFrom('endpoints')
      .selectAll()
      .where('team_id', '=', teamId)
      .where('kind', '=', 'webhook')
      .where(({ or, eb }) => or([eb('removed_at', 'is', null), eb('removed_at', '>=', removedSince)]))
      .orderBy('created_at', 'desc')
      .orderBy('tag')
      .limit(limit)
      .compile(),
  );
}

/** A team's webhooks, newest first; with `projectId` those that would get that project's events. */
export function listWebhooks(store: Store, teamId: string, projectId: string | null): Promise<WebhookRow[]> {
  let query = store.queries
    .selectFrom('endpoints')
    .selectAll()
    .where('team_id', '=', teamId)
    .where('kind', '=', 'webhook')
    .where('removed_at', 'is', null)
    .orderBy('created_at', 'desc')
    .orderBy('tag');
  if (projectId !== null) {
    query = query.where(({ or, eb, exists, selectFrom }) =>
      or([
        eb('all_projects', '=', 1),
        exists(
          selectFrom('endpoint_projects')
            .select('endpoint_projects.tag')
            .whereRef('endpoint_projects.tag', '=', 'endpoints.tag')
            .where('endpoint_projects.project_id', '=', projectId),
        ),
      ]),
    );
  }
  return store.read(query.compile());
}

/** Counts one more webhook of the team, unless it has `limit` already. The team's row is the lock. */
export function takeWebhookPlace(store: Store, teamId: string, limit: number): Step {
  return {
    query: store.queries
      .updateTable('teams')
      .set((eb) => ({ webhook_count: eb('webhook_count', '+', 1) }))
      .where('id', '=', teamId)
      .where('webhook_count', '<', limit)
      .compile(),
    rows: 1,
    otherwise: 'limit',
  };
}

export function insertWebhook(store: Store, row: NewRow<'endpoints'>): Step {
  return { query: store.queries.insertInto('endpoints').values(row).compile(), rows: 1 };
}

/** Replaces what the webhook is subscribed to. */
export function putSubscriptions(store: Store, teamId: string, tag: string, types: string[]): Step[] {
  return [
    { query: store.queries.deleteFrom('subscriptions').where('tag', '=', tag).compile() },
    {
      query: store.queries
        .insertInto('subscriptions')
        .values(types.map((type) => ({ team_id: teamId, type, tag })))
        .compile(),
    },
  ];
}

/** Replaces the projects that the webhook is for. Each must still be the team's when the change is made. */
export function putProjects(store: Store, teamId: string, tag: string, projectIds: string[]): Step[] {
  const clear: Step = {
    query: store.queries.deleteFrom('endpoint_projects').where('tag', '=', tag).compile(),
  };
  if (projectIds.length === 0) return [clear];
  const insert = store.queries
    .insertInto('endpoint_projects')
    .columns(['tag', 'project_id'])
    .expression((eb) =>
      eb
        .selectFrom('projects')
        .select([eb.val(tag).as('tag'), 'projects.id as project_id'])
        .where('projects.team_id', '=', teamId)
        .where('projects.id', 'in', projectIds),
    );
  return [clear, { query: insert.compile(), rows: projectIds.length, otherwise: 'projects' }];
}

/** Changes a webhook whose version is still `version`, and raises the version. */
export function updateWebhook(
  store: Store,
  tag: string,
  version: number,
  values: Partial<Omit<Tables['endpoints'], 'tag' | 'id' | 'team_id' | 'version'>>,
): Step {
  return {
    query: store.queries
      .updateTable('endpoints')
      .set({ ...values, version: version + 1 })
      .where('tag', '=', tag)
      .where('version', '=', version)
      .where('removed_at', 'is', null)
      .compile(),
    rows: 1,
    otherwise: 'version',
  };
}

/** Removes a webhook: one row, and its place is free again. Pending deliveries read as canceled from now on. */
export function removeWebhook(store: Store, webhook: WebhookRow, at: number): Step[] {
  return [
    updateWebhook(store, webhook.tag, webhook.version, { removed_at: at, updated_at: at }),
    {
      query: store.queries
        .updateTable('teams')
        .set((eb) => ({ webhook_count: eb('webhook_count', '-', 1) }))
        .where('id', '=', webhook.team_id)
        .compile(),
      rows: 1,
    },
    stopReplays(store, { tag: webhook.tag }, at),
    { query: store.queries.deleteFrom('subscriptions').where('tag', '=', webhook.tag).compile() },
    { query: store.queries.deleteFrom('endpoint_projects').where('tag', '=', webhook.tag).compile() },
    { query: store.queries.deleteFrom('endpoint_health').where('tag', '=', webhook.tag).compile() },
  ];
}

/** The names of projects, for `projectsMetadata`. */
export function findProjectNames(
  store: Store,
  ids: string[],
): Promise<{ id: string; name: string; framework: string | null }[]> {
  if (ids.length === 0) return Promise.resolve([]);
  return store.read(
    store.queries.selectFrom('projects').select(['id', 'name', 'framework']).where('id', 'in', ids).compile(),
  );
}
