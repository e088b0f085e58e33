// Account webhooks: what may be asked of one, and each change with its audit record in one commit.
import { judgeUrl, type Networks } from '../engine/guard.ts';
import { ApiError } from '../errors.ts';
import { newSecret, newTag, newWebhookId } from '../id.ts';
import { forgetFailures } from '../store/control/figures.ts';
import type { Row } from '../store/control/tables.ts';
import {
  findWebhook,
  insertWebhook,
  putProjects,
  putSubscriptions,
  removeWebhook,
  takeWebhookPlace,
  updateWebhook,
  type WebhookRow,
} from '../store/control/webhooks.ts';
import type { Step } from '../store/store.ts';
import { type Actor, demand } from './actor.ts';
import { commit, type Platform } from './platform.ts';

/** What guards the addresses that webhooks may name. */
export interface WebhookGuard {
  allowed: Networks;
  own: { host: string; port: number } | null;
}

export interface WebhookInput {
  url: string;
  events: string[];
  projectIds?: string[] | null | undefined;
}

export interface WebhookPatch {
  url?: string;
  events?: string[];
  projectIds?: string[] | null;
  enabled?: boolean;
  ordering?: 'none' | 'project' | 'all';
  maxConcurrency?: number | null;
  ratePerSecond?: number | null;
}

const refusals = {
  projects: {
    code: 'invalid_project',
    message: 'A project in projectIds is not one of this team’s projects. GET /v9/projects lists them.',
  },
  version: {
    code: 'conflict',
    message: 'Somebody else changed this webhook at the same moment. Read it again and repeat the call.',
  },
} as const;

/** Creates a webhook. The secret is in this answer and never in another. */
export async function createWebhook(
  platform: Platform,
  guard: WebhookGuard,
  actor: Actor,
  team: Row<'teams'>,
  input: WebhookInput,
): Promise<{ webhook: WebhookRow; secret: string }> {
  demand(actor, 'webhooks.write');
  demandPlan(team);
  judgeAddress(guard, input.url);
  const projectIds = judgeProjectIds(input.projectIds);
  const types = await judgeEvents(platform, input.events, projectIds.length > 0);
  const now = platform.clock.now();
  const tag = newTag();
  const secret = newSecret();
  const webhook: WebhookRow = {
    tag,
    id: newWebhookId(),
    kind: 'webhook',
    team_id: team.id,
    version: 1,
    url: input.url,
    secret_sealed: platform.vault.seal(secret, `endpoints:${tag}`),
    old_secret_sealed: null,
    old_secret_until: null,
    events: JSON.stringify(input.events),
    all_projects: projectIds.length === 0 ? 1 : 0,
    project_ids: JSON.stringify(projectIds),
    enabled: 1,
    disabled_at: null,
    shift_ms: 0,
    ordering: 'none',
    max_concurrency: null,
    rate_per_second: null,
    created_at: now,
    updated_at: now,
    removed_at: null,
  };
  const { store, settings } = platform;
  const limit = settings.webhooksPerTeam;
  await commit(
    platform,
    actor,
    {
      teamId: team.id,
      action: 'webhook.created',
      subject: webhook.id,
      detail: { url: webhook.url, events: input.events, projectIds },
      steps: [
        takeWebhookPlace(store, team.id, limit),
        insertWebhook(store, webhook),
        ...putSubscriptions(store, team.id, tag, types),
        ...putProjects(store, team.id, tag, projectIds),
      ],
      touched: [tag],
      at: now,
    },
    {
      ...refusals,
      limit: {
        code: 'webhook_limit',
        message: `The team has ${limit} webhooks, which is the most (POSTHORN_WEBHOOKS_PER_TEAM). Remove one first.`,
      },
    },
  );
  return { webhook, secret };
}

/** @throws ApiError not_found */
export async function needWebhook(
  platform: Platform,
  id: string,
  teamId: string | null,
): Promise<WebhookRow> {
  const webhook = await findWebhook(platform.store, id, teamId);
  if (webhook === null) throw new ApiError('not_found', `There is no webhook ${id}.`);
  return webhook;
}

export async function deleteWebhook(platform: Platform, actor: Actor, webhook: WebhookRow): Promise<void> {
  demand(actor, 'webhooks.write');
  const at = platform.clock.now();
  await commit(
    platform,
    actor,
    {
      teamId: webhook.team_id,
      action: 'webhook.deleted',
      subject: webhook.id,
      detail: { url: webhook.url },
      steps: removeWebhook(platform.store, webhook, at),
      touched: [webhook.tag],
      at,
    },
    refusals,
  );
}

