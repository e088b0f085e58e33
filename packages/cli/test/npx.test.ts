// `npx posthorn …`, which is how somebody with a clone runs the command: on the Node that the clone brings.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { runNpx } from './command.ts';

test('npx posthorn migrates, backs up and restores; what it says and its exit code come through', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'posthorn-npx-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const env = { POSTHORN_DATA_DIR: join(folder, 'data') };
  const file = join(folder, 'backup.db');
  const first = await runNpx(t, ['posthorn', 'migrate'], env).ended;
  assert.equal(first.code, 0, first.stderr);
  assert.match(first.stdout, /^The store .* now has schema/);
  const backup = await runNpx(t, ['posthorn', 'backup', file], env).ended;
  assert.equal(backup.code, 0, backup.stderr);
  const again = await runNpx(t, ['posthorn', 'backup', file], env).ended;
  assert.deepEqual([again.code, again.stdout], [1, '']);
  assert.match(again.stderr, /^\S+backup\.db is there already/);
  const restored = await runNpx(t, ['posthorn', 'restore', file, '--force'], env).ended;
  assert.equal(restored.code, 0, restored.stderr);
});
