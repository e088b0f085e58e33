// The resolver against a real name server: dead names hold up nobody, and every answer is shared and remembered.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type NameServer, startNameServer } from '../../test/support/name-server.ts';
import { type Clock, systemClock } from '../clock.ts';
import { parseHosts } from './hosts-file.ts';
import { createResolver, type Lookup, type Resolver, type ResolverOptions } from './resolver.ts';

/** The real clock, which can be put forward. */
function createSteppedClock(): Clock & { advance(ms: number): void } {
  let ahead = 0;
  return {
    ...systemClock,
    monotonic: () => systemClock.monotonic() + ahead,
    advance: (ms) => {
      ahead += ms;
    },
  };
}

interface Scene {
  names: NameServer;
  clock: ReturnType<typeof createSteppedClock>;
  resolver: Resolver;
  readonly find: (host: string) => Promise<Lookup>;
}

async function setUp(context: TestContext, options?: Partial<ResolverOptions>): Promise<Scene> {
  const names = await startNameServer();
  const clock = createSteppedClock();
  const resolver = createResolver({ clock, servers: [names.address], hostsFile: '/nonexistent', ...options });
  context.after(async () => {
    resolver.close();
    await names.close();
  });
  const find = (host: string): Promise<Lookup> => new Promise((resolve) => resolver.lookup(host, resolve));
  return { names, clock, resolver, find };
}

test('both families are asked, IPv4 comes first, case and a trailing dot do not matter', async (context) => {
  const { names, find } = await setUp(context);
  names.set('both.example', { A: ['192.0.2.1', '192.0.2.2'], AAAA: ['2001:db8::1'] });
  const expected = { kind: 'addresses', addresses: ['192.0.2.1', '192.0.2.2', '2001:db8::1'] };
  assert.deepEqual(await find('both.example'), expected);
  assert.deepEqual(await find('BOTH.Example.'), expected);
  assert.equal(names.queries.length, 2);
});

test('200 names whose server never answers do not delay a good one', async (context) => {
  const { names, resolver, find } = await setUp(context, { timeoutMs: 60_000 });
  names.set('good.example', { A: ['192.0.2.1'] });
  let ended = 0;
  for (let index = 0; index < 200; index += 1) {
    names.set(`dead-${index}.example`, 'silent');
    resolver.lookup(`dead-${index}.example`, () => {
      ended += 1;
    });
    // In waves: a UDP socket's receive buffer drops what comes while nobody reads it.
    const asked = 2 * (index + 1);
    if (asked % 100 === 0) await names.waitFor((queries) => queries.length >= asked);
  }
  assert.equal(new Set(names.queries.map((one) => one.name)).size, 200);
  assert.deepEqual(await find('good.example'), { kind: 'addresses', addresses: ['192.0.2.1'] });
  assert.equal(ended, 0);
});

test('a name whose server never answers is a timeout at the deadline', async (context) => {
  const { names, find } = await setUp(context, { timeoutMs: 100 });
  names.set('dead.example', 'silent');
  const startedAt = performance.now();
  assert.deepEqual(await find('dead.example'), { kind: 'timeout' });
  const tookMs = performance.now() - startedAt;
  assert.ok(tookMs >= 95 && tookMs < 1_000, `${tookMs} ms`);
});

test('one family that never answers holds up the other for a moment only', async (context) => {
  const { names, find } = await setUp(context);
  names.set('half.example', (type) => (type === 'A' ? { A: ['192.0.2.1'] } : 'silent'));
  const startedAt = performance.now();
  assert.deepEqual(await find('half.example'), { kind: 'addresses', addresses: ['192.0.2.1'] });
  assert.ok(performance.now() - startedAt < 900);
});

test('those who ask at once share one query for each family', async (context) => {
  const { names, find } = await setUp(context);
  names.set('shared.example', { A: ['192.0.2.1'] });
  const found = await Promise.all(Array.from({ length: 500 }, () => find('shared.example')));
  assert.equal(found.length, 500);
  assert.deepEqual(names.queries.map((one) => one.type).toSorted(), ['A', 'AAAA']);
});

