// The reference pages that are written by hand name what a running server really has: metrics, calls, causes, headers.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { brokenCauses } from '../src/core/cause.ts';
import { type Posthorn, startPosthorn } from './support/posthorn.ts';

const root = new URL('../../../', import.meta.url).pathname;
const readPage = (path: string): string => readFileSync(join(root, path), 'utf8');

let posthorn: Posthorn;
before(async () => {
  posthorn = await startPosthorn();
});
after(() => posthorn.close());

test('metrics.md lists the metrics that /metrics serves', async () => {
  const { body } = await posthorn.call<string>('GET', '/metrics', { token: null });
  const served = [...body.matchAll(/^# TYPE (posthorn_\w+) (\w+)$/gm)].map(
    ([, name, kind]) => `${name} ${kind}`,
  );
  const listed = [...readPage('docs/reference/metrics.md').matchAll(/^\| `(posthorn_\w+)` \| (\w+)/gm)].map(
    ([, name, kind]) => `${name} ${kind}`,
  );
  assert.ok(served.length > 0);
  assert.deepEqual(listed.toSorted(), served.toSorted());
});

test('api.md lists the calls that /openapi.json has', async () => {
  const { body } = await posthorn.call<{ paths: Record<string, Record<string, unknown>> }>(
    'GET',
    '/openapi.json',
    { token: null },
  );
  const served = Object.entries(body.paths).flatMap(([path, calls]) =>
    Object.keys(calls).map((method) => `${method.toUpperCase()} ${path}`),
  );
  const listed = [...readPage('docs/reference/api.md').matchAll(/^\| `([A-Z]+ \/[^`]*)` \|/gm)].map(
    ([, call]) => call,
  );
  assert.deepEqual(listed.toSorted(), [...served, 'GET /openapi.json'].toSorted());
});

test('metrics.md lists every span with its attributes', () => {
  const source = readPage('packages/server/src/telemetry.ts');
  const page = readPage('docs/reference/metrics.md');
  const names = [...source.matchAll(/startSpan\('([^']+)'|'((?:posthorn|http|url)\.[a-z_.]+)'/g)].map(
    ([, span, attribute]) => span ?? attribute ?? '',
  );
  assert.ok(names.includes('posthorn.attempt') && names.includes('url.full'));
  assert.deepEqual(
    names.filter((name) => !page.includes(`\`${name}\``)),
    [],
  );
});

test('deliveries.md lists every cause', () => {
  const causes = /^## Causes\n([\s\S]*?)^## /m.exec(readPage('docs/reference/deliveries.md'))?.[1] ?? '';
  const listed = [...causes.matchAll(/^\| `([^`]+)` \|/gm)].map(([, cause]) => cause);
  assert.deepEqual(listed.toSorted(), [...brokenCauses, 'redirect', 'status_<n>'].toSorted());
});

test('every link between the pages leads somewhere', () => {
  const guides = ['docs', 'docs/reference'].flatMap((folder) =>
    readdirSync(join(root, folder))
      .filter((name) => name.endsWith('.md'))
      .map((name) => `${folder}/${name}`),
  );
  const pages = ['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md', ...guides];
  const anchorsOf = (text: string): string[] =>
    [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\w\- ]/g, '')
        .replaceAll(' ', '-'),
    );
  const broken = pages.flatMap((page) =>
    [...readPage(page).matchAll(/\]\((?!https?:)([^)]+)\)/g)]
      .map(([, target = '']) => target)
      .filter((target) => {
        const [path = '', anchor] = target.split('#');
        const file = path === '' ? page : join(dirname(page), path);
        try {
          return anchor !== undefined && !anchorsOf(readPage(file)).includes(anchor);
        } catch {
          return true;
        }
      })
      .map((target) => `${page}: ${target}`),
  );
  assert.deepEqual(broken, []);
});
