// What each role is called and may do, for those who choose one.
import type { Role } from '../../api/types.ts';

export const roleOptions = [
  { value: 'OWNER', label: 'Owner' },
  { value: 'MEMBER', label: 'Member' },
  { value: 'DEVELOPER', label: 'Developer' },
  { value: 'SECURITY', label: 'Security' },
  { value: 'BILLING', label: 'Billing' },
  { value: 'VIEWER', label: 'Viewer' },
];

const reads = 'Reads everything but the values of variables.';

export const roleHints: Record<Role, string> = {
  OWNER: 'Everything in the team, its members and tokens included.',
  MEMBER: 'Webhooks, with test, redeliver, replay and rotate; projects and variables.',
  DEVELOPER: 'Reads webhooks and deliveries; projects and variables.',
  SECURITY: reads,
  BILLING: reads,
  VIEWER: reads,
  PUBLISHER: 'Publishes events, nothing else.',
};
