// Calls that other sites' pages make in a person's name are refused: what changes something by a session, or starts
// one, comes from Posthorn's own pages.
import type { FastifyRequest } from 'fastify';
import { ApiError } from '../errors.ts';

const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Whether a request may be answered without knowing which page made it. */
export const isSafe = (request: FastifyRequest): boolean => safeMethods.has(request.method);

/**
 * What a browser says about the page that made the call: `own`, `foreign`, or null where it says nothing, as
 * programs do. Browsers tell by `Sec-Fetch-Site` (on https and on this machine) and by `Origin`.
 */
function originOf(request: FastifyRequest, publicUrl: string): 'own' | 'foreign' | null {
  const { origin, host } = request.headers;
  const site = request.headers['sec-fetch-site'];
  if (site !== undefined) return site === 'same-origin' ? 'own' : 'foreign';
  if (origin === undefined) return null;
  if (origin === publicUrl) return 'own';
  if (host === undefined || !URL.canParse(origin)) return 'foreign';
  const page = new URL(origin);
  const isWeaker = publicUrl.startsWith('https:') && page.protocol !== 'https:';
  return page.host === host.toLowerCase() && !isWeaker ? 'own' : 'foreign';
}

const refusal = () =>
  new ApiError(
    'forbidden',
    'This call was made by another site’s page, or does not say by which. Programs send a token instead of a cookie.',
  );

/** @throws ApiError forbidden unless Posthorn's own page made the call */
export function demandOwnPage(request: FastifyRequest, publicUrl: string): void {
  if (originOf(request, publicUrl) !== 'own') throw refusal();
}

/** @throws ApiError forbidden if another site's page made the call; programs, which say nothing, may */
export function refuseForeignPage(request: FastifyRequest, publicUrl: string): void {
  if (originOf(request, publicUrl) === 'foreign') throw refusal();
}
