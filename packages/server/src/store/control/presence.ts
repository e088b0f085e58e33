// Running nodes, as they announce themselves.
import type { Step, Store } from '../store.ts';
import type { NewRow, Row } from './tables.ts';

/** Says that a node is there, and forgets those that were not seen since `goneBefore`. */
export function putPresence(store: Store, row: NewRow<'presence'>, goneBefore: number): Step[] {
  const { queries } = store;
  return [
    {
      query: queries
        .insertInto('presence')
        .values(row)
        .onConflict((conflict) => conflict.column('id').doUpdateSet({ seen_at: row.seen_at }))
        .compile(),
    },
    { query: queries.deleteFrom('presence').where('seen_at', '<', goneBefore).compile() },
  ];
}

export function deletePresence(store: Store, id: string): Step {
  return { query: store.queries.deleteFrom('presence').where('id', '=', id).compile() };
}

/** The nodes seen since `since`, oldest first. */
export function listPresence(store: Store, since: number): Promise<Row<'presence'>[]> {
  return store.read(
    store.queries
      .selectFrom('presence')
      .selectAll()
      .where('seen_at', '>=', since)
      .orderBy('started_at')
      .orderBy('id')
      .compile(),
  );
}
