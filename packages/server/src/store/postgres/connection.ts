// The way to PostgreSQL: a pool of sessions, each call with a deadline of its own on this side (a server that has gone
// silent never ends a statement), prepared statements by name, and one session apart that listens.
import pg from 'pg';
import { type Clock, systemClock, type Timer } from '../../clock.ts';
import { StoreError, StoreUnavailable } from '../errors.ts';
import { readTls, tlsParameters } from './tls.ts';

// Counts, times and numbers are below 2^53.
const int8 = 20;
const types = new pg.TypeOverrides();
types.setTypeParser(int8, Number);

export interface Statement {
  /** Prepared once in each session under this name; null for statements that are rare. */
  name: string | null;
  text: string;
  values: unknown[];
  /** How long this one may take, ms, if not as long as any. */
  deadlineMs?: number;
}

/** Runs one statement; answers its rows and how many it affected. */
export type Run = (statement: Statement) => Promise<{ rows: Record<string, unknown>[]; count: number }>;

export interface ConnectionOptions {
  url: string;
  /** How many sessions at the most. */
  size: number;
  /** How long a statement may take, and how long a connection, ms. */
  deadlineMs: number;
  connectMs: number;
  clock?: Clock;
}

/**
 * A node that is paused in the middle of a statement must not hold its locks for long. One that leaves a transaction open
 * is idle in it; one that does not read the answer of its claim is not, and no timeout of a statement ends a server that
 * waits for room to send: the system's timeout for what is not taken does (without it the rows of such a claim were
 * locked for as long as the pause). And plans are those of the
 * statement, not of what the tables happen to hold: every hot statement goes by its keys. In the store's own loop (events/s
 * at fan-out 1, deliveries/s at fan-out 10, 64 callers): plans made for each call 4,000 and a finish of 512 attempts took up
 * to 0.9 s, since a table just filled has no statistics; without sequential scans 13,600 and 25,000; with one plan for all
 * calls 18,300 and 35,000; without hash and merge joins beside that 16,800 and 36,400. Without bitmap scans the first of a
 * lane's million rows is found by its key in 0.3 ms; with them the whole lane was read and sorted, 450 to 1,000 ms. Without
 * sorts a claim reads a lane in its order also where it was planned for an empty one.
 */
export const planSettings = {
  plan_cache_mode: 'force_generic_plan',
  enable_seqscan: 'off',
  enable_bitmapscan: 'off',
  enable_sort: 'off',
  jit: 'off',
};

const sessionOptions = Object.entries({ lock_timeout: '5000', tcp_user_timeout: '4000', ...planSettings })
  .map(([name, value]) => `-c ${name}=${value}`)
  .join(' ');

/** @throws StoreError when the URL can't be read */
function readConfig(options: ConnectionOptions): pg.PoolConfig {
  let url: URL;
  try {
    url = new URL(options.url);
  } catch {
    throw new StoreError('DATABASE_URL is no URL. Write it as postgres://user:password@host:5432/database.');
  }
  const ssl = readTls(url);
  // What the URL asks for comes after ours: a search_path for instance.
  const own = url.searchParams.get('options') ?? '';
  for (const name of [...tlsParameters, 'options']) url.searchParams.delete(name);
  return {
    connectionString: url.href,
    ssl,
    types,
    max: options.size,
    connectionTimeoutMillis: options.connectMs,
    idleTimeoutMillis: idleMs,
    query_timeout: options.deadlineMs,
    statement_timeout: options.deadlineMs,
    idle_in_transaction_session_timeout: 5_000,
    keepAlive: true,
    application_name: 'posthorn',
    options: `${sessionOptions} ${own}`,
  };
}

/**
 * A session that nobody needs stays open this long: a new one takes 5 ms to open and 20 more until it has planned the hot
 * statements, the claim alone 11, and far longer on a busy machine.
 */
const idleMs = 600_000;
/** A start waits no longer than this for sessions that plan: far less than a lease, which may not end unnoticed meanwhile. */
const warmWithinMs = 2_000;

/** SQLSTATE classes that say that the database is away or gives up, not that the statement was wrong. */
const awayClasses = new Set(['08', '53', '55', '57', '58']);

