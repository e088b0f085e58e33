// What a role may do, so that what it may not do is not offered. The API decides all the same.
import type { Role } from '../api/types.ts';

const readers: Role[] = ['OWNER', 'MEMBER', 'DEVELOPER', 'SECURITY', 'BILLING', 'VIEWER'];
const builders: Role[] = ['OWNER', 'MEMBER', 'DEVELOPER'];

const roles = {
  'webhooks.read': readers,
  'webhooks.write': ['OWNER', 'MEMBER'],
  'projects.write': builders,
  'variables.values': builders,
  'variables.write': builders,
  'members.write': ['OWNER'],
  'tokens.write': ['OWNER'],
  // Publishing by hand and running the server are the operator's.
  'events.publish': [],
  operate: [],
} as const satisfies Record<string, readonly Role[]>;

export type Permission = keyof typeof roles;

export function may(role: Role, isOperator: boolean, permission: Permission): boolean {
  return isOperator || (roles[permission] as readonly Role[]).includes(role);
}

/** The roles that may, in words: "Owner or Member". */
export function whoMay(permission: Permission): string {
  const names = roles[permission].map((role) => role.charAt(0) + role.slice(1).toLowerCase());
  return names.length === 0 ? 'the operator' : names.join(' or ');
}
