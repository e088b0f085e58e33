// Users: the person behind a token, or, for a token that belongs to nobody, a user of the token's own, so that
// Vercel's clients always find one.
import { createHash } from 'node:crypto';
import { newUserId } from '../id.ts';
import type { Row } from '../store/control/tables.ts';
import { findUser } from '../store/control/users.ts';
import type { Store } from '../store/store.ts';
import type { Actor } from './actor.ts';

export interface UserView {
  id: string;
  email: string;
  username: string;
  name: string | null;
  createdAt: number | null;
}

/** The id of the caller's user: 24 letters and digits, always the same for one token. */
export function userIdOf(actor: Pick<Actor, 'userId' | 'tokenId'>): string {
  if (actor.userId !== null) return actor.userId;
  const own = /^tok_([A-Za-z0-9]{24})$/.exec(actor.tokenId)?.[1];
  return own ?? createHash('sha256').update(actor.tokenId).digest('hex').slice(0, 24);
}

/** Who the caller is. */
export async function whoIs(store: Store, actor: Actor): Promise<UserView> {
  const user = actor.userId === null ? null : await findUser(store, 'id', actor.userId);
  if (user !== null) {
    const { id, email, username, name } = user;
    return { id, email, username, name, createdAt: user.created_at };
  }
  const username = asUsername(actor.name);
  return {
    id: userIdOf(actor),
    // `.invalid` is reserved (RFC 2606): nobody can own the address.
    email: `${username}@posthorn.invalid`,
    username,
    name: actor.name,
    createdAt: null,
  };
}

/** A new user for an e-mail address, not stored yet. */
export function newUser(email: string, now: number): Row<'users'> {
  const address = email.toLowerCase();
  const username = asUsername(address.split('@')[0] ?? '');
  return { id: newUserId(), email: address, username, name: null, created_at: now };
}

/** Lower-case letters, digits and hyphens, at least one and at most 48. */
function asUsername(text: string): string {
  const name = text
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, 48)
    .replaceAll(/^-|-$/g, '');
  return name === '' ? 'user' : name;
}