/** Changes a webhook. Attempts that start afterwards use it as it is then. */
export async function patchWebhook(
  platform: Platform,
  guard: WebhookGuard,
  actor: Actor,
  webhook: WebhookRow,
  patch: WebhookPatch,
): Promise<WebhookRow> {
  demand(actor, 'webhooks.write');
  const { store } = platform;
  const at = platform.clock.now();
  if (patch.url !== undefined) judgeAddress(guard, patch.url);
  const projectIds = patch.projectIds === undefined ? null : judgeProjectIds(patch.projectIds);
  const selective = projectIds === null ? webhook.all_projects === 0 : projectIds.length > 0;
  const events = patch.events ?? (JSON.parse(webhook.events) as string[]);
  const types = await judgeEvents(platform, events, selective);

  const changed: Partial<WebhookRow> = { updated_at: at };
  const steps: Step[] = [];
  if (patch.url !== undefined) changed.url = patch.url;
  if (patch.events !== undefined) {
    changed.events = JSON.stringify(patch.events);
    steps.push(...putSubscriptions(store, webhook.team_id, webhook.tag, types));
  }
  if (projectIds !== null) {
    changed.all_projects = projectIds.length === 0 ? 1 : 0;
    changed.project_ids = JSON.stringify(projectIds);
    steps.push(...putProjects(store, webhook.team_id, webhook.tag, projectIds));
  }
  if (patch.ordering !== undefined) changed.ordering = patch.ordering;
  if (patch.maxConcurrency !== undefined) changed.max_concurrency = patch.maxConcurrency;
  if (patch.ratePerSecond !== undefined) changed.rate_per_second = patch.ratePerSecond;
  if (patch.enabled === false && webhook.enabled === 1)
    Object.assign(changed, { enabled: 0, disabled_at: at });
  if (patch.enabled === true && webhook.enabled === 0) {
    // The lane's own time stood still meanwhile: what is left of every wait is still to come.
    const stoodMs = webhook.disabled_at === null ? 0 : at - webhook.disabled_at;
    Object.assign(changed, { enabled: 1, disabled_at: null, shift_ms: webhook.shift_ms + stoodMs });
  }
  // Another receiver, or another try: what failed before counts no more.
  if (changed.enabled === 1 || patch.url !== undefined) steps.push(forgetFailures(store, webhook.tag));
  await commit(
    platform,
    actor,
    {
      teamId: webhook.team_id,
      action: 'webhook.updated',
      subject: webhook.id,
      detail: { ...patch },
      steps: [updateWebhook(store, webhook.tag, webhook.version, changed), ...steps],
      touched: [webhook.tag],
      at,
    },
    refusals,
  );
  return { ...webhook, ...changed, version: webhook.version + 1 };
}

/** Gives the webhook a new secret; for `overlapSeconds` the old one still signs too. */
export async function rotateSecret(
  platform: Platform,
  actor: Actor,
  webhook: WebhookRow,
  overlapSeconds: number,
): Promise<string> {
  demand(actor, 'webhooks.write');
  const { store, vault, clock } = platform;
  const at = clock.now();
  const secret = newSecret();
  const place = `endpoints:${webhook.tag}`;
  const overlap = overlapSeconds > 0;
  await commit(
    platform,
    actor,
    {
      teamId: webhook.team_id,
      action: 'webhook.secret-rotated',
      subject: webhook.id,
      detail: { overlapSeconds },
      steps: [
        updateWebhook(store, webhook.tag, webhook.version, {
          secret_sealed: vault.seal(secret, place),
          old_secret_sealed: overlap ? vault.seal(vault.open(webhook.secret_sealed, place), place) : null,
          old_secret_until: overlap ? at + overlapSeconds * 1000 : null,
          updated_at: at,
        }),
      ],
      touched: [webhook.tag],
      at,
    },
    refusals,
  );
  return secret;
}

/** Sends a test event of `spelling` (or the first subscribed type) to this webhook alone. Answers the event's id. */
export async function testWebhook(
  platform: Platform,
  actor: Actor,
  webhook: WebhookRow,
  spelling: string | undefined,
): Promise<string> {
  demand(actor, 'webhooks.write');
  if (webhook.enabled === 0) {
    throw new ApiError(
      'webhook_disabled',
      'The webhook is disabled, so nothing is sent to it. Enable it first.',
    );
  }
  const name = spelling ?? (JSON.parse(webhook.events) as string[])[0] ?? '';
  await platform.catalogue.learn([name]);
  const type = platform.catalogue.find(name);
  if (type === null)
    throw new ApiError(
      'invalid_event',
      `There is no event type "${name.slice(0, 60)}". GET /v1/event-types lists them.`,
    );
  const { id } = await platform.publisher.publishTest({
    teamId: webhook.team_id,
    type: type.type,
    payload: type.sample,
    tag: webhook.tag,
  });
  return id;
}

function demandPlan(team: Row<'teams'>): void {
  if (team.plan !== 'hobby') return;
  throw new ApiError('forbidden', 'Account webhooks need the Pro or Enterprise plan; this team is on Hobby.');
}

function judgeAddress(guard: WebhookGuard, url: string): void {
  const verdict = judgeUrl(url, guard);
  if (!verdict.ok) throw new ApiError(verdict.code, verdict.sentence);
}

function judgeProjectIds(projectIds: string[] | null | undefined): string[] {
  const ids = [...new Set(projectIds ?? [])];
  if (ids.length > 50)
    throw new ApiError(
      'invalid_project',
      'A webhook can be for at most 50 projects; leave projectIds out for all.',
    );
  return ids;
}

/** The catalogue's names of the events, each once. */
async function judgeEvents(platform: Platform, events: string[], selective: boolean): Promise<string[]> {
  if (events.length === 0) throw new ApiError('invalid_event', 'Choose at least one event type.');
  await platform.catalogue.learn(events);
  const types = new Set<string>();
  for (const spelling of events) {
    const type = platform.catalogue.find(spelling);
    if (type === null) {
      throw new ApiError(
        'invalid_event',
        `There is no event type "${spelling.slice(0, 60)}". GET /v1/event-types lists them.`,
      );
    }
    if (selective && type.requiresAllProjects) {
      throw new ApiError(
        'invalid_event',
        `${type.type} is only available with All Team Projects. Leave projectIds out, or the event.`,
      );
    }
    types.add(type.type);
  }
  return [...types];
}
