// Runs every test of the workspace with Node's own runner; `--long` adds those that take minutes. Further arguments
// name the files to run instead.
import { spawn, spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';

const root = new URL('..', import.meta.url).pathname;
const args = process.argv.slice(2);
const long = args.includes('--long');
const named = args.filter((arg) => !arg.startsWith('--'));
const short = [
  'packages/*/src/**/*.test.ts',
  'packages/*/test/**/*.test.ts',
  'bench/*.test.ts',
  'test/*.test.ts',
];
const patterns = long ? ['packages/*/test/**/*.long.ts'] : short;
const files = named.length > 0 ? named : globSync(patterns, { cwd: root }).toSorted();

// The browser’s tests need the dashboard’s build; it is there already unless its sources have changed.
spawnSync(process.execPath, ['packages/dashboard/build/build.ts'], { cwd: root, stdio: 'inherit' });

const child = spawn(
  process.execPath,
  ['--test', '--test-timeout=300000', `--test-concurrency=${long ? 1 : 2}`, ...files],
  { cwd: root, stdio: 'inherit' },
);
child.once('exit', (code, signal) => {
  process.exitCode = signal === null ? (code ?? 1) : 1;
});
