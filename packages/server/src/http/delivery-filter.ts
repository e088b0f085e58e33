// What the query of a list of deliveries asks for, read into the store's filter.
import { ApiError } from '../errors.ts';
import { timePrefix } from '../id.ts';
import type { Platform } from '../platform/platform.ts';
import type { DeliveryFilter, DeliveryScope } from '../store/control/delivery-list.ts';
import type { DeliveryRow } from '../store/control/history.ts';
import { findWebhookEver } from '../store/control/webhooks.ts';
import { readCursor, readLimit, readTimeOf } from './schemas.ts';

export interface DeliveryQuery {
  state?: string;
  type?: string;
  status?: string;
  cause?: string;
  projectId?: string;
  since?: string;
  until?: string;
  limit?: number;
  cursor?: string;
}

const states = ['pending', 'delivered', 'failed', 'canceled'] as const;
/** Pruning goes by whole days, and what is unfinished stays until it is finished. */
const pruneSlackMs = 3 * 86_400_000;

/** The team's deliveries, or those of one of its webhooks, removed ones included. */
export async function scopeIn(
  { store, clock, settings }: Platform,
  teamId: string,
  webhookId: string | undefined,
): Promise<DeliveryScope> {
  if (webhookId === undefined) {
    return { kind: 'team', teamId, removedSince: clock.now() - settings.retentionMs - pruneSlackMs };
  }
  const webhook = await findWebhookEver(store, webhookId, teamId);
  if (webhook === null) throw new ApiError('not_found', `There is no webhook ${webhookId}.`);
  return { kind: 'webhook', tag: webhook.tag };
}

/** @throws ApiError bad_request */
export function readFilter(platform: Platform, query: DeliveryQuery, scope: DeliveryScope): DeliveryFilter {
  const since = readTimeOf('since', query.since);
  const until = readTimeOf('until', query.until);
  const cursor = query.cursor === undefined ? null : readCursor(query.cursor, /^[A-Za-z0-9_-]{29}$/);
  const untilKey = until === null ? null : timePrefix(until + 1);
  return {
    scope,
    states: readStates(query.state),
    types: readList(query.type)?.map((name) => platform.catalogue.find(name)?.type ?? name) ?? null,
    projectId: query.projectId ?? null,
    status: readStatus(query.status),
    causes: readList(query.cause),
    fromKey: since === null ? null : timePrefix(since),
    belowKey: cursor === null || (untilKey !== null && untilKey < cursor) ? untilKey : cursor,
    limit: readLimit(query.limit),
  };
}

function readList(text: string | undefined): string[] | null {
  const words = (text ?? '')
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '');
  return words.length === 0 ? null : words;
}

function readStates(text: string | undefined): DeliveryRow['state'][] | null {
  const words = readList(text);
  if (words === null) return null;
  return words.map((word) => {
    const state = states.find((one) => one === word);
    if (state === undefined)
      throw new ApiError(
        'bad_request',
        `query.state has no state "${word.slice(0, 60)}"; use ${states.join(', ')}.`,
      );
    return state;
  });
}

function readStatus(text: string | undefined): DeliveryFilter['status'] {
  const words = readList(text);
  if (words === null) return null;
  for (const word of words) {
    if (!/^[1-5](?:\d\d|xx)$/.test(word))
      throw new ApiError('bad_request', 'query.status must be codes like 404, or kinds like 5xx.');
  }
  return (status) =>
    status !== null && (words.includes(String(status)) || words.includes(`${String(status)[0]}xx`));
}
