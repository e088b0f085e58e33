// The door of account webhooks: Vercel's four calls, and Posthorn's own beside them.
import Type from 'typebox';
import { ApiError } from '../errors.ts';
import {
  createWebhook,
  deleteWebhook,
  needWebhook,
  patchWebhook,
  rotateSecret,
  testWebhook,
  type WebhookGuard,
} from '../platform/webhooks.ts';
import { findProjectNames, listWebhooks, type WebhookRow } from '../store/control/webhooks.ts';
import type { Door } from './app.ts';
import { actorOf, bodyOf, paramsOf, queryOf, scopeOf, teamOf } from './context.ts';
import { TeamQuery } from './schemas.ts';

const ProjectIds = Type.Union([
  Type.Array(Type.String({ pattern: '^[a-zA-Z0-9_-]+$', minLength: 1, maxLength: 128 }), { maxItems: 200 }),
  Type.Null(),
]);
const Events = Type.Array(Type.String({ maxLength: 128 }), { maxItems: 500 });
const Url = Type.String({ maxLength: 8_192 });

const Webhook = Type.Object({
  id: Type.String(),
  url: Type.String(),
  events: Type.Array(Type.String()),
  ownerId: Type.String(),
  createdAt: Type.Number(),
  updatedAt: Type.Number(),
  projectIds: Type.Optional(Type.Array(Type.String())),
  enabled: Type.Boolean(),
  ordering: Type.String(),
  maxConcurrency: Type.Union([Type.Number(), Type.Null()]),
  ratePerSecond: Type.Union([Type.Number(), Type.Null()]),
});
const ProjectMetadata = Type.Object({
  id: Type.String(),
  name: Type.String(),
  framework: Type.Union([Type.String(), Type.Null()]),
});
const ListedWebhook = Type.Object({
  ...Webhook.properties,
  projectsMetadata: Type.Union([Type.Array(ProjectMetadata), Type.Null()]),
});
const CreatedWebhook = Type.Object({ ...Webhook.properties, secret: Type.String() });
const IdParams = Type.Object({ id: Type.String() });

const CreateBody = Type.Object({ url: Url, events: Events, projectIds: Type.Optional(ProjectIds) });
const PatchBody = Type.Object({
  url: Type.Optional(Url),
  events: Type.Optional(Events),
  projectIds: Type.Optional(ProjectIds),
  enabled: Type.Optional(Type.Boolean()),
  ordering: Type.Optional(Type.Union([Type.Literal('none'), Type.Literal('project'), Type.Literal('all')])),
  maxConcurrency: Type.Optional(Type.Union([Type.Integer({ minimum: 1, maximum: 1_000 }), Type.Null()])),
  ratePerSecond: Type.Optional(Type.Union([Type.Number({ minimum: 0.01, maximum: 100_000 }), Type.Null()])),
});
const ListQuery = Type.Object({
  ...TeamQuery.properties,
  projectId: Type.Optional(Type.String({ maxLength: 128 })),
});
const TestBody = Type.Union([
  Type.Object({ type: Type.Optional(Type.String({ maxLength: 128 })) }),
  Type.Null(),
]);
const RotateBody = Type.Union([
  Type.Object({ overlap: Type.Optional(Type.Integer({ minimum: 0, maximum: 30 * 24 * 3600 })) }),
  Type.Null(),
]);

