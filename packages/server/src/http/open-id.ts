// The doors of signing in with the OpenID provider: there and back. Both answer with a redirect, so what goes wrong
// is told to the sign-in page as a code.
import type { FastifyReply } from 'fastify';
import { AuthorizationResponseError } from 'openid-client';
import type { Logger } from 'pino';
import { Type } from 'typebox';
import { ApiError } from '../errors.ts';
import { type IdentityRefusal, signInByIdentity } from '../platform/identities.ts';
import { needInvited } from '../platform/invitations.ts';
import { flowMs } from '../platform/open-id.ts';
import { demandTry } from '../platform/throttle.ts';
import type { Door } from './app.ts';
import { addressOf, bodyOf } from './context.ts';
import { readCookie, writeCookie } from './cookies.ts';
import { pageHeaders } from './dashboard.ts';
import { refuseForeignPage } from './same-origin.ts';
import { arrivalOf, openIdStartPath, SignInToken, welcome } from './sign-in.ts';

const callbackPath = '/app/oidc/callback';
const flowCookie = 'posthorn_openid';
const invitationCookie = 'posthorn_invitation';
const cookieScope = { path: '/app/oidc', maxAgeMs: flowMs };

/** What the sign-in page is told when it did not work. */
type Failure =
  | IdentityRefusal
  | 'oidc_off'
  | 'oidc_state'
  | 'oidc_failed'
  | 'access_denied'
  | 'too_many_tries';

const Body = Type.Object({ token: SignInToken });
const Answer = Type.Object({ url: Type.String() });
const StartQuery = Type.Object({ next: Type.Optional(Type.String({ maxLength: 500 })) });

/** A path below /app, as the dashboard means it: never another site's. */
const readNext = (next: string | undefined): string | null =>
  next !== undefined && /^\/(?![/\\])[\x21-\x7e]*$/.test(next) ? next : null;

export const openIdDoor =
  (logger: Logger): Door =>
  (app, house) => {
    const { openId, platform } = house;
    const config = { access: 'public', version: '' } as const;
    const cookie = (name: string, value: string | null) =>
      writeCookie(house.publicUrl(), name, value, cookieScope);

    function leave(reply: FastifyReply, path: string) {
      return reply.headers(pageHeaders).header('cache-control', 'no-store').redirect(path, 302);
    }
    function fail(reply: FastifyReply, code: Failure, next: string | null | undefined = null) {
      const query = new URLSearchParams({ error: code, ...(typeof next === 'string' ? { next } : {}) });
      return leave(reply, `/app/sign-in?${query.toString()}`);
    }
    function note(error: unknown, doing: string) {
      const { name, code } = error as { name?: string; code?: string };
      const reason = error instanceof Error ? error.message : String(error);
      logger.warn({ doing, name, code, reason }, 'the OpenID provider could not be used');
    }

    app.post(
      '/invitations/oidc',
      {
        config: { access: 'public' },
        schema: {
          tags: ['invitations'],
          summary: 'Keeps an invitation for the way to the OpenID provider and back',
          security: [],
          body: Body,
          response: { 200: Answer },
        },
      },
      async (request, reply) => {
        refuseForeignPage(request, house.publicUrl());
        const { token } = bodyOf(request, Body);
        await needInvited(platform, token);
        reply.header('set-cookie', cookie(invitationCookie, token)).header('cache-control', 'no-store');
        return { url: openIdStartPath };
      },
    );

    app.get(
      openIdStartPath,
      { config, schema: { hide: true, querystring: StartQuery } },
      async (request, reply) => {
        const next = readNext((request.query as { next?: string }).next);
        if (openId === null) return fail(reply, 'oidc_off', next);
        const invitation = readCookie(request, invitationCookie);
        try {
          const { url, flow } = await openId.begin(house.publicUrl() + callbackPath, { invitation, next });
          reply.header('set-cookie', [cookie(flowCookie, flow), cookie(invitationCookie, null)]);
          return leave(reply, url);
        } catch (error) {
          note(error, 'beginning');
          return fail(reply, 'oidc_failed', next);
        }
      },
    );

    app.get(callbackPath, { config, schema: { hide: true } }, async (request, reply) => {
      if (openId === null) return fail(reply, 'oidc_off');
      // Whatever comes of it, the way back is gone once.
      reply.header('set-cookie', cookie(flowCookie, null));
      const flow = openId.readFlow(readCookie(request, flowCookie));
      const { state } = request.query as { state?: unknown };
      // Another browser's way back, or one that a later beginning has replaced.
      if (flow === null || state !== flow.state) return fail(reply, 'oidc_state', flow?.next);
      const address = addressOf(request);
      try {
        await demandTry(platform, { account: null, address });
        const identity = await openId.finish(flow, new URL(house.publicUrl() + request.originalUrl));
        const arrival = await arrivalOf(house, request, 'openid');
        const outcome = await signInByIdentity(platform, identity, flow.invitation, arrival);
        if (outcome.kind === 'refused') return fail(reply, outcome.code, flow.next);
        welcome(house, reply, outcome);
        return leave(reply, `/app${flow.next ?? '/'}`);
      } catch (error) {
        return fail(reply, failureOf(error), flow.next);
      }
    });

    function failureOf(error: unknown): Failure {
      if (error instanceof ApiError && error.code === 'rate_limited') return 'too_many_tries';
      if (error instanceof AuthorizationResponseError && error.error === 'access_denied')
        return 'access_denied';
      note(error, 'ending');
      return 'oidc_failed';
    }
  };
