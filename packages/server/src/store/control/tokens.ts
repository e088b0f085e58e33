// Tokens in the store: hashed, never in the clear.
import type { Step, Store } from '../store.ts';
import type { NewRow, Row } from './tables.ts';

export async function findToken(store: Store, hash: string): Promise<Row<'tokens'> | null> {
  const rows = await store.read(
    store.queries.selectFrom('tokens').selectAll().where('hash', '=', hash).compile(),
  );
  return rows[0] ?? null;
}

export function touchToken(store: Store, id: string, at: number): Step {
  return {
    query: store.queries.updateTable('tokens').set({ last_used_at: at }).where('id', '=', id).compile(),
  };
}

export function insertToken(store: Store, row: NewRow<'tokens'>): Step {
  return { query: store.queries.insertInto('tokens').values(row).compile(), rows: 1 };
}

/** Revokes a token that is not revoked yet. */
export function revokeToken(store: Store, id: string, at: number): Step {
  return {
    query: store.queries
      .updateTable('tokens')
      .set({ revoked_at: at })
      .where('id', '=', id)
      .where('revoked_at', 'is', null)
      .compile(),
    rows: 1,
    otherwise: 'revoked',
  };
}
