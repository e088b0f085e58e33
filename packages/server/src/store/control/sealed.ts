// Sealed columns, for when the key that seals changes: a page of them at a time, and one written anew.
import type { Step, Store } from '../store.ts';

/** One sealed value: whose it is, and the bytes as they are. */
export interface SealedValue {
  table: 'endpoints' | 'variables';
  column: 'secret_sealed' | 'old_secret_sealed' | 'value_sealed';
  /** The row's own key: an endpoint's tag, a variable's id. */
  key: string;
  sealed: Uint8Array;
}

const perPage = 200;

/** The sealed values of up to 200 rows whose key comes after `after`, in order of their keys. */
export async function pageOfSealed(
  store: Store,
  table: SealedValue['table'],
  after: string,
): Promise<{ values: SealedValue[]; last: string | null }> {
  if (table === 'endpoints') {
    const rows = await store.read(
      store.queries
        .selectFrom('endpoints')
        .select(['tag', 'secret_sealed', 'old_secret_sealed'])
        .where('tag', '>', after)
        .orderBy('tag')
        .limit(perPage)
        .compile(),
    );
    const values = rows.flatMap(({ tag, secret_sealed, old_secret_sealed }): SealedValue[] => [
      { table, column: 'secret_sealed', key: tag, sealed: secret_sealed },
      ...(old_secret_sealed === null
        ? []
        : [{ table, column: 'old_secret_sealed' as const, key: tag, sealed: old_secret_sealed }]),
    ]);
    return { values, last: rows.at(-1)?.tag ?? null };
  }
  const rows = await store.read(
    store.queries
      .selectFrom('variables')
      .select(['id', 'value_sealed'])
      .where('id', '>', after)
      .orderBy('id')
      .limit(perPage)
      .compile(),
  );
  const values = rows.map(
    ({ id, value_sealed }): SealedValue => ({ table, column: 'value_sealed', key: id, sealed: value_sealed }),
  );
  return { values, last: rows.at(-1)?.id ?? null };
}

/** Replaces a sealed value, unless it was changed meanwhile: what changes it seals with the newest key anyway. */
export function replaceSealed(
  store: Store,
  { table, column, key, sealed }: SealedValue,
  anew: Uint8Array,
): Step {
  const query =
    table === 'endpoints'
      ? store.queries
          .updateTable('endpoints')
          .set({ [column]: anew })
          .where('tag', '=', key)
          .where(column as 'secret_sealed', '=', sealed)
      : store.queries
          .updateTable('variables')
          .set({ value_sealed: anew })
          .where('id', '=', key)
          .where('value_sealed', '=', sealed);
  return { query: query.compile() };
}
