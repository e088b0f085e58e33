// The door: finds out whose token it is and whether its role may use the route, before anything of the body is read.
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { ApiError } from '../errors.ts';
import { demand } from '../platform/actor.ts';
import type { House } from './context.ts';

export function guardRoutes(app: FastifyInstance, house: House): void {
  app.decorateRequest('actor', null);
  app.addHook('onRoute', (route) => {
    if (route.config?.access === undefined)
      throw new Error(`The route ${route.url} does not say who may use it.`);
  });
  app.addHook('onRequest', (request, _reply, done) => {
    const access = request.routeOptions.config.access ?? 'token';
    if (access === 'public') {
      done();
      return;
    }
    let token: string;
    try {
      token = readBearer(request);
    } catch (error) {
      done(error as ApiError);
      return;
    }
    const admit = (known: Omit<NonNullable<FastifyRequest['actor']>, 'address'> | null) => {
      if (known === null)
        throw new ApiError('forbidden', 'The token is unknown, revoked or expired. Create another one.');
      request.actor = { ...known, address: request.ip };
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

function readBearer(request: FastifyRequest): string {
  const header = request.headers.authorization;
  const token = header === undefined ? null : /^Bearer +([A-Za-z0-9_.-]{1,200})$/i.exec(header);
  if (token === null) {
    throw new ApiError('unauthorized', 'Send a token: the header "Authorization: Bearer <token>".');
  }
  return token[1] as string;
}
