// The operator's own event types in the store.
import type { Step, Store } from '../store.ts';
import type { NewRow, Row } from './tables.ts';

export function listEventTypes(store: Store): Promise<Row<'event_types'>[]> {
  return store.read(store.queries.selectFrom('event_types').selectAll().orderBy('type').compile());
}

/** Adds a type, or replaces the operator's own of that name. */
export function putEventType(store: Store, row: NewRow<'event_types'>): Step {
  const { created_at: _createdAt, type: _type, ...changed } = row;
  return {
    query: store.queries
      .insertInto('event_types')
      .values(row)
      .onConflict((conflict) => conflict.column('type').doUpdateSet(changed))
      .compile(),
    rows: 1,
  };
}
