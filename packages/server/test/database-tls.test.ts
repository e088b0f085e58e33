// TLS to PostgreSQL with the checks that DATABASE_URL asks for, against a real server whose certificate a test changes.
import assert from 'node:assert/strict';
import { chownSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import pg from 'pg';
import { deliveryIn, makeWebhook, publish } from './support/calls.ts';
import { type Certificate, type Certificates, makeCertificates } from './support/certificates.ts';
import { quiet } from './support/house.ts';
import { freePort } from './support/postgres.ts';
import { type PostgresServer, startPostgres } from './support/postgres-server.ts';
import { newDataDir, runCommand, startPosthorn } from './support/posthorn.ts';
import { startReceiver } from './support/receiver.ts';
import { assertSentence } from './support/refusals.ts';

const nobody = 65_534;
const folder = newDataDir();
/** For the server, which may run as another user than this test. */
const ofServer = join(folder, 'server');
let certificates: Certificates;
let server: PostgresServer;
let url = '';

function write(path: string, text: string): string {
  writeFileSync(path, text, { mode: 0o600 });
  if (path.startsWith(ofServer) && process.getuid?.() === 0) chownSync(path, nobody, nobody);
  return path;
}

before(async () => {
  certificates = await makeCertificates();
  mkdirSync(ofServer, { mode: 0o755 });
  // The folder above is this user's alone.
  if (process.getuid?.() === 0) for (const path of [folder, ofServer]) chownSync(path, nobody, nobody);
  write(join(folder, 'ca.pem'), certificates.ca);
  write(join(folder, 'other-ca.pem'), certificates.untrusted.cert);
  write(join(folder, 'client.pem'), certificates.good.cert);
  write(join(folder, 'client.key'), certificates.good.key);
  write(join(folder, 'text.pem'), 'no certificate');
  write(join(ofServer, 'ca.pem'), certificates.ca);
  write(
    join(ofServer, 'hba.conf'),
    [
      // The database `wanted` takes no one without a certificate, `plain` no one with TLS, all others none without.
      'hostssl wanted all 127.0.0.1/32 password clientcert=verify-ca',
      'host postgres all 127.0.0.1/32 password',
      'hostssl all all 127.0.0.1/32 password',
      '',
    ].join('\n'),
  );
  write(join(ofServer, 'cert.pem'), certificates.good.cert);
  write(join(ofServer, 'key.pem'), certificates.good.key);
  const set = (name: string, value: string) => ['-c', `${name}=${value}`];
  server = await startPostgres(await freePort(), [
    ...set('ssl', 'on'),
    ...set('ssl_cert_file', join(ofServer, 'cert.pem')),
    ...set('ssl_key_file', join(ofServer, 'key.pem')),
    ...set('ssl_ca_file', join(ofServer, 'ca.pem')),
    ...set('hba_file', join(ofServer, 'hba.conf')),
  ]);
  url = await server.createDatabase('tls');
  await server.createDatabase('wanted');
});
after(async () => {
  await server?.stop();
  rmSync(folder, { recursive: true });
});

/** Has the server show another certificate to those who connect from now on. */
async function show({ cert, key }: Certificate): Promise<void> {
  write(join(ofServer, 'cert.pem'), cert);
  write(join(ofServer, 'key.pem'), key);
  const admin = new pg.Client({ connectionString: url.replace('/tls', '/postgres') });
  await admin.connect();
  await admin.query('SELECT pg_reload_conf()');
  await admin.end();
}

/** The URL with these parameters, by way of `host`. */
function urlWith(parameters: Record<string, string>, host = 'localhost', database = 'tls'): string {
  const made = new URL(url);
  made.hostname = host;
  made.pathname = `/${database}`;
  for (const [name, value] of Object.entries(parameters)) made.searchParams.set(name, value);
  return made.href;
}

const ca = join(folder, 'ca.pem');
const migrate = (databaseUrl: string) =>
  runCommand(['migrate'], join(folder, 'data'), { DATABASE_URL: databaseUrl });
const passes = async (databaseUrl: string) => {
  const { code, output } = await migrate(databaseUrl);
  assert.equal(code, 0, output);
};
const refuses = async (databaseUrl: string, sentence: RegExp) => {
  const answer = await migrate(databaseUrl);
  assertSentence(answer, sentence);
  assert.doesNotMatch(answer.output, /posthorn:posthorn/, 'no password is repeated');
};

describe('TLS to the database', () => {
  test('a node with sslmode=verify-full works, and each of its sessions is encrypted', async (t) => {
    const receiver = await startReceiver();
    const databaseUrl = urlWith({ sslmode: 'verify-full', sslrootcert: ca });
    const node = await startPosthorn({ ...quiet, DATABASE_URL: databaseUrl });
    t.after(() => Promise.all([node.close(), receiver.close()]));
    await makeWebhook(node, receiver.url);
    await deliveryIn(node, 'delivered', (await publish(node)).id);
    const admin = new pg.Client({ connectionString: url.replace('/tls', '/postgres') });
    await admin.connect();
    const { rows } = await admin.query(
      "SELECT s.ssl, s.version FROM pg_stat_activity a JOIN pg_stat_ssl s USING (pid) WHERE a.application_name = 'posthorn'",
    );
    await admin.end();
    assert.ok(rows.length >= 3, `${rows.length} sessions`);
    assert.ok(rows.every(({ ssl }) => ssl === true));
    t.diagnostic(`${rows.length} sessions, ${rows[0].version}`);
    assert.equal(await node.end('SIGTERM'), 0);
  });

  test('the right certificate passes by name and by address, in every mode that speaks TLS', async () => {
    for (const sslmode of ['require', 'verify-ca', 'verify-full']) {
      await passes(urlWith({ sslmode, sslrootcert: ca }));
    }
    await passes(urlWith({ sslmode: 'verify-full', sslrootcert: ca }, '127.0.0.1'));
    await passes(urlWith({ sslmode: 'require' }));
  });

  test('an authority that did not sign it is refused, by require too where one is named', async () => {
    const other = join(folder, 'other-ca.pem');
    for (const sslmode of ['require', 'verify-ca', 'verify-full']) {
      await refuses(
        urlWith({ sslmode, sslrootcert: other }),
        /certificate that no trusted authority has signed\. Name its authority with sslrootcert/,
      );
    }
    await refuses(urlWith({ sslmode: 'verify-full' }), /no trusted authority has signed/);
  });

  test('a certificate for another host is refused by verify-full, and passes verify-ca', async (t) => {
    await show(certificates.wrongHost);
    t.after(() => show(certificates.good));
    for (const host of ['localhost', '127.0.0.1']) {
      await refuses(
        urlWith({ sslmode: 'verify-full', sslrootcert: ca }, host),
        /certificate that is for another host\. Use the name/,
      );
    }
    await passes(urlWith({ sslmode: 'verify-ca', sslrootcert: ca }));
  });

  test('one that has expired is refused wherever certificates are checked, and passes a bare require', async (t) => {
    await show(certificates.expired);
    t.after(() => show(certificates.good));
    for (const sslmode of ['verify-ca', 'verify-full']) {
      await refuses(urlWith({ sslmode, sslrootcert: ca }), /certificate that has expired\. Renew it/);
    }
    await passes(urlWith({ sslmode: 'require' }));
  });

  test('a server that wants a certificate gets ours; without it, and without TLS, a sentence says what to add', async () => {
    const own = { sslcert: join(folder, 'client.pem'), sslkey: join(folder, 'client.key') };
    const full = { sslmode: 'verify-full', sslrootcert: ca };
    await passes(urlWith({ ...full, ...own }, 'localhost', 'wanted'));
    await refuses(
      urlWith(full, 'localhost', 'wanted'),
      /wants a certificate of ours\. Add sslcert and sslkey/,
    );
    await refuses(urlWith({}), /over TLS only\. Add sslmode=verify-full/);
  });

  test('parameters and files that make no sense are refused before anything is sent', async () => {
    const full = { sslmode: 'verify-full' };
    const at = (name: string) => join(folder, name);
    const wrong: [Record<string, string>, RegExp][] = [
      [{ sslmode: 'yes' }, /has sslmode=yes\. Use disable, prefer/],
      [{ sslrootcert: ca }, /has sslrootcert, but with sslmode=prefer no TLS is spoken/],
      [{ ...full, sslrootcert: at('nowhere.pem') }, /names as sslrootcert can't be read .*ENOENT/],
      [{ ...full, sslcert: at('client.pem') }, /one of sslcert and sslkey/],
      [{ ...full, sslcert: at('text.pem'), sslkey: at('client.key') }, /\(sslcert, sslkey\) can't be used/],
      [
        { ...full, sslcert: at('other-ca.pem'), sslkey: at('client.key') },
        /\(sslcert, sslkey\) can't be used/,
      ],
    ];
    for (const [parameters, sentence] of wrong) await refuses(urlWith(parameters), sentence);
  });
});

test('a server without TLS is named as such', async (t) => {
  const plain = await startPostgres(await freePort());
  t.after(() => plain.stop());
  const databaseUrl = await plain.createDatabase('plain');
  await refuses(`${databaseUrl}?sslmode=require`, /speaks no TLS\. Turn it on there/);
});
