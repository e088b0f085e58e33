// Nodes and their leases, by the database's clock. A node that sends renews its lease every few seconds; what a node held
// whose lease has ended is due again at once, for anybody. A node that comes back after that takes a new name: what it
// held under the old one is no longer its own.
import type { Clock } from '../../clock.ts';
import { uidLength } from '../../id.ts';
import { StoreUnavailable } from '../errors.ts';
import { atOnce, bornSuffix, heldAt, holderLives, laneTime, markLanes, rangeOf } from './available-at.ts';
import { byKey } from './by-key.ts';
import type { Run } from './connection.ts';

/** How long a lease is good for, and how often it is renewed, ms. Work of a dead node is taken over within their sum. */
export const leaseMs = 10_000;
export const renewMs = 3_000;

/** Other nodes hear of new work on this channel. */
export const workChannel = 'posthorn_work';
/** And of a change of what they keep in memory on this one, with its name. */
export const newsChannel = 'posthorn_news';

const interval = `interval '${leaseMs} milliseconds'`;

/** Enters a node that sends. */
export async function enterNode(run: Run, id: string): Promise<void> {
  await run({
    name: null,
    text: `INSERT INTO nodes (id, lease_until) VALUES ($1, now() + ${interval})`,
    values: [id],
  });
}

/** Renews a lease; answers whether there still was one. */
export async function renewLease(run: Run, id: string): Promise<boolean> {
  const { count } = await run({
    name: 'renew',
    text: `UPDATE nodes SET lease_until = now() + ${interval} WHERE id = $1 AND lease_until > now()`,
    values: [id],
  });
  return count === 1;
}

/** A node that stops: what it could not give back is due at once. */
export async function leaveNode(run: Run, id: string): Promise<void> {
  await run({ name: null, text: 'UPDATE nodes SET lease_until = now() WHERE id = $1', values: [id] });
}

const censusText = `
WITH dead AS (DELETE FROM nodes WHERE lease_until <= now() RETURNING id)
SELECT (SELECT count(*) FROM dead) AS dead, (SELECT count(*) FROM nodes WHERE lease_until > now()) AS living`;

/** Frees held rows for which `condition` holds, due at $1 (epoch ms); `before`: what it asks first. */
const freeText = (condition: string, before = ''): string => `
WITH ${before}orphans AS (
  SELECT p.tag, p.id, ${laneTime('$1::int8', '$1::int8')} AS lane_at, e.removed_at IS NOT NULL AS removed
    FROM pending p JOIN endpoints e ON e.tag = p.tag
   WHERE p.available_at = ${heldAt} AND ${condition}
   ORDER BY p.tag, p.id FOR UPDATE OF p SKIP LOCKED
),
freed AS (
  UPDATE pending p
     SET holder = NULL, available_at = o.lane_at + ${rangeOf('p')}
    FROM orphans o WHERE ${byKey('p', 'o.tag', 'o.id')}
),
gone AS (
  INSERT INTO removed_lanes (tag) SELECT DISTINCT tag FROM orphans WHERE removed ORDER BY tag ON CONFLICT DO NOTHING
),
marked AS (${markLanes(`SELECT ${atOnce}, tag, min(lane_at) FROM orphans GROUP BY tag`)})
SELECT count(*) AS count FROM orphans`;

/**
 * The dead are read once, as names: a row that another node has taken over and claimed since this statement began is judged
 * again by its new holder, and PostgreSQL judges only the row again, never the `nodes` that a NOT EXISTS was joined with.
 * Without any the rows are not looked through by key: with 1,000,000 pending and nobody dead it takes 0.1 s for 0.6.
 */
