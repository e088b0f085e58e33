// The session's cookie: no script reads it, no other site's form sends it, and over https nothing else does.
import { parseCookie, stringifySetCookie } from 'cookie';
import type { FastifyRequest } from 'fastify';
import { lifetimeMs } from '../platform/sessions.ts';

const sessionCookie = 'posthorn_session';

/** The value of one of the request's cookies, null if it has none of that name. */
export function readCookie(request: FastifyRequest, name: string): string | null {
  const header = request.headers.cookie;
  return header === undefined ? null : (parseCookie(header)[name] ?? null);
}

export const readSessionCookie = (request: FastifyRequest): string | null => {
  const token = readCookie(request, sessionCookie);
  return token === null || token === '' ? null : token;
};

/** A header of `Set-Cookie`; without a value it takes the cookie away. */
export function writeCookie(
  publicUrl: string,
  name: string,
  value: string | null,
  { path, maxAgeMs }: { path: string; maxAgeMs: number },
): string {
  return stringifySetCookie({
    name,
    value: value ?? '',
    path,
    maxAge: value === null ? 0 : Math.floor(maxAgeMs / 1000),
    httpOnly: true,
    sameSite: 'lax',
    secure: publicUrl.startsWith('https:'),
  });
}

/** Gives the browser a session, or takes it away. When it ends is for the store to say. */
export const writeSessionCookie = (publicUrl: string, token: string | null): string =>
  writeCookie(publicUrl, sessionCookie, token, { path: '/', maxAgeMs: lifetimeMs });
