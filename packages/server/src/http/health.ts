// The doors to figures: how a webhook is, a team's overview, and what each of its webhooks did lately.
import Type from 'typebox';
import { ranges, teamOverview, webhookActivity, webhookHealth } from '../platform/health.ts';
import { needWebhook } from '../platform/webhooks.ts';
import type { Door } from './app.ts';
import { paramsOf, queryOf, scopeOf, teamOf } from './context.ts';
import { Choice, NullableNumber, NullableText } from './fields.ts';
import { TeamQuery } from './schemas.ts';

const WindowHealth = Type.Object({
  delivered: Type.Number(),
  failed: Type.Number(),
  attempts: Type.Number(),
  successRate: NullableNumber,
  p50Ms: NullableNumber,
  p95Ms: NullableNumber,
});
const Health = Type.Object({
  state: Choice(['healthy', 'degraded', 'failing', 'idle', 'disabled'] as const),
  enabled: Type.Boolean(),
  windows: Type.Object({ '5m': WindowHealth, '1h': WindowHealth, '24h': WindowHealth }),
  backlog: Type.Number(),
  oldestPendingAt: NullableNumber,
  drainEtaMs: Type.Union([Type.Number(), Type.Null()], {
    description:
      'Until the backlog is empty at the present rate; 0 if it is, null if it does not become smaller.',
  }),
  breaker: Type.Object({ state: Choice(['closed', 'open', 'probing'] as const), until: NullableNumber }),
  failingSince: NullableNumber,
  autoDisabledAt: NullableNumber,
  lastSuccessAt: NullableNumber,
  lastFailure: Type.Union([
    Type.Object({
      at: Type.Number(),
      cause: Type.String(),
      status: NullableNumber,
      message: Type.String(),
    }),
    Type.Null(),
  ]),
  advice: NullableText,
});
const IdParams = Type.Object({ id: Type.String() });

const rangeNames = Object.keys(ranges) as (keyof typeof ranges)[];
const OverviewQuery = Type.Object({ ...TeamQuery.properties, range: Type.Optional(Choice(rangeNames)) });
const Overview = Type.Object({
  range: Type.String(),
  stepMs: Type.Number(),
  points: Type.Array(
    Type.Object({
      at: Type.Number(),
      accepted: Type.Number(),
      delivered: Type.Number(),
      failed: Type.Number(),
      attempts: Type.Number(),
      attemptsFailed: Type.Number(),
    }),
  ),
  totals: Type.Object({
    accepted: Type.Number(),
    delivered: Type.Number(),
    failed: Type.Number(),
    pending: Type.Number(),
  }),
  attention: Type.Array(
    Type.Object({
      webhookId: Type.String(),
      url: Type.String(),
      message: Type.String(),
      severity: Choice(['warning', 'error'] as const),
    }),
  ),
});
const Activity = Type.Object({
  webhooks: Type.Array(
    Type.Object({
      id: Type.String(),
      buckets: Type.Array(
        Type.Object({ at: Type.Number(), delivered: Type.Number(), failed: Type.Number() }),
      ),
      pending: Type.Number(),
      lastDeliveryAt: NullableNumber,
      lastState: NullableText,
    }),
  ),
  limit: Type.Number(),
  used: Type.Number(),
});

export const healthDoor: Door = (app, house) => {
  const { platform } = house;
  const config = { access: 'webhooks.read' } as const;

  app.get(
    '/webhooks/:id/health',
    {
      config,
      schema: {
        tags: ['webhooks'],
        summary: 'How a webhook is: success, latency, backlog, its last failure and what to do',
        params: IdParams,
        querystring: TeamQuery,
        response: { 200: Health },
      },
    },
    async (request) => {
      const { id } = paramsOf(request, IdParams);
      return webhookHealth(platform, await needWebhook(platform, id, await scopeOf(house, request)));
    },
  );

  app.get(
    '/overview',
    {
      config,
      schema: {
        tags: ['figures'],
        summary: 'A team’s events, deliveries and attempts over a range, and what wants attention',
        querystring: OverviewQuery,
        response: { 200: Overview },
      },
    },
    async (request) => {
      const team = await teamOf(house, request);
      return teamOverview(platform, team.id, queryOf(request, OverviewQuery).range ?? 'hour');
    },
  );

  app.get(
    '/webhook-activity',
    {
      config,
      schema: {
        tags: ['figures'],
        summary: 'What each of a team’s webhooks did in the last 24 hours',
        querystring: TeamQuery,
        response: { 200: Activity },
      },
    },
    async (request) => webhookActivity(platform, await teamOf(house, request)),
  );
};
