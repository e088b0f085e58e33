// Every door of the API, in the order of the OpenAPI document.
import type { Logger } from 'pino';
import type { UrlChecker } from '../engine/url-check.ts';
import type { WebhookGuard } from '../platform/webhooks.ts';
import type { Door } from './app.ts';
import { checkUrlDoor } from './check-url.ts';
import { dashboardDoor } from './dashboard.ts';
import { deliveriesDoor } from './deliveries.ts';
import { eventTypesDoor } from './event-types.ts';
import { eventsDoor } from './events.ts';
import { healthDoor } from './health.ts';
import { invitationsDoor } from './invitations.ts';
import { membersDoor } from './members.ts';
import { openIdDoor } from './open-id.ts';
import type { Pages } from './pages.ts';
import { projectsDoor } from './projects.ts';
import { replaysDoor } from './replays.ts';
import { type ServerSources, serverDoor } from './server.ts';
import { sessionsDoor } from './sessions.ts';
import { signInDoor } from './sign-in.ts';
import { signInLinksDoor } from './sign-in-links.ts';
import { streamDoor } from './stream.ts';
import { type SystemSources, systemDoor } from './system.ts';
import { teamsDoor } from './teams.ts';
import { tokensDoor } from './tokens.ts';
import { userDoor } from './user.ts';
import { variablesDoor } from './variables.ts';
import { webhooksDoor } from './webhooks.ts';

export interface DoorParts {
  logger: Logger;
  /** The dashboard's build; null where there is none. */
  pages: Pages | null;
  guard: WebhookGuard;
  urlChecker: UrlChecker;
  system: SystemSources;
  server: ServerSources;
}

export function doors({ logger, guard, urlChecker, pages, system, server }: DoorParts): Door[] {
  return [
    webhooksDoor(guard),
    checkUrlDoor(urlChecker),
    eventsDoor,
    deliveriesDoor,
    replaysDoor,
    healthDoor,
    streamDoor,
    eventTypesDoor,
    projectsDoor,
    variablesDoor,
    teamsDoor,
    membersDoor,
    invitationsDoor,
    tokensDoor,
    userDoor,
    signInDoor,
    sessionsDoor,
    signInLinksDoor,
    openIdDoor(logger),
    serverDoor(server),
    systemDoor(system),
    dashboardDoor(pages),
  ];
}
