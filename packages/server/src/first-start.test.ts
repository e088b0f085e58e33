import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { systemClock } from './clock.ts';
import { readSettings } from './config.ts';
import { databaseFile, prepareDataDir, StartError, setUp } from './first-start.ts';
import { openSqliteStore } from './store/sqlite/client.ts';
import type { Store } from './store/store.ts';
import { Vault } from './vault.ts';

const keyA = Buffer.alloc(32, 7);
const keyB = Buffer.alloc(32, 9);
const token = 'Operator0000000000000000';

/** A directory for one test; the data directory in it is not made yet. */
function newDataDir(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'posthorn-first-start-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'deep', 'data');
}

const prepare = (dataDir: string, env: Record<string, string> = {}) =>
  prepareDataDir(readSettings({ POSTHORN_DATA_DIR: dataDir, ...env }));

const modeOf = (path: string): string => (statSync(path).mode & 0o777).toString(8);

/** What the data directory holds, and since when. */
const contentsOf = (dataDir: string) =>
  readdirSync(dataDir)
    .toSorted()
    .map((name) => {
      const file = join(dataDir, name);
      return { name, text: readFileSync(file, 'utf8'), mtimeMs: statSync(file).mtimeMs };
    });

/** The sentence with which the start is refused. */
function refusalOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof StartError, String(error));
    assert.match(error.message, /^[^\n]+\.$/, 'one line that ends like a sentence');
    return error.message;
  }
  return assert.fail('the start went on');
}

test('a first start makes the directory, the token and the key, for its user alone', (t) => {
  const dataDir = newDataDir(t);
  const { settings, adminToken, adminTokenFile } = prepare(dataDir);
  assert.equal(modeOf(dataDir), '700');
  assert.equal(modeOf(join(dataDir, 'admin-token')), '600');
  assert.equal(modeOf(join(dataDir, 'secret-key')), '600');
  assert.equal(adminTokenFile, join(dataDir, 'admin-token'));
  assert.match(adminToken, /^[A-Za-z0-9]{24}$/);
  assert.equal(readFileSync(adminTokenFile, 'utf8'), `${adminToken}\n`);
  assert.deepEqual(settings.secretKeys, [
    Buffer.from(readFileSync(join(dataDir, 'secret-key'), 'utf8'), 'base64'),
  ]);
  assert.equal(settings.secretKeys[0]?.length, 32);
  assert.deepEqual(readdirSync(dataDir).toSorted(), ['admin-token', 'secret-key'], 'no drafts are left');
});

test('two data directories have different tokens and keys', (t) => {
  const [one, other] = [prepare(newDataDir(t)), prepare(newDataDir(t))];
  assert.notEqual(one.adminToken, other.adminToken);
  assert.notDeepEqual(one.settings.secretKeys, other.settings.secretKeys);
});

test('a second start reads the same and changes nothing', (t) => {
  const dataDir = newDataDir(t);
  const first = prepare(dataDir);
  const before = contentsOf(dataDir);
  const second = prepare(dataDir);
  assert.deepEqual(contentsOf(dataDir), before);
  assert.equal(second.adminToken, first.adminToken);
  assert.deepEqual(second.settings, first.settings);
});

test('the setting wins over the file, and then no file is made', (t) => {
  const dataDir = newDataDir(t);
  const env = { POSTHORN_ADMIN_TOKEN: token, POSTHORN_SECRET_KEY: keyA.toString('hex') };
  const first = prepare(dataDir, env);
  assert.equal(first.adminToken, token);
  assert.deepEqual(first.settings.secretKeys, [keyA]);
  assert.deepEqual(readdirSync(dataDir), []);
  const made = prepare(dataDir);
  assert.notEqual(made.adminToken, token);
  const again = prepare(dataDir, env);
  assert.equal(again.adminToken, token);
  assert.deepEqual(again.settings.secretKeys, [keyA]);
});

test('the key file may hold a list, as the setting may', (t) => {
  const dataDir = newDataDir(t);
  mkdirSync(dataDir, { recursive: true });
  writeFileSync(join(dataDir, 'secret-key'), `${keyB.toString('base64')},${keyA.toString('hex')}\n`);
  assert.deepEqual(prepare(dataDir).settings.secretKeys, [keyB, keyA]);
});

test('on a store that is set up nothing is generated', (t) => {
  for (const [file, setting] of [
    ['secret-key', 'POSTHORN_SECRET_KEY'],
    ['admin-token', 'POSTHORN_ADMIN_TOKEN'],
  ] as const) {
    const dataDir = newDataDir(t);
    prepare(dataDir);
    writeFileSync(join(dataDir, databaseFile), '');
    rmSync(join(dataDir, file));
    const before = contentsOf(dataDir);
    const sentence = refusalOf(() => prepare(dataDir));
    assert.ok(sentence.includes(join(dataDir, file)) && sentence.includes(setting), sentence);
    assert.deepEqual(contentsOf(dataDir), before);
    const value = file === 'secret-key' ? keyA.toString('base64') : token;
    assert.ok(prepare(dataDir, { [setting]: value }), 'the setting stands in for the file');
  }
});

