// `npm start` puts npm and a shell above the server: signals have to reach it, and its exit code has to come through.
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { runNpmStart } from './command.ts';

const boundMs = 10_000;

function newDataDir(t: TestContext): string {
  const dataDir = mkdtempSync(join(tmpdir(), 'posthorn-cli-'));
  t.after(() => rmSync(dataDir, { recursive: true, force: true }));
  return dataDir;
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`${signal} to npm stops the server in bounded time, and npm ends with 0`, async (t) => {
    const npm = runNpmStart(t, { POSTHORN_DATA_DIR: newDataDir(t) });
    const address = await npm.address();
    const sentAt = Date.now();
    npm.child.kill(signal);
    const { code, signal: endedBy, stdout } = await npm.ended;
    assert.deepEqual([code, endedBy], [0, null]);
    assert.ok(Date.now() - sentAt < boundMs);
    assert.match(stdout, /"msg":"stopped"/);
    await assert.rejects(fetch(`${address}/healthz`), 'nothing listens any more');
  });
}

test('Ctrl-C, which reaches npm and the server both, still stops it in order', async (t) => {
  const npm = runNpmStart(t, { POSTHORN_DATA_DIR: newDataDir(t) });
  await npm.address();
  npm.signalAll('SIGINT');
  const { code, signal, stdout } = await npm.ended;
  assert.deepEqual([code, signal], [0, null]);
  assert.match(stdout, /"msg":"stopped"/);
});

test('a start that is refused says why in one sentence, and npm ends with 1', async (t) => {
  const { code, stderr } = await runNpmStart(t, { POSTHORN_DATA_DIR: newDataDir(t), POSTHORN_PROT: '4870' })
    .ended;
  assert.equal(code, 1);
  assert.match(stderr, /^There is no setting POSTHORN_PROT; did you mean POSTHORN_PORT\?$/m);
  assert.doesNotMatch(stderr, /^\s+at /m, 'no stack');
});

test('V8 helps itself with the cores that one thread leaves, and no more', async (t) => {
  if (process.platform !== 'linux') {
    t.skip('the names of threads are read from /proc');
    return;
  }
  const npm = runNpmStart(t, { POSTHORN_DATA_DIR: newDataDir(t) });
  await npm.address();
  const names = readdirSync('/proc').flatMap((pid) => threadsOf(pid, npm.child.pid ?? 0));
  assert.equal(names.filter((name) => name === 'V8Worker').length, Math.max(1, availableParallelism() - 1));
});

/** The names of a process's threads, if it is of that group and serves; without those of npm and the shell. */
function threadsOf(pid: string, group: number): string[] {
  const read = (file: string) => readFileSync(`/proc/${pid}/${file}`, 'utf8');
  try {
    const [, ofGroup] = /\) \S \d+ (\d+) /.exec(read('stat')) ?? [];
    const [program, ...args] = read('cmdline').split('\0');
    if (Number(ofGroup) !== group || program !== 'node' || !args.includes('packages/cli/src/main.ts'))
      return [];
    return readdirSync(`/proc/${pid}/task`).map((id) => read(`task/${id}/comm`).trim());
  } catch {
    // It has ended meanwhile.
    return [];
  }
}
