// How the dashboard's files are served: compressed as the browser likes, kept for ever where their name changes with
// their content, one page for every other path, closed to frames, inline scripts and the file system.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { brotliCompressSync, brotliDecompressSync, gunzipSync, gzipSync } from 'node:zlib';
import { readPages } from '../src/http/pages.ts';
import { type ControlPlane, startControlPlane } from './support/control.ts';

const folder = mkdtempSync(join(tmpdir(), 'posthorn-pages-'));
const page = '<!doctype html><title>The page</title>';
const script = 'export const x = 1;';

let plane: ControlPlane;

before(async () => {
  const put = (name: string, content: string | Buffer) => {
    mkdirSync(join(folder, 'dist', name, '..'), { recursive: true });
    writeFileSync(join(folder, 'dist', name), content);
  };
  put('index.html', page);
  put('index.html.br', brotliCompressSync(page));
  put('index.html.gz', gzipSync(page));
  put('assets/main-abc.js', script);
  put('assets/main-abc.js.br', brotliCompressSync(script));
  put('assets/main-abc.js.gz', gzipSync(script));
  put('assets/font-abc.woff2', Buffer.from([0, 1, 2, 255]));
  put('theme.js', 'let a;');
  put('.vite/manifest.json', '{}');
  put('sources.sha256', 'abc');
  writeFileSync(join(folder, 'secret.txt'), 'secret');
  plane = await startControlPlane(readPages(join(folder, 'dist')));
});
after(async () => {
  await plane.close();
  rmSync(folder, { recursive: true, force: true });
});

const get = (url: string, headers: Record<string, string> = {}) =>
  plane.app.inject({ method: 'GET', url, headers });

test('every path of the dashboard is its one page, and is asked for anew', async () => {
  for (const url of [
    '/app',
    '/app/',
    '/app/sign-in',
    '/app/events/deployment.created',
    '/app/a/b?c=d',
    '/app/v1',
  ]) {
    const answer = await get(url);
    assert.deepEqual([answer.statusCode, answer.body], [200, page], url);
    assert.equal(answer.headers['content-type'], 'text/html; charset=utf-8');
    assert.equal(answer.headers['cache-control'], 'no-cache');
  }
  const root = await get('/', { accept: 'text/html' });
  assert.deepEqual([root.statusCode, root.headers.location], [302, '/app/']);
  const head = await plane.app.inject({ method: 'HEAD', url: '/app/' });
  assert.deepEqual([head.statusCode, head.body], [200, '']);
});

test('files whose name has a hash are kept for a year, others are asked for anew', async () => {
  const cases: [url: string, type: string, cache: string][] = [
    ['/app/assets/main-abc.js', 'text/javascript; charset=utf-8', 'public, max-age=31536000, immutable'],
    ['/app/assets/font-abc.woff2', 'font/woff2', 'public, max-age=31536000, immutable'],
    ['/app/theme.js', 'text/javascript; charset=utf-8', 'no-cache'],
  ];
  for (const [url, type, cache] of cases) {
    const { statusCode, headers } = await get(url);
    assert.deepEqual(
      [statusCode, headers['content-type'], headers['cache-control']],
      [200, type, cache],
      url,
    );
  }
  const font = await get('/app/assets/font-abc.woff2', { 'accept-encoding': 'br, gzip' });
  assert.deepEqual([font.headers['content-encoding'], [...font.rawPayload]], [undefined, [0, 1, 2, 255]]);
});

test('the encoding is the best one that the browser takes', async () => {
  const cases: [accepted: string, encoding: string | undefined][] = [
    ['gzip, deflate, br, zstd', 'br'],
    ['BR', 'br'],
    ['gzip', 'gzip'],
    ['br;q=0, gzip;q=0.5', 'gzip'],
    ['br;q=0.000,gzip;q=0', undefined],
    ['identity', undefined],
    ['', undefined],
  ];
  for (const [accepted, encoding] of cases) {
    const answer = await get('/app/assets/main-abc.js', { 'accept-encoding': accepted });
    assert.equal(answer.headers['content-encoding'], encoding, accepted);
    assert.equal(answer.headers.vary, 'accept-encoding');
    const bytes = answer.rawPayload;
    const plain =
      encoding === 'br' ? brotliDecompressSync(bytes) : encoding === 'gzip' ? gunzipSync(bytes) : bytes;
    assert.equal(plain.toString(), script, accepted);
  }
});

test('what a browser has already is not sent again, in the encoding that it has', async () => {
  const first = await get('/app/', { 'accept-encoding': 'br' });
  const etag = String(first.headers.etag);
  const again = await get('/app/', { 'accept-encoding': 'br', 'if-none-match': etag });
  assert.deepEqual([again.statusCode, again.body], [304, '']);
  assert.equal((await get('/app/', { 'if-none-match': etag })).statusCode, 200);
});

test('a file that is not in the build is not there, nor what is not for browsers', async () => {
  const missing = await get('/app/assets/main-old.js');
  assert.deepEqual([missing.statusCode, missing.json().error.code], [404, 'not_found']);
  for (const url of [
    '/app/.vite/manifest.json',
    '/app/sources.sha256',
    '/app/index.html.br',
    '/app/../secret.txt',
    '/app/%2e%2e/secret.txt',
    '/app/..%2fsecret.txt',
    '/app/..%5csecret.txt',
    '/app//etc/passwd',
    '/app/assets/../../secret.txt',
    '/app/__proto__',
    '/app/constructor',
  ]) {
    const { statusCode, body } = await get(url);
    assert.ok(body === page || statusCode >= 400, `${url}: ${statusCode} ${body}`);
    assert.ok(!body.includes('secret'), url);
  }
  assert.equal((await plane.app.inject({ method: 'POST', url: '/app/' })).statusCode, 401);
});

test('no page of the dashboard may be framed, run inline code or load from elsewhere', async () => {
  for (const url of [
    '/app/',
    '/app/deep/down',
    '/app/assets/main-abc.js',
    '/app/assets/missing.js',
    '/app/theme.js',
  ]) {
    const { headers } = await get(url);
    const policy = String(headers['content-security-policy']);
    assert.doesNotMatch(policy, /unsafe|\*|data:|https?:/, url);
    const directives = Object.fromEntries(
      policy.split('; ').map((part) => [part.split(' ')[0], part.split(' ').slice(1).join(' ')]),
    );
    assert.deepEqual(
      [
        'default-src',
        'script-src',
        'style-src',
        'connect-src',
        'frame-ancestors',
        'form-action',
        'base-uri',
      ].map((name) => directives[name]),
      ["'none'", "'self'", "'self'", "'self'", "'none'", "'self'", "'none'"],
    );
    assert.equal(headers['x-content-type-options'], 'nosniff');
    assert.equal(headers['referrer-policy'], 'same-origin');
    assert.equal(headers['cross-origin-opener-policy'], 'same-origin');
  }
});

test('without a build one page says how to make it, and the API works', async () => {
  assert.equal(readPages(join(folder, 'nowhere')), null);
  assert.equal(readPages(join(folder, 'dist', 'assets')), null, 'a build without its page is none');
  const bare = await startControlPlane(null);
  try {
    const answer = await bare.app.inject({ method: 'GET', url: '/app/sign-in' });
    assert.equal(answer.statusCode, 503);
    assert.match(answer.body, /npm run build/);
    assert.equal(answer.headers['cache-control'], 'no-store');
    assert.equal((await bare.call('GET', '/v1/webhooks')).status, 200);
  } finally {
    await bare.close();
  }
});
