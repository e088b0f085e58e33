// A short real run: a Posthorn on SQLite is killed twice while it is published to, and the judge finds nothing.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { SqliteDriver } from '../src/drivers/sqlite.ts';
import { kill } from '../src/faults/processes.ts';
import { run } from '../src/run.ts';

test('two kills under load: nothing is lost, and every duplicate has its reason', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'posthorn-torture-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const settings = { scheduleMs: [100, 200, 300], timeoutMs: 800, retentionMs: null, env: {}, preloads: [] };
  const { counts, kills, findings, verdict } = await run({
    seed: 7,
    dir,
    driver: new SqliteDriver({ ...settings, dir: join(dir, 'sender') }),
    events: 300,
    load: { workers: 6, rate: 250 },
    faults: [kill, kill],
    patienceMs: 15_000,
    say: (line) => t.diagnostic(line),
  });
  assert.deepEqual([verdict, findings], ['pass', []]);
  assert.equal(kills, 2);
  assert.ok(counts.accepted >= 200, `${counts.accepted} events were accepted`);
  assert.ok(counts.delivered >= counts.accepted / 2, `${counts.delivered} deliveries were delivered`);
});
