// The door of deliveries: a webhook's list, one with its attempts, and redeliver.
import Type from 'typebox';
import { type Cause, explainCause } from '../core/cause.ts';
import { readableBody } from '../engine/response-body.ts';
import { ApiError } from '../errors.ts';
import { deliveryId, deliveryKey, timePrefix } from '../id.ts';
import { redeliver } from '../platform/deliveries.ts';
import {
  type AttemptRow,
  type DeliveryRow,
  findBody,
  findDelivery,
  listAttempts,
  listDeliveries,
} from '../store/control/history.ts';
import { findWebhookEver } from '../store/control/webhooks.ts';
import type { Door } from './app.ts';
import { actorOf, paramsOf, queryOf, scopeOf } from './context.ts';
import { Page, PageQuery, readCursor, readLimit, readTimeOf, TeamQuery, writeCursor } from './schemas.ts';

const Text = Type.Union([Type.String(), Type.Null()]);
const Figure = Type.Union([Type.Number(), Type.Null()]);
const states = ['pending', 'delivered', 'failed', 'canceled'] as const;

export const DeliverySummary = Type.Object({
  id: Type.String(),
  eventId: Type.String(),
  webhookId: Type.String(),
  type: Type.String(),
  state: Type.String(),
  attempts: Type.Number(),
  lastStatus: Figure,
  lastError: Text,
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
const ListQuery = Type.Object({
  ...TeamQuery.properties,
  ...PageQuery.properties,
  state: Type.Optional(Type.Union(states.map((state) => Type.Literal(state)))),
  type: Type.Optional(Type.String({ maxLength: 128 })),
});

/** The store's own times of rows that nobody waits for by the clock: held ones, and those behind others in order. */
const beyondTime = 4_000_000_000_000_000;

export function showDelivery(row: DeliveryRow) {
  const waits =
    row.state === 'pending' && row.enabled === 1 && row.availableAt !== null && row.availableAt < beyondTime;
  return {
    id: deliveryId(row.key),
    eventId: row.eventId,
    webhookId: row.webhookId,
    type: row.type,
    state: row.state,
    attempts: row.attempts,
    lastStatus: row.lastStatus,
    lastError: row.lastCause,
    nextAttemptAt: waits ? (row.availableAt ?? 0) + row.shiftMs : null,
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
      const limit = readLimit(query.limit);
      const since = readTimeOf('since', query.since);
      const until = readTimeOf('until', query.until);
      const cursor = query.cursor === undefined ? null : readCursor(query.cursor, /^[A-Za-z0-9_-]{29}$/);
      const untilKey = until === null ? null : timePrefix(until + 1);
      const rows = await listDeliveries(store, {
        tag: webhook.tag,
        state: query.state ?? null,
        type: query.type === undefined ? null : (platform.catalogue.find(query.type)?.type ?? query.type),
        fromKey: since === null ? null : timePrefix(since),
        belowKey: cursor === null || (untilKey !== null && untilKey < cursor) ? untilKey : cursor,
        limit: limit + 1,
      });
      const shown = rows.slice(0, limit);
      const last = shown.at(-1);
      const next = rows.length > limit && last !== undefined ? writeCursor(last.key) : null;
      return { deliveries: shown.map(showDelivery), pagination: { count: shown.length, next } };
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
                : readableBody(row.response_headers.split('\n'), row.response_body),
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

/** Name and value lines to an object; a name that came twice has its values joined, as RFC 9110 section 5.3 allows. */
function readHeaders(lines: string): Record<string, string> {
  const headers: Record<string, string> = {};
  if (lines === '') return headers;
  const cells = lines.split('\n');
  for (let i = 0; i < cells.length; i += 2) {
    const name = (cells[i] ?? '').toLowerCase();
    const value = cells[i + 1] ?? '';
    headers[name] = Object.hasOwn(headers, name) ? `${headers[name]}, ${value}` : value;
  }
  return headers;
}
