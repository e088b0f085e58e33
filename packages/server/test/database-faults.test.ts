// Databases that a start has to refuse, each with one sentence and without a change, and what goes wrong with one while a
// node runs: publishes get 503, the log says what to do, and work goes on by itself once that is done.
import assert from 'node:assert/strict';
import { chmodSync, chownSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import pg from 'pg';
import { deliveryIn, makeWebhook, newEvent, until } from './support/calls.ts';
import { startReceivers } from './support/house.ts';
import { createDatabase } from './support/postgres.ts';
import { newDataDir, type Posthorn, startPosthorn, startRefused } from './support/posthorn.ts';
import { assertSentence } from './support/refusals.ts';
import { mountSmallDisk } from './support/small-disk.ts';
import { startTcpProxy } from './support/tcp-proxy.ts';

const settings = {
  POSTHORN_SECRET_KEY: Buffer.alloc(32, 7).toString('base64'),
  POSTHORN_LOG_LEVEL: 'error',
  POSTHORN_RETRY_SCHEDULE: '200ms,1s,2s,5s',
};

async function withAdmin<Result>(url: string, work: (admin: pg.Client) => Promise<Result>): Promise<Result> {
  const admin = new pg.Client({ connectionString: url });
  await admin.connect();
  try {
    return await work(admin);
  } finally {
    await admin.end();
  }
}

/** All tables with their owners and the rows of the list of migrations: what a refused start must leave as it is. */
const pictureOf = (url: string) =>
  withAdmin(url, async (admin) => {
    const { rows } = await admin.query(
      "SELECT relname, relowner FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1",
    );
    const migrations = rows.some(({ relname }) => relname === 'migrations')
      ? (await admin.query('SELECT * FROM migrations ORDER BY 1')).rows
      : [];
    return { rows, migrations };
  });

const passwordOf = (user: string): string => `secret-${user.length}-word`;

/** The URL for another user of the same database. */
function urlAs(url: string, user: string): string {
  const made = new URL(url);
  made.username = user;
  made.password = passwordOf(user);
  return made.href;
}

describe('a start that is refused', () => {
  const refused = async (url: string, sentence: RegExp) => {
    const answer = await startRefused({ ...settings, DATABASE_URL: url }, newDataDir());
    assertSentence(answer, sentence);
    assert.ok(!answer.output.includes(new URL(url).password), 'no password is repeated');
  };

  test('an address that does not answer, is not there or does not exist', async () => {
    const { url } = await createDatabase();
    const { host } = new URL(url);
    const proxy = await startTcpProxy(Number(new URL(url).port));
    proxy.stop();
    await refused(
      `postgres://posthorn:secret@127.0.0.1:${proxy.port}/posthorn`,
      /can't be used\. .*Check its host and port/,
    );
    await proxy.close();
    await refused('postgres://posthorn:secret@127.0.0.1:9/posthorn', /ECONNREFUSED.*Check its host and port/);
    await refused(
      'postgres://posthorn:secret@no-such-host.invalid/posthorn',
      /host that no name server knows|Check its host/,
    );
    await refused(
      'mysql://posthorn:secret@db/posthorn',
      /^DATABASE_URL is not usable; it takes a URL like postgres/,
    );
    await refused(`postgres://posthorn:wrong@${host}/posthorn_1`, /refuses the password/);
    await refused(`postgres://posthorn:posthorn@${host}/nowhere`, /does not exist on that server/);
  });

  test('a server that is too old', async () => {
    const { url } = await createDatabase();
    // A real server behind a wire that changes six digits: no older one can be had from npm beside it.
    const proxy = await startTcpProxy(Number(new URL(url).port), (bytes) => {
      const at = bytes.indexOf('180004');
      if (at >= 0) bytes.write('140012', at);
      return bytes;
    });
    const behind = new URL(url);
    behind.port = String(proxy.port);
    const picture = await pictureOf(url);
    await refused(behind.href, /The PostgreSQL server is version 14\. Posthorn needs 15 or newer\./);
    assert.deepEqual(await pictureOf(url), picture);
    await proxy.close();
  });

  test('a newer schema, one with a gap and one of another build', async () => {
    const { url } = await createDatabase();
    const say = (sql: string) => withAdmin(url, (admin) => admin.query(sql));
    await say('CREATE TABLE migrations (number int PRIMARY KEY, name text, at bigint)');
    for (const [number, name, sentence] of [
      [999, 'later', /written by a newer Posthorn \(schema 999/],
      [1, '001-other.postgres.sql', /written by another build of Posthorn/],
    ] as const) {
      await say('DELETE FROM migrations');
      await say(`INSERT INTO migrations VALUES (${number}, '${name}', 0)`);
      const picture = await pictureOf(url);
      await refused(url, sentence);
      assert.deepEqual(await pictureOf(url), picture);
    }
  });

  test('a user that may not make tables, may not write, or does not own them', async () => {
    const { url } = await createDatabase();
    const name = new URL(url).pathname.slice(1);
    const say = (sql: string) => withAdmin(url, (admin) => admin.query(sql));
    const [poor, other] = [`${name}_poor`, `${name}_other`];
    for (const user of [poor, other]) await say(`CREATE ROLE ${user} LOGIN PASSWORD '${passwordOf(user)}'`);
    const empty = await pictureOf(url);
    await refused(
      urlAs(url, poor),
      new RegExp(
        `user ${poor} may not make tables there\\. Run GRANT CREATE, USAGE ON SCHEMA public TO ${poor}`,
      ),
    );
    assert.deepEqual(await pictureOf(url), empty);

    // Grants as the sentence says, and the same user starts.
    await say(`GRANT CREATE, USAGE ON SCHEMA public TO ${poor}`);
    const node = await startPosthorn({ ...settings, DATABASE_URL: urlAs(url, poor) });
    assert.equal(await node.end('SIGTERM'), 0);
    await node.close();

    await say(`GRANT CREATE, USAGE ON SCHEMA public TO ${other}`);
    const made = await pictureOf(url);
    await refused(
      urlAs(url, other),
      new RegExp(
        `user ${other} lacks DELETE on .* more\\. Run GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES`,
      ),
    );
    await say(`GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO ${other}`);
    await refused(
      urlAs(url, other),
      /does not own .*Use their owner in DATABASE_URL, or make .* a member of that role/,
    );
    await say(`GRANT ${poor} TO ${other}`);
    await say(`REVOKE INSERT ON pending FROM ${poor}, ${other}`);
    await refused(urlAs(url, poor), new RegExp(`user ${poor} lacks INSERT on pending\\. Run GRANT`));
    await say(`GRANT INSERT ON pending TO ${poor}`);
    assert.deepEqual(await pictureOf(url), made);
    const member = await startPosthorn({ ...settings, DATABASE_URL: urlAs(url, other) });
    assert.equal(await member.end('SIGTERM'), 0);
    await member.close();
  });
});

describe('while a node runs', () => {
  let url = '';
  let node: Posthorn;
  const answered: string[] = [];
  let count = 0;

  const publishOnce = async () => {
    const id = `event-${++count}`;
    const answer = await node.call('POST', '/v1/events', { body: newEvent(1, { id }) });
    if (answer.status === 202) answered.push(id);
    else
      assert.deepEqual(
        [answer.status, answer.headers.get('retry-after')],
        [503, '1'],
        JSON.stringify(answer.body),
      );
    return answer.status;
  };
  /** Publishing is refused after `spoil`, for the reason `sentence`, and goes on by itself after `mend`. */
  const holdsOut = async (spoil: () => Promise<unknown>, sentence: RegExp, mend: () => Promise<unknown>) => {
    assert.equal(await publishOnce(), 202);
    const from = node.output().length;
    await spoil();
    await until(publishOnce, (status) => status === 503);
    await until(
      () => Promise.resolve(node.output().slice(from)),
      (output) => sentence.test(output),
    );
    await mend();
    await until(publishOnce, (status) => status === 202);
    for (const id of answered.splice(0)) await deliveryIn(node, 'delivered', id);
  };

  before(async () => {
    url = (await createDatabase()).url;
    const name = new URL(url).pathname.slice(1);
    const user = `${name}_owner`;
    await withAdmin(url, async (admin) => {
      await admin.query(`CREATE ROLE ${user} LOGIN PASSWORD '${passwordOf(user)}'`);
      await admin.query(`GRANT CREATE, USAGE ON SCHEMA public TO ${user}`);
    });
    node = await startPosthorn({ ...settings, DATABASE_URL: urlAs(url, user) });
  });
  after(() => node.close());

  test('a right that is taken away', async (t) => {
    const [receiver] = await startReceivers(t, 1);
    const webhook = await makeWebhook(node, receiver?.url ?? '');
    const user = `${new URL(url).pathname.slice(1)}_owner`;
    await holdsOut(
      () => withAdmin(url, (admin) => admin.query(`REVOKE INSERT ON pending FROM ${user}`)),
      /The database denies its user a right that it had at the start\. Grant it again\. It said: permission denied for table pending/,
      () => withAdmin(url, (admin) => admin.query(`GRANT INSERT ON pending TO ${user}`)),
    );
    await node.call('DELETE', `/v1/webhooks/${webhook.id}`);
  });

  test('a database that takes no more writes, as a primary that has become a standby', async (t) => {
    const [receiver] = await startReceivers(t, 1);
    const webhook = await makeWebhook(node, receiver?.url ?? '');
    const name = new URL(url).pathname.slice(1);
    const setReadOnly = (value: 'on' | 'off') =>
      withAdmin(new URL('/postgres', url).href, async (admin) => {
        await admin.query(`ALTER DATABASE ${name} SET default_transaction_read_only = ${value}`);
        await admin.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1', [
          name,
        ]);
      });
    await holdsOut(
      () => setReadOnly('on'),
      /The database takes no writes, as a standby does\. Let DATABASE_URL lead to the primary/,
      () => setReadOnly('off'),
    );
    await node.call('DELETE', `/v1/webhooks/${webhook.id}`);
  });
});

