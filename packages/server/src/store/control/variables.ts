// Environment variables in the store, and the places they take: one row per variable, environment and branch, so
// that two variables of one key never stand for the same place.
import type { Step, Store } from '../store.ts';
import type { NewRow, Row, Tables } from './tables.ts';

export type VariableRow = Row<'variables'>;

/** A project's variables in order of their keys; with `keys` only those. */
export function listVariables(
  store: Store,
  projectId: string,
  keys?: readonly string[],
): Promise<VariableRow[]> {
  let query = store.queries
    .selectFrom('variables')
    .selectAll()
    .where('project_id', '=', projectId)
    .orderBy('key')
    .orderBy('id');
  if (keys !== undefined) query = query.where('key', 'in', [...keys]);
  return store.read(query.compile());
}

export async function findVariable(store: Store, projectId: string, id: string): Promise<VariableRow | null> {
  const rows = await store.read(
    store.queries
      .selectFrom('variables')
      .selectAll()
      .where('id', '=', id)
      .where('project_id', '=', projectId)
      .compile(),
  );
  return rows[0] ?? null;
}

export function insertVariable(store: Store, row: NewRow<'variables'>): Step {
  return { query: store.queries.insertInto('variables').values(row).compile(), rows: 1 };
}

/**
 * Changes a variable that is still as it was read; fails with `changed`. Each change seals the value anew, so the
 * sealed bytes are the row's version.
 */
export function updateVariable(
  store: Store,
  variable: VariableRow,
  values: Partial<Omit<Tables['variables'], 'id' | 'team_id' | 'project_id'>> & { value_sealed: Uint8Array },
): Step {
  return {
    query: store.queries
      .updateTable('variables')
      .set(values)
      .where('id', '=', variable.id)
      .where('project_id', '=', variable.project_id)
      .where('value_sealed', '=', variable.value_sealed)
      .compile(),
    rows: 1,
    otherwise: 'changed',
  };
}

/** Removes a variable and frees its places; fails with `changed` when it is gone. */
export function deleteVariable(store: Store, variable: VariableRow): Step[] {
  return [
    {
      query: store.queries
        .deleteFrom('variables')
        .where('id', '=', variable.id)
        .where('project_id', '=', variable.project_id)
        .compile(),
      rows: 1,
      otherwise: 'changed',
    },
    freePlaces(store, variable.id),
  ];
}

export function freePlaces(store: Store, variableId: string): Step {
  return {
    query: store.queries.deleteFrom('variable_places').where('variable_id', '=', variableId).compile(),
  };
}

/** Takes places for a variable; fails with `otherwise` when another one has one of them. */
export function takePlaces(
  store: Store,
  variable: Pick<VariableRow, 'id' | 'project_id' | 'key'>,
  places: readonly string[],
  otherwise: string,
): Step {
  const { id, project_id, key } = variable;
  return {
    query: store.queries
      .insertInto('variable_places')
      .values(places.map((place) => ({ project_id, key, place, variable_id: id })))
      .compile(),
    rows: places.length,
    otherwise,
  };
}

/** Fails with `limit` when the project has more than `limit` variables. */
export function boundVariables(store: Store, projectId: string, limit: number): Step {
  return {
    query: store.queries
      .updateTable('projects')
      .set((eb) => ({ updated_at: eb.ref('updated_at') }))
      .where('id', '=', projectId)
      .where((eb) =>
        eb(
          eb
            .selectFrom('variables')
            .select(eb.fn.countAll<number>().as('count'))
            .where('project_id', '=', projectId),
          '<=',
          limit,
        ),
      )
      .compile(),
    rows: 1,
    otherwise: 'limit',
  };
}
