// Every door of the API, in the order of the OpenAPI document.
import type { WebhookGuard } from '../platform/webhooks.ts';
import type { Door } from './app.ts';
import { deliveriesDoor } from './deliveries.ts';
import { eventsDoor } from './events.ts';
import { type SystemSources, systemDoor } from './system.ts';
import { webhooksDoor } from './webhooks.ts';

export interface DoorParts {
  guard: WebhookGuard;
  system: SystemSources;
  /** The address that people reach this server at, for links. */
  publicUrl(): string;
}

export function doors({ guard, system }: DoorParts): Door[] {
  return [webhooksDoor(guard), eventsDoor, deliveriesDoor, systemDoor(system)];
}
