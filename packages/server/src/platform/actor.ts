// Who is calling, and what their role may do: CONTRACT's table of roles, in one place.
import { ApiError } from '../errors.ts';

export type Role =
  | 'OPERATOR'
  | 'OWNER'
  | 'MEMBER'
  | 'DEVELOPER'
  | 'SECURITY'
  | 'BILLING'
  | 'VIEWER'
  | 'PUBLISHER';

export interface Actor {
  /** The id of the token, or of the session. */
  tokenId: string;
  /** The token's or the person's name, for people who read logs and audit records. */
  name: string;
  role: Role;
  /** The one team this call can be for; null for the operator and for publishers of every team. */
  teamId: string | null;
  userId: string | null;
  /** The network address the call came from, null for what Posthorn does by itself. */
  address: string | null;
}

const readers: Role[] = ['OPERATOR', 'OWNER', 'MEMBER', 'DEVELOPER', 'SECURITY', 'BILLING', 'VIEWER'];
const builders: Role[] = ['OPERATOR', 'OWNER', 'MEMBER', 'DEVELOPER'];

/** Each permission, who has it, and what it is called in a refusal. */
export const permissions = {
  'webhooks.read': { roles: readers, does: 'read webhooks, events and deliveries' },
  'webhooks.write': { roles: ['OPERATOR', 'OWNER', 'MEMBER'], does: 'change webhooks' },
  'projects.read': { roles: readers, does: 'read projects' },
  'projects.write': { roles: builders, does: 'change projects' },
  'variables.read': { roles: readers, does: 'list environment variables' },
  'variables.values': { roles: builders, does: 'read the values of environment variables' },
  'variables.write': { roles: builders, does: 'change environment variables' },
  'teams.read': { roles: [...readers, 'PUBLISHER'], does: 'read the team' },
  'members.read': { roles: readers, does: 'read the team’s members' },
  'members.write': { roles: ['OPERATOR', 'OWNER'], does: 'change members' },
  'tokens.write': { roles: ['OPERATOR', 'OWNER'], does: 'create and revoke tokens' },
  'events.publish': { roles: ['OPERATOR', 'PUBLISHER'], does: 'publish events' },
  operate: { roles: ['OPERATOR'], does: 'run this server' },
} as const satisfies Record<string, { roles: readonly Role[]; does: string }>;

export type Permission = keyof typeof permissions;

export function may(actor: Actor, permission: Permission): boolean {
  return (permissions[permission].roles as readonly Role[]).includes(actor.role);
}

/** @throws ApiError forbidden, with a sentence that says which role could */
export function demand(actor: Actor, permission: Permission): void {
  if (may(actor, permission)) return;
  const { roles, does } = permissions[permission];
  const able = roles.map((role) => (role === 'OPERATOR' ? 'the operator' : role));
  throw new ApiError('forbidden', `The role ${actor.role} may not ${does}; ${listWords(able)} may.`);
}

function listWords(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
}
