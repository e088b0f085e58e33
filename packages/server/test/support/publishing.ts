// What the tests of publishing share: the call itself, and a store that is kept from committing.
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type ApiFailure, listEventIds, type Published } from './calls.ts';
import type { Answer, Posthorn } from './posthorn.ts';

export type Results = Published & { events: Published[] } & ApiFailure;

export const send = (posthorn: Posthorn, body: unknown, query = ''): Promise<Answer<Results>> =>
  posthorn.call<Results>('POST', `/v1/events${query}`, { body });

export const countEvents = async (posthorn: Posthorn): Promise<number> =>
  (await listEventIds(posthorn)).length;

/** Keeps the process's store from committing until it is let go. */
export function holdCommits(posthorn: Posthorn): () => void {
  const db = new DatabaseSync(join(posthorn.dataDir, 'posthorn.db'), { timeout: 2_000 });
  db.exec('BEGIN IMMEDIATE');
  return () => {
    db.exec('ROLLBACK');
    db.close();
  };
}
