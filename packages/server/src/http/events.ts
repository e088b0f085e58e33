// The door of events: publish, list, read one, tell who got it. Answers at /v1/events only.
import Type from 'typebox';
import type { PublishedCall } from '../engine/publish.ts';
import { ApiError } from '../errors.ts';
import { explainMatch } from '../platform/matching.ts';
import { limitHeaders } from '../platform/quotas.ts';
import { type EventRow, findEvents, listDeliveriesOfEvent, listEvents } from '../store/control/history.ts';
import { listWebhooksEver } from '../store/control/webhooks.ts';
import { startPublishSpan } from '../telemetry.ts';
import type { Door } from './app.ts';
import { paramsOf, queryOf, scopeOf, teamOf } from './context.ts';
import { DeliverySummary, showDelivery } from './deliveries.ts';
import { Page, PageQuery, readCursor, readLimit, readTimeOf, TeamQuery, writeCursor } from './schemas.ts';

const NewEvent = Type.Object({
  type: Type.String(),
  payload: Type.Object({}),
  projectId: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  region: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  id: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9_:-]{1,128}$' })),
  createdAt: Type.Optional(Type.Union([Type.Number(), Type.String()])),
});
const Published = Type.Object({ id: Type.String(), createdAt: Type.Number(), deliveries: Type.Number() });
const PublishedMany = Type.Object({ events: Type.Array(Published) });
const EventSummary = Type.Object({
  id: Type.String(),
  type: Type.String(),
  teamId: Type.String(),
  projectId: Type.Union([Type.String(), Type.Null()]),
  region: Type.Union([Type.String(), Type.Null()]),
  createdAt: Type.Number(),
  acceptedAt: Type.Number(),
  test: Type.Boolean(),
  deliveries: Type.Number(),
});
const ListQuery = Type.Object({
  ...TeamQuery.properties,
  ...PageQuery.properties,
  type: Type.Optional(Type.String({ maxLength: 128 })),
  projectId: Type.Optional(Type.String({ maxLength: 128 })),
});
const IdParams = Type.Object({ id: Type.String() });
const dayMs = 86_400_000;
/** How many webhooks the matching of an event tells of. */
const mostExplained = 200;
const Matching = Type.Object({
  webhooks: Type.Array(
    Type.Object({
      id: Type.String(),
      url: Type.String(),
      matched: Type.Boolean(),
      reason: Type.Union([Type.String(), Type.Null()]),
      message: Type.String(),
    }),
  ),
});
const FullEvent = Type.Object({
  ...EventSummary.properties,
  body: Type.String({ description: 'The bytes that are signed and sent, as text.' }),
  payload: Type.Unknown(),
  deliveries: Type.Array(DeliverySummary),
});

