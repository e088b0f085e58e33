// What whole-system tests ask of a running Posthorn again and again: publish, read deliveries, wait until
// something holds. The shapes are the API's, as far as tests read them.
import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import { deploymentPayload, type Posthorn } from './posthorn.ts';

export interface Delivery {
  id: string;
  eventId: string;
  webhookId: string;
  type: string;
  state: 'pending' | 'delivered' | 'failed' | 'canceled';
  attempts: number;
  lastStatus: number | null;
  lastError: string | null;
  nextAttemptAt: number | null;
  createdAt: number;
  finishedAt: number | null;
}

export interface Attempt {
  number: number;
  startedAt: number;
  durationMs: number;
  status: number | null;
  error: string | null;
  message: string | null;
  timings: Record<'dnsMs' | 'connectMs' | 'tlsMs' | 'firstByteMs' | 'totalMs', number | null>;
  request: { method: string; url: string; headers: Record<string, string>; body: string };
  response: { status: number; headers: Record<string, string>; body: string; truncated: boolean } | null;
}

export interface FullDelivery extends Omit<Delivery, 'attempts'> {
  attempts: Attempt[];
}

export interface FullEvent {
  id: string;
  type: string;
  projectId: string | null;
  region: string | null;
  createdAt: number;
  test: boolean;
  body: string;
  payload: Record<string, unknown>;
  deliveries: Delivery[];
}

export interface Published {
  id: string;
  createdAt: number;
  deliveries: number;
}

export interface ApiFailure {
  error: { code: string; message: string };
}

export interface Webhook {
  id: string;
  url: string;
  events: string[];
  ownerId: string;
  secret: string;
  projectIds?: string[];
  enabled: boolean;
}

const patienceMs = 20_000;

/** Reads again and again until `holds`; fails with the last value after `timeoutMs`. */
export async function until<Value>(
  read: () => Promise<Value>,
  holds: (value: Value) => boolean,
  timeoutMs = patienceMs,
): Promise<Value> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const value = await read();
    if (holds(value)) return value;
    if (performance.now() > deadline) {
      assert.fail(`waited ${timeoutMs} ms for ${holds.toString()}; last: ${JSON.stringify(value)}`);
    }
    // Only how often it looks: nothing depends on how long this takes.
    await pause(10);
  }
}

export interface WebhookWish {
  events?: string[];
  projectIds?: string[] | null;
  /** Of another team than `default`. */
  teamId?: string;
  /** What only PATCH can set. */
  enabled?: boolean;
  ordering?: 'none' | 'project' | 'all';
  maxConcurrency?: number;
  ratePerSecond?: number;
}

/** Creates a webhook; subscribed to `deployment.succeeded` unless told otherwise. */
export async function makeWebhook(posthorn: Posthorn, url: string, wish: WebhookWish = {}): Promise<Webhook> {
  const { events = ['deployment.succeeded'], projectIds, teamId, ...patch } = wish;
  const query = teamId === undefined ? '' : `?teamId=${teamId}`;
  const made = await posthorn.call<Webhook>('POST', `/v1/webhooks${query}`, {
    body: { url, events, ...(projectIds === undefined ? {} : { projectIds }) },
  });
  assert.equal(made.status, 200, JSON.stringify(made.body));
  if (Object.keys(patch).length > 0) await patchWebhook(posthorn, made.body.id, patch);
  return made.body;
}

export async function patchWebhook(posthorn: Posthorn, id: string, patch: object): Promise<Webhook> {
  const patched = await posthorn.call<Webhook>('PATCH', `/v1/webhooks/${id}`, { body: patch });
  assert.equal(patched.status, 200, JSON.stringify(patched.body));
  return patched.body;
}

/** A `deployment.succeeded` event that validates; `seq` shows in its payload. */
export function newEvent(seq = 0, fields: object = {}) {
  return { type: 'deployment.succeeded', payload: deploymentPayload(seq), ...fields };
}

/** Publishes one event, known to be new. */
export async function publish(
  posthorn: Posthorn,
  event: object = newEvent(),
  { teamId }: { teamId?: string } = {},
): Promise<Published> {
  const query = teamId === undefined ? '' : `?teamId=${teamId}`;
  const answer = await posthorn.call<Published>('POST', `/v1/events${query}`, { body: event });
  assert.equal(answer.status, 202, JSON.stringify(answer.body));
  return answer.body;
}

/** Publishes several events in one call, known to be new. */
export async function publishAll(posthorn: Posthorn, events: object[]): Promise<Published[]> {
  const answer = await posthorn.call<{ events: Published[] }>('POST', '/v1/events', { body: events });
  assert.equal(answer.status, 202, JSON.stringify(answer.body));
  return answer.body.events;
}

export async function readEvent(posthorn: Posthorn, id: string): Promise<FullEvent> {
  const answer = await posthorn.call<FullEvent>('GET', `/v1/events/${id}`);
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return answer.body;
}

/** An event's delivery for a webhook (for its only one, if none is named), with its attempts. */
export async function readDelivery(
  posthorn: Posthorn,
  eventId: string,
  webhookId?: string,
): Promise<FullDelivery> {
  const { deliveries } = await readEvent(posthorn, eventId);
  const found = deliveries.filter((one) => webhookId === undefined || one.webhookId === webhookId);
  assert.equal(found.length, 1, `deliveries of ${eventId}: ${JSON.stringify(deliveries)}`);
  const answer = await posthorn.call<FullDelivery>('GET', `/v1/deliveries/${found[0]?.id}`);
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return answer.body;
}

/** Waits until an event's delivery has a state and, if told, so many attempts. */
export function deliveryIn(
  posthorn: Posthorn,
  state: Delivery['state'],
  eventId: string,
  { webhookId, attempts }: { webhookId?: string; attempts?: number } = {},
): Promise<FullDelivery> {
  return until(
    () => readDelivery(posthorn, eventId, webhookId),
    (one) => one.state === state && (attempts === undefined || one.attempts.length === attempts),
  );
}

/** A webhook's deliveries, newest first, at most 100. */
export async function listDeliveries(posthorn: Posthorn, webhookId: string, query = ''): Promise<Delivery[]> {
  const answer = await posthorn.call<{ deliveries: Delivery[] }>(
    'GET',
    `/v1/webhooks/${webhookId}/deliveries?limit=100${query}`,
  );
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return answer.body.deliveries;
}

/** The ids of all events of the team `default`. */
export async function listEventIds(posthorn: Posthorn): Promise<string[]> {
  const ids: string[] = [];
  let cursor = '';
  do {
    const { body } = await posthorn.call<{ events: { id: string }[]; pagination: { next: string | null } }>(
      'GET',
      `/v1/events?limit=100${cursor}`,
    );
    ids.push(...body.events.map(({ id }) => id));
    cursor = body.pagination.next === null ? '' : `&cursor=${body.pagination.next}`;
  } while (cursor !== '');
  return ids;
}

/** The first attempt, or the one at `index`. */
export function attemptOf(delivery: FullDelivery, index = 0): Attempt {
  const attempt = delivery.attempts[index];
  assert.ok(attempt, `${delivery.id} has ${delivery.attempts.length} attempts`);
  return attempt;
}