test('the database’s disk is full: 503 and nothing acknowledged, and all goes on when there is room', async (t) => {
  const disk = mountSmallDisk(t, 48);
  if (disk === null) return;
  const place = join(disk.folder, 'tables');
  mkdirSync(place);
  // The server runs as nobody where this test is root.
  chownSync(place, 65_534, 65_534);
  chmodSync(join(disk.folder, '..'), 0o755);
  const { url: beside } = await createDatabase();
  const name = `${new URL(beside).pathname.slice(1)}_small`;
  await withAdmin(beside, async (admin) => {
    await admin.query(`CREATE TABLESPACE ${name} LOCATION '${place}'`);
    await admin.query(`CREATE DATABASE ${name} TABLESPACE ${name}`);
  });
  const [receiver] = await startReceivers(t, 1);
  const node = await startPosthorn({ ...settings, DATABASE_URL: new URL(`/${name}`, beside).href });
  t.after(() => node.close());
  await makeWebhook(node, receiver?.url ?? '');
  const answered: string[] = [];
  const large = (id: string) => {
    const event = newEvent(1, { id });
    const meta = {
      filling: Buffer.from(Array.from({ length: 30_000 }, (_, n) => (n * 7_919) % 251)).toString('base64'),
    };
    return { ...event, payload: { ...event.payload, deployment: { ...event.payload.deployment, meta } } };
  };
  const call = async (id: string) => {
    const { status, headers, body } = await node.call('POST', '/v1/events', { body: large(id) });
    if (status === 202 || status === 200) answered.push(id);
    else assert.deepEqual([status, headers.get('retry-after')], [503, '1'], JSON.stringify(body));
    return status;
  };
  for (let n = 0; n < 5; n++) assert.equal(await call(`before-${n}`), 202);
  disk.fill();
  let n = 0;
  await until(
    () => call(`full-${++n}`),
    (status) => status === 503,
  );
  await until(
    () => Promise.resolve(node.output()),
    (output) => /The database has no room left on its disk\. Make room there/.test(output),
  );
  assert.equal(await call(`full-${n}`), 503);
  disk.clear();
  await until(
    () => call(`full-${n}`),
    (status) => status === 202,
  );
  for (const id of answered) await deliveryIn(node, 'delivered', id);
  assert.equal(await node.end('SIGTERM'), 0);
});
