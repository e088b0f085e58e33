// Endpoints for the thread that sends, read on a connection of its own. By way of the writer they came behind whatever it was
// at: at a start with a backlog the first delivery of an endpoint that had none waited for 50 ms, and with it all that came
// meanwhile. Here a read takes some microseconds, and sees everything that anybody was told of.
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { StoreUnavailable } from '../errors.ts';
import type { EndpointRow } from '../store.ts';
import { openReader, troubleWith } from './open.ts';

const text = `SELECT tag, id, kind, team_id AS "teamId", version, url, secret_sealed AS "secretSealed",
    old_secret_sealed AS "oldSecretSealed", old_secret_until AS "oldSecretUntil", enabled, removed_at AS "removedAt",
    max_concurrency AS "maxConcurrency", rate_per_second AS "ratePerSecond", ordering
  FROM endpoints WHERE tag = ?`;

type Row = Omit<EndpointRow, 'enabled' | 'removed'> & { enabled: number; removedAt: number | null };

export class EndpointReader {
  readonly #path: string;
  #db: DatabaseSync | null = null;
  #select: StatementSync | null = null;

  /** @param path a file whose schema is up to date; it is opened at the first read */
  constructor(path: string) {
    this.#path = path;
  }

  /**
   * Those of the endpoints that there are.
   * @throws StoreUnavailable when the file can't be read
   */
  read(tags: string[]): EndpointRow[] {
    try {
      this.#db ??= openReader(this.#path);
      this.#select ??= this.#db.prepare(text);
      const select = this.#select;
      return tags.flatMap((tag) => {
        const row = select.get(tag) as Row | undefined;
        if (row === undefined) return [];
        const { enabled, removedAt, ...rest } = row;
        return [{ ...rest, enabled: enabled === 1, removed: removedAt !== null }];
      });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new StoreUnavailable(troubleWith(this.#path, reason) ?? `The store could not read: ${reason}.`);
    }
  }

  close(): void {
    this.#db?.close();
    this.#db = null;
    this.#select = null;
  }
}
