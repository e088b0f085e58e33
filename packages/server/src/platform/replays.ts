// Replays: what may be asked of one, counted before anything is made; begun and stopped with an audit record.
import { inOrder, type ReplayState } from '../core/replay.ts';
import { readTime } from '../core/time.ts';
import { ApiError } from '../errors.ts';
import { newReplayId } from '../id.ts';
import {
  countReplayed,
  findReplay,
  findSeqFrom,
  insertReplay,
  type ReplayCount,
  type ShownReplay,
  stopReplays,
} from '../store/control/replays.ts';
import type { WebhookRow } from '../store/control/webhooks.ts';
import type { ReplayQuery } from '../store/store.ts';
import { type Actor, demand } from './actor.ts';
import { commit, type Platform, tryCommit } from './platform.ts';

/** Times are epoch ms or ISO 8601. */
export interface ReplayInput {
  since: number | string;
  until?: number | string;
  types?: string[];
  states?: ReplayState[];
  rate?: number;
}

/** Counts what a replay would make. @throws ApiError when it can't be asked for */
export async function measureReplay(
  platform: Platform,
  actor: Actor,
  webhook: WebhookRow,
  input: ReplayInput,
): Promise<ReplayCount> {
  demand(actor, 'webhooks.write');
  return countReplayed(platform.store, await readQuery(platform, webhook, input));
}

/** Begins a replay; answers its id and how much it matched. @throws ApiError when it can't be asked for */
export async function beginReplay(
  platform: Platform,
  actor: Actor,
  webhook: WebhookRow,
  input: ReplayInput,
): Promise<{ id: string; matched: number }> {
  demand(actor, 'webhooks.write');
  if (webhook.enabled === 0) {
    throw new ApiError(
      'webhook_disabled',
      'The webhook is disabled, so nothing is sent to it. Enable it first.',
    );
  }
  const { store } = platform;
  const query = await readQuery(platform, webhook, input);
  const { matched } = await countReplayed(store, query);
  const { since, until, types, states, createdAt } = query;
  const id = newReplayId(createdAt);
  const rate = input.rate ?? null;
  await commit(platform, actor, {
    teamId: webhook.team_id,
    action: 'replay.begun',
    subject: id,
    detail: { webhookId: webhook.id, since, until, types, states, rate, matched },
    steps: [
      insertReplay(store, {
        id,
        team_id: webhook.team_id,
        tag: webhook.tag,
        state: 'running',
        since,
        until,
        seq_from: query.seqFrom,
        types: types === null ? null : JSON.stringify(types),
        states: JSON.stringify(states),
        rate,
        matched,
        made: 0,
        walking: states[0] as ReplayState,
        after: '',
        created_at: createdAt,
      }),
    ],
    touched: [webhook.tag],
    at: createdAt,
  });
  return { id, matched };
}

/** @throws ApiError not_found */
export async function needReplay(
  platform: Platform,
  id: string,
  teamId: string | null,
): Promise<ShownReplay> {
  const replay = await findReplay(platform.store, id, teamId);
  if (replay === null) throw new ApiError('not_found', `There is no replay ${id}.`);
  return replay;
}

/** Stops a replay: nothing more is made; what was made is sent. One that has ended stays as it is. */
export async function stopReplay(
  platform: Platform,
  actor: Actor,
  replay: ShownReplay,
): Promise<ShownReplay> {
  demand(actor, 'webhooks.write');
  if (replay.state !== 'running') return replay;
  const at = platform.clock.now();
  await tryCommit(platform, actor, {
    teamId: replay.team_id,
    action: 'replay.stopped',
    subject: replay.id,
    detail: { webhookId: replay.webhook_id },
    steps: [{ ...stopReplays(platform.store, { id: replay.id }, at), rows: 1, otherwise: 'over' }],
    at,
  });
  return needReplay(platform, replay.id, replay.team_id);
}

async function readQuery(platform: Platform, webhook: WebhookRow, input: ReplayInput): Promise<ReplayQuery> {
  const now = platform.clock.now();
  const since = timeOf('since', input.since);
  const until = input.until === undefined ? now : timeOf('until', input.until);
  if (since > until) throw new ApiError('bad_request', 'since is after until; the period has no length.');
  const states = inOrder(input.states ?? ['failed']);
  return {
    tag: webhook.tag,
    teamId: webhook.team_id,
    since,
    until: Math.min(until, now),
    seqFrom: states.includes('missed') ? await findSeqFrom(platform.store, since) : 0,
    types: input.types === undefined ? null : await judgeTypes(platform, input.types),
    states,
    createdAt: now,
  };
}

function timeOf(name: string, value: number | string): number {
  const at = readTime(value);
  if (at === null) {
    throw new ApiError('bad_request', `body.${name} must be epoch milliseconds or an ISO 8601 time.`);
  }
  return at;
}

/** The catalogue's names of the types, each once. */
async function judgeTypes(platform: Platform, spellings: string[]): Promise<string[]> {
  await platform.catalogue.learn(spellings);
  const types = spellings.map((spelling) => {
    const type = platform.catalogue.find(spelling);
    if (type !== null) return type.type;
    throw new ApiError(
      'invalid_event',
      `There is no event type "${spelling.slice(0, 60)}". GET /v1/event-types lists them.`,
    );
  });
  return [...new Set(types)];
}
