// Teams: which one a call is for, and the operator's changes of them. Teams are remembered for a second (renewals.ts), for
// publishing asks for one with every event.
import { LRUCache } from 'lru-cache';
import type { Clock } from '../clock.ts';
import { ApiError } from '../errors.ts';
import { newTeamId } from '../id.ts';
import { Renewals, rememberMs } from '../renewals.ts';
import type { Row } from '../store/control/tables.ts';
import { findTeam, findTeams, insertTeam, updateTeam } from '../store/control/teams.ts';
import { StoreUnavailable } from '../store/errors.ts';
import type { Store } from '../store/store.ts';
import { type Actor, demand } from './actor.ts';
import { commit, type Platform } from './platform.ts';
import { userIdOf } from './users.ts';

/** The slug of the team that the first start makes, which is meant where the operator names none. */
export const defaultSlug = 'default';

type Team = Row<'teams'>;

/** Teams by one of their names. */
class TeamMemory {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #by: 'id' | 'slug';
  readonly #onFault: (error: unknown) => void;
  readonly #renewals = new Renewals();
  readonly #known = new LRUCache<string, { team: Team; readAt: number }>({
    max: 10_000,
    dispose: (_, value) => this.#renewals.forget(value),
  });
  /** Teams that are being read: who asks meanwhile is answered with the others. */
  readonly #looks = new Map<string, Promise<Team | null>>();

  constructor(store: Store, clock: Clock, by: 'id' | 'slug', onFault: (error: unknown) => void) {
    this.#store = store;
    this.#clock = clock;
    this.#by = by;
    this.#onFault = onFault;
  }

  find(value: string): Team | Promise<Team | null> {
    const known = this.#known.get(value);
    const age = known === undefined ? rememberMs : this.#clock.monotonic() - known.readAt;
    if (known === undefined || age >= rememberMs) return this.#looks.get(value) ?? this.#look(value);
    const due = this.#renewals.use(value, age);
    if (due !== null) this.#renew(due);
    return known.team;
  }

  #look(value: string): Promise<Team | null> {
    return this.#note(value, this.#clock.monotonic(), this.#read([value]));
  }

  /** That the store is away hears whoever asks after a team's second. */
  #renew(values: string[]): void {
    const readAt = this.#clock.monotonic();
    const reading = this.#read(values);
    Promise.all(values.map((value) => this.#note(value, readAt, reading))).catch((error: unknown) => {
      if (!(error instanceof StoreUnavailable)) this.#onFault(error);
    });
  }

  async #read(values: string[]): Promise<Map<string, Team>> {
    const teams = await findTeams(this.#store, this.#by, values);
    return new Map(teams.map((team) => [team[this.#by], team]));
  }

  #note(value: string, readAt: number, reading: Promise<Map<string, Team>>): Promise<Team | null> {
    const look = reading
      .then((found) => {
        const team = found.get(value) ?? null;
        // Not what was read before a change on this node.
        if (this.#looks.get(value) !== look) return team;
        if (team === null) this.#known.delete(value);
        else this.#known.set(value, { team, readAt });
        return team;
      })
      .finally(() => {
        if (this.#looks.get(value) === look) this.#looks.delete(value);
      });
    this.#looks.set(value, look);
    return look;
  }

  forget(): void {
    this.#known.clear();
    this.#looks.clear();
  }
}

export class TeamBook {
  readonly #byId: TeamMemory;
  readonly #bySlug: TeamMemory;

  /** @param onFault what kept teams from being read ahead of time, other than the store's being away */
  constructor(store: Store, clock: Clock, onFault: (error: unknown) => void) {
    this.#byId = new TeamMemory(store, clock, 'id', onFault);
    this.#bySlug = new TeamMemory(store, clock, 'slug', onFault);
  }

  find(by: 'id' | 'slug', value: string): Team | Promise<Team | null> {
    return (by === 'id' ? this.#byId : this.#bySlug).find(value);
  }

  /** Forgets what was remembered, after a team changed on this node. */
  forget(): void {
    this.#byId.forget();
    this.#bySlug.forget();
  }

  /**
   * The team that a call is for: by `teamId` or `slug`, else the token's own, else `default`. At once where it is remembered.
   * @throws ApiError forbidden for another team than the token's; not_found when the operator names none that exists
   */
  ofCall(actor: Actor, query: { teamId?: string; slug?: string }): Team | Promise<Team> {
    const [by, value] = which(actor, query);
    const known = this.find(by, value);
    return known instanceof Promise
      ? known.then((team) => demandTeam(actor, by, value, team))
      : demandTeam(actor, by, value, known);
  }
}

function demandTeam(actor: Actor, by: 'id' | 'slug', asked: string, team: Row<'teams'> | null): Row<'teams'> {
  if (actor.teamId !== null && team?.id !== actor.teamId) {
    throw new ApiError(
      'forbidden',
      'This call’s token or session is for another team than the one that was asked for.',
    );
  }
  if (team === null)
    throw new ApiError(
      'not_found',
      `There is no team with the ${by} ${asked}. teamId= takes an id and slug= a slug; GET /v2/teams lists both.`,
    );
  return team;
}

function which(actor: Actor, { teamId, slug }: { teamId?: string; slug?: string }): ['id' | 'slug', string] {
  if (teamId !== undefined && teamId !== '') return ['id', teamId];
  if (slug !== undefined && slug !== '') return ['slug', slug];
  return actor.teamId === null ? ['slug', defaultSlug] : ['id', actor.teamId];
}

export interface TeamInput {
  id?: string;
  slug: string;
  name: string;
  plan: Row<'teams'>['plan'];
}

const taken = {
  code: 'conflict',
  message: 'A team with that slug or id exists. Choose another; GET /v2/teams lists them.',
} as const;

/** A team by its id, else by its slug; `scope` is the one team that the caller may see, null for all. */
export async function needTeam(
  platform: Platform,
  idOrSlug: string,
  scope: string | null,
): Promise<Row<'teams'>> {
  const { store } = platform;
  const team = (await findTeam(store, 'id', idOrSlug)) ?? (await findTeam(store, 'slug', idOrSlug));
  if (team === null || (scope !== null && team.id !== scope))
    throw new ApiError('not_found', `There is no team ${idOrSlug}.`);
  return team;
}

/** Creates a team. It has no members at first. */
export async function createTeam(platform: Platform, actor: Actor, input: TeamInput): Promise<Row<'teams'>> {
  demand(actor, 'operate');
  const at = platform.clock.now();
  const team: Row<'teams'> = {
    id: input.id ?? newTeamId(),
    slug: input.slug,
    name: input.name,
    plan: input.plan,
    creator_id: userIdOf(actor),
    webhook_count: 0,
    created_at: at,
    updated_at: at,
  };
  const { id, slug, name, plan } = team;
  await commit(
    platform,
    actor,
    {
      teamId: id,
      action: 'team.created',
      subject: id,
      detail: { slug, name, plan },
      steps: [insertTeam(platform.store, team)],
      at,
    },
    { taken },
  );
  return team;
}

/** Changes a team's slug, name or plan. Webhooks of a team that goes to Hobby stay and match nothing. */
export async function patchTeam(
  platform: Platform,
  actor: Actor,
  team: Row<'teams'>,
  patch: Partial<Omit<TeamInput, 'id'>>,
): Promise<Row<'teams'>> {
  demand(actor, 'operate');
  if (team.slug === defaultSlug && patch.slug !== undefined && patch.slug !== defaultSlug) {
    throw new ApiError(
      'conflict',
      'The team `default` keeps its slug: calls of the operator that name no team are for it. Its name can be changed.',
    );
  }
  const at = platform.clock.now();
  await commit(
    platform,
    actor,
    {
      teamId: team.id,
      action: 'team.updated',
      subject: team.id,
      detail: { ...patch },
      steps: [updateTeam(platform.store, team.id, { ...patch, updated_at: at })],
      at,
    },
    { taken },
  );
  return { ...team, ...patch, updated_at: at };
}
