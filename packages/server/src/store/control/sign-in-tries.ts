// Tries at signing in, counted where all nodes see them. One number says it all: the time until which tries count.
// Each try moves it on by `everyMs`; when it lies `burst` tries ahead of now, there is no room for another (GCRA).
import { sql } from 'kysely';
import type { Step, Store } from '../store.ts';

/** `burst` tries at once, and one more each `everyMs`. */
export interface TryLimit {
  burst: number;
  everyMs: number;
}

const latestOf = ({ burst, everyMs }: TryLimit, now: number): number => now + (burst - 1) * everyMs;

/** Counts a try; fails with `throttled` where there is no room for it. */
export function takeTry(store: Store, subject: string, limit: TryLimit, now: number): Step {
  const { everyMs } = limit;
  const query = store.queries
    .insertInto('sign_in_tries')
    .values({ subject, count_until: now + everyMs })
    .onConflict((conflict) =>
      conflict
        .column('subject')
        .doUpdateSet({
          count_until: sql<number>`CASE WHEN sign_in_tries.count_until > ${now} THEN sign_in_tries.count_until ELSE ${now} END + ${everyMs}`,
        })
        .where('sign_in_tries.count_until', '<=', latestOf(limit, now)),
    );
  return { query: query.compile(), rows: 1, otherwise: 'throttled' };
}

/** How long it is until there is room for a try, in ms; 0 if there is. */
export async function waitForTry(
  store: Store,
  subject: string,
  limit: TryLimit,
  now: number,
): Promise<number> {
  const rows = await store.read(
    store.queries.selectFrom('sign_in_tries').select('count_until').where('subject', '=', subject).compile(),
  );
  return Math.max(0, (rows[0]?.count_until ?? 0) - latestOf(limit, now));
}

/** Takes one try back, since it was no guess. */
export function giveTryBack(store: Store, subject: string, { everyMs }: TryLimit): Step {
  const query = store.queries
    .updateTable('sign_in_tries')
    .set((eb) => ({ count_until: eb('count_until', '-', everyMs) }))
    .where('subject', '=', subject);
  return { query: query.compile() };
}

/** Forgets all tries of one subject. */
export function forgetTries(store: Store, subject: string): Step {
  return { query: store.queries.deleteFrom('sign_in_tries').where('subject', '=', subject).compile() };
}