/** @param guard what judges the addresses that webhooks name */
export function webhooksDoor(guard: WebhookGuard): Door {
  return (app, house) => {
    const { platform } = house;
    const tags = ['webhooks'];

    /** Vercel's own clients each read `events` in their own way (CONTRACT, "HTTP"). */
    const show = async (webhook: WebhookRow, agent: string) => {
      const spelled = JSON.parse(webhook.events) as string[];
      await platform.catalogue.learn(spelled);
      const projectIds = JSON.parse(webhook.project_ids) as string[];
      return {
        id: webhook.id,
        url: webhook.url,
        events: eventsFor(agent, spelled),
        ownerId: webhook.team_id,
        createdAt: webhook.created_at,
        updatedAt: webhook.updated_at,
        ...(webhook.all_projects === 1 ? {} : { projectIds }),
        enabled: webhook.enabled === 1,
        ordering: webhook.ordering,
        maxConcurrency: webhook.max_concurrency,
        ratePerSecond: webhook.rate_per_second,
      };
    };
    const eventsFor = (agent: string, spelled: string[]): string[] => {
      if (agent.startsWith('terraform-provider-vercel/')) return spelled;
      const types = spelled.map((name) => platform.catalogue.find(name)).filter((type) => type !== null);
      const shown = agent.startsWith('speakeasy-sdk/') ? types.filter(({ builtIn }) => builtIn) : types;
      return [...new Set(shown.map(({ type }) => type))];
    };

    app.post(
      '/webhooks',
      {
        config: { access: 'webhooks.write' },
        schema: {
          tags,
          summary: 'Creates a webhook',
          querystring: TeamQuery,
          body: CreateBody,
          response: { 200: CreatedWebhook },
        },
      },
      async (request) => {
        const team = await teamOf(house, request);
        const input = bodyOf(request, CreateBody);
        const { webhook, secret } = await createWebhook(platform, guard, actorOf(request), team, input);
        return { ...(await show(webhook, request.headers['user-agent'] ?? '')), secret };
      },
    );

    app.get(
      '/webhooks',
      {
        config: { access: 'webhooks.read' },
        schema: {
          tags,
          summary: 'Lists a team’s webhooks',
          querystring: ListQuery,
          response: { 200: Type.Array(ListedWebhook) },
        },
      },
      async (request) => {
        const team = await teamOf(house, request);
        const webhooks = await listWebhooks(
          platform.store,
          team.id,
          queryOf(request, ListQuery).projectId ?? null,
        );
        const ids = new Set(webhooks.flatMap((webhook) => JSON.parse(webhook.project_ids) as string[]));
        const names = new Map(
          (await findProjectNames(platform.store, [...ids])).map((project) => [project.id, project]),
        );
        return Promise.all(
          webhooks.map(async (webhook) => {
            const projectIds = JSON.parse(webhook.project_ids) as string[];
            const known = projectIds.map((id) => names.get(id)).filter((project) => project !== undefined);
            return {
              ...(await show(webhook, request.headers['user-agent'] ?? '')),
              projectsMetadata: webhook.all_projects === 1 ? null : known,
            };
          }),
        );
      },
    );

    app.get(
      '/webhooks/:id',
      {
        config: { access: 'webhooks.read' },
        schema: {
          tags,
          summary: 'Gets a webhook',
          params: IdParams,
          querystring: TeamQuery,
          response: { 200: Webhook },
        },
      },
      async (request) => {
        const webhook = await needWebhook(
          platform,
          paramsOf(request, IdParams).id,
          await scopeOf(house, request),
        );
        return show(webhook, request.headers['user-agent'] ?? '');
      },
    );

    app.delete(
      '/webhooks/:id',
      {
        config: { access: 'webhooks.write' },
        schema: {
          tags,
          summary: 'Removes a webhook; what is pending is canceled',
          params: IdParams,
          querystring: TeamQuery,
          response: { 204: Type.Null() },
        },
      },
      async (request, reply) => {
        const webhook = await needWebhook(
          platform,
          paramsOf(request, IdParams).id,
          await scopeOf(house, request),
        );
        await deleteWebhook(platform, actorOf(request), webhook);
        return reply.code(204).send();
      },
    );

    app.patch(
      '/webhooks/:id',
      {
        config: { access: 'webhooks.write' },
        schema: {
          tags,
          summary: 'Changes a webhook',
          params: IdParams,
          querystring: TeamQuery,
          body: PatchBody,
          response: { 200: Webhook },
        },
      },
      async (request) => {
        const patch = bodyOf(request, PatchBody);
        if (Object.keys(patch).length === 0)
          throw new ApiError('bad_request', 'Say what to change, for example url, events or enabled.');
        const webhook = await needWebhook(
          platform,
          paramsOf(request, IdParams).id,
          await scopeOf(house, request),
        );
        const changed = await patchWebhook(platform, guard, actorOf(request), webhook, patch);
        return show(changed, request.headers['user-agent'] ?? '');
      },
    );

    app.post(
      '/webhooks/:id/test',
      {
        config: { access: 'webhooks.write' },
        schema: {
          tags,
          summary: 'Sends a test event to this webhook alone',
          params: IdParams,
          querystring: TeamQuery,
          body: TestBody,
          response: { 202: Type.Object({ id: Type.String() }) },
        },
      },
      async (request, reply) => {
        const webhook = await needWebhook(
          platform,
          paramsOf(request, IdParams).id,
          await scopeOf(house, request),
        );
        const id = await testWebhook(platform, actorOf(request), webhook, bodyOf(request, TestBody)?.type);
        return reply.code(202).send({ id });
      },
    );

    app.post(
      '/webhooks/:id/rotate-secret',
      {
        config: { access: 'webhooks.write' },
        schema: {
          tags,
          summary: 'Gives the webhook a new secret',
          params: IdParams,
          querystring: TeamQuery,
          body: RotateBody,
          response: { 200: Type.Object({ secret: Type.String() }) },
        },
      },
      async (request) => {
        const webhook = await needWebhook(
          platform,
          paramsOf(request, IdParams).id,
          await scopeOf(house, request),
        );
        const overlap = bodyOf(request, RotateBody)?.overlap ?? 0;
        return { secret: await rotateSecret(platform, actorOf(request), webhook, overlap) };
      },
    );
  };
}
