// Which team a call is for. Teams are remembered for a second, for publishing asks for one with every event.
import { LRUCache } from 'lru-cache';
import type { Clock } from '../clock.ts';
import { ApiError } from '../errors.ts';
import type { Row } from '../store/control/tables.ts';
import { findTeam } from '../store/control/teams.ts';
import type { Store } from '../store/store.ts';
import type { Actor } from './actor.ts';

const rememberMs = 1_000;
/** The slug of the team that the first start makes, which is meant where the operator names none. */
export const defaultSlug = 'default';

export class TeamBook {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #known = new LRUCache<string, { team: Row<'teams'>; readAt: number }>({ max: 10_000 });

  constructor(store: Store, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  find(by: 'id' | 'slug', value: string): Row<'teams'> | Promise<Row<'teams'> | null> {
    const known = this.#known.get(`${by} ${value}`);
    if (known !== undefined && this.#clock.monotonic() - known.readAt < rememberMs) return known.team;
    return this.#look(by, value);
  }

  async #look(by: 'id' | 'slug', value: string): Promise<Row<'teams'> | null> {
    const readAt = this.#clock.monotonic();
    const team = await findTeam(this.#store, by, value);
    if (team !== null) this.#known.set(`${by} ${value}`, { team, readAt });
    return team;
  }

  /** Forgets what was remembered, after a team changed on this node. */
  forget(): void {
    this.#known.clear();
  }

  /**
   * The team that a call is for: by `teamId` or `slug`, else the token's own, else `default`.
   * @throws ApiError forbidden for another team than the token's; not_found when the operator names none that exists
   */
  async ofCall(actor: Actor, query: { teamId?: string; slug?: string }): Promise<Row<'teams'>> {
    const [by, value] = which(actor, query);
    const known = this.find(by, value);
    const team = known instanceof Promise ? await known : known;
    if (actor.teamId !== null && team?.id !== actor.teamId) {
      throw new ApiError('forbidden', 'This token is for another team than the one that was asked for.');
    }
    if (team === null) throw new ApiError('not_found', `There is no team ${value}.`);
    return team;
  }
}

function which(actor: Actor, { teamId, slug }: { teamId?: string; slug?: string }): ['id' | 'slug', string] {
  if (teamId !== undefined && teamId !== '') return ['id', teamId];
  if (slug !== undefined && slug !== '') return ['slug', slug];
  return actor.teamId === null ? ['slug', defaultSlug] : ['id', actor.teamId];
}