test('an answer is kept for its time to live, at least 1 s and at most 30 s', async (context) => {
  const { names, clock, find } = await setUp(context);
  names.set('short.example', { A: ['192.0.2.1'], ttl: 0 });
  names.set('long.example', { A: ['192.0.2.1'], ttl: 3_600 });
  const asked = (name: string): number => names.queries.filter((one) => one.name === name).length;
  await find('short.example');
  await find('long.example');
  await find('short.example');
  assert.equal(asked('short.example'), 2);
  clock.advance(1_100);
  await find('short.example');
  assert.equal(asked('short.example'), 4);
  clock.advance(25_000);
  await find('long.example');
  assert.equal(asked('long.example'), 2);
  clock.advance(6_000);
  await find('long.example');
  assert.equal(asked('long.example'), 4);
});

test('a name that changes its address is seen to change', async (context) => {
  const { names, clock, find } = await setUp(context);
  names.set('rebind.example', (type, before) =>
    type === 'A' ? { A: [before === 0 ? '93.184.216.34' : '127.0.0.1'], ttl: 0 } : {},
  );
  assert.deepEqual(await find('rebind.example'), { kind: 'addresses', addresses: ['93.184.216.34'] });
  clock.advance(1_100);
  assert.deepEqual(await find('rebind.example'), { kind: 'addresses', addresses: ['127.0.0.1'] });
});

test('failures are told apart, and remembered for a few seconds', async (context) => {
  const { names, clock, find } = await setUp(context);
  names.set('empty.example', {});
  names.set('broken.example', 'servfail');
  assert.deepEqual(await find('missing.example'), { kind: 'not_found' });
  assert.deepEqual(await find('empty.example'), { kind: 'not_found' });
  assert.deepEqual(await find('broken.example'), { kind: 'failed', detail: 'ESERVFAIL' });
  const asked = names.queries.length;
  for (const name of ['missing.example', 'empty.example', 'broken.example']) await find(name);
  assert.equal(names.queries.length, asked);
  names.set('missing.example', { A: ['192.0.2.9'] });
  clock.advance(5_100);
  assert.deepEqual(await find('missing.example'), { kind: 'addresses', addresses: ['192.0.2.9'] });
});

test('beyond the bound a lookup fails at once, and closing tells those who wait', async (context) => {
  const { names, resolver, find } = await setUp(context, { maxQueries: 2 });
  names.set('slow.example', 'silent');
  names.set('good.example', { A: ['192.0.2.1'] });
  const slow = find('slow.example');
  assert.deepEqual(await find('good.example'), { kind: 'unavailable', detail: 'too many lookups' });
  resolver.close();
  assert.deepEqual(await slow, { kind: 'unavailable', detail: 'closed' });
});

test('the hosts file comes before the name servers and is read again when it changes', async (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'hosts-'));
  context.after(() => rmSync(folder, { recursive: true }));
  const hostsFile = join(folder, 'hosts');
  writeFileSync(hostsFile, '# comment\n192.0.2.7  receiver Receiver.Lan # tail\n2001:db8::7\treceiver\n');
  const { names, clock, find } = await setUp(context, { hostsFile });
  assert.deepEqual(await find('receiver'), { kind: 'addresses', addresses: ['192.0.2.7', '2001:db8::7'] });
  assert.deepEqual(await find('RECEIVER.lan.'), { kind: 'addresses', addresses: ['192.0.2.7'] });
  writeFileSync(hostsFile, '192.0.2.88 receiver\n');
  clock.advance(1_100);
  assert.deepEqual(await find('receiver'), { kind: 'addresses', addresses: ['192.0.2.88'] });
  assert.equal(names.queries.length, 0);
});

test('localhost and literals need no name server', async (context) => {
  const { names, find } = await setUp(context);
  const loopback = { kind: 'addresses', addresses: ['127.0.0.1', '::1'] };
  assert.deepEqual(await find('localhost'), loopback);
  assert.deepEqual(await find('api.localhost.'), loopback);
  assert.deepEqual(await find('192.0.2.1'), { kind: 'addresses', addresses: ['192.0.2.1'] });
  assert.equal(names.queries.length, 0);
});

test('a hosts file is read with odd spaces, comments and broken lines', () => {
  const hosts = parseHosts('\n127.0.0.1\tA  b\r\nnonsense x\n300.1.1.1 y\n::1 a#b\n127.0.0.1 a\n#1.1.1.1 c');
  assert.deepEqual(Object.fromEntries(hosts), { a: ['127.0.0.1', '::1'], b: ['127.0.0.1'] });
});
