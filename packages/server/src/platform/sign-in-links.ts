// Sign-in links: made by the operator, used once, by a click. The token stands in the address's fragment, which no
// server on the way gets to see; only its hash is stored.
import { newSignInToken } from '../id.ts';
import { insertSignInLink } from '../store/control/sign-in-links.ts';
import { type Actor, demand } from './actor.ts';
import { needSignInUser } from './members.ts';
import { commit, type Platform } from './platform.ts';
import { hashSignInToken } from './sessions.ts';

const lifetimeMs = 15 * 60_000;

/**
 * @param publicUrl the address that people reach the dashboard at
 * @param userId whose link it is; left out, the first owner of the team `default`
 */
export async function createSignInLink(
  platform: Platform,
  actor: Actor,
  publicUrl: string,
  userId: string | undefined,
): Promise<{ url: string; expiresAt: number }> {
  demand(actor, 'operate');
  const subject = await needSignInUser(platform, userId);
  const at = platform.clock.now();
  const expiresAt = at + lifetimeMs;
  const token = newSignInToken();
  await commit(platform, actor, {
    teamId: null,
    action: 'sign-in-link.created',
    subject,
    steps: [
      insertSignInLink(platform.store, {
        hash: hashSignInToken(token),
        user_id: subject,
        created_at: at,
        expires_at: expiresAt,
        used_at: null,
      }),
    ],
    at,
  });
  return { url: signInUrl(publicUrl, token), expiresAt };
}

/** Where a one-time token signs its user in. It stands in the fragment, which browsers send to nobody. */
export const signInUrl = (publicUrl: string, token: string): string => `${publicUrl}/app/sign-in#${token}`;
