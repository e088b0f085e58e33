// Projects in the store. Each look-up names the team, except the operator's by id.
import { sql } from 'kysely';
import type { Step, Store } from '../store.ts';
import { containing, type PageOf, readTimePage, type TimePage } from './pages.ts';
import type { NewRow, Row } from './tables.ts';

export type ProjectRow = Row<'projects'>;

/** A project by its id; `teamId` null looks in every team. */
export async function findProject(
  store: Store,
  id: string,
  teamId: string | null,
): Promise<ProjectRow | null> {
  let query = store.queries.selectFrom('projects').selectAll().where('id', '=', id);
  if (teamId !== null) query = query.where('team_id', '=', teamId);
  const rows = await store.read(query.compile());
  return rows[0] ?? null;
}

export async function findProjectByName(
  store: Store,
  name: string,
  teamId: string,
): Promise<ProjectRow | null> {
  const rows = await store.read(
    store.queries
      .selectFrom('projects')
      .selectAll()
      .where('team_id', '=', teamId)
      .where('name', '=', name)
      .compile(),
  );
  return rows[0] ?? null;
}

/** A team's projects, newest first; with `search` those whose name contains it. */
export function listProjects(
  store: Store,
  teamId: string,
  search: string | null,
  page: TimePage,
): Promise<PageOf<ProjectRow>> {
  return readTimePage(page, ({ limit, since, until }) => {
    let query = store.queries
      .selectFrom('projects')
      .selectAll()
      .where('team_id', '=', teamId)
      .orderBy('created_at', 'desc')
      .orderBy('id')
      .limit(limit);
    if (since !== null) query = query.where('created_at', '>=', since);
    if (until !== null) query = query.where('created_at', '<', until);
    if (search !== null)
      query = query.where(sql<boolean>`name like ${containing(search.toLowerCase())} escape '\\'`);
    return store.read(query.compile());
  });
}

/** Fails with `taken` when the team has a project of that name, or any team one of that id. */
export function insertProject(store: Store, row: NewRow<'projects'>): Step {
  return { query: store.queries.insertInto('projects').values(row).compile(), rows: 1, otherwise: 'taken' };
}

/** Changes a project that is still as it was read; fails with `changed`. Its name is another step. */
export function updateProject(
  store: Store,
  project: ProjectRow,
  values: Pick<ProjectRow, 'framework' | 'settings' | 'updated_at'>,
): Step {
  return {
    query: store.queries
      .updateTable('projects')
      .set(values)
      .where('id', '=', project.id)
      .where('team_id', '=', project.team_id)
      .where('name', '=', project.name)
      .where('settings', '=', project.settings)
      .compile(),
    rows: 1,
    otherwise: 'changed',
  };
}

/** Fails with `taken` when the team has another project of that name. */
export function renameProject(store: Store, id: string, name: string): Step {
  return {
    query: store.queries.updateTable('projects').set({ name }).where('id', '=', id).compile(),
    rows: 1,
    otherwise: 'taken',
  };
}

/** Locks the project's row and makes sure that it is there; fails with `gone`. */
export function lockProject(store: Store, project: ProjectRow): Step {
  return {
    query: store.queries
      .updateTable('projects')
      .set((eb) => ({ updated_at: eb.ref('updated_at') }))
      .where('id', '=', project.id)
      .where('team_id', '=', project.team_id)
      .compile(),
    rows: 1,
    otherwise: 'gone',
  };
}

/** Tags of the endpoints that selected the project. */
export async function findEndpointsOf(store: Store, projectId: string): Promise<string[]> {
  const rows = await store.read(
    store.queries.selectFrom('endpoint_projects').select('tag').where('project_id', '=', projectId).compile(),
  );
  return rows.map(({ tag }) => tag);
}

/**
 * Removes a project that still has the name it was read with (else fails with `changed`), its variables, and its
 * place in webhooks' selections: their ids stay in `project_ids`, so a selection matches nothing rather than more.
 */
export function deleteProject(store: Store, project: ProjectRow): Step[] {
  const { queries } = store;
  return [
    {
      query: queries
        .deleteFrom('projects')
        .where('id', '=', project.id)
        .where('team_id', '=', project.team_id)
        .where('name', '=', project.name)
        .compile(),
      rows: 1,
      otherwise: 'changed',
    },
    { query: queries.deleteFrom('endpoint_projects').where('project_id', '=', project.id).compile() },
    { query: queries.deleteFrom('variable_places').where('project_id', '=', project.id).compile() },
    { query: queries.deleteFrom('variables').where('project_id', '=', project.id).compile() },
  ];
}