test('a file with bad content stops the start, and its content is not repeated', (t) => {
  for (const [file, setting, texts] of [
    ['secret-key', 'POSTHORN_SECRET_KEY', ['', '\n', 'not-a-key-at-all', keyA.toString('hex').slice(1)]],
    ['admin-token', 'POSTHORN_ADMIN_TOKEN', ['', 'short', `${token}0`, 'Operator-000000000000000']],
  ] as const) {
    for (const text of texts) {
      const dataDir = newDataDir(t);
      prepare(dataDir);
      writeFileSync(join(dataDir, file), text);
      const sentence = refusalOf(() => prepare(dataDir));
      assert.ok(sentence.includes(join(dataDir, file)) && sentence.includes(setting), sentence);
      assert.ok(text.trim() === '' || !sentence.includes(text), sentence);
      assert.equal(readFileSync(join(dataDir, file), 'utf8'), text, 'it is left for its owner to look at');
    }
  }
});

test('a file or a device in place of the directory stops the start', (t) => {
  const inTheWay = join(newDataDir(t), '..', '..', 'file');
  writeFileSync(inTheWay, '');
  for (const dataDir of [inTheWay, join(inTheWay, 'data'), '/dev/null/data']) {
    const sentence = refusalOf(() => prepare(dataDir));
    assert.ok(sentence.includes(dataDir) && sentence.includes('POSTHORN_DATA_DIR'), sentence);
  }
});

test('a directory in place of a key stops the start', (t) => {
  const dataDir = newDataDir(t);
  mkdirSync(join(dataDir, 'secret-key'), { recursive: true });
  assert.match(
    refusalOf(() => prepare(dataDir)),
    /secret-key can't be read/,
  );
});

// The store ------------------------------------------------------------------------------------------------

async function openStore(t: TestContext): Promise<Store> {
  const dataDir = newDataDir(t);
  mkdirSync(dataDir, { recursive: true });
  const store = await openSqliteStore({
    path: join(dataDir, databaseFile),
    now: systemClock.now(),
    delivers: false,
  });
  t.after(() => store.close());
  return store;
}

const parts = (store: Store, keys: Buffer[] = [keyA]) => ({
  store,
  clock: systemClock,
  vault: new Vault(keys),
});

/** Everything that setting up writes. */
async function rowsOf(store: Store) {
  const all = (table: 'meta' | 'teams' | 'users' | 'members' | 'sign_in_links' | 'audit') =>
    store.read(store.queries.selectFrom(table).selectAll().compile());
  return {
    meta: await all('meta'),
    teams: await all('teams'),
    users: await all('users'),
    members: await all('members'),
    links: await all('sign_in_links'),
    audit: await all('audit'),
  };
}

test('setting up makes the team default with one owner, and a link whose token is stored hashed', async (t) => {
  const store = await openStore(t);
  const before = systemClock.now();
  const { signInToken } = await setUp(parts(store));
  const rows = await rowsOf(store);
  const [team, user, member, link] = [rows.teams[0], rows.users[0], rows.members[0], rows.links[0]];
  assert.deepEqual(
    [rows.teams, rows.users, rows.members, rows.links, rows.audit].map((list) => list.length),
    [1, 1, 1, 1, 1],
  );
  assert.ok(team && user && member && link);
  assert.partialDeepStrictEqual(team, { slug: 'default', name: 'Default', plan: 'pro', creator_id: user.id });
  assert.match(team.id, /^team_[A-Za-z0-9]{24}$/);
  assert.partialDeepStrictEqual(member, { team_id: team.id, user_id: user.id, role: 'OWNER' });
  assert.equal(rows.audit[0]?.team_id, team.id);

  const found = /^([A-Za-z0-9]{32})$/.exec(signInToken ?? '');
  const plain = found?.[1] ?? '';
  assert.equal(link.hash, createHash('sha256').update(plain).digest('hex'));
  assert.equal(link.user_id, user.id);
  assert.equal(link.used_at, null);
  const lastsMs = link.expires_at - link.created_at;
  assert.equal(lastsMs, 24 * 3_600_000);
  assert.ok(link.created_at >= before && link.created_at <= systemClock.now());
  assert.ok(!JSON.stringify(rows).includes(plain), 'the token itself is nowhere');
});

test('a second start finds everything and changes nothing', async (t) => {
  const store = await openStore(t);
  await setUp(parts(store));
  const before = await rowsOf(store);
  assert.deepEqual(await setUp(parts(store)), { signInToken: null });
  assert.deepEqual(await rowsOf(store), before);
});

test('of many starts at the same moment one sets up', async (t) => {
  const store = await openStore(t);
  const outcomes = await Promise.all(Array.from({ length: 8 }, () => setUp(parts(store))));
  assert.equal(outcomes.filter(({ signInToken }) => signInToken !== null).length, 1);
  assert.equal((await rowsOf(store)).teams.length, 1);
});

test('a key that does not fit stops the start; the new key before the old one is a rotation', async (t) => {
  const store = await openStore(t);
  await setUp(parts(store, [keyA]));
  const before = await rowsOf(store);
  const wrong = setUp(parts(store, [keyB]));
  await assert.rejects(wrong, (error: Error) => {
    assert.ok(error instanceof StartError);
    assert.match(error.message, /secret key does not fit this store.*POSTHORN_SECRET_KEY/);
    return true;
  });
  assert.deepEqual(await rowsOf(store), before);

  assert.deepEqual(await setUp(parts(store, [keyB, keyA])), { signInToken: null });
  await assert.rejects(setUp(parts(store, [keyA])), StartError);
  assert.deepEqual(await setUp(parts(store, [keyB])), { signInToken: null });
});
