// Migrations in the world they are made for: nodes that start together, a kill in the middle, and the version before, which
// goes on under load while the next one changes the schema.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import pg from 'pg';
import { readMigrations } from '../src/store/migrations.ts';
import { migrateSqlite } from '../src/store/sqlite/open.ts';
import { makeWebhook, newEvent, until } from './support/calls.ts';
import { keepDoing } from './support/house.ts';
import { createDatabase } from './support/postgres.ts';
import { adminToken, newDataDir, runCommand, startPosthorn, startRefused } from './support/posthorn.ts';
import { startReceiver } from './support/receiver.ts';
import { assertSentence } from './support/refusals.ts';

const settings = {
  POSTHORN_SECRET_KEY: Buffer.alloc(32, 7).toString('base64'),
  POSTHORN_RETRY_SCHEDULE: '200ms,1s,2s',
  POSTHORN_LOG_LEVEL: 'error',
};
const root = new URL('../../../', import.meta.url).pathname;
const known = readMigrations('postgres').length;

function newFolder(t: TestContext): string {
  const folder = newDataDir();
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function connect(t: TestContext, url: string): Promise<pg.Client> {
  const admin = new pg.Client({ connectionString: url });
  await admin.connect();
  t.after(() => admin.end());
  return admin;
}

const numbersOf = async (admin: pg.Client): Promise<number[]> =>
  (await admin.query('SELECT number FROM migrations ORDER BY number')).rows.map(({ number }) => number);
const allNumbers = Array.from({ length: known }, (_, index) => index + 1);

test('of four that migrate at once one does it, and the others find it done', async (t) => {
  const { url } = await createDatabase();
  const answers = await Promise.all(
    [1, 2, 3, 4].map(() => runCommand(['migrate'], newFolder(t), { DATABASE_URL: url })),
  );
  assert.deepEqual(
    answers.map(({ code }) => code),
    [0, 0, 0, 0],
    answers.map(({ output }) => output).join(''),
  );
  const outputs = answers.map(({ output }) => output);
  assert.equal(outputs.filter((output) => /Ran 001-initial/.test(output)).length, 1, outputs.join(''));
  assert.equal(outputs.filter((output) => /nothing to do/.test(output)).length, 3, outputs.join(''));
  assert.deepEqual(await numbersOf(await connect(t, url)), allNumbers);
});

test('kill -9 in the middle of a migration of PostgreSQL leaves nothing of it, and the next start does it', async (t) => {
  const { url } = await createDatabase();
  const admin = await connect(t, url);
  // The server holds the migration up at one of its tables, so that the kill falls in its middle.
  await admin.query(`CREATE FUNCTION hold_up() RETURNS event_trigger LANGUAGE plpgsql AS $$
    BEGIN IF to_regclass('attempts') IS NOT NULL THEN PERFORM pg_sleep(3); END IF; END $$`);
  await admin.query(
    "CREATE EVENT TRIGGER held ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION hold_up()",
  );
  const child = spawnCommand(['migrate'], { DATABASE_URL: url, POSTHORN_DATA_DIR: newFolder(t) });
  await until(
    () =>
      admin.query(
        "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()",
      ),
    ({ rowCount }) => rowCount === 1,
  );
  child.kill('SIGKILL');
  await once(child, 'close');
  await admin.query('DROP EVENT TRIGGER held');
  const { rows } = await admin.query(
    "SELECT to_regclass('events') AS events, to_regclass('migrations') AS migrations",
  );
  assert.deepEqual(rows, [{ events: null, migrations: null }]);
  const node = await startPosthorn({ ...settings, DATABASE_URL: url });
  t.after(() => node.close());
  assert.deepEqual(await numbersOf(admin), allNumbers);
});

test('kill -9 in the middle of a migration of SQLite leaves nothing of it, and the next start does it', async (t) => {
  const folder = newFolder(t);
  const migrations = join(folder, 'migrations');
  mkdirSync(migrations);
  writeFileSync(join(migrations, '001-small.sqlite.sql'), 'CREATE TABLE small (n INTEGER);');
  writeFileSync(
    join(migrations, '002-large.sqlite.sql'),
    `CREATE TABLE large (n INTEGER, filling BLOB);
     INSERT INTO large WITH RECURSIVE t (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 30000)
       SELECT n, randomblob(4000) FROM t;
     CREATE TABLE last (n INTEGER);`,
  );
  const path = join(folder, 'posthorn.db');
  const code = `import { migrateSqlite } from ${JSON.stringify(new URL('../src/store/sqlite/open.ts', import.meta.url).href)};
    process.stdout.write(JSON.stringify(migrateSqlite(process.argv[1], new URL(process.argv[2]))));`;
  const migrate = () =>
    spawn(process.execPath, ['--input-type=module', '-e', code, path, pathToFileURL(`${migrations}/`).href], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
  const child = migrate();
  // What does not fit the cache is in the log before the commit: the large table is under way.
  await until(
    () => Promise.resolve(existsSync(`${path}-wal`) ? statSync(`${path}-wal`).size : 0),
    (size) => size > 4_000_000,
  );
  child.kill('SIGKILL');
  assert.deepEqual(await once(child, 'close'), [null, 'SIGKILL']);
  const tables = () => {
    const db = new DatabaseSync(path);
    const rows = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").all();
    db.close();
    return rows.map(({ name }) => name);
  };
  assert.deepEqual(tables(), ['migrations', 'small']);
  const again = migrate();
  const [chunk] = (await once(again.stdout, 'data')) as [Buffer];
  await once(again, 'close');
  assert.deepEqual(JSON.parse(chunk.toString()), { ran: ['002-large.sqlite.sql'], schema: 2 });
  assert.deepEqual(tables(), ['large', 'last', 'migrations', 'small']);
});

test('a SQLite file from before 008 keeps its attempts, and its index what was in it', (t) => {
  const folder = newFolder(t);
  const before = join(folder, 'migrations');
  mkdirSync(before);
  const all = new URL('../src/store/migrations/', import.meta.url);
  for (const name of readdirSync(all)) if (name < '008') cpSync(new URL(name, all), join(before, name));
  const path = join(folder, 'posthorn.db');
  migrateSqlite(path, pathToFileURL(`${before}/`));
  const key = (n: number) => `${String(n).padStart(21, '0')}tag00001`;
  const use = (work: (db: DatabaseSync) => void) => {
    const db = new DatabaseSync(path);
    work(db);
    db.close();
  };
  const attempt = `INSERT INTO attempts (delivery_id, number, started_at, duration_ms, timings, url, request_headers, truncated)
    VALUES (?, ?, 1, 1, '', '', '', 0)`;
  const delivery = `INSERT INTO deliveries (tag, id, event_seq, type, state, attempts, created_at, finished_at)
    VALUES ('tag00001', ?, 1, 'x', 'delivered', 1, 1, 1)`;
  use((db) => {
    for (const n of [1, 2]) {
      db.prepare(delivery).run(key(n));
      db.prepare(attempt).run(key(n), 1);
    }
  });
  assert.equal(migrateSqlite(path).ran.at(0), '008-attempts.sqlite.sql');
  use((db) => {
    const { lastInsertRowid } = db.prepare(attempt).run(key(3), 1);
    db.exec(`UPDATE attempts SET alone = 1 WHERE seq = ${lastInsertRowid}`);
    db.prepare(delivery).run(key(3));
    db.exec(`UPDATE deliveries SET attempt = ${lastInsertRowid} WHERE id = '${key(3)}'`);
    db.prepare(attempt).run(key(3), 2);
    assert.throws(() => db.prepare(attempt).run(key(2), 1), /UNIQUE constraint failed/);
    const asked = db.prepare(
      "SELECT number FROM delivery_attempts WHERE tag = 'tag00001' AND delivery_id = ? ORDER BY number",
    );
    assert.deepEqual(
      [1, 2, 3, 4].map((n) => asked.all(key(n)).map(({ number }) => number)),
      [[1], [1], [1, 2], []],
    );
    assert.deepEqual({ ...db.prepare('PRAGMA integrity_check').get() }, { integrity_check: 'ok' });
  });
});

function spawnCommand(args: string[], env: Record<string, string>): ChildProcess {
  const entry = new URL('../../cli/src/main.ts', import.meta.url).pathname;
  const clean = Object.entries(process.env).filter(([name]) => !/^(POSTHORN_|DATABASE_URL$)/.test(name));
  return spawn(process.execPath, [entry, ...args], {
    env: { ...Object.fromEntries(clean), ...env },
    stdio: 'ignore',
  });
}

/** This server with one migration more, as the next version will be: copied, and started from there. */
function makeNextVersion(t: TestContext): string {
  const folder = newFolder(t);
  cpSync(join(root, 'packages', 'server', 'src'), join(folder, 'server', 'src'), { recursive: true });
  cpSync(join(root, 'packages', 'server', 'package.json'), join(folder, 'server', 'package.json'));
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  const own = join(root, 'packages', 'server', 'node_modules');
  if (existsSync(own)) symlinkSync(own, join(folder, 'server', 'node_modules'));
  const next = `${String(known + 1).padStart(3, '0')}-next`;
  const migrations = join(folder, 'server', 'src', 'store', 'migrations');
  // What versions do: columns in the tables of the hot path, a table, indexes on what is there.
  writeFileSync(
    join(migrations, `${next}.postgres.sql`),
    `ALTER TABLE pending ADD COLUMN later bigint NOT NULL DEFAULT 0;
     ALTER TABLE events ADD COLUMN later text;
     ALTER TABLE endpoints ADD COLUMN later bigint NOT NULL DEFAULT 1;
     CREATE TABLE later (tag text PRIMARY KEY, n bigint NOT NULL);
     CREATE INDEX lanes_later ON lanes (touched);
     CREATE INDEX deliveries_later ON deliveries (finished_at) WHERE state = 'failed';`,
  );
  writeFileSync(join(migrations, `${next}.sqlite.sql`), 'CREATE TABLE later (n INTEGER);');
  const entry = join(folder, 'start.ts');
  writeFileSync(
    entry,
    `import { startServer } from './server/src/main.ts';
     const server = await startServer(process.env);
     process.on('SIGTERM', () => void server.stop().then(() => process.exit(0)));
     console.log(\`listens on \${server.address}\`);`,
  );
  assert.ok(readdirSync(migrations).includes(`${next}.postgres.sql`));
  return entry;
}

async function startNextVersion(t: TestContext, env: Record<string, string>): Promise<string> {
  const child = spawn(process.execPath, [makeNextVersion(t)], {
    env: {
      PATH: process.env.PATH ?? '',
      POSTHORN_PORT: '0',
      POSTHORN_DATA_DIR: newFolder(t),
      POSTHORN_ADMIN_TOKEN: adminToken,
      POSTHORN_ALLOWED_NETWORKS: '127.0.0.0/8,::1/128',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(async () => {
    const ended = once(child, 'close');
    if (child.exitCode === null && child.kill('SIGKILL')) await ended;
  });
  let printed = '';
  for await (const chunk of child.stdout) {
    printed += String(chunk);
    const found = /listens on (http:\S+)/.exec(printed);
    if (found?.[1] !== undefined) return found[1];
  }
  throw new Error(`The next version ended: ${printed}`);
}

test('the version before goes on under load while the next one migrates and joins it; it starts no more after that', async (t) => {
  const { url } = await createDatabase();
  const receiver = await startReceiver();
  t.after(() => receiver.close());
  const env = { ...settings, DATABASE_URL: url };
  const old = await startPosthorn(env);
  t.after(() => old.close());
  await makeWebhook(old, receiver.url);
  const admin = await connect(t, url);

  const answered: string[] = [];
  const tookMs: number[] = [];
  let base = [old.url];
  const publishing = keepDoing(4, async (worker, round) => {
    const id = `w${worker}-${round}`;
    const startedAt = performance.now();
    const response = await fetch(`${base[round % base.length]}/v1/events`, {
      method: 'POST',
      headers: { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' },
      body: JSON.stringify(newEvent(round, { id })),
    });
    assert.equal(response.status, 202, await response.text());
    tookMs.push(performance.now() - startedAt);
    answered.push(id);
  });
  await publishing.whenDone(100);
  const before = tookMs.length;
  // A transaction that was left open holds the change up; the change must not hold the others up behind it.
  const open = await connect(t, url);
  await open.query('BEGIN; SELECT count(*) FROM pending');
  const starting = startNextVersion(t, env);
  await until(
    () => admin.query("SELECT 1 FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND NOT granted"),
    ({ rowCount }) => rowCount === 1,
    60_000,
  );
  await publishing.whenDone(150);
  assert.deepEqual(await numbersOf(admin), allNumbers, 'it waits');
  await open.query('COMMIT');
  base = [old.url, await starting];
  assert.deepEqual(await numbersOf(admin), [...allNumbers, known + 1]);
  await publishing.whenDone(200);
  await publishing.end();
  const during = tookMs.slice(before).toSorted((a, b) => a - b);
  t.diagnostic(
    `${answered.length} events answered 202 and none otherwise; while the next version migrated and joined: p50 ${during[during.length >> 1]?.toFixed(0)} ms, longest ${during.at(-1)?.toFixed(0)} ms`,
  );
  await until(
    async () =>
      (await admin.query("SELECT count(*)::int AS n FROM deliveries WHERE state = 'delivered'")).rows,
    ([row]) => row.n === answered.length,
  );
  assert.equal(await old.end('SIGTERM'), 0);
  assertSentence(
    await startRefused(env, newFolder(t)),
    new RegExp(`written by a newer Posthorn \\(schema ${known + 1}, this one knows ${known}\\)`),
  );
});
