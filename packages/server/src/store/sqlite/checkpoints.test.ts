// Checkpoints on a real file: the log begins anew while commits go on, whoever copies it, and a copier in trouble harms nobody.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { MessageChannel } from 'node:worker_threads';
import { type CheckpointMessage, Checkpoints, LogCopier } from './checkpoints.ts';
import { openReader, openWriter } from './open.ts';

const frameBytes = 8_192 + 24;
const countRows = "SELECT count(*) AS count FROM meta WHERE name LIKE 'row %'";

function setUp(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'posthorn-checkpoints-'));
  const path = join(folder, 'posthorn.db');
  const db = openWriter(path);
  const { port1, port2 } = new MessageChannel();
  let nowMs = 0;
  const checkpoints = new Checkpoints(db, port1, () => nowMs);
  const insert = db.prepare('INSERT INTO meta (name, value) VALUES (?, ?)');
  const filling = 'x'.repeat(7_000);
  let count = 0;
  t.after(() => {
    checkpoints.close();
    port2.close();
    if (db.isOpen) db.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return {
    path,
    port: port2,
    db,
    later(ms: number) {
      nowMs += ms;
    },
    /** Commits of some 50 frames each, with a look after each, and time for the other side. */
    async commit(times: number) {
      for (let i = 0; i < times; i++) {
        db.exec('BEGIN');
        for (let row = 0; row < 50; row++) insert.run(`row ${count++}`, filling);
        db.exec('COMMIT');
        checkpoints.afterCommit();
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
    logFrames: () => Math.floor(statSync(`${path}-wal`).size / frameBytes),
    /** Frames in the log that are not in the file. */
    framesLeft() {
      const { log, checkpointed } = db.prepare('PRAGMA wal_checkpoint(NOOP)').get() as Record<
        'log' | 'checkpointed',
        number
      >;
      return log - checkpointed;
    },
    rows: () => (db.prepare(countRows).get() as { count: number }).count,
  };
}

test('the log is copied beside the commits, and begins anew', async (t) => {
  const bed = setUp(t);
  const copier = new LogCopier(bed.path, bed.port);
  t.after(() => copier.close());
  await bed.commit(200);
  assert.equal(bed.rows(), 10_000);
  // 10,000 frames and more were written.
  assert.ok(bed.logFrames() < 3_000, `${bed.logFrames()} frames in the log`);
});

test('the other side copies what it is asked for, and the writer what is left', async (t) => {
  const bed = setUp(t);
  const { port1, port2 } = new MessageChannel();
  const copier = new LogCopier(bed.path, port2);
  t.after(() => {
    copier.close();
    port1.close();
  });
  // Nobody answers the writer here: what is asked for is answered to the test.
  await bed.commit(10);
  assert.ok(bed.framesLeft() > 400, `${bed.framesLeft()} left`);
  const copied = once(port1, 'message') as Promise<[CheckpointMessage]>;
  port1.postMessage('copy' satisfies CheckpointMessage);
  assert.equal((await copied)[0], 'copied');
  assert.equal(bed.framesLeft(), 0);

  await bed.commit(10);
  assert.ok(bed.framesLeft() > 400, `${bed.framesLeft()} left`);
  bed.port.postMessage('copied' satisfies CheckpointMessage);
  for (let round = 0; round < 100 && bed.framesLeft() > 0; round++)
    await new Promise((resolve) => setImmediate(resolve));
  assert.equal(bed.framesLeft(), 0);
});

test('when nobody copies, the writer does it before the log grows without end', async (t) => {
  const bed = setUp(t);
  const asked: CheckpointMessage[] = [];
  bed.port.on('message', (message: CheckpointMessage) => asked.push(message));
  await bed.commit(400);
  assert.deepEqual(asked, ['copy'], 'asked once, and not again before an answer');
  assert.ok(bed.logFrames() < 10_000, `${bed.logFrames()} frames in the log`);
});

test('after a failure nobody is asked for a second', async (t) => {
  const bed = setUp(t);
  let asked = 0;
  bed.port.on('message', () => {
    asked += 1;
    bed.port.postMessage('failed' satisfies CheckpointMessage);
  });
  await bed.commit(60);
  assert.equal(asked, 1);
  bed.later(1_000);
  await bed.commit(5);
  assert.equal(asked, 2);
});

test('while somebody reads what was there before, the log grows; it begins anew afterwards', async (t) => {
  const bed = setUp(t);
  const copier = new LogCopier(bed.path, bed.port);
  t.after(() => copier.close());
  await bed.commit(1);
  const reader = openReader(bed.path);
  reader.exec('BEGIN');
  const seen = () => (reader.prepare(countRows).get() as { count: number }).count;
  assert.equal(seen(), 50);
  await bed.commit(60);
  assert.equal(seen(), 50);
  const grown = bed.logFrames();
  assert.ok(grown > 3_000, `${grown} frames in the log`);
  reader.close();
  bed.later(100);
  await bed.commit(60);
  assert.equal(bed.rows(), 50 * 121);
  assert.ok(bed.logFrames() < grown + 500, `${bed.logFrames()} frames in the log, ${grown} before`);
});
