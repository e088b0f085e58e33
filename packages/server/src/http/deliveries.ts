// The door of deliveries: a webhook's list and the team's (filters: delivery-filter.ts), one with its attempts, and
// redeliver.
import Type from 'typebox';
import { type Cause, explainCause } from '../core/cause.ts';
import { readHeaderLines } from '../core/header-lines.ts';
import { readableBody } from '../engine/response-body.ts';
import { ApiError } from '../errors.ts';
import { deliveryId, deliveryKey } from '../id.ts';
import { redeliver } from '../platform/deliveries.ts';
import { listDeliveries, pickDeliveries } from '../store/control/delivery-list.ts';
import {
  type AttemptRow,
  type DeliveryRow,
  findBody,
  findDelivery,
  findEvents,
  listAttempts,
  listDeliveriesOfEvent,
} from '../store/control/history.ts';
import type { FoundPage } from '../store/control/looks.ts';
import { findWebhookEver } from '../store/control/webhooks.ts';
import type { Door } from './app.ts';
import { actorOf, paramsOf, queryOf, scopeOf, teamOf } from './context.ts';
import { readFilter, scopeIn } from './delivery-filter.ts';
import { Page, PageQuery, TeamQuery, writeCursor } from './schemas.ts';

const Text = Type.Union([Type.String(), Type.Null()]);
const Figure = Type.Union([Type.Number(), Type.Null()]);

export const DeliverySummary = Type.Object({
  id: Type.String(),
  eventId: Type.String(),
  webhookId: Type.String(),
  webhookUrl: Text,
  projectId: Text,
  type: Type.String(),
  state: Type.String(),
  attempts: Type.Number(),
  lastStatus: Figure,
  lastError: Text,
  lastCause: Text,
  nextAttemptAt: Figure,
  createdAt: Type.Number(),
  finishedAt: Figure,
});
const Headers = Type.Record(Type.String(), Type.String());
const Attempt = Type.Object({
  number: Type.Number(),
  startedAt: Type.Number(),
  durationMs: Type.Number(),
  status: Figure,
  error: Text,
  message: Text,
  timings: Type.Object({
    dnsMs: Figure,
    connectMs: Figure,
    tlsMs: Figure,
    firstByteMs: Figure,
    totalMs: Type.Number(),
  }),
  request: Type.Object({ method: Type.String(), url: Type.String(), headers: Headers, body: Type.String() }),
  response: Type.Union([
    Type.Object({ status: Figure, headers: Headers, body: Type.String(), truncated: Type.Boolean() }),
    Type.Null(),
  ]),
});
const FullDelivery = Type.Object({ ...DeliverySummary.properties, attempts: Type.Array(Attempt) });
const IdParams = Type.Object({ id: Type.String() });
const List = (what: string, maxLength: number) =>
  Type.String({ maxLength, description: `${what}, separated by commas.` });
const ListQuery = Type.Object({
  ...TeamQuery.properties,
  ...PageQuery.properties,
  state: Type.Optional(List('States', 100)),
  type: Type.Optional(List('Event types', 2_000)),
  status: Type.Optional(List('Answers: codes like 404, or all of a kind like 5xx', 200)),
  cause: Type.Optional(List('Causes, as lastCause has them', 1_000)),
  projectId: Type.Optional(Type.String({ maxLength: 128 })),
});
const TeamListQuery = Type.Object({
  ...ListQuery.properties,
  webhookId: Type.Optional(Type.String({ maxLength: 128 })),
  eventId: Type.Optional(Type.String({ maxLength: 128 })),
});

const show = ({ rows, next }: FoundPage<DeliveryRow, string>) => ({
  deliveries: rows.map(showDelivery),
  pagination: { count: rows.length, next: next === null ? null : writeCursor(next) },
});

/** The store's own times of rows that nobody waits for by the clock: held ones, and those behind others in order. */
const beyondTime = 4_000_000_000_000_000;
/** What it adds to the times of what a replay made. */
const replayedTime = 2_000_000_000_000_000;

export function showDelivery(row: DeliveryRow) {
  const waits =
    row.state === 'pending' && row.enabled === 1 && row.availableAt !== null && row.availableAt < beyondTime;
  return {
    id: deliveryId(row.key),
    eventId: row.eventId,
    webhookId: row.webhookId,
    // Where an integration receives is its own affair.
    webhookUrl: row.webhookKind === 'webhook' ? row.webhookUrl : null,
    projectId: row.projectId,
    type: row.type,
    state: row.state,
    attempts: row.attempts,
    lastStatus: row.lastStatus,
    lastError: row.lastCause,
    lastCause: row.lastCause,
    nextAttemptAt: waits ? ((row.availableAt ?? 0) % replayedTime) + row.shiftMs : null,
    createdAt: row.createdAt,
    finishedAt: row.finishedAt,
  };
}