/** A deadlock or a serialisation that was lost to somebody else: the statement did nothing. */
const lostStates = new Set(['40P01', '40001']);
const mostTries = 4;

/** How a statement of ours takes itself back when it finds something other than what was read for it. */
export const divisionByZero = '22012';

interface DatabaseError extends Error {
  code?: string;
}

/** The code of an error, or of what it was made of: an SQLSTATE, or Node's. */
export function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  return error instanceof StoreUnavailable ? codeOf(error.cause) : (error as DatabaseError).code;
}

/** The SQLSTATE of an error that the server itself reported, or null. Node's codes (EPIPE) have no digit. */
export function stateOf(error: unknown): string | null {
  const code = codeOf(error);
  return code !== undefined && /^(?=.*\d)[0-9A-Z]{5}$/.test(code) ? code : null;
}

/** What the operator can mend while it runs, by SQLSTATE. Publishers get 503 until then. */
const awaySentences: Record<string, string> = {
  '25006': 'takes no writes, as a standby does. Let DATABASE_URL lead to the primary.',
  '42501': 'denies its user a right that it had at the start. Grant it again.',
  '53100': 'has no room left on its disk. Make room there; nothing is lost meanwhile.',
  '53300': 'has no session left. Raise max_connections there, or lower POSTHORN_DATABASE_CONNECTIONS.',
};

/** What an error means to those above: the store is away, or the error itself. */
function translate(error: unknown): Error {
  if (error instanceof StoreUnavailable) return error;
  if (!(error instanceof Error)) return new StoreUnavailable(String(error));
  const state = stateOf(error);
  const sentence = awaySentences[state ?? ''];
  if (sentence !== undefined) {
    return new StoreUnavailable(`The database ${sentence} It said: ${error.message}.`, { cause: error });
  }
  if (state === null || awayClasses.has(state.slice(0, 2)) || lostStates.has(state)) {
    return new StoreUnavailable(`The database does not answer: ${error.message}.`, { cause: error });
  }
  return error;
}

/**
 * Has a session hand what it writes of the tables to the disk 256 kB at a time. By itself the server leaves that to the end
 * of a checkpoint and to the system, which does it in one go every 30 s, and every commit's write of the log waits behind it: 150
 * to 250 ms each time. Ten thousand publishes and attempts a second beside the database on two cores, p99 of publish to
 * receipt in the first minute and the second: 38 and 120 ms without, 21 and 24 so. Larger buffers or rarer checkpoints do not
 * help (110 and 179). A server whose system can't do that is left as it is.
 */
async function flushSoon(session: pg.ClientBase, withinMs: number): Promise<void> {
  const text = `SELECT set_config(name, '256kB', false) FROM pg_settings WHERE name = 'backend_flush_after' AND max_val::int8 >= 32`;
  try {
    await session.query({ text, query_timeout: withinMs } as pg.QueryConfig);
  } catch (error) {
    if (stateOf(error) === null) throw error;
  }
}

export class Connections {
  readonly #pool: pg.Pool;
  readonly #config: pg.PoolConfig;
  readonly #clock: Clock;
  #listener: pg.Client | null = null;
  #listenAgain: Timer | null = null;
  #closed = false;
  readonly #underWay = new Set<Promise<unknown>>();
  /** Statements that went over the wire, for tests: BEGIN and COMMIT count. */
  statements = 0;

  constructor(options: ConnectionOptions) {
    this.#config = readConfig(options);
    this.#clock = options.clock ?? systemClock;
    // The pool waits for what this returns, though its types do not say so.
    const onConnect: (session: pg.ClientBase) => unknown = (session) => flushSoon(session, options.connectMs);
    this.#pool = new pg.Pool({ ...this.#config, onConnect });
    // An idle session that breaks is replaced when it is needed.
    this.#pool.on('error', () => {});
  }

  /** Runs one auto-committed statement. @throws StoreUnavailable when the database is away, else its own error */
  run: Run = (statement) => this.#begin(() => this.#insist(statement));

