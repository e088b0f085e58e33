// The sender's gates against real sockets and a real name server: which addresses are reached, whose certificate
// is believed, and how far a connection came when it failed.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { makeCertificates } from '../../test/support/certificates.ts';
import { setUpSender } from '../../test/support/sending.ts';
import { systemClock } from '../clock.ts';
import { judgeConnection, parseNetworks } from './guard.ts';

const nothing = parseNetworks('');

async function listen(context: TestContext, server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => sockets.add(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  context.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  return address !== null && typeof address === 'object' ? address.port : 0;
}

test('no spelling of an inside address is called, although its URL slipped in', async (context) => {
  const { receiver, send } = await setUpSender(context, { allowed: nothing });
  for (const host of ['127.0.0.1', '2130706433', '0x7f.1', '127.1', '[::ffff:127.0.0.1]', 'localhost']) {
    const result = await send({ url: `http://${host}:${receiver.port}/` });
    assert.ok(result.kind === 'broken', host);
    assert.equal(result.cause, 'blocked_address');
    assert.match(result.message, /POSTHORN_ALLOWED_NETWORKS=127\.0\.0\.0\/8/);
  }
  const invalid = await send({ url: 'ftp://example.com/' });
  assert.equal(invalid.kind === 'broken' && invalid.cause, 'invalid_url');
  assert.equal(receiver.connections, 0);
});

test('a name that resolves inside is blocked, and its sentence does not tell the address', async (context) => {
  const { receiver, names, send } = await setUpSender(context, { allowed: nothing });
  names.set('inside.example', { A: ['127.0.0.1'], AAAA: ['::1', '::ffff:10.0.0.1', 'fd00::1'] });
  const result = await send({ url: `http://inside.example:${receiver.port}/` });
  assert.ok(result.kind === 'broken');
  assert.equal(result.cause, 'blocked_address');
  assert.match(
    result.message,
    /^The host inside\.example resolves to a loopback address, which webhooks may/,
  );
  assert.ok(result.timings.dnsMs !== null && result.timings.connectMs === null);
  assert.equal(receiver.connections, 0);
});

test('rebinding: a name that was public when it was judged and is loopback when it is called', async (context) => {
  let aheadMs = 0;
  const clock = { ...systemClock, monotonic: () => systemClock.monotonic() + aheadMs };
  const { receiver, names, send, resolver } = await setUpSender(context, { allowed: nothing, clock });
  names.set('rebind.example', (type, before) =>
    type === 'A' ? { A: [before === 0 ? '93.184.216.34' : '127.0.0.1'], ttl: 0 } : {},
  );
  const first = await new Promise((resolve) => resolver.lookup('rebind.example', resolve));
  assert.deepEqual(first, { kind: 'addresses', addresses: ['93.184.216.34'] });
  const options = { allowed: nothing, own: null };
  assert.ok(judgeConnection('rebind.example', '93.184.216.34', receiver.port, options).ok);
  aheadMs += 1_100;
  const result = await send({ url: `http://rebind.example:${receiver.port}/` });
  assert.ok(result.kind === 'broken');
  assert.equal(result.cause, 'blocked_address');
  assert.equal(names.queries.filter((one) => one.type === 'A').length, 2);
  assert.equal(receiver.connections, 0);
});

test('rebinding between two deliveries: a new connection is judged anew', async (context) => {
  let aheadMs = 0;
  const clock = { ...systemClock, monotonic: () => systemClock.monotonic() + aheadMs };
  const parts = await setUpSender(
    context,
    { allowed: parseNetworks('127.0.0.2'), clock },
    { host: '0.0.0.0' },
  );
  const { receiver, names, send } = parts;
  receiver.script({ headers: { connection: 'close' } });
  names.set('rebind.example', (type, before) =>
    type === 'A' ? { A: [before === 0 ? '127.0.0.2' : '127.0.0.1'], ttl: 0 } : {},
  );
  const url = `http://rebind.example:${receiver.port}/`;
  assert.equal((await send({ url })).kind, 'answered');
  aheadMs += 1_100;
  const result = await send({ url });
  assert.equal(result.kind === 'broken' && result.cause, 'blocked_address');
  assert.equal(receiver.connections, 1);
});

test('of several addresses only the permitted ones are tried', async (context) => {
  const { receiver, names, send } = await setUpSender(context, { allowed: parseNetworks('127.0.0.1') });
  names.set('mixed.example', { A: ['10.255.255.1', '127.0.0.1', '127.0.0.9'], AAAA: ['::1'] });
  const result = await send({ url: `http://mixed.example:${receiver.port}/` });
  assert.equal(result.kind, 'answered');
  assert.equal(receiver.connections, 1);
});

test('a name with a dead address and a good one is reached', async (context) => {
  const { receiver, names, send } = await setUpSender(context);
  names.set('two.example', { A: ['127.0.0.8', '127.0.0.1'] });
  assert.equal((await send({ url: `http://two.example:${receiver.port}/` })).kind, 'answered');
  names.set('none.example', { A: ['127.0.0.8', '127.0.0.9'] });
  const result = await send({ url: `http://none.example:${receiver.port}/` });
  assert.equal(result.kind === 'broken' && result.cause, 'connection_refused');
});

test("Posthorn's own port is not called unless its address is allowed", async (context) => {
  const own = { host: '127.0.0.1', port: 4870 };
  const { names, send } = await setUpSender(context, { own, allowed: parseNetworks('127.0.0.2') });
  names.set('public.example', { A: ['93.184.216.34'] });
  const blocked = await send({ url: 'http://public.example:4870/' });
  assert.ok(blocked.kind === 'broken');
  assert.equal(blocked.cause, 'blocked_address');
  assert.match(blocked.message, /Port 4870 is Posthorn's own/);
});

test('names that fail have causes of their own', async (context) => {
  const { names, send } = await setUpSender(context);
  names.set('broken.example', 'servfail');
  const missing = await send({ url: 'http://missing.example/' });
  assert.equal(missing.kind === 'broken' && missing.cause, 'dns_not_found');
  const broken = await send({ url: 'http://broken.example/' });
  assert.ok(broken.kind === 'broken');
  assert.equal(broken.cause, 'dns_failed');
  assert.match(broken.message, /ESERVFAIL/);
});

test('a good certificate is believed, for a name and for an address, with all timings', async (context) => {
  const { ca, good } = await makeCertificates();
  const { receiver, names, send } = await setUpSender(context, { ca: [ca] }, { tls: good });
  names.set('receiver.example', { A: ['127.0.0.1'] });
  for (const host of ['receiver.example', 'receiver.example.', '127.0.0.1', 'localhost']) {
    const result = await send({ url: `https://${host}:${receiver.port}/hook` });
    assert.ok(result.kind === 'answered', `${host}: ${JSON.stringify(result)}`);
    assert.ok(result.timings.tlsMs !== null && result.timings.tlsMs > 0);
    assert.ok(result.timings.connectMs !== null);
  }
  const again = await send({ url: `https://receiver.example:${receiver.port}/hook` });
  assert.equal(again.timings.tlsMs, null);
  assert.equal(receiver.connections, 4);
});

test('a bad certificate is not believed, and no request is sent', async (context) => {
  const certificates = await makeCertificates();
  const cases = [
    [certificates.expired, 'tls_certificate_expired'],
    [certificates.wrongHost, 'tls_hostname_mismatch'],
    [certificates.untrusted, 'tls_certificate_untrusted'],
  ] as const;
  for (const [tls, cause] of cases) {
    const { receiver, names, send } = await setUpSender(context, { ca: [certificates.ca] }, { tls });
    names.set('receiver.example', { A: ['127.0.0.1'] });
    const result = await send({ url: `https://receiver.example:${receiver.port}/` });
    assert.equal(result.kind === 'broken' && result.cause, cause);
    assert.equal(receiver.requests.length, 0);
  }
  // Without being told so, nobody trusts the tests' authority.
  const { receiver, send } = await setUpSender(context, {}, { tls: certificates.good });
  const result = await send({ url: `https://127.0.0.1:${receiver.port}/` });
  assert.equal(result.kind === 'broken' && result.cause, 'tls_certificate_untrusted');
});

test('a port that does not speak TLS, or hangs up in the handshake, is tls_failed', async (context) => {
  const { receiver, send } = await setUpSender(context);
  const plain = await send({ url: `https://127.0.0.1:${receiver.port}/` });
  assert.equal(plain.kind === 'broken' && plain.cause, 'tls_failed');
  const port = await listen(
    context,
    createServer((socket) => socket.once('data', () => socket.destroy())),
  );
  const rude = await send({ url: `https://127.0.0.1:${port}/` });
  assert.equal(rude.kind === 'broken' && rude.cause, 'tls_failed');
});

test('a host that accepts no connection is timeout_connecting', async (context) => {
  const { send } = await setUpSender(context);
  // A stopped process whose queue of connections is full: the kernel drops what comes after.
  const script = `const s=require('net').createServer().listen({port:0,host:'127.0.0.1',backlog:1},()=>console.log(s.address().port))`;
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'ignore'] });
  const [line] = await once(child.stdout, 'data');
  const port = Number(String(line));
  child.kill('SIGSTOP');
  const fillers = Array.from({ length: 16 }, () => connect(port, '127.0.0.1').on('error', () => undefined));
  context.after(() => {
    for (const filler of fillers) filler.destroy();
    child.kill('SIGKILL');
  });
  const result = await send({ url: `http://127.0.0.1:${port}/`, timeoutMs: 300 });
  assert.equal(result.kind === 'broken' && result.cause, 'timeout_connecting');
});
