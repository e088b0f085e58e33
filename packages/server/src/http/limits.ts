// The rate limit of API calls, of each token and session, where one is set. Publishing has a quota of its own.
import type { FastifyInstance } from 'fastify';
import type { ApiError } from '../errors.ts';
import { limitHeaders } from '../platform/quotas.ts';
import type { House } from './context.ts';

export function limitCalls(app: FastifyInstance, house: House): void {
  if (house.platform.settings.callsPerMinute === 0) return;
  app.addHook('onRequest', (request, reply, done) => {
    const { actor, routeOptions } = request;
    // Callers without a token are refused or served by the door itself.
    if (actor === null || routeOptions.config.access === 'events.publish') {
      done();
      return;
    }
    try {
      const state = house.quotas.admitCall(actor.tokenId);
      if (state !== null) reply.headers(limitHeaders(state, house.platform.clock.now()));
      done();
    } catch (error) {
      done(error as ApiError);
    }
  });
}
