// What builds queries for SQLite, and their text for another thread.
import {
  type CompiledQuery,
  DummyDriver,
  Kysely,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely';
import { replayPage } from '../control/replays.ts';
import type { Tables } from '../control/tables.ts';
import type { RunningReplay } from '../store.ts';

export const queries = new Kysely<Tables>({
  dialect: {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  },
});

/** Compiled queries carry more than the writer needs, some of which can't be cloned. */
export const plainQuery = <Row>(query: CompiledQuery<Row>) =>
  ({ sql: query.sql, parameters: query.parameters }) as CompiledQuery<Row>;

/** The page of `look` keys at which a replay stands. */
export const compilePage = (replay: RunningReplay, look: number) =>
  plainQuery(replayPage(queries, replay, replay.cursor, look).compile());