export const deliveriesDoor: Door = (app, house) => {
  const { platform } = house;
  const { store } = platform;
  const tags = ['deliveries'];

  app.get(
    '/webhooks/:id/deliveries',
    {
      config: { access: 'webhooks.read' },
      schema: {
        tags,
        summary: 'Lists a webhook’s deliveries, newest first',
        params: IdParams,
        querystring: ListQuery,
        response: { 200: Page('deliveries', DeliverySummary) },
      },
    },
    async (request) => {
      const { id } = paramsOf(request, IdParams);
      const query = queryOf(request, ListQuery);
      const webhook = await findWebhookEver(store, id, await scopeOf(house, request));
      if (webhook === null) throw new ApiError('not_found', `There is no webhook ${id}.`);
      return show(
        await listDeliveries(store, readFilter(platform, query, { kind: 'webhook', tag: webhook.tag })),
      );
    },
  );

  app.get(
    '/deliveries',
    {
      config: { access: 'webhooks.read' },
      schema: {
        tags,
        summary: 'Lists a team’s deliveries, newest first',
        description:
          'A page may hold fewer deliveries than `limit`, or none, while `next` is set: a filter by type, status, cause or project looks at 3,000 deliveries in one call.',
        querystring: TeamListQuery,
        response: { 200: Page('deliveries', DeliverySummary) },
      },
    },
    async (request) => {
      const query = queryOf(request, TeamListQuery);
      const team = await teamOf(house, request);
      const { webhookId, eventId } = query;
      const filter = readFilter(platform, query, await scopeIn(platform, team.id, webhookId));
      if (eventId === undefined) return show(await listDeliveries(store, filter));
      const [event] = await findEvents(store, eventId, team.id);
      if (event === undefined) throw new ApiError('not_found', `There is no event ${eventId}.`);
      return show(pickDeliveries(await listDeliveriesOfEvent(store, event), filter));
    },
  );

  app.get(
    '/deliveries/:id',
    {
      config: { access: 'webhooks.read' },
      schema: {
        tags,
        summary: 'Gets a delivery with its attempts',
        params: IdParams,
        querystring: TeamQuery,
        response: { 200: FullDelivery },
      },
    },
    async (request) => {
      const { id } = paramsOf(request, IdParams);
      const key = deliveryKey(id);
      const row = key === null ? null : await findDelivery(store, key, await scopeOf(house, request));
      if (row === null) throw new ApiError('not_found', `There is no delivery ${id}.`);
      // One that was recorded since the row was read does not belong to the state that the row tells.
      const attempts = (await listAttempts(store, row.key)).filter(({ number }) => number <= row.attempts);
      const body = await findBody(store, row.eventId, row.eventTeamId);
      const sent = body === null ? '' : Buffer.from(body).toString('utf8');
      return {
        ...showDelivery(row),
        attempts: attempts.map((attempt) => showAttempt(attempt, sent, platform.settings.timeoutMs)),
      };
    },
  );

  app.post(
    '/deliveries/:id/redeliver',
    {
      config: { access: 'webhooks.write' },
      schema: {
        tags,
        summary: 'Makes one attempt now',
        params: IdParams,
        querystring: TeamQuery,
        response: { 202: DeliverySummary },
      },
    },
    async (request, reply) => {
      const { id } = paramsOf(request, IdParams);
      const key = deliveryKey(id);
      const scope = await scopeOf(house, request);
      const row = key === null ? null : await findDelivery(store, key, scope);
      if (row === null) throw new ApiError('not_found', `There is no delivery ${id}.`);
      await redeliver(platform, actorOf(request), row);
      return reply.code(202).send(showDelivery((await findDelivery(store, row.key, scope)) ?? row));
    },
  );
};

function showAttempt(row: AttemptRow, sent: string, timeoutMs: number) {
  const [dnsMs, connectMs, tlsMs, firstByteMs] = row.timings
    .split(',')
    .map((text) => (text === '' ? null : Number(text)));
  return {
    number: row.number,
    startedAt: row.started_at,
    durationMs: row.duration_ms,
    status: row.status,
    error: row.cause,
    message: row.cause === null ? null : explain(row, row.cause as Cause, timeoutMs),
    timings: {
      dnsMs: dnsMs ?? null,
      connectMs: connectMs ?? null,
      tlsMs: tlsMs ?? null,
      firstByteMs: firstByteMs ?? null,
      totalMs: row.duration_ms,
    },
    request: { method: 'POST', url: row.url, headers: readHeaders(row.request_headers), body: sent },
    response:
      row.response_headers === null
        ? null
        : {
            status: row.status,
            headers: readHeaders(row.response_headers),
            body:
              row.response_body === null
                ? ''
                : readableBody(readHeaderLines(row.response_headers), row.response_body),
            truncated: row.truncated === 1,
          },
  };
}

function explain(row: AttemptRow, cause: Cause, timeoutMs: number): string {
  const host = URL.canParse(row.url) ? new URL(row.url).host : row.url;
  return explainCause(cause, {
    host,
    timeoutMs,
    location: cause === 'redirect' ? row.detail : null,
    detail: row.detail,
  });
}

/** Header lines to an object; a name that came twice has its values joined, as RFC 9110 section 5.3 allows. */
function readHeaders(lines: string): Record<string, string> {
  const headers: Record<string, string> = {};
  const cells = readHeaderLines(lines);
  for (let i = 0; i < cells.length; i += 2) {
    const name = (cells[i] ?? '').toLowerCase();
    const value = cells[i + 1] ?? '';
    headers[name] = Object.hasOwn(headers, name) ? `${headers[name]}, ${value}` : value;
  }
  return headers;
}
