// When the key that seals has changed: every secret that an older key sealed is sealed anew, a page at a time, and
// only then does the store take the new key for its own. Until then a start needs both.
import type { Clock } from '../clock.ts';
import { pageOfSealed, replaceSealed } from '../store/control/sealed.ts';
import type { Store } from '../store/store.ts';
import type { Vault } from '../vault.ts';

/** The row of `meta` that names the key which every secret in the store can be opened with. */
export const keyRow = 'secret_key';

/**
 * Seals anew what is sealed with an older key of the list. A crash on the way loses nothing; the next start goes on.
 * @returns how many secrets were sealed anew
 */
export async function resealSecrets(store: Store, vault: Vault, clock: Clock): Promise<number> {
  let resealed = 0;
  for (const table of ['endpoints', 'variables'] as const) {
    let after: string | null = '';
    while (after !== null) {
      const { values, last } = await pageOfSealed(store, table, after);
      const steps = values
        .filter(({ sealed }) => vault.isStale(sealed))
        .map((value) => {
          const place = `${table}:${value.key}`;
          return replaceSealed(store, value, vault.seal(vault.open(value.sealed, place), place));
        });
      if (steps.length > 0) await store.change({ steps, events: [], touched: [], now: clock.now() });
      resealed += steps.length;
      after = last;
    }
  }
  const query = store.queries
    .updateTable('meta')
    .set({ value: vault.fingerprint })
    .where('name', '=', keyRow)
    .compile();
  await store.change({ steps: [{ query, rows: 1 }], events: [], touched: [], now: clock.now() });
  return resealed;
}
