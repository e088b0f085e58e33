// Quotas and rate limits, all of them off by default: events a second and the backlog of a team, API calls a minute of a
// token. Each node counts by itself; nobody waits for another's quota, only the one at its limit is refused.
import { LRUCache } from 'lru-cache';
import type { Clock } from '../clock.ts';
import type { Settings } from '../config.ts';
import { freshMeter, type Meter, type Quota, take, type Verdict } from '../core/quota.ts';
import { ApiError } from '../errors.ts';
import { listTags } from '../store/control/webhooks.ts';
import type { Store } from '../store/store.ts';

/** A team's backlog is read anew after this time. */
const rememberMs = 1_000;
/** Who is refused for a backlog is told to come back in this time. */
const backlogRetryS = 5;
const mostRemembered = 20_000;

export type LimitName = 'events' | 'backlog' | 'calls';

/** What is left of a limit, for headers. */
export interface LimitState extends Quota {
  name: LimitName;
  remaining: number;
  /** Until nothing is missing any more, ms. */
  resetMs: number;
}

interface KnownBacklog {
  pending: Promise<number>;
  readAtMs: number;
}

export class Quotas {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #events: Quota | null;
  readonly #calls: Quota | null;
  readonly #mostPending: number;
  readonly #meters = new LRUCache<string, Meter>({ max: mostRemembered });
  readonly #backlogs = new LRUCache<string, KnownBacklog>({ max: mostRemembered });
  /** Calls refused so far, by limit. */
  readonly refused: Record<LimitName, number> = { events: 0, backlog: 0, calls: 0 };

  constructor(
    store: Store,
    clock: Clock,
    settings: Pick<Settings, 'teamEventsPerSecond' | 'teamBacklog' | 'callsPerMinute'>,
  ) {
    const { teamEventsPerSecond, teamBacklog, callsPerMinute } = settings;
    this.#store = store;
    this.#clock = clock;
    this.#events = teamEventsPerSecond === 0 ? null : { limit: teamEventsPerSecond, windowMs: 1_000 };
    this.#calls = callsPerMinute === 0 ? null : { limit: callsPerMinute, windowMs: 60_000 };
    this.#mostPending = teamBacklog;
  }

  /**
   * Counts events that a team publishes.
   * @returns what is left, null where nothing is limited; at once unless the backlog is limited
   * @throws ApiError rate_limited; nothing was counted then
   */
  admitEvents(teamId: string, count: number): LimitState | null | Promise<LimitState | null> {
    if (this.#mostPending === 0) return this.#admitRate(teamId, count);
    return this.#demandBacklog(teamId).then(() => this.#admitRate(teamId, count));
  }

  #admitRate(teamId: string, count: number): LimitState | null {
    if (this.#events === null) return null;
    return this.#admit('events', this.#events, `events ${teamId}`, count, () => {
      const { limit } = this.#events as Quota;
      return `The team may publish ${limit} events a second (POSTHORN_TEAM_EVENTS_PER_SECOND). Publish more slowly, and repeat this call after the time in Retry-After.`;
    });
  }

  /**
   * Counts a call of a token or session.
   * @returns what is left, null where nothing is limited
   * @throws ApiError rate_limited
   */
  admitCall(caller: string): LimitState | null {
    if (this.#calls === null) return null;
    const { limit } = this.#calls;
    return this.#admit(
      'calls',
      this.#calls,
      `calls ${caller}`,
      1,
      () =>
        `This token may make ${limit} calls a minute (POSTHORN_API_CALLS_PER_MINUTE). Repeat the call after the time in Retry-After.`,
    );
  }

  #admit(name: LimitName, quota: Quota, key: string, count: number, sentence: () => string): LimitState {
    const verdict: Verdict = take(this.#meters.get(key) ?? freshMeter, quota, count, this.#clock.monotonic());
    const { remaining, resetMs, retryMs } = verdict;
    const state: LimitState = { name, ...quota, remaining, resetMs };
    if (!verdict.admitted) throw this.#refusal(state, Math.ceil(retryMs / 1_000), sentence());
    this.#meters.set(key, verdict.meter);
    return state;
  }

  async #demandBacklog(teamId: string): Promise<void> {
    const pending = await this.#backlogOf(teamId);
    if (pending < this.#mostPending) return;
    const resetMs = backlogRetryS * 1_000;
    throw this.#refusal(
      { name: 'backlog', limit: this.#mostPending, windowMs: 0, remaining: 0, resetMs },
      backlogRetryS,
      `The team has ${pending} deliveries waiting, and ${this.#mostPending} are the most (POSTHORN_TEAM_BACKLOG). Look at its webhooks’ health, and publish again when fewer wait.`,
    );
  }

  #backlogOf(teamId: string): Promise<number> {
    const known = this.#backlogs.get(teamId);
    const nowMs = this.#clock.monotonic();
    if (known !== undefined && nowMs - known.readAtMs < rememberMs) return known.pending;
    const pending = this.#readBacklog(teamId);
    // A store that is away is asked again by the next call.
    pending.catch(() => this.#backlogs.delete(teamId));
    this.#backlogs.set(teamId, { pending, readAtMs: nowMs });
    return pending;
  }

  async #readBacklog(teamId: string): Promise<number> {
    const endpoints = await listTags(this.#store, [teamId], this.#clock.now());
    const backlogs = await this.#store.backlogs(endpoints.map(({ tag }) => tag));
    return backlogs.reduce((sum, { pending }) => sum + pending, 0);
  }

  #refusal(state: LimitState, retryS: number, sentence: string): ApiError {
    this.refused[state.name] += 1;
    const { limit: total, remaining, resetMs } = state;
    const reset = Math.ceil((this.#clock.now() + resetMs) / 1_000);
    return new ApiError('rate_limited', sentence, {
      detail: { limit: { total, remaining, reset, resetMs: Math.ceil(resetMs) } },
      headers: { 'retry-after': String(Math.max(1, retryS)), ...limitHeaders(state, this.#clock.now()) },
    });
  }
}

/**
 * What is left of a limit as headers: the fields of draft-ietf-httpapi-ratelimit-headers-11 and those that Vercel sends.
 * @param now epoch ms
 */
export function limitHeaders(
  { name, limit, windowMs, remaining, resetMs }: LimitState,
  now: number,
): Record<string, string> {
  const window = windowMs === 0 ? '' : `;w=${windowMs / 1_000}`;
  return {
    'ratelimit-policy': `"${name}";q=${limit}${window}`,
    ratelimit: `"${name}";r=${remaining};t=${Math.ceil(resetMs / 1_000)}`,
    'x-ratelimit-limit': String(limit),
    'x-ratelimit-remaining': String(remaining),
    'x-ratelimit-reset': String(Math.ceil((now + resetMs) / 1_000)),
  };
}
