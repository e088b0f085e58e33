// Against a real name server on loopback.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type NameServer, startNameServer } from '../../test/support/name-server.ts';
import { systemClock } from '../clock.ts';
import { parseNetworks } from './guard.ts';
import { UrlChecker } from './url-check.ts';

let names: NameServer;
const own = { host: '127.0.0.1', port: 4870 };

before(async () => {
  names = await startNameServer();
});
after(() => names.close());

async function check(url: string, allowed = ''): Promise<string> {
  const checker = new UrlChecker(systemClock, { allowed: parseNetworks(allowed), own }, [names.address]);
  const found = await checker.check(url);
  checker.close();
  return found.ok ? 'ok' : `${found.code}: ${found.message}`;
}

test('a public name is taken, and nothing of it is called', async () => {
  names.set('good.example.com', { A: ['93.184.216.34'] });
  assert.equal(await check('https://good.example.com/hook'), 'ok');
  assert.equal(await check('https://93.184.216.34/hook'), 'ok');
});

test('what creation refuses is refused with its words, and no name server is asked', async () => {
  const askedBefore = names.queries.length;
  for (const [url, said] of [
    ['nonsense', /^invalid_url: /],
    ['ftp://example.com', /^invalid_url: .*https:/],
    ['http://127.0.0.1/', /^blocked_address: .*POSTHORN_ALLOWED_NETWORKS/],
    ['http://169.254.169.254/latest', /^blocked_address: /],
    ['http://db.internal/', /^blocked_address: /],
    ['http://example.com:4870/', /^blocked_address: Port 4870/],
  ] as const) {
    assert.match(await check(url), said, url);
  }
  assert.equal(names.queries.length, askedBefore);
});

test('a name is judged by its addresses, and an inside one is not told', async () => {
  names.set('inside.example.com', { A: ['10.1.2.3'] });
  const said = await check('https://inside.example.com');
  assert.match(said, /^blocked_address: The host inside\.example\.com resolves to /);
  assert.doesNotMatch(said, /10\.1\.2\.3/);
  assert.equal(await check('https://inside.example.com', '10.1.0.0/16'), 'ok');
  names.set('both.example.com', { A: ['10.1.2.3'], AAAA: ['2606:4700::1'] });
  assert.equal(await check('https://both.example.com'), 'ok');
});

test('a name without an address, and name servers that fail or say nothing', async () => {
  names.set('broken.example.com', 'servfail');
  names.set('silent.example.com', 'silent');
  const from = performance.now();
  const [missing, broken, silent] = await Promise.all([
    check('https://missing.example.com'),
    check('https://broken.example.com'),
    check('https://silent.example.com'),
  ]);
  assert.match(missing, /^dns_not_found: The name missing\.example\.com has no address/);
  assert.match(broken, /^dns_failed: /);
  assert.match(silent, /^dns_timeout: .* within 3 s/);
  assert.ok(performance.now() - from < 4_500);
});