  /** A statement that lost a deadlock did nothing, and is run again. */
  async #insist(statement: Statement): ReturnType<Run> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#query(this.#pool, statement);
      } catch (error) {
        const again = lostStates.has(stateOf(error) ?? '') && tries < mostTries;
        if (!again) throw translate(error);
      }
    }
  }

  /** What has begun before the close is done to its end. */
  async #begin<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#closed) throw new StoreUnavailable('The store was closed.');
    const doing = work();
    this.#underWay.add(doing);
    try {
      return await doing;
    } finally {
      this.#underWay.delete(doing);
    }
  }

  async #query(on: pg.Pool | pg.PoolClient, { name, text, values, deadlineMs }: Statement) {
    this.statements += 1;
    try {
      const { rows, rowCount } = await on.query({
        text,
        values,
        ...(name !== null && { name }),
        ...(deadlineMs !== undefined && { query_timeout: deadlineMs }),
      });
      return { rows: rows as Record<string, unknown>[], count: rowCount ?? 0 };
    } catch (error) {
      throw lostStates.has(stateOf(error) ?? '') ? error : translate(error);
    }
  }

  /**
   * Opens `sessions` of them and runs `work` on each, so that its statements are planned there before anybody waits for one.
   * A session that can't be had now is opened when it is needed. Ends within two seconds, whatever the database does.
   */
  warm(sessions: number, work: (run: Run) => Promise<unknown>): Promise<void> {
    return this.#begin(() => {
      const warmOne = async () => {
        const client = await this.#pool.connect();
        // A session that breaks says so here as well, and is not kept.
        const ignore = () => {};
        client.on('error', ignore);
        const isFine = await work((statement) => this.#query(client, statement)).then(
          () => true,
          () => false,
        );
        client.off('error', ignore);
        client.release(!isFine);
      };
      return new Promise((resolve) => {
        const timer = this.#clock.after(warmWithinMs, resolve);
        void Promise.allSettled(Array.from({ length: sessions }, warmOne)).then(() => {
          timer.cancel();
          resolve();
        });
      });
    });
  }

  /** Runs `work` in one transaction; what it throws rolls it back. */
  transaction<Result>(work: (run: Run) => Promise<Result>): Promise<Result> {
    return this.#begin(() => this.#transact(work));
  }

  async #transact<Result>(work: (run: Run) => Promise<Result>): Promise<Result> {
    const client = await this.#pool.connect().catch((error: unknown) => {
      throw translate(error);
    });
    // A session that breaks between two statements says so here; the next statement then fails.
    const ignore = () => {};
    client.on('error', ignore);
    const run: Run = (statement) => this.#query(client, statement);
    const plain = (text: string) => run({ name: null, text, values: [] });
    try {
      await plain('BEGIN');
      const result = await work(run);
      await plain('COMMIT');
      client.off('error', ignore);
      client.release();
      return result;
    } catch (error) {
      // A session whose state is not known is thrown away.
      const known =
        !(error instanceof StoreUnavailable) &&
        (await plain('ROLLBACK').then(
          () => true,
          () => false,
        ));
      client.off('error', ignore);
      client.release(!known);
      throw lostStates.has(stateOf(error) ?? '') ? translate(error) : error;
    }
  }

  /** Calls a channel's `hear` for each notification on it, on a session apart, found again whenever it is lost. */
  listen(channels: Record<string, (payload: string) => void>): void {
    if (this.#closed) return;
    const client = new pg.Client({ ...this.#config, query_timeout: undefined, statement_timeout: undefined });
    this.#listener = client;
    const again = () => {
      if (this.#closed || this.#listener !== client) return;
      this.#listener = null;
      client.end().catch(() => {});
      this.#listenAgain = this.#clock.after(1_000 + this.#clock.random() * 1_000, () =>
        this.listen(channels),
      );
    };
    client.on('error', again);
    client.on('end', again);
    client.on('notification', ({ channel, payload }) => channels[channel]?.(payload ?? ''));
    client
      .connect()
      .then(() =>
        client.query(
          Object.keys(channels)
            .map((channel) => `LISTEN ${channel}`)
            .join('; '),
        ),
      )
      .catch(again);
  }

  /** Ends when everything under way has. Idempotent. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await Promise.allSettled(this.#underWay);
    this.#listenAgain?.cancel();
    const listener = this.#listener;
    this.#listener = null;
    await Promise.allSettled([this.#pool.end(), listener?.end()]);
  }
}
