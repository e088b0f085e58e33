// Builds the HTTP server: bodies, errors, doors. The doors themselves are one file per resource beside this one.
import { STATUS_CODES } from 'node:http';
import swagger from '@fastify/swagger';
import { Ajv } from 'ajv';
import formats from 'ajv-formats';
import fastify, { type FastifyError, type FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import type { Clock } from '../clock.ts';
import { ApiError, type ErrorCode, errorCodes } from '../errors.ts';
import { newAlphanumeric } from '../id.ts';
import { StoreUnavailable } from '../store/errors.ts';
import type { RequestNews } from '../telemetry.ts';
import { guardRoutes } from './auth.ts';
import type { House } from './context.ts';
import { readJson } from './json.ts';
import { limitCalls } from './limits.ts';

/** While it closes, the server looks this often for connections that have become idle. */
const idleLookMs = 20;

/** A door: registers the routes of one resource. */
export type Door = (app: FastifyInstance, house: House) => void;

export interface AppOptions {
  house: House;
  logger: Logger;
  doors: Door[];
  version: string;
  /** Hears of every answer. */
  onResponse(news: RequestNews): void;
}

/** Builds the server; nothing listens yet. */
export async function buildApp({
  house,
  logger,
  doors,
  version,
  onResponse,
}: AppOptions): Promise<FastifyInstance> {
  const { settings } = house.platform;
  const nextRequestId = requestIds();
  const app = fastify({
    logger: false,
    bodyLimit: settings.maxRequestBytes,
    trustProxy: settings.trustedProxies,
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: 500, ignoreTrailingSlash: true },
    keepAliveTimeout: 75_000,
    requestTimeout: 120_000,
    rewriteUrl: (request) => stripVersion(request.url ?? '/'),
    genReqId: () => nextRequestId(),
    return503OnClosing: false,
    // What Fastify refuses before there is a route: an address that can't be decoded.
    frameworkErrors: (error, _request, reply) => {
      const code = error.statusCode === 414 ? 'uri_too_long' : 'bad_request';
      const body = JSON.stringify(refusal(code, 'The address of the request is malformed or too long.'));
      reply.raw.writeHead(errorCodes[code].status, { 'content-type': 'application/json' }).end(body);
    },
    // What Node refuses before there is a request.
    clientErrorHandler(error, socket) {
      if (!socket.writable) {
        socket.destroy();
        return;
      }
      const code = error.code === 'HPE_HEADER_OVERFLOW' ? 'headers_too_large' : 'bad_request';
      const { status } = errorCodes[code];
      const body = JSON.stringify(
        refusal(code, 'The request is not valid HTTP/1.1, or its headers are too large.'),
      );
      socket.end(
        `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
      );
    },
  });

  closeWhatFallsIdle(app, house.platform.clock);
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    /^application\/(?:[\w.+-]+\+)?json(?:\s*;.*)?$/i,
    { parseAs: 'buffer' },
    (_request, body, done) => {
      try {
        done(null, readJson(body as Buffer, settings.maxJsonDepth));
      } catch (error) {
        done(error as Error);
      }
    },
  );

  // Bodies are never coerced; queries and paths are text and have to be.
  const strict = formats.default(
    new Ajv({ coerceTypes: false, removeAdditional: false, allErrors: false, strict: false }),
  );
  const coercing = formats.default(
    new Ajv({ coerceTypes: true, removeAdditional: false, allErrors: false, strict: false }),
  );
  app.setValidatorCompiler(({ schema, httpPart }) =>
    (httpPart === 'body' ? strict : coercing).compile(schema as object),
  );

  app.addHook('onResponse', (request, reply, done) => {
    onResponse({
      requestId: request.id,
      method: request.method,
      route: request.routeOptions.url ?? 'unknown',
      status: reply.statusCode,
      ms: reply.elapsedTime,
      tokenId: request.actor?.tokenId ?? null,
      teamId: request.actor?.teamId ?? null,
    });
    done();
  });

  app.setErrorHandler((error: FastifyError, request, reply) => {
    const answer = asApiError(error, request.body === undefined);
    // Closing at once would reset the connection under a client that is still sending, and take the answer with it:
    // what is left of the body is read and thrown away.
    if (answer.status === 413) reply.removeHeader('connection');
    if (answer.status >= 500)
      logger.error({ err: error, requestId: request.id, url: request.url }, 'request failed');
    return reply
      .code(answer.status)
      .headers(answer.headers)
      .send(refusal(answer.code, answer.message, answer.detail));
  });
  app.setNotFoundHandler({ preHandler: [] }, (request, reply) =>
    reply
      .code(404)
      .send(refusal('not_found', `There is no ${request.method} ${request.originalUrl.split('?')[0]}.`)),
  );

  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Posthorn',
        version,
        description: 'Vercel’s webhooks system as software anyone can run.',
      },
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
      security: [{ token: [] }],
    },
    transform: ({ schema, url, route }) => ({
      schema: schema as never,
      url: withVersion(url, route.config?.version),
    }),
  });
  guardRoutes(app, house);
  limitCalls(app, house);
  for (const door of doors) door(app, house);
  return app;
}

/** An error in Vercel's form. */
const refusal = (code: ErrorCode, message: string, detail: Record<string, unknown> = {}) => ({
  error: { code, message, ...detail },
});

/** While the server closes, connections whose request was still under way are closed once they are idle. */
function closeWhatFallsIdle(app: FastifyInstance, clock: Clock): void {
  app.addHook('preClose', (done) => {
    let isClosed = false;
    app.server.once('close', () => {
      isClosed = true;
    });
    const look = () => {
      if (isClosed) return;
      app.server.closeIdleConnections();
      clock.after(idleLookMs, look);
    };
    look();
    done();
  });
}

/** `/v9/projects` and `/projects` are the same route; events keep theirs, for other versions mean other things. */
function stripVersion(url: string): string {
  const match = /^\/v\d{1,3}(\/.*)$/.exec(url);
  const rest = match?.[1];
  if (rest === undefined || /^\/events(?:[/?]|$)/.test(rest)) return url;
  return rest;
}

function withVersion(url: string, version: string | undefined): string {
  if (version === '' || url.startsWith('/v1/')) return url;
  return `/${version ?? 'v1'}${url}`;
}

/** Ids that are unique across nodes and restarts, and cost a counter each. */
function requestIds(): () => string {
  const prefix = newAlphanumeric(10);
  let count = 0;
  return () => {
    count += 1;
    return `req_${prefix}_${count.toString(36)}`;
  };
}

const codesByStatus: Record<number, ErrorCode> = {
  413: 'payload_too_large',
  414: 'uri_too_long',
  415: 'unsupported_media_type',
  431: 'headers_too_large',
};

function asApiError(error: FastifyError, bodyUnread: boolean): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof StoreUnavailable) {
    return new ApiError(
      'store_unavailable',
      'The store is not reachable, so nothing was acknowledged. Repeat the call; publish with an id of your own, so that a repeat is stored once.',
      { headers: { 'retry-after': '1' } },
    );
  }
  if (error.validation !== undefined) return new ApiError('bad_request', explainValidation(error));
  if (error.code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') {
    return new ApiError(
      'unsupported_media_type',
      'Send the body as JSON, with the header "Content-Type: application/json".',
    );
  }
  if (error.code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    return new ApiError(
      'payload_too_large',
      'The request is larger than POSTHORN_MAX_REQUEST_BYTES allows; send fewer or smaller events.',
    );
  }
  const status = error.statusCode ?? 500;
  if (status >= 400 && status < 500) {
    const code = codesByStatus[status] ?? 'bad_request';
    return errorCodes[code].status === status
      ? new ApiError(code, error.message)
      : new ApiError(
          'bad_request',
          bodyUnread ? `The request can't be read: ${error.message}.` : error.message,
        );
  }
  return new ApiError('internal_server_error', 'Something failed inside the server. Its log has the cause.');
}

function explainValidation(error: FastifyError): string {
  const first = error.validation?.[0];
  const part = error.validationContext === 'querystring' ? 'query' : (error.validationContext ?? 'body');
  if (first === undefined) return `The ${part} is malformed.`;
  const path = first.instancePath.replaceAll('/', '.').slice(1);
  const allowed = (first.params as { allowedValues?: unknown[] }).allowedValues;
  const choice = allowed === undefined ? '' : `: ${allowed.slice(0, 12).join(', ')}`;
  return `${path === '' ? `The ${part}` : `${part}.${path}`} ${first.message ?? 'is malformed'}${choice}.`;
}
