// The build: made when there is none or its sources changed, not made otherwise; nothing inline; and small.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { appendFileSync, cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { dist, root } from '../build/sources.ts';

/** Of 170 kB for a whole first load, which shell.test.ts measures: the rest is for the page, with its charts. */
const mostShellBytes = 100_000;

test('it is built once, and again only when its sources have changed', (t) => {
  const copy = mkdtempSync(join(root, '.building-'));
  t.after(() => rmSync(copy, { recursive: true, force: true }));
  for (const name of ['src', 'public', 'samples', 'build', 'index.html', 'package.json', 'vite.config.ts']) {
    cpSync(join(root, name), join(copy, name), { recursive: true });
  }
  const run = () =>
    spawnSync(process.execPath, [join(copy, 'build/build.ts'), '--strict'], { encoding: 'utf8' });
  const first = run();
  assert.equal(first.status, 0, first.stderr);
  assert.match(first.stdout, /^Building the dashboard \(once, a few seconds\) … done in [\d.]+ s\.\n$/);
  assert.ok(existsSync(join(copy, 'dist/index.html.br')));
  assert.equal(run().stdout, '', 'nothing to do');

  appendFileSync(join(copy, 'src/styles/base.css'), '\n.added { color: red; }\n');
  assert.match(run().stdout, /done in/);
  assert.match(readCss(join(copy, 'dist')), /\.added/);

  appendFileSync(join(copy, 'src/main.tsx'), '\nthis is no TypeScript\n');
  const broken = run();
  assert.equal(broken.status, 1);
  assert.match(broken.stderr, /could not be built; the API works without it/);
  assert.match(readCss(join(copy, 'dist')), /\.added/, 'the build before is still there');
  assert.deepEqual(
    readdirSync(copy).filter((name) => name.startsWith('.building-')),
    [],
  );
});

const readCss = (folder: string): string =>
  readdirSync(join(folder, 'assets'))
    .filter((name) => name.endsWith('.css'))
    .map((name) => readFileSync(join(folder, 'assets', name), 'utf8'))
    .join('\n');

test('index.html has neither script nor style in it, and names nothing elsewhere', () => {
  const html = readFileSync(join(dist, 'index.html'), 'utf8');
  assert.doesNotMatch(html, /<style|\sstyle=|\son\w+=/i);
  for (const [tag, inside] of html.matchAll(/<script[^>]*>([\s\S]*?)<\/script>/g)) {
    assert.equal(inside, '', tag);
  }
  for (const [, address = ''] of html.matchAll(/(?:src|href)="([^"]*)"/g)) assert.match(address, /^\/app\//);
});

interface Chunk {
  file: string;
  imports?: string[];
  dynamicImports?: string[];
  isEntry?: boolean;
}

test('what every page needs is at most 100 kB of compressed JavaScript', () => {
  const manifest = JSON.parse(readFileSync(join(dist, '.vite/manifest.json'), 'utf8')) as Record<
    string,
    Chunk
  >;
  const files = new Set<string>();
  const add = (chunk: Chunk | undefined) => {
    if (chunk === undefined || files.has(chunk.file)) return;
    files.add(chunk.file);
    for (const name of chunk.imports ?? []) add(manifest[name]);
  };
  add(Object.values(manifest).find(({ isEntry }) => isEntry));
  const bytes = [...files]
    .map((file) => readFileSync(join(dist, `${file}.br`)).length)
    .reduce((sum, length) => sum + length, 0);
  assert.ok(bytes > 0 && bytes < mostShellBytes, `${bytes} bytes`);
});
