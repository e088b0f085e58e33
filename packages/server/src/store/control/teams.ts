// Teams in the store.
import type { Step, Store } from '../store.ts';
import { type PageOf, readTimePage, type TimePage } from './pages.ts';
import type { NewRow, Row, Tables } from './tables.ts';

export async function findTeam(store: Store, by: 'id' | 'slug', value: string): Promise<Row<'teams'> | null> {
  const [team] = await findTeams(store, by, [value]);
  return team ?? null;
}

/** Those of them that exist, in no order. */
export function findTeams(store: Store, by: 'id' | 'slug', values: string[]): Promise<Row<'teams'>[]> {
  return store.read(store.queries.selectFrom('teams').selectAll().where(by, 'in', values).compile());
}

/** Every team, newest first. */
export function listTeams(store: Store, page: TimePage): Promise<PageOf<Row<'teams'>>> {
  return readTimePage(page, ({ limit, since, until }) => {
    let query = store.queries
      .selectFrom('teams')
      .selectAll()
      .orderBy('created_at', 'desc')
      .orderBy('id')
      .limit(limit);
    if (since !== null) query = query.where('created_at', '>=', since);
    if (until !== null) query = query.where('created_at', '<', until);
    return store.read(query.compile());
  });
}

/** Fails with `taken` when the slug or the id is another team's. */
export function insertTeam(store: Store, row: NewRow<'teams'>): Step {
  return { query: store.queries.insertInto('teams').values(row).compile(), rows: 1, otherwise: 'taken' };
}

/** Fails with `taken` when the slug is another team's. */
export function updateTeam(
  store: Store,
  id: string,
  values: Partial<Pick<Tables['teams'], 'slug' | 'name' | 'plan' | 'updated_at'>>,
): Step {
  return {
    query: store.queries.updateTable('teams').set(values).where('id', '=', id).compile(),
    rows: 1,
    otherwise: 'taken',
  };
}

/** Locks the team's row, so that rules over several of its rows hold under concurrent changes. */
export function lockTeam(store: Store, id: string): Step {
  return {
    query: store.queries
      .updateTable('teams')
      .set((eb) => ({ updated_at: eb.ref('updated_at') }))
      .where('id', '=', id)
      .compile(),
    rows: 1,
    otherwise: 'team',
  };
}
