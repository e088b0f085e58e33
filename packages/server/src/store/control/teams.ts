// Teams in the store.
import type { Store } from '../store.ts';
import type { Row } from './tables.ts';

export async function findTeam(store: Store, by: 'id' | 'slug', value: string): Promise<Row<'teams'> | null> {
  const rows = await store.read(
    store.queries.selectFrom('teams').selectAll().where(by, '=', value).compile(),
  );
  return rows[0] ?? null;
}
