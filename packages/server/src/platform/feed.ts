// The live feed: what happens in a team, as it becomes visible in the store, for those who listen. One reader follows the
// store's order of commits for all of them; who has fallen behind reads from the store for itself until it has caught up.
// Nobody is waited for: a follower that does not take what it is given is taken off, and goes on from its own place.
import type { Clock, Timer } from '../clock.ts';
import { type DeliveryRow, findDeliveries } from '../store/control/history.ts';
import { listTags } from '../store/control/webhooks.ts';
import { StoreUnavailable } from '../store/errors.ts';
import type { FeedPosition, FeedRow, Store } from '../store/store.ts';

/** How often the store is asked while somebody listens, ms; nobody is asked for anything while nobody does. */
const lookEveryMs = 200;
/** How many rows of each kind are looked at in one read. */
const rowsPerRead = 500;
/** How many batches wait for a follower before it is taken off. */
const mostWaiting = 4;

type Of<Kind extends FeedRow['kind']> = Extract<FeedRow, { kind: Kind }>;

/** What happened, with the deliveries that it tells of as they are now. */
export type FeedItem =
  | { kind: 'event'; event: Of<'event'>; deliveries: DeliveryRow[]; position: FeedPosition }
  | { kind: 'attempt'; attempt: Of<'attempt'>; delivery: DeliveryRow; position: FeedPosition }
  | { kind: 'delivery'; delivery: DeliveryRow; position: FeedPosition };

/** `lost`: the place to go on from was not known, so that something may be missing before `items`. */
export interface FeedBatch {
  items: FeedItem[];
  position: FeedPosition;
  lost: boolean;
}

interface Read extends FeedBatch {
  more: boolean;
}

/** One who listens. */
class Follower {
  readonly teamId: string;
  /** What it has been given and has not taken. */
  readonly waiting: FeedBatch[] = [];
  /** Up to where it has been told. */
  position: FeedPosition;
  /** Whether it reads for itself until it has caught up. */
  isBehind = true;
  ended = false;
  error: unknown = null;
  #wake: (() => void) | null = null;

  constructor(teamId: string, position: FeedPosition) {
    this.teamId = teamId;
    this.position = position;
  }

  wake(): void {
    this.#wake?.();
    this.#wake = null;
  }

  /** Resolves when something is new for it: a batch, its end, that it is behind. */
  woken(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}

/** A feed that somebody reads. */
export interface Listening {
  /** The next batch; null when the feed has ended. @throws StoreUnavailable */
  next(): Promise<FeedBatch | null>;
  /** From where a feed would go on that has been told all that `next` gave. */
  position(): FeedPosition;
  end(): void;
}

export class LiveFeed {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #listening = new Set<Follower>();
  /** Those who are where the head is. */
  readonly #followers = new Set<Follower>();
  /** Up to where all followers have been told; null while there are none. */
  #head: FeedPosition | null = null;
  /** The last work that was asked for: one after another, so that the feed has one session at the most. */
  #last: Promise<unknown> = Promise.resolve();
  #timer: Timer | null = null;
  #closed = false;