export const eventsDoor: Door = (app, house) => {
  const { platform } = house;
  const tags = ['events'];

  app.post(
    '/v1/events',
    {
      config: { access: 'events.publish' },
      // The publisher judges the body itself, with sentences of its own; the schema is for the document.
      validatorCompiler: () => () => true,
      schema: {
        tags,
        summary: 'Publishes an event, or up to 1,000, all or nothing',
        querystring: TeamQuery,
        body: Type.Union([NewEvent, Type.Array(NewEvent)]),
        response: {
          200: Type.Union([Published, PublishedMany]),
          202: Type.Union([Published, PublishedMany]),
        },
      },
      serializerCompiler: () => (data) => JSON.stringify(data),
    },
    async (request, reply) => {
      // Nothing is awaited that is there at once, here and in what this calls: 3 of 100 of a publish's processor time.
      const found = teamOf(house, request);
      const team = found instanceof Promise ? await found : found;
      const { body } = request;
      const asArray = Array.isArray(body);
      const inputs: unknown[] = asArray ? body : [body];
      const admitted = house.quotas.admitEvents(team.id, Math.max(1, inputs.length));
      const quota = admitted instanceof Promise ? await admitted : admitted;
      if (quota !== null) reply.headers(limitHeaders(quota, platform.clock.now()));
      const span = startPublishSpan(team.id, inputs.length);
      let published: PublishedCall;
      try {
        published = await platform.publisher.publish(team.id, inputs, asArray);
      } finally {
        span.end();
      }
      const { results, allKnown } = published;
      return reply.code(allKnown ? 200 : 202).send(asArray ? { events: results } : results[0]);
    },
  );

  app.get(
    '/v1/events',
    {
      config: { access: 'webhooks.read' },
      schema: {
        tags,
        summary: 'Lists events, newest first',
        querystring: ListQuery,
        response: { 200: Page('events', EventSummary) },
      },
    },
    async (request) => {
      const query = queryOf(request, ListQuery);
      const team = await teamOf(house, request);
      const before = query.cursor === undefined ? null : Number(readCursor(query.cursor, /^\d{1,16}$/));
      const { rows, next } = await listEvents(platform.store, {
        teamId: team.id,
        type: query.type === undefined ? null : (platform.catalogue.find(query.type)?.type ?? query.type),
        projectId: query.projectId ?? null,
        since: readTimeOf('since', query.since),
        until: readTimeOf('until', query.until),
        before,
        limit: readLimit(query.limit),
      });
      const cursor = next === null ? null : writeCursor(String(next));
      return { events: rows.map(showEvent), pagination: { count: rows.length, next: cursor } };
    },
  );

  app.get(
    '/v1/events/:id',
    {
      config: { access: 'webhooks.read' },
      schema: {
        tags,
        summary: 'Gets an event, its body and its deliveries',
        params: IdParams,
        querystring: TeamQuery,
        response: { 200: FullEvent },
      },
    },
    async (request) => {
      const event = await needEvent(paramsOf(request, IdParams).id, await scopeOf(house, request));
      const deliveries = await listDeliveriesOfEvent(platform.store, event);
      const body = Buffer.from(event.body).toString('utf8');
      return {
        ...showEvent(event),
        body,
        payload: (JSON.parse(body) as { payload: unknown }).payload,
        deliveries: deliveries.map(showDelivery),
      };
    },
  );

  app.get(
    '/v1/events/:id/matching',
    {
      config: { access: 'webhooks.read' },
      schema: {
        tags,
        summary: 'Tells which webhooks got an event, and why the others did not',
        description: `The team’s webhooks, at most ${mostExplained}, newest first; those that were removed up to a day before the event are among them.`,
        params: IdParams,
        querystring: TeamQuery,
        response: { 200: Matching },
      },
    },
    async (request) => {
      const event = await needEvent(paramsOf(request, IdParams).id, await scopeOf(house, request));
      const team = await house.teams.find('id', event.team_id);
      if (team === null) throw new ApiError('not_found', `There is no team ${event.team_id}.`);
      const { store, catalogue } = platform;
      const webhooks = await listWebhooksEver(store, team.id, event.accepted_at - dayMs, mostExplained);
      await catalogue.learn(webhooks.flatMap(({ events }) => JSON.parse(events) as string[]));
      // Deliveries after webhooks: one that has a delivery was there before it.
      const deliveries = await listDeliveriesOfEvent(store, event);
      const matched = new Set(deliveries.map(({ tag }) => tag));
      return {
        webhooks: webhooks.map((webhook) => ({
          id: webhook.id,
          url: webhook.url,
          ...explainMatch(event, webhook, team, catalogue, matched.has(webhook.tag)),
        })),
      };
    },
  );

  async function needEvent(id: string, scope: string | null): Promise<EventRow> {
    const events = id === 'types' ? [] : await findEvents(platform.store, id, scope);
    const event = events[0];
    if (event === undefined) throw new ApiError('not_found', `There is no event ${id}.`);
    if (events.length > 1)
      throw new ApiError('bad_request', `Several teams have an event ${id}; say which with ?teamId=.`);
    return event;
  }
};

function showEvent(row: {
  id: string;
  type: string;
  team_id: string;
  project_id: string | null;
  region: string | null;
  created_at: number;
  accepted_at: number;
  test: number;
  deliveries: number;
}) {
  return {
    id: row.id,
    type: row.type,
    teamId: row.team_id,
    projectId: row.project_id,
    region: row.region,
    createdAt: row.created_at,
    acceptedAt: row.accepted_at,
    test: row.test === 1,
    deliveries: row.deliveries,
  };
}
