// `posthorn migrate`, `backup` and `restore`: a copy made while a server runs, put back, started, and what it then
// delivers; and everything that they refuse without changing a byte.
import assert from 'node:assert/strict';
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { deliveryIn, listEventIds, makeWebhook, newEvent, publish } from './support/calls.ts';
import { keepDoing, quiet } from './support/house.ts';
import { createDatabase } from './support/postgres.ts';
import { newDataDir, type Posthorn, runCommand, startPosthorn, startRefused } from './support/posthorn.ts';
import { startReceiver } from './support/receiver.ts';
import { assertSentence } from './support/refusals.ts';

const retrying = {
  ...quiet,
  POSTHORN_RETRY_SCHEDULE: Array.from({ length: 90 }, () => '300ms').join(','),
  POSTHORN_BREAKER_FAILURES: '1000',
};

function newFolder(t: TestContext): string {
  const folder = newDataDir();
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function succeed(args: string[], dataDir: string, env?: Record<string, string>): Promise<string> {
  const { code, output } = await runCommand(args, dataDir, env);
  assert.equal(code, 0, output);
  return output;
}

test('a backup of a running server is one moment of it; restored and started, it delivers what was pending then', async (t) => {
  const down = await startReceiver();
  await down.close();
  const folder = newFolder(t);
  const file = join(folder, 'backup.db');
  let posthorn = await startPosthorn(retrying);
  t.after(() => posthorn.close());
  await makeWebhook(posthorn, `${down.url}/hook`);
  const waiting = await publish(posthorn, newEvent(1));

  const answered: string[] = [];
  const publishing = keepDoing(4, async () => {
    answered.push((await publish(posthorn)).id);
  });
  await publishing.whenDone(100);
  const before = [...answered];
  const said = await succeed(['backup', file], posthorn.dataDir);
  assert.match(said, /is whole: schema \d+, \d+ events, \d+ unfinished deliveries, .* MiB\./);
  assert.match(said, /Keep the secret key \(.*secret-key\) too/);
  await publishing.end();
  const after = await publish(posthorn, newEvent(2));
  assert.equal(statSync(file).mode & 0o777, 0o600, 'it holds what the store holds');
  assert.deepEqual(readdirSync(folder), ['backup.db'], 'nothing beside it');

  const { dataDir } = posthorn;
  assertSentence(
    await runCommand(['restore', file], dataDir),
    /Another Posthorn is running on .*posthorn\.db/,
  );
  assertSentence(await runCommand(['migrate'], dataDir), /Another Posthorn is running on .*posthorn\.db/);
  await publish(posthorn, newEvent(3));

  // Killed, not stopped: its last commits are in the log beside the file.
  await posthorn.end('SIGKILL');
  const restored = await succeed(['restore', file], dataDir);
  const kept = /kept as (.*)\.\n/.exec(restored)?.[1] ?? '';
  assert.ok(existsSync(kept), restored);
  posthorn = await startPosthorn(retrying, dataDir);
  const ids = new Set(await listEventIds(posthorn));
  assert.ok(
    before.every((id) => ids.has(id)),
    'whatever was answered before it began is in it',
  );
  assert.ok(!ids.has(after.id), 'and nothing from after it');
  const up = await startReceiver({ port: down.port });
  t.after(() => up.close());
  await deliveryIn(posthorn, 'delivered', waiting.id);

  // The store that was there is whole, its last commits included.
  assert.equal(await posthorn.end('SIGTERM'), 0);
  await succeed(['restore', kept, '--force'], dataDir);
  posthorn = await startPosthorn(retrying, dataDir);
  const old = new Set(await listEventIds(posthorn));
  assert.ok([...answered, after.id].every((id) => old.has(id)));
  assert.deepEqual(
    readdirSync(dataDir).filter((name) => name.includes('before')).length,
    1,
    'no more is kept',
  );
});

test('publishing goes on at its pace while a large store is copied', async (t) => {
  const posthorn = await startPosthorn(quiet);
  t.after(() => posthorn.close());
  const meta = { filling: 'x'.repeat(500_000) };
  const large = (seq: number) => {
    const event = newEvent(seq);
    return { ...event, payload: { ...event.payload, deployment: { ...event.payload.deployment, meta } } };
  };
  for (let seq = 0; seq < 260; seq += 10) {
    const body = Array.from({ length: 10 }, (_, n) => large(seq + n));
    assert.equal((await posthorn.call('POST', '/v1/events', { body })).status, 202);
  }
  /** p99 and the longest of publishes, one each 5 ms, while `work` is under way. */
  const measure = async (work: Promise<unknown>) => {
    const took: Promise<number>[] = [];
    let going = true;
    void work.finally(() => {
      going = false;
    });
    while (going || took.length < 100) {
      const startedAt = performance.now();
      took.push(publish(posthorn).then(() => performance.now() - startedAt));
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const sorted = (await Promise.all(took)).toSorted((a, b) => a - b);
    const at = (part: number) => sorted[Math.ceil(sorted.length * part) - 1] ?? 0;
    return { count: sorted.length, p50: at(0.5), p99: at(0.99), most: at(1) };
  };
  const show = ({ count, p50, p99, most }: Awaited<ReturnType<typeof measure>>) =>
    `${count} publishes, p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, longest ${most.toFixed(1)} ms`;
  const alone = await measure(Promise.resolve());
  const file = join(newFolder(t), 'backup.db');
  const startedAt = performance.now();
  const copying = succeed(['backup', file], posthorn.dataDir);
  const beside = await measure(copying);
  assert.match(await copying, /is whole/);
  const seconds = (performance.now() - startedAt) / 1000;
  t.diagnostic(`alone: ${show(alone)}`);
  t.diagnostic(
    `beside a copy of ${(statSync(file).size / 2 ** 20).toFixed(0)} MiB in ${seconds.toFixed(1)} s: ${show(beside)}`,
  );
  // Other tests share the machine. A copy that held the store up would hold most of them up.
  assert.ok(beside.p50 < 250, show(beside));
});

test('a restore refuses what is no whole store of this version, and changes nothing', async (t) => {
  const folder = newFolder(t);
  const dataDir = join(folder, 'data');
  await succeed(['migrate'], dataDir);
  const store = join(dataDir, 'posthorn.db');
  const good = join(folder, 'good.db');
  await succeed(['backup', good], dataDir);
  const before = readFileSync(store);
  const beside = readdirSync(dataDir);
  const change = (name: string, sql: string) => {
    const file = join(folder, name);
    copyFileSync(good, file);
    const db = new DatabaseSync(file);
    db.exec(sql);
    db.close();
    return file;
  };
  const written = (name: string, text: string) => {
    const file = join(folder, name);
    writeFileSync(file, text);
    return file;
  };
  const cut = join(folder, 'cut.db');
  copyFileSync(good, cut);
  truncateSync(cut, statSync(good).size - 100_000);
  const holed = join(folder, 'holed.db');
  copyFileSync(good, holed);
  const fd = openSync(holed, 'r+');
  writeSync(fd, Buffer.alloc(60_000, 7), 0, 60_000, 4 * 16_384);
  closeSync(fd);
  const other = new DatabaseSync(join(folder, 'other.db'));
  other.exec('CREATE TABLE songs (name TEXT)');
  other.close();
  const refused: [string, RegExp][] = [
    [join(folder, 'nowhere.db'), /nowhere\.db can't be read .*ENOENT/],
    [folder, /can't be read .*EISDIR/],
    [written('text', 'not a database'), /text is no backup of Posthorn's: it is not a SQLite database/],
    [written('empty', ''), /empty is no backup of Posthorn's/],
    [join(folder, 'other.db'), /other\.db is a SQLite database, but not a store of Posthorn's/],
    [cut, /cut\.db is damaged/],
    [holed, /holed\.db is damaged/],
    [
      change('newer.db', "INSERT INTO migrations VALUES (999, '999-x.sqlite.sql', 0)"),
      /written by a newer Posthorn \(schema 999/,
    ],
    [
      change('named.db', "UPDATE migrations SET name = '001-other.sqlite.sql' WHERE number = 1"),
      /another build of Posthorn/,
    ],
    [store, /is the store itself/],
  ];
  for (const [file, sentence] of refused) {
    const answer = await runCommand(['restore', file, '--force'], dataDir);
    assertSentence(answer, sentence);
    t.diagnostic(answer.output.trim().replaceAll(`${folder}/`, ''));
    assert.ok(readFileSync(store).equals(before), file);
    assert.deepEqual(readdirSync(dataDir), beside, file);
  }
});

test('a damaged store is kept, log and all, when a backup takes its place', async (t) => {
  const folder = newFolder(t);
  const dataDir = join(folder, 'data');
  await succeed(['migrate'], dataDir);
  const file = join(folder, 'backup.db');
  await succeed(['backup', file], dataDir);
  const store = join(dataDir, 'posthorn.db');
  writeFileSync(store, 'no database\n');
  assertSentence(await startRefused(quiet, dataDir), /posthorn\.db is damaged .*posthorn restore <file>/);
  writeFileSync(`${store}-wal`, 'nor a log\n');
  const said = await succeed(['restore', file], dataDir);
  const kept = /kept as (.*)\.\n/.exec(said)?.[1] ?? '';
  assert.equal(readFileSync(kept, 'utf8'), 'no database\n');
  assert.equal(readFileSync(`${kept}-wal`, 'utf8'), 'nor a log\n');
  const posthorn = await startPosthorn(quiet, dataDir);
  assert.equal(await posthorn.end('SIGTERM'), 0);
});

test('a restore to a new machine says that the key of then is needed, and the start that it is missing', async (t) => {
  const folder = newFolder(t);
  const file = join(folder, 'backup.db');
  const first: Posthorn = await startPosthorn(quiet);
  t.after(() => first.close());
  await succeed(['backup', file], first.dataDir);
  const dataDir = join(folder, 'new');
  const said = await succeed(['restore', file], dataDir);
  assert.match(said, /encrypted with another key .*before the start put the key of then into .*secret-key/);
  assertSentence(await startRefused(quiet, dataDir), /The secret key is missing/);
  copyFileSync(join(first.dataDir, 'secret-key'), join(dataDir, 'secret-key'));
  assert.match(await succeed(['restore', file], dataDir), /Start Posthorn/);
  const second = await startPosthorn(quiet, dataDir);
  assert.equal(await second.end('SIGTERM'), 0);
});

test('a backup refuses a name that is taken, a folder that is not there and a store that is not there', async (t) => {
  const folder = newFolder(t);
  const dataDir = join(folder, 'data');
  const taken = join(folder, 'taken');
  writeFileSync(taken, 'mine');
  assertSentence(await runCommand(['backup', taken], dataDir), /There is no store at .*posthorn\.db/);
  await succeed(['migrate'], dataDir);
  assertSentence(await runCommand(['backup', taken], dataDir), /taken is there already/);
  assert.equal(readFileSync(taken, 'utf8'), 'mine');
  assertSentence(
    await runCommand(['backup', join(folder, 'no', 'where')], dataDir),
    /could not be made .*ENOENT/,
  );
  mkdirSync(join(folder, 'dir'));
  assertSentence(await runCommand(['backup', join(folder, 'dir')], dataDir), /is there already/);
});

test('migrate makes the schema and nothing else, says what it ran, and the start finds it', async (t) => {
  const dataDir = join(newFolder(t), 'data');
  assert.match(await succeed(['migrate'], dataDir), /now has schema \d+\. Ran 001-initial\.sqlite\.sql/);
  assert.match(await succeed(['migrate'], dataDir), /has schema \d+ already; there was nothing to do/);
  const posthorn = await startPosthorn(quiet, dataDir);
  assert.match(posthorn.output(), /sign-in link/, 'this is still its first start');
  assert.equal(await posthorn.end('SIGTERM'), 0);
});

test('on PostgreSQL migrate does the same, and backup and restore name the tools for it', async (t) => {
  const { url } = await createDatabase();
  const dataDir = join(newFolder(t), 'data');
  const env = { DATABASE_URL: url };
  assert.match(
    await succeed(['migrate'], dataDir, env),
    /now has schema \d+\. Ran 001-initial\.postgres\.sql/,
  );
  assert.match(await succeed(['migrate'], dataDir, env), /nothing to do/);
  assert.ok(!existsSync(dataDir), 'nothing is made on this machine');
  const posthorn = await startPosthorn({ ...quiet, ...env });
  t.after(() => posthorn.close());
  assert.equal(await posthorn.end('SIGTERM'), 0);
  assertSentence(await runCommand(['backup', 'x'], dataDir, env), /pg_dump --format=custom .*secret key/);
  assertSentence(await runCommand(['restore', 'x'], dataDir, env), /pg_restore --no-owner .*secret key/);
});
