// The door: finds out whose token or session it is and whether its role may use the route, before anything of the
// body is read. A request that has both a token and a cookie is the token's.
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { ApiError } from '../errors.ts';
import { type Actor, demand } from '../platform/actor.ts';
import { actorIn, personOf, type Session } from '../platform/sessions.ts';
import { type Access, addressOf, type House } from './context.ts';
import { readSessionCookie, writeSessionCookie } from './cookies.ts';
import { demandOwnPage, isSafe } from './same-origin.ts';

export function guardRoutes(app: FastifyInstance, house: House): void {
  app.decorateRequest('actor', null);
  app.decorateRequest('session', null);
  app.addHook('onRoute', (route) => {
    if (route.config?.access === undefined)
      throw new Error(`The route ${route.url} does not say who may use it.`);
  });
  app.addHook('onRequest', (request, reply, done) => {
    const access = request.routeOptions.config.access ?? 'token';
    if (access === 'public') {
      done();
      return;
    }
    const cookie = request.headers.authorization === undefined ? readSessionCookie(request) : null;
    if (cookie !== null) {
      reply.header('cache-control', 'no-store');
      admitSession(house, request, access, cookie).then(() => done(), done);
      return;
    }
    let token: string;
    try {
      token = readBearer(request);
    } catch (error) {
      done(error as ApiError);
      return;
    }
    const admit = (known: Omit<Actor, 'address'> | null) => {
      if (known === null)
        throw new ApiError('forbidden', 'The token is unknown, revoked or expired. Create another one.');
      if (access === 'session')
        throw new ApiError('forbidden', 'This call is for people who signed in; a token has no session.');
      request.actor = { ...known, address: addressOf(request) };
      if (access !== 'token') demand(request.actor, access);
    };
    const found = house.tokens.find(token);
    if (found instanceof Promise) {
      found.then(admit).then(() => done(), done);
      return;
    }
    try {
      admit(found);
    } catch (error) {
      done(error as ApiError);
      return;
    }
    done();
  });
}

/** @throws ApiError unauthorized when the session has ended, forbidden when the call is not for it */
async function admitSession(
  house: House,
  request: FastifyRequest,
  access: Exclude<Access, 'public'>,
  cookie: string,
): Promise<void> {
  const publicUrl = house.publicUrl();
  if (!isSafe(request)) demandOwnPage(request, publicUrl);
  const session = await house.sessions.find(cookie);
  if (session === null) {
    const headers = { 'set-cookie': writeSessionCookie(publicUrl, null) };
    throw new ApiError('unauthorized', 'The session has ended. Sign in again.', { headers });
  }
  request.session = session;
  if (access === 'session') {
    request.actor = personOf(session, addressOf(request));
    return;
  }
  const { idOrSlug } = request.params as { idOrSlug?: string };
  const isTeamPath = request.routeOptions.url?.startsWith('/teams/:idOrSlug') === true;
  const query = request.query as { teamId?: string; slug?: string };
  request.actor = {
    ...actorIn(session, query, isTeamPath ? idOrSlug : undefined),
    address: addressOf(request),
  };
  if (access !== 'token') demand(request.actor, access);
}

/** Whether the caller of a request that is still being answered would be let in now. */
export async function isStillAdmitted(house: House, request: FastifyRequest): Promise<boolean> {
  const access = request.routeOptions.config.access ?? 'token';
  if (access === 'public') return true;
  try {
    const cookie = request.headers.authorization === undefined ? readSessionCookie(request) : null;
    if (cookie !== null) {
      await admitSession(house, request, access, cookie);
      return true;
    }
    const known = await house.tokens.find(readBearer(request));
    if (known === null) return false;
    if (access !== 'token' && access !== 'session') demand({ ...known, address: null }, access);
    return true;
  } catch (error) {
    if (error instanceof ApiError) return false;
    throw error;
  }
}

/** Whose page calls on a public route: the session of its cookie, null without one. */
export async function visitorOf(house: House, request: FastifyRequest): Promise<Session | null> {
  const cookie = readSessionCookie(request);
  return cookie === null ? null : house.sessions.find(cookie);
}

function readBearer(request: FastifyRequest): string {
  const header = request.headers.authorization;
  const token = header === undefined ? null : /^Bearer +([A-Za-z0-9_.-]{1,200})$/i.exec(header);
  if (token === null) {
    throw new ApiError('unauthorized', 'Send a token: the header "Authorization: Bearer <token>".');
  }
  return token[1] as string;
}
