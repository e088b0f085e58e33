// The door of the dashboard: its built files under /app, and its one page for every other path there, which the page
// itself understands.
import { ApiError } from '../errors.ts';
import type { Door } from './app.ts';
import { chooseBody, indexPath, type Pages } from './pages.ts';

/**
 * Nothing inline, nothing from elsewhere, no frame. The referrer is for our own pages alone: with `no-referrer`
 * browsers would send `Origin: null`, by which calls over plain http are told from another site's (same-origin.ts).
 */
export const pageHeaders = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; " +
    "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
};

const yearSeconds = 31_536_000;

/** @param pages the build; null where there is none */
export function dashboardDoor(pages: Pages | null): Door {
  return (app) => {
    for (const url of ['/app', '/app/*']) {
      app.get<{ Params: { '*'?: string } }>(
        url,
        { config: { access: 'public', version: '' }, schema: { hide: true } },
        (request, reply) => {
          reply.headers(pageHeaders);
          const path = request.params['*'] ?? '';
          const index = pages?.get(indexPath);
          if (index === undefined) {
            return reply
              .code(503)
              .header('cache-control', 'no-store')
              .type('text/html; charset=utf-8')
              .send(notBuilt);
          }
          const found = pages?.get(path);
          // A page in place of a script that is gone would only hide that it is.
          if (found === undefined && path.startsWith('assets/'))
            throw new ApiError(
              'not_found',
              'There is no such file in this build of the dashboard. Load the page again.',
            );
          const file = found ?? index;
          const { encoding, etag, bytes } = chooseBody(file, request.headers['accept-encoding']);
          reply
            .type(file.type)
            .header('etag', etag)
            .header('vary', 'accept-encoding')
            .header(
              'cache-control',
              file.immutable ? `public, max-age=${yearSeconds}, immutable` : 'no-cache',
            );
          if (request.headers['if-none-match'] === etag) return reply.code(304).send();
          if (encoding !== null) reply.header('content-encoding', encoding);
          return reply.send(bytes);
        },
      );
    }
  };
}

const notBuilt = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Posthorn</title>
<h1>Posthorn is running, its dashboard is not built</h1>
<p>Run <code>npm run build</code> in the folder that Posthorn was started from, then start it again. <code>npm start</code> does both.</p>
<p>The API works without: <a href="/openapi.json">/openapi.json</a> lists every call.</p>
</html>
`;
