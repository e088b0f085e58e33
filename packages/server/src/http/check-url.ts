// The door of a form's question: would this URL be taken as a webhook's? Throttled, since it asks name servers.
import Type from 'typebox';
import type { UrlChecker } from '../engine/url-check.ts';
import type { Door } from './app.ts';
import { actorOf, bodyOf, teamOf } from './context.ts';
import { TeamQuery } from './schemas.ts';
import { Throttle } from './throttle.ts';

/** A person who types into a form asks once for each pause; a team has several people. */
const perCaller = { burst: 20, everyMs: 2_000 };
const perTeam = { burst: 60, everyMs: 1_000 };

const Body = Type.Object({ url: Type.String({ maxLength: 8_192 }) });
const Answer = Type.Object({
  ok: Type.Boolean(),
  code: Type.Optional(Type.String()),
  message: Type.Optional(Type.String()),
});

/** @param checker what judges the URL */
export function checkUrlDoor(checker: UrlChecker): Door {
  return (app, house) => {
    const { clock } = house.platform;
    const callers = new Throttle(clock, perCaller);
    const teams = new Throttle(clock, perTeam);
    app.post(
      '/check-url',
      {
        config: { access: 'webhooks.write' },
        schema: {
          tags: ['webhooks'],
          summary:
            'Tells whether a URL would be taken as a webhook’s, and whether its name has an address now',
          description: 'Nothing is sent to the URL. At most 30 calls a minute, 20 of them at once.',
          querystring: TeamQuery,
          body: Body,
          response: { 200: Answer },
        },
      },
      async (request) => {
        const team = await teamOf(house, request);
        const { userId, tokenId } = actorOf(request);
        callers.take(userId ?? tokenId);
        teams.take(team.id);
        return checker.check(bodyOf(request, Body).url);
      },
    );
  };
}