const rescueText = freeText(
  'EXISTS (SELECT 1 FROM dead) AND p.holder = ANY (ARRAY(SELECT d.holder FROM dead d))',
  `dead AS MATERIALIZED (
  SELECT DISTINCT h.holder FROM pending h WHERE h.available_at = ${heldAt} AND NOT ${holderLives('h.holder')}
),
`,
);
const freeBornText = freeText(
  `p.holder = $2 || '${bornSuffix}' AND left(p.id, ${uidLength}) = ANY ($3::text[])`,
);
const freeReplayedText = freeText(`p.holder = $2 || '${bornSuffix}' AND p.id = ANY ($3::text[])`);
const freeClaimedText = freeText('p.holder = $2 AND NOT p.id = ANY ($3::text[])');

const countOf = ({ rows }: { rows: Record<string, unknown>[] }): number =>
  (rows[0] as { count: number } | undefined)?.count ?? 0;

/** Frees what was born of events (by uid) whose publish was never answered, so that nobody knows that it is held. */
export async function freeBorn(run: Run, now: number, node: string, uids: string[]): Promise<number> {
  return countOf(await run({ name: 'free born', text: freeBornText, values: [now, node, uids] }));
}

/** Frees deliveries (by key) that a replay may have made whose answer was lost. */
export async function freeReplayed(run: Run, now: number, node: string, keys: string[]): Promise<number> {
  return countOf(await run({ name: 'free replayed', text: freeReplayedText, values: [now, node, keys] }));
}

/** Frees what a claim took whose answer was lost: everything claimed but `known` (keys). No claim may be under way. */
export async function freeClaimed(run: Run, now: number, node: string, known: string[]): Promise<number> {
  return countOf(await run({ name: 'free claimed', text: freeClaimedText, values: [now, node, known] }));
}

/** Deletes nodes whose lease has ended; answers how many there were, and how many are alive. */
async function census(run: Run): Promise<{ dead: number; living: number }> {
  const { rows } = await run({ name: 'census', text: censusText, values: [] });
  return rows[0] as { dead: number; living: number };
}

/** Takes over what nodes without a lease held: due at `now` (epoch ms). Looks through all pending work. */
const takeOver = async (run: Run, now: number): Promise<unknown> =>
  run({ name: 'rescue', text: rescueText, values: [now] });

/** What a start takes over. Answers how many nodes that send are alive. */
export async function takeOverAtStart(run: Run, now: number): Promise<number> {
  const { living } = await census(run);
  await takeOver(run, now);
  return living;
}

/** For so long after a death it is looked for what the node still wrote, ms: longer than any statement takes. */
const lastWordsMs = 120_000;
/** And so often whatever has happened, ms: with 1,000,000 pending it takes 0.1 s of processor time. */
const lookEveryMs = 600_000;

/** Takes over from nodes that die while this one runs. */
export class Rescuer {
  readonly #run: Run;
  readonly #clock: Clock;
  #deathAt = Number.NEGATIVE_INFINITY;
  #lookedAt = Number.NEGATIVE_INFINITY;

  constructor(run: Run, clock: Clock) {
    this.#run = run;
    this.#clock = clock;
  }

  /** Takes over where a lease has ended since the last time. Answers how many nodes that send are alive. */
  async afterDeaths(now: number): Promise<number> {
    const { dead, living } = await census(this.#run);
    if (dead > 0) {
      this.#deathAt = this.#clock.monotonic();
      // Should it fail, the next sweep has to.
      this.#lookedAt = Number.NEGATIVE_INFINITY;
      await this.#look(now);
    }
    return living;
  }

  /** Also what a statement held whose node had died before it ended, so that nothing sleeps for ever. */
  async sweep(now: number): Promise<void> {
    await this.afterDeaths(now);
    const at = this.#clock.monotonic();
    if (at - this.#deathAt < lastWordsMs || at - this.#lookedAt >= lookEveryMs) await this.#look(now);
  }

  async #look(now: number): Promise<void> {
    await takeOver(this.#run, now);
    this.#lookedAt = this.#clock.monotonic();
  }
}

/** A notification that is lost is made up for by those who look by themselves. */
export function ignoreLostHint(error: unknown): void {
  if (!(error instanceof StoreUnavailable)) throw error;
}
