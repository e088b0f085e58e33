// Starts that must refuse, each with one sentence for the operator, and change nothing.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { listEventIds, publish } from './support/calls.ts';
import { quiet } from './support/house.ts';
import { newDataDir, startPosthorn, startRefused } from './support/posthorn.ts';
import { assertSentence } from './support/refusals.ts';

test('a second process on the same data directory stops with a sentence, and the first goes on', async (t) => {
  const first = await startPosthorn(quiet);
  t.after(() => first.close());
  assertSentence(
    await startRefused(quiet, first.dataDir),
    /Another Posthorn is running on .*POSTHORN_DATA_DIR/,
  );
  await publish(first);
  await first.end('SIGKILL');
  // A kill leaves no lock behind.
  const next = await startPosthorn(quiet, first.dataDir);
  assert.equal((await listEventIds(next)).length, 1);
  assert.equal(await next.end('SIGTERM'), 0);
});

test('a damaged database file stops the start with a sentence', async (t) => {
  const posthorn = await startPosthorn(quiet);
  t.after(() => posthorn.close());
  await publish(posthorn);
  assert.equal(await posthorn.end('SIGTERM'), 0);
  assert.ok(!readdirSync(posthorn.dataDir).includes('posthorn.db-wal'), 'a clean stop leaves one whole file');
  const file = join(posthorn.dataDir, 'posthorn.db');
  const good = readFileSync(file);
  const damage: [string, () => void][] = [
    [
      'no database at all',
      () => writeFileSync(file, 'this is no database, whatever its name says\n'.repeat(100)),
    ],
    ['cut off', () => truncateSync(file, 6_000)],
    [
      'its schema overwritten',
      () =>
        writeFileSync(
          file,
          Buffer.concat([good.subarray(0, 100), Buffer.alloc(4_000, 7), good.subarray(4_100)]),
        ),
    ],
  ];
  for (const [what, spoil] of damage) {
    spoil();
    const refused = await startRefused(quiet, posthorn.dataDir);
    t.diagnostic(`${what}: ${refused.output.trim()}`);
    assertSentence(refused, /posthorn\.db is damaged .*(?:backup|POSTHORN_DATA_DIR)/);
    writeFileSync(file, good);
  }
  const repaired = await startPosthorn(quiet, posthorn.dataDir);
  assert.equal((await listEventIds(repaired)).length, 1);
  assert.equal(await repaired.end('SIGTERM'), 0);
});

test('a data directory that can’t be written stops the start with a sentence', async (t) => {
  const folder = newDataDir();
  t.after(() => rmSync(folder, { recursive: true }));
  // A file in its place: nobody can write there, not even root.
  const file = join(folder, 'taken');
  writeFileSync(file, '');
  assertSentence(await startRefused(quiet, file), /data directory .*taken.*POSTHORN_DATA_DIR/);
  assertSentence(await startRefused(quiet, join(file, 'below')), /data directory .*below.*POSTHORN_DATA_DIR/);
  assert.equal(readFileSync(file, 'utf8'), '');
});
