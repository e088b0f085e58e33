// What the dashboard is made of, as one hash: a build that was made of the same is not made again.
import { createHash } from 'node:crypto';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const root = join(import.meta.dirname, '..');
export const dist = join(root, 'dist');

/** The file in `dist` that says what it was made of. */
export const stampFile = 'sources.sha256';

const patterns = ['index.html', 'package.json', 'vite.config.ts', '{src,public,samples,build}/**/*.*'];

export function hashSources(): string {
  const hash = createHash('sha256');
  const files = patterns.flatMap((pattern) => globSync(pattern, { cwd: root }));
  for (const file of files.filter((name) => !name.endsWith('.test.ts')).toSorted()) {
    hash
      .update(`${file}\0`)
      .update(readFileSync(join(root, file)))
      .update('\0');
  }
  return hash.digest('hex');
}

/** Whether `dist` was made of the sources as they are. */
export function isBuilt(): boolean {
  const stamp = join(dist, stampFile);
  return existsSync(stamp) && readFileSync(stamp, 'utf8') === hashSources();
}
