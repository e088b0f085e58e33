// The doors for operators and their machines: health, metrics, the OpenAPI document, and the way to the dashboard.
import { createHash, timingSafeEqual } from 'node:crypto';
import Type from 'typebox';
import { ApiError } from '../errors.ts';
import type { Door } from './app.ts';

export interface SystemSources {
  metrics(): Promise<{ contentType: string; text: string }>;
  /** Why this node should get no traffic now, null if it should. */
  unready(): Promise<string | null>;
  metricsToken: string | null;
}

const Health = Type.Object({ status: Type.String() });
const Unready = Type.Object({ status: Type.String(), reason: Type.String() });

export function systemDoor(sources: SystemSources): Door {
  return (app) => {
    const config = { access: 'public', version: '' } as const;
    const tags = ['system'];

    app.get(
      '/healthz',
      { config, schema: { tags, summary: 'The process answers', security: [], response: { 200: Health } } },
      () => ({
        status: 'ok',
      }),
    );

    app.get(
      '/readyz',
      {
        config,
        schema: {
          tags,
          summary: 'The node takes traffic',
          security: [],
          response: { 200: Health, 503: Unready },
        },
      },
      async (_request, reply) => {
        const reason = await sources.unready();
        return reason === null ? { status: 'ready' } : reply.code(503).send({ status: 'not ready', reason });
      },
    );

    app.get(
      '/metrics',
      { config, schema: { tags, summary: 'Prometheus metrics', security: [], produces: ['text/plain'] } },
      async (request, reply) => {
        const { metricsToken } = sources;
        if (metricsToken !== null && !sameToken(request.headers.authorization, metricsToken)) {
          throw new ApiError(
            'unauthorized',
            'Send the metrics token: the header "Authorization: Bearer <POSTHORN_METRICS_TOKEN>".',
          );
        }
        const { contentType, text } = await sources.metrics();
        return reply.type(contentType).send(text);
      },
    );

    app.get('/openapi.json', { config, schema: { hide: true } }, () => ({
      ...app.swagger(),
      webhooks: deliveryDocument,
    }));

    app.get('/', { config, schema: { hide: true } }, (request, reply) => {
      const { accept = '' } = request.headers;
      if (accept.includes('text/html')) return reply.redirect('/app/', 302);
      throw new ApiError('not_found', 'This is Posthorn’s API. /openapi.json lists its calls.');
    });
  };
}

function sameToken(header: string | undefined, token: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(header ?? ''), digest(`Bearer ${token}`));
}

/** What Posthorn sends, for the OpenAPI document's `webhooks`. */
const deliveryDocument = {
  delivery: {
    post: {
      summary: 'One event to one endpoint; any 2xx answer within the timeout is success.',
      parameters: [
        'x-vercel-signature',
        'webhook-id',
        'webhook-timestamp',
        'webhook-signature',
        'traceparent',
      ].map((name) => ({ name, in: 'header', required: true, schema: { type: 'string' } })),
      requestBody: {
        required: true,
        content: {
          'application/json': {
            schema: {
              type: 'object',
              required: ['id', 'type', 'createdAt', 'payload', 'region'],
              properties: {
                id: { type: 'string' },
                type: { type: 'string' },
                createdAt: { type: 'number', description: 'Epoch milliseconds.' },
                payload: { type: 'object' },
                region: { type: ['string', 'null'] },
              },
            },
          },
        },
      },
      responses: {
        '2XX': { description: 'Delivered.' },
        '410': { description: 'Failed for good; nothing more is tried.' },
      },
    },
  },
};
