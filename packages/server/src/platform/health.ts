// How a team's webhooks are: what GET /v1/webhooks/{id}/health and the dashboard's overview tell, read from counters.
import { type Cause, explainCause } from '../core/cause.ts';
import { advise, drainEta, type HealthFacts, type HealthState, judgeState } from '../core/health.ts';
import { percentileOf } from '../core/latency.ts';
import { timeOfId } from '../id.ts';
import {
  type HealthRow,
  noWindows,
  readHealth,
  readHours,
  readTeamPoints,
  readWindows,
  type Window,
  type Windows,
} from '../store/control/figures.ts';
import type { Row } from '../store/control/tables.ts';
import { listWebhooks, type WebhookRow } from '../store/control/webhooks.ts';
import type { Backlog } from '../store/store.ts';
import { hourMs, minuteMs, slotMs, startOf } from '../store/tally.ts';
import type { Platform } from './platform.ts';

export interface WindowHealth {
  delivered: number;
  failed: number;
  attempts: number;
  /** The share of attempts that succeeded, null where there were none. */
  successRate: number | null;
  p50Ms: number | null;
  p95Ms: number | null;
}

export interface WebhookHealth {
  state: HealthState;
  enabled: boolean;
  windows: Record<keyof Windows, WindowHealth>;
  backlog: number;
  oldestPendingAt: number | null;
  drainEtaMs: number | null;
  breaker: { state: 'closed' | 'open' | 'probing'; until: number | null };
  failingSince: number | null;
  /** When Posthorn disabled it by itself, null if it did not. */
  autoDisabledAt: number | null;
  lastSuccessAt: number | null;
  lastFailure: { at: number; cause: string; status: number | null; message: string } | null;
  advice: string | null;
}

const showWindow = ({ delivered, failed, attempts, attemptsFailed, latency }: Window): WindowHealth => ({
  delivered,
  failed,
  attempts,
  successRate: attempts === 0 ? null : (attempts - attemptsFailed) / attempts,
  p50Ms: percentileOf(latency, 0.5),
  p95Ms: percentileOf(latency, 0.95),
});

function showBreaker(until: number, now: number): WebhookHealth['breaker'] {
  if (until <= 0) return { state: 'closed', until: null };
  return until > now ? { state: 'open', until } : { state: 'probing', until: null };
}

export const hostOf = (url: string): string => (URL.canParse(url) ? new URL(url).host : url);

/** An endpoint's last failure, with its sentence. */
export function showFailure(
  row: Omit<HealthRow, 'failing_since'>,
  timeoutMs: number,
): WebhookHealth['lastFailure'] {
  const { last_failure_at: at, last_failure_cause: cause, last_failure_status: status } = row;
  if (at === null || cause === null) return null;
  const { last_failure_url: url, last_failure_detail: detail } = row;
  const host = hostOf(url ?? '');
  const location = cause === 'redirect' ? detail : null;
  return {
    at,
    cause,
    status,
    message: explainCause(cause as Cause, { host, timeoutMs, location, detail }),
  };
}

function judge(
  platform: Platform,
  webhook: WebhookRow,
  known: { row: HealthRow | undefined; windows: Windows; backlog: Backlog | undefined },
): WebhookHealth {
  const { row, windows } = known;
  const { settings } = platform;
  const now = platform.clock.now();
  const shown = {
    '5m': showWindow(windows['5m']),
    '1h': showWindow(windows['1h']),
    '24h': showWindow(windows['24h']),
  };
  const backlog = known.backlog?.pending ?? 0;
  const oldestKey = known.backlog?.oldestKey ?? null;
  const oldestPendingAt = oldestKey === null ? null : timeOfId(oldestKey);
  const breaker = showBreaker(row?.rests_until ?? 0, now);
  const lastFailure = row === undefined ? null : showFailure(row, settings.timeoutMs);
  const flow =
    row === undefined
      ? null
      : {
          at: row.slot_at,
          slotMs,
          came: row.slot_came,
          left: row.slot_left,
          cameBefore: row.before_came,
          leftBefore: row.before_left,
          writtenAt: row.written_at,
        };
  const enabled = webhook.enabled === 1;
  const drainEtaMs = enabled || backlog === 0 ? drainEta(backlog, flow, now) : null;
  const latest = [shown['5m'], shown['1h'], shown['24h']].find(({ attempts }) => attempts > 0);
  const facts: HealthFacts = {
    now,
    enabled,
    disabledByItselfAt: row?.disabled_at ?? null,
    windows: [windows['5m'], windows['1h'], windows['24h']],
    breaker: breaker.state,
    failingSince: row?.failing_since ?? null,
    disableAfterMs: settings.disableAfterMs,
    backlog,
    drainEtaMs,
    oldestPendingAt,
    lastFailure: lastFailure?.message ?? null,
    limited: webhook.max_concurrency !== null || webhook.rate_per_second !== null,
    p95Ms: latest?.p95Ms ?? null,
  };
  return {
    state: judgeState(facts),
    enabled,
    windows: shown,
    backlog,
    oldestPendingAt,
    drainEtaMs,
    breaker,
    failingSince: facts.failingSince,
    autoDisabledAt: enabled ? null : facts.disabledByItselfAt,
    lastSuccessAt: row?.last_success_at ?? null,
    lastFailure,
    advice: advise(facts),
  };
}

