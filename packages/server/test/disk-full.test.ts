// A disk that is full, read-only or locked under the SQLite store: nothing is acknowledged that is not there, one sentence
// says what to do, and work goes on by itself.
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { deliveryIn, listEventIds, makeWebhook, newEvent, publish, until } from './support/calls.ts';
import { quiet, startReceivers } from './support/house.ts';
import { newDataDir, runCommand, startPosthorn, startRefused } from './support/posthorn.ts';
import { assertSentence } from './support/refusals.ts';
import { mountSmallDisk } from './support/small-disk.ts';

const withBody = (id: string) => newEvent(1, { id, region: 'x'.repeat(60) });

test('while the disk is full publishes get 503 and nothing is acknowledged; with room again all goes on', async (t) => {
  const disk = mountSmallDisk(t, 32);
  if (disk === null) return;
  const [receiver] = await startReceivers(t, 1);
  const dataDir = join(disk.folder, 'data');
  let posthorn = await startPosthorn(quiet, dataDir);
  t.after(() => posthorn.close());
  await makeWebhook(posthorn, receiver?.url ?? '');
  const answered = new Set<string>();
  const refused = new Set<string>();
  const call = async (id: string) => {
    const answer = await posthorn.call('POST', '/v1/events', { body: withBody(id) });
    if (answer.status === 202 || answer.status === 200) answered.add(id);
    else {
      assert.equal(answer.status, 503, JSON.stringify(answer.body));
      assert.equal(answer.headers.get('retry-after'), '1');
      assert.equal(answer.body.error.code, 'store_unavailable');
      refused.add(id);
    }
    return answer.status;
  };
  for (let n = 0; n < 20; n++) await call(`before-${n}`);
  disk.fill();
  for (let n = 0; n < 60; n++) await Promise.all(['a', 'b', 'c', 'd'].map((who) => call(`full-${n}-${who}`)));
  assert.ok(refused.size > 100, `${refused.size} refused`);
  assert.match(
    posthorn.output(),
    /There is no room on the disk of the database \S+posthorn\.db .*Make room there/,
  );
  // Reading goes on, and shows what was answered and nothing else.
  assert.deepEqual(new Set(await listEventIds(posthorn)), answered);

  // A start on a full disk works, or says why it does not.
  await posthorn.end('SIGKILL');
  const during = await startRefused(quiet, dataDir);
  if (during.code === 'SIGKILL') assert.match(during.output, /listens on/);
  else assertSentence(during, /no room on the disk|can't be written/);
  t.diagnostic(`a start while it is full: ${during.code === 'SIGKILL' ? 'works' : during.output.trim()}`);
  disk.clear();
  posthorn = await startPosthorn(quiet, dataDir);
  assert.deepEqual(new Set(await listEventIds(posthorn)), answered);

  disk.fill();
  const last = await until(
    async () => call(`again-${refused.size}-${answered.size}`),
    (status) => status === 503,
  );
  assert.equal(last, 503);
  disk.clear();
  for (const id of refused) {
    await until(
      () => call(id),
      (status) => status === 202 || status === 200,
    );
  }
  for (const id of answered) await deliveryIn(posthorn, 'delivered', id);
  assert.equal(await posthorn.end('SIGTERM'), 0);
});

/** A folder that can't be written: by its mount for root, else by its mode. */
function readOnlyFolder(t: TestContext): { folder: string; lock(): void; free(): void } | null {
  if (process.getuid?.() !== 0) {
    const folder = newDataDir();
    const free = () => chmodSync(folder, 0o700);
    t.after(() => {
      free();
      rmSync(folder, { recursive: true });
    });
    return { folder, lock: () => chmodSync(folder, 0o500), free };
  }
  const disk = mountSmallDisk(t, 16);
  return disk === null
    ? null
    : { folder: disk.folder, lock: () => disk.setReadOnly(true), free: () => disk.setReadOnly(false) };
}

test('a read-only data directory stops the start with a sentence, on the first start and later', async (t) => {
  const place = readOnlyFolder(t);
  if (place === null) return;
  place.lock();
  assertSentence(await startRefused(quiet, place.folder), /can't be written .*POSTHORN_DATA_DIR/);
  assertSentence(
    await startRefused(quiet, join(place.folder, 'below')),
    /The data directory .*below can't be made .*POSTHORN_DATA_DIR/,
  );
  place.free();
  assert.equal((await runCommand(['migrate'], place.folder)).code, 0);
  const before = readdirSync(place.folder);
  place.lock();
  assertSentence(await startRefused(quiet, place.folder), /can't be written .*POSTHORN_DATA_DIR/);
  place.free();
  assert.deepEqual(readdirSync(place.folder), before);
  const posthorn = await startPosthorn(quiet, place.folder);
  assert.equal(await posthorn.end('SIGTERM'), 0);
});

test('a file that another program has locked stops the start with a sentence, and a later one goes on', async (t) => {
  const folder = newDataDir();
  t.after(() => rmSync(folder, { recursive: true }));
  const dataDir = join(folder, 'data');
  mkdirSync(dataDir);
  const first = await startPosthorn(quiet, dataDir);
  await publish(first);
  assert.equal(await first.end('SIGTERM'), 0);
  const other = new DatabaseSync(join(dataDir, 'posthorn.db'));
  other.exec('BEGIN IMMEDIATE');
  assertSentence(
    await startRefused(quiet, dataDir),
    /posthorn\.db is in use by another process\. Stop that one/,
  );
  other.exec('ROLLBACK');
  other.close();
  const next = await startPosthorn(quiet, dataDir);
  assert.equal((await listEventIds(next)).length, 1);
  assert.equal(await next.end('SIGTERM'), 0);
});