  constructor(store: Store, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** Listens to a team from a place on, from the present for null. Once it resolves nothing can be missed. */
  async listen(teamId: string, from: FeedPosition | null): Promise<Listening> {
    const follower = new Follower(teamId, from ?? (await this.#store.feedPosition()));
    follower.ended = this.#closed;
    this.#listening.add(follower);
    return {
      next: () => this.#next(follower),
      position: () => follower.position,
      end: () => this.#end(follower),
    };
  }

  /** Ends every feed. */
  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    for (const follower of this.#listening) this.#end(follower);
  }

  #end(follower: Follower): void {
    follower.ended = true;
    this.#listening.delete(follower);
    this.#drop(follower);
    follower.wake();
  }

  #drop(follower: Follower): void {
    this.#followers.delete(follower);
    if (this.#followers.size === 0) this.#head = null;
  }

  async #next(follower: Follower): Promise<FeedBatch | null> {
    for (;;) {
      if (follower.error !== null) throw follower.error;
      if (follower.ended) return null;
      let batch = follower.waiting.shift() ?? null;
      if (batch === null && follower.isBehind) batch = await this.#serial(() => this.#catchUp(follower));
      if (batch === null) {
        await follower.woken();
        continue;
      }
      follower.position = batch.position;
      if (batch.items.length > 0 || batch.lost) return batch;
    }
  }

  /** Reads for one who is behind, who joins the others once nothing is left. */
  async #catchUp(follower: Follower): Promise<FeedBatch> {
    const teams = [follower.teamId];
    const read = await this.#read(teams, follower.position, null);
    if (read.lost) return { items: [], position: await this.#store.feedPosition(), lost: true };
    if (read.more) return read;
    await this.#advance();
    // The head is not before what was just read: together they are the present.
    this.#head ??= read.position;
    const rest = await this.#read(teams, read.position, this.#head);
    if (!rest.more && !follower.ended) {
      follower.isBehind = false;
      this.#followers.add(follower);
      this.#lookSoon();
    } else if (this.#followers.size === 0) this.#head = null;
    return { items: [...read.items, ...rest.items], position: rest.position, lost: false };
  }

  #serial<Result>(work: () => Promise<Result>): Promise<Result> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => {});
    return done;
  }

  #lookSoon(): void {
    if (this.#closed || this.#followers.size === 0) return;
    this.#timer ??= this.#clock.after(lookEveryMs, () => {
      void this.#serial(() => this.#look()).then(() => {
        this.#timer = null;
        this.#lookSoon();
      });
    });
  }

  async #look(): Promise<void> {
    try {
      await this.#advance();
    } catch (error) {
      // The store is away: what happens meanwhile is read when it is back.
      if (error instanceof StoreUnavailable) return;
      for (const follower of this.#listening) {
        follower.error = error;
        this.#end(follower);
      }
    }
  }

  /** Tells all followers what is new, up to the present. */
  async #advance(): Promise<void> {
    for (;;) {
      const followers = [...this.#followers];
      if (this.#head === null || followers.length === 0) return;
      const teams = [...new Set(followers.map(({ teamId }) => teamId))];
      const read = await this.#read(teams, this.#head, null);
      // All may have left meanwhile; whoever comes next begins elsewhere.
      if (this.#followers.size === 0) return;
      this.#head = read.position;
      for (const follower of followers) if (this.#followers.has(follower)) this.#give(follower, read);
      if (!read.more) return;
    }
  }

  #give(follower: Follower, { items, position }: Read): void {
    const own = items.filter((item) => teamOf(item) === follower.teamId);
    if (own.length === 0) {
      if (follower.waiting.length === 0) follower.position = position;
      return;
    }
    if (follower.waiting.length >= mostWaiting) {
      this.#drop(follower);
      follower.waiting.length = 0;
      follower.isBehind = true;
    } else follower.waiting.push({ items: own, position, lost: false });
    follower.wake();
  }

  async #read(teamIds: string[], from: FeedPosition, until: FeedPosition | null): Promise<Read> {
    const { rows, position, more, lost } = await this.#store.readFeed({
      teamIds,
      from,
      until,
      limit: rowsPerRead,
    });
    return { items: await this.#furnish(rows), position, more, lost };
  }

  /** Adds to rows the deliveries that they tell of. */
  async #furnish(rows: FeedRow[]): Promise<FeedItem[]> {
    if (rows.length === 0) return [];
    const events = rows.filter((row) => row.kind === 'event' && row.deliveries > 0) as Of<'event'>[];
    const keysOf = new Map<string, string[]>();
    if (events.length > 0) {
      const teamIds = [...new Set(events.map(({ teamId }) => teamId))];
      const since = Math.min(...events.map(({ acceptedAt }) => acceptedAt));
      const tags = await listTags(this.#store, teamIds, since);
      for (const { uid, teamId } of events) {
        const own = tags.filter(({ team_id: of }) => of === teamId);
        keysOf.set(
          uid,
          own.map(({ tag }) => uid + tag),
        );
      }
    }
    const keys = new Set([...keysOf.values()].flat());
    for (const row of rows) if (row.kind !== 'event') keys.add(row.key);
    const numbers = rows.map(({ eventSeq }) => eventSeq);
    const known = numbers.filter((number) => number !== null);
    const between: [number, number] | null =
      known.length < numbers.length ? null : [Math.min(...known), Math.max(...known)];
    const deliveries = await findDeliveries(this.#store, [...keys], between);
    return rows.flatMap((row): FeedItem[] => {
      const { position } = row;
      if (row.kind === 'event') {
        const own = (keysOf.get(row.uid) ?? []).flatMap((key) => deliveries.get(key) ?? []);
        return [{ kind: 'event', event: row, deliveries: own, position }];
      }
      // Of what was pruned meanwhile there is nothing to tell.
      const delivery = deliveries.get(row.key);
      if (delivery === undefined) return [];
      return row.kind === 'attempt'
        ? [{ kind: 'attempt', attempt: row, delivery, position }]
        : [{ kind: 'delivery', delivery, position }];
    });
  }
}

const teamOf = (item: FeedItem): string => {
  if (item.kind === 'event') return item.event.teamId;
  return item.kind === 'attempt' ? item.attempt.teamId : item.delivery.webhookTeamId;
};
