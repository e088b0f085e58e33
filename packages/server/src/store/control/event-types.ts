// The operator's own event types in the store.
import type { Step, Store } from '../store.ts';
import type { NewRow, Row } from './tables.ts';

/** Which types there are and when each was last written: what is to be read of them is found from it. */
export function listEventTypeTimes(store: Store): Promise<Pick<Row<'event_types'>, 'type' | 'updated_at'>[]> {
  return store.read(store.queries.selectFrom('event_types').select(['type', 'updated_at']).compile());
}

/** `names` of types, or null for all of them. */
export function listEventTypes(store: Store, names: string[] | null): Promise<Row<'event_types'>[]> {
  const all = store.queries.selectFrom('event_types').selectAll().orderBy('type');
  return store.read((names === null ? all : all.where('type', 'in', names)).compile());
}

/**
 * Adds a type, or replaces the operator's own of that name. Returns when it was written: each time later than the last,
 * whatever the clocks of the nodes say, so that nobody takes an old one for the present one.
 */
export function putEventType(store: Store, row: NewRow<'event_types'>): Step {
  const { created_at: _createdAt, type: _type, ...changed } = row;
  return {
    query: store.queries
      .insertInto('event_types')
      .values(row)
      .onConflict((conflict) =>
        conflict.column('type').doUpdateSet({
          ...changed,
          updated_at: (eb) =>
            eb
              .case()
              .when('excluded.updated_at', '>', eb.ref('event_types.updated_at'))
              .then(eb.ref('excluded.updated_at'))
              .else(eb('event_types.updated_at', '+', 1))
              .end(),
        }),
      )
      .returning('updated_at')
      .compile(),
    rows: 1,
  };
}