/** How many webhooks are asked for in one query. */
const webhooksAtOnce = 500;

async function readAll(platform: Platform, webhooks: WebhookRow[]): Promise<WebhookHealth[]> {
  const { store, clock } = platform;
  await platform.settleFigures();
  const found: WebhookHealth[] = [];
  for (let from = 0; from < webhooks.length; from += webhooksAtOnce) {
    const some = webhooks.slice(from, from + webhooksAtOnce);
    const tags = some.map(({ tag }) => tag);
    const [rows, windows, backlogs] = await Promise.all([
      readHealth(store, tags),
      readWindows(store, tags, clock.now()),
      store.backlogs(tags),
    ]);
    for (const [index, webhook] of some.entries()) {
      const { tag } = webhook;
      const known = {
        row: rows.get(tag),
        windows: windows.get(tag) ?? noWindows(),
        backlog: backlogs[index],
      };
      found.push(judge(platform, webhook, known));
    }
  }
  return found;
}

/** How a webhook is. */
export async function webhookHealth(platform: Platform, webhook: WebhookRow): Promise<WebhookHealth> {
  const [health] = await readAll(platform, [webhook]);
  return health as WebhookHealth;
}

/** The ranges of an overview: how far they reach back, and how wide a point is. */
export const ranges = {
  hour: { reachMs: hourMs, stepMs: minuteMs },
  day: { reachMs: 24 * hourMs, stepMs: hourMs },
  month: { reachMs: 30 * 24 * hourMs, stepMs: 24 * hourMs },
} as const;

const noCounts = () => ({ accepted: 0, delivered: 0, failed: 0, attempts: 0, attemptsFailed: 0 });

/** A team's figures over a range, and the webhooks that want somebody's attention. */
export async function teamOverview(platform: Platform, teamId: string, range: keyof typeof ranges) {
  const { store, clock } = platform;
  const { reachMs, stepMs } = ranges[range];
  const webhooks = await listWebhooks(store, teamId, null);
  const healths = await readAll(platform, webhooks);
  const now = clock.now();
  // The last point is the one under way.
  const first = startOf(now, stepMs) - reachMs + stepMs;
  const rows = await readTeamPoints(store, teamId, stepMs < hourMs ? minuteMs : hourMs, first);
  const points = Array.from({ length: reachMs / stepMs }, (_, index) => ({
    at: first + index * stepMs,
    ...noCounts(),
  }));
  const totals = noCounts();
  for (const { at, ...counts } of rows) {
    const point = points[Math.floor((at - first) / stepMs)];
    for (const name of Object.keys(totals) as (keyof typeof totals)[]) {
      totals[name] += counts[name];
      if (point !== undefined) point[name] += counts[name];
    }
  }
  const pending = healths.reduce((sum, { backlog }) => sum + backlog, 0);
  const attention = webhooks.flatMap(({ id, url }, index) => {
    const { state, advice, autoDisabledAt } = healths[index] as WebhookHealth;
    if (advice === null || (state === 'disabled' && autoDisabledAt === null)) return [];
    const severity = state === 'failing' || state === 'disabled' ? ('error' as const) : ('warning' as const);
    return [{ webhookId: id, url, message: advice, severity }];
  });
  return {
    range,
    stepMs,
    points,
    totals: { accepted: totals.accepted, delivered: totals.delivered, failed: totals.failed, pending },
    attention: attention.toSorted((a, b) => (a.severity < b.severity ? -1 : a.severity > b.severity ? 1 : 0)),
  };
}

const activityHours = 24;

/** What each of a team's webhooks did in the last 24 hours, and how many of them the team may have. */
export async function webhookActivity(platform: Platform, team: Row<'teams'>) {
  const { store, clock, settings } = platform;
  await platform.settleFigures();
  const webhooks = await listWebhooks(store, team.id, null);
  const tags = webhooks.map(({ tag }) => tag);
  const first = startOf(clock.now(), hourMs) - (activityHours - 1) * hourMs;
  const [rows, hours, backlogs] = await Promise.all([
    readHealth(store, tags),
    readHours(store, tags, first),
    store.backlogs(tags),
  ]);
  const shown = webhooks.map(({ id, tag }, index) => {
    const buckets = Array.from({ length: activityHours }, (_, hour) => ({
      at: first + hour * hourMs,
      delivered: 0,
      failed: 0,
    }));
    return {
      id,
      buckets,
      pending: backlogs[index]?.pending ?? 0,
      lastDeliveryAt: rows.get(tag)?.last_end_at ?? null,
      lastState: rows.get(tag)?.last_end_state ?? null,
    };
  });
  const byTag = new Map(webhooks.map(({ tag }, index) => [tag, shown[index]]));
  for (const { tag, at, delivered, failed } of hours) {
    const bucket = byTag.get(tag)?.buckets[(at - first) / hourMs];
    if (bucket !== undefined) Object.assign(bucket, { delivered, failed });
  }
  return { webhooks: shown, limit: settings.webhooksPerTeam, used: webhooks.length };
}
