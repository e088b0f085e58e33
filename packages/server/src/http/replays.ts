// The door of replays: begin one or count what it would make, look at it, stop it, list a webhook's.
import Type from 'typebox';
import { replayStates } from '../core/replay.ts';
import { ApiError } from '../errors.ts';
import { beginReplay, measureReplay, needReplay, stopReplay } from '../platform/replays.ts';
import { needWebhook } from '../platform/webhooks.ts';
import { listReplays, type ShownReplay } from '../store/control/replays.ts';
import { findWebhookEver } from '../store/control/webhooks.ts';
import type { Door } from './app.ts';
import { actorOf, bodyOf, paramsOf, queryOf, scopeOf } from './context.ts';
import { Choice, NullableNumber } from './fields.ts';
import { Page, PageQuery, readCursor, readLimit, TeamQuery, writeCursor } from './schemas.ts';

const Time = Type.Unsafe<number | string>({
  type: ['integer', 'string'],
  maxLength: 40,
  description: 'Epoch milliseconds or ISO 8601.',
});
const State = Choice(replayStates);
const ReplayBody = Type.Object({
  since: Time,
  until: Type.Optional(Time),
  types: Type.Optional(Type.Array(Type.String({ maxLength: 128 }), { minItems: 1, maxItems: 500 })),
  states: Type.Optional(Type.Array(State, { minItems: 1, maxItems: 20 })),
  rate: Type.Optional(
    Type.Number({ minimum: 0.01, maximum: 100_000, description: 'Deliveries a second, paced evenly.' }),
  ),
  dryRun: Type.Optional(Type.Boolean({ description: 'Only count.' })),
});
const Counted = Type.Object({
  matched: Type.Number(),
  oldest: NullableNumber,
  newest: NullableNumber,
});
const Begun = Type.Object({ id: Type.String(), matched: Type.Number() });
const Replay = Type.Object({
  id: Type.String(),
  webhookId: Type.String(),
  state: Choice(['running', 'done', 'stopped']),
  matched: Type.Number(),
  made: Type.Number(),
  rate: NullableNumber,
  query: Type.Object({
    since: Type.Number(),
    until: Type.Number(),
    types: Type.Union([Type.Array(Type.String()), Type.Null()]),
    states: Type.Array(State),
  }),
  createdAt: Type.Number(),
  finishedAt: NullableNumber,
});
const IdParams = Type.Object({ id: Type.String() });
const { limit, cursor } = PageQuery.properties;
const ListQuery = Type.Object({ ...TeamQuery.properties, limit, cursor });

const showReplay = (row: ShownReplay) => ({
  id: row.id,
  webhookId: row.webhook_id,
  state: row.state,
  matched: row.matched,
  made: row.made,
  rate: row.rate,
  query: {
    since: row.since,
    until: row.until,
    types: row.types === null ? null : (JSON.parse(row.types) as string[]),
    states: JSON.parse(row.states) as string[],
  },
  createdAt: row.created_at,
  finishedAt: row.finished_at,
});

export const replaysDoor: Door = (app, house) => {
  const { platform } = house;
  const tags = ['replays'];

  app.post(
    '/webhooks/:id/replay',
    {
      config: { access: 'webhooks.write' },
      schema: {
        tags,
        summary: 'Makes past deliveries of a webhook again, or counts them',
        params: IdParams,
        querystring: TeamQuery,
        body: ReplayBody,
        response: { 200: Counted, 202: Begun },
      },
    },
    async (request, reply) => {
      const { dryRun, ...input } = bodyOf(request, ReplayBody);
      const actor = actorOf(request);
      const webhook = await needWebhook(
        platform,
        paramsOf(request, IdParams).id,
        await scopeOf(house, request),
      );
      if (dryRun === true) return measureReplay(platform, actor, webhook, input);
      return reply.code(202).send(await beginReplay(platform, actor, webhook, input));
    },
  );

  app.get(
    '/webhooks/:id/replays',
    {
      config: { access: 'webhooks.read' },
      schema: {
        tags,
        summary: 'Lists a webhook’s replays, newest first',
        params: IdParams,
        querystring: ListQuery,
        response: { 200: Page('replays', Replay) },
      },
    },
    async (request) => {
      const { id } = paramsOf(request, IdParams);
      const query = queryOf(request, ListQuery);
      const webhook = await findWebhookEver(platform.store, id, await scopeOf(house, request));
      if (webhook === null) throw new ApiError('not_found', `There is no webhook ${id}.`);
      const most = readLimit(query.limit);
      const before = query.cursor === undefined ? null : readCursor(query.cursor, /^rpl_[A-Za-z0-9_-]{21}$/);
      const rows = await listReplays(platform.store, webhook.tag, before, most + 1);
      const shown = rows.slice(0, most);
      const last = shown.at(-1);
      const next = rows.length > most && last !== undefined ? writeCursor(last.id) : null;
      return { replays: shown.map(showReplay), pagination: { count: shown.length, next } };
    },
  );

  app.get(
    '/replays/:id',
    {
      config: { access: 'webhooks.read' },
      schema: {
        tags,
        summary: 'Gets a replay: how far it has come',
        params: IdParams,
        querystring: TeamQuery,
        response: { 200: Replay },
      },
    },
    async (request) =>
      showReplay(await needReplay(platform, paramsOf(request, IdParams).id, await scopeOf(house, request))),
  );

  app.delete(
    '/replays/:id',
    {
      config: { access: 'webhooks.write' },
      schema: {
        tags,
        summary: 'Stops a replay; what it has made is sent',
        params: IdParams,
        querystring: TeamQuery,
        response: { 200: Replay },
      },
    },
    async (request) => {
      const replay = await needReplay(
        platform,
        paramsOf(request, IdParams).id,
        await scopeOf(house, request),
      );
      return showReplay(await stopReplay(platform, actorOf(request), replay));
    },
  );
};
