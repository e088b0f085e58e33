// Builds the dashboard if there is no build, or one of other sources: `npm start`, `npm test` and `npm run build` all
// come here first. What is served is swapped in whole, with brotli and gzip beside each text.
import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { dist, hashSources, isBuilt, root, stampFile } from './sources.ts';

const texts = new Set(['.html', '.js', '.css', '.svg', '.json', '.txt']);

if (!isBuilt()) {
  process.stdout.write('Building the dashboard (once, a few seconds) … ');
  const beganAt = performance.now();
  try {
    await build();
    process.stdout.write(`done in ${((performance.now() - beganAt) / 1000).toFixed(1)} s.\n`);
  } catch (error) {
    process.stdout.write('failed.\n');
    const cause = error instanceof Error ? error.message : String(error);
    process.stderr.write(`The dashboard could not be built; the API works without it. ${cause}\n`);
    // The server is worth starting all the same, unless the build was what was asked for.
    if (process.argv.includes('--strict')) process.exitCode = 1;
  }
}

async function build(): Promise<void> {
  const sources = hashSources();
  // Loaded only here: a start that finds its build does not pay for the tool.
  const vite = await import('vite');
  const made = mkdtempSync(join(root, '.building-'));
  try {
    await vite.build({ root, logLevel: 'warn', build: { outDir: made, emptyOutDir: true } });
    compress(made);
    writeFileSync(join(made, stampFile), sources);
    const old = mkdtempSync(join(root, '.building-'));
    // A rename onto a folder that holds files fails, and two builds at once end with either of them.
    if (readdirSync(root).includes('dist')) renameSync(dist, join(old, 'dist'));
    renameSync(made, dist);
    rmSync(old, { recursive: true, force: true });
  } catch (error) {
    rmSync(made, { recursive: true, force: true });
    throw error;
  }
}

function compress(folder: string): void {
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !texts.has(extname(entry.name))) continue;
    const path = join(entry.parentPath, entry.name);
    const bytes = readFileSync(path);
    writeFileSync(`${path}.gz`, gzipSync(bytes, { level: 9 }));
    writeFileSync(
      `${path}.br`,
      brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }),
    );
  }
}
