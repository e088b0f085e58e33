// The guard's tables: every spelling of an address that must not be reached, and what the setting opens.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { judgeAddress, judgeConnection, judgeUrl, parseNetworks } from './guard.ts';

const nothing = { allowed: parseNetworks(''), own: null };
const loopback = { allowed: parseNetworks('127.0.0.0/8,::1/128'), own: null };

const blockedUrls = [
  'http://127.0.0.1/',
  'https://127.0.0.1:8443/hook?x=1',
  'http://127.0.0.1./',
  'http://127.255.255.254/',
  'http://2130706433/',
  'http://2130706433./',
  'http://017700000001/',
  'http://0x7f000001/',
  'http://0X7F000001/',
  'http://0177.0.0.1/',
  'http://0177.0.0.01/',
  'http://00000177.0.0.1/',
  'http://0x7f.0.0.1/',
  'http://0x7f.1/',
  'http://0x7F.0x0.0x0.0x1/',
  'http://127.1/',
  'http://127.0.1/',
  'http://127.0x1/',
  'http://127.1./',
  'http:127.0.0.1',
  'http:///127.0.0.1/',
  'http:\\\\127.0.0.1\\',
  'HTTP://127.0.0.1/',
  'http://%31%32%37.0.0.1/',
  'http://127%2e0%2e0%2e1/',
  'http://１２７.０.０.１/',
  'http://127。0。0。1/',
  'http://127｡0｡0｡1/',
  'http://①②⑦.⓪.⓪.①/',
  'http://\u00ad127.0.0.1/',
  'http://@127.0.0.1/',
  'http://127.0.0.1#@example.com/',
  'http://127.0.0.1?@example.com/',
  'http://127.0.0.1\\@example.com/',
  'http://0/',
  'http://0.0.0.0/',
  'http://0x/',
  'http://1/',
  'http://0.1.2.3/',
  'http://10.0.0.1/',
  'http://167772161/',
  'http://012.0.0.1/',
  'http://0xa.1/',
  'http://10.1/',
  'http://172.16.0.1/',
  'http://172.31.255.255/',
  'http://192.168.0.1/',
  'http://3232235521/',
  'http://192.168.1/',
  'http://100.64.0.1/',
  'http://100.127.255.255/',
  'http://169.254.1.1/',
  'http://169.254.169.254/latest/meta-data/',
  'http://2852039166/',
  'http://0xa9fea9fe/',
  'http://0251.0376.0251.0376/',
  'http://169.254.170.2/',
  'http://100.100.100.200/',
  'http://168.63.129.16/',
  'http://192.0.0.192/',
  'http://192.0.0.1/',
  'http://192.0.2.1/',
  'http://192.88.99.1/',
  'http://198.18.0.1/',
  'http://198.19.255.255/',
  'http://198.51.100.7/',
  'http://203.0.113.7/',
  'http://224.0.0.1/',
  'http://239.255.255.255/',
  'http://240.0.0.1/',
  'http://255.255.255.255/',
  'http://4294967295/',
  'http://[::1]/',
  'http://[0:0:0:0:0:0:0:1]/',
  'http://[0000::0001]:8080/',
  'http://[::]/',
  'http://[::ffff:127.0.0.1]/',
  'http://[::ffff:7f00:1]/',
  'http://[0:0:0:0:0:FFFF:127.0.0.1]/',
  'http://[::ffff:10.0.0.1]/',
  'http://[::ffff:169.254.169.254]/',
  'http://[::127.0.0.1]/',
  'http://[::7f00:1]/',
  'http://[::8.8.8.8]/',
  'http://[64:ff9b::127.0.0.1]/',
  'http://[64:ff9b::a9fe:a9fe]/',
  'http://[64:ff9b:1::8.8.8.8]/',
  'http://[2002:7f00:1::]/',
  'http://[2002:a00:1::1]/',
  'http://[2002:808:808::1]/',
  'http://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/',
  'http://[2001:2::1]/',
  'http://[2001:10::1]/',
  'http://[2001:db8::1]/',
  'http://[3fff::1]/',
  'http://[fc00::1]/',
  'http://[fd12:3456::1]/',
  'http://[fd00:ec2::254]/',
  'http://[fe80::1]/',
  'http://[febf::1]/',
  'http://[fec0::1]/',
  'http://[ff02::1]/',
  'http://[100::1]/',
  'http://[5f00::1]/',
  'http://[4000::1]/',
  'http://localhost/',
  'http://LOCALHOST:3000/',
  'http://localhost./',
  'http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/',
  'http://loc%61lhost/',
  'http://api.localhost/',
  'http://a.b.localhost./',
  'http://metadata.google.internal/computeMetadata/v1/',
  'http://metadata/',
  'http://postgres:5432/',
  'http://printer.local/',
  'http://router.home.arpa/',
  'http://vm.localdomain/',
];

const invalidUrls = [
  '',
  'example.com/hook',
  '//example.com/hook',
  '/hook',
  'ftp://example.com/',
  'file:///etc/passwd',
  'javascript:alert(1)',
  'data:text/plain,x',
  'ws://example.com/',
  'http://',
  'http://user@example.com/',
  'http://user:pass@example.com/',
  'http://:pass@example.com/',
  'http://127.0.0.1@example.com/',
  'http://example.com@127.0.0.1/',
  'http://exa mple.com/',
  ' http://127.0.0.1/',
  'http://example.com/a\tb',
  'http://exam\nple.com/',
  'http://example.com/\u0000',
  'http://1.2.3.4.5/',
  'http://256.0.0.1/',
  'http://4294967296/',
  'http://08.8.8.8/',
  'http://127.0.0.1../',
  'http://127.0.0.1%00.example.com/',
  'http://127.0.0.1;x/',
  'http://[::1/',
  'http://[fe80::1%25eth0]/',
  'http://[::ffff:127.0.0.1/',
  'http://example..com/',
  'http://.example.com/',
  'http://example.com../',
  'http://example.com:0/',
  'http://example.com:65536/',
  'http://example.com:abc/',
  `http://${'a'.repeat(64)}.com/`,
  `http://${'a.'.repeat(130)}com/`,
  `https://example.com/${'a'.repeat(2_029)}`,
];

const goodUrls = [
  'https://example.com/hook',
  'http://example.com',
  'HTTPS://EXAMPLE.COM/Hook?a=b#c',
  'https://example.com./hook',
  'https://example.com:8443/hook',
  'https://hooks_in.example.co.uk/',
  'https://xn--bcher-kva.example/',
  'https://bücher.example/',
  'https://localhost.example.com/',
  'https://internal.example.com/',
  'https://127.0.0.1.example.com/',
  'https://127.0.0.1%2eexample.com/',
  'http://example.com\\@127.0.0.1/',
  'http://example.com#@127.0.0.1/',
  'https://8.8.8.8/hook',
  'https://134744072/',
  'https://[2606:4700:4700::1111]/',
  'https://[::ffff:8.8.8.8]/',
  'https://[64:ff9b::8.8.8.8]/',
  'https://172.15.255.255/',
  'https://172.32.0.1/',
  'https://100.63.255.255/',
  'https://100.128.0.1/',
  'https://126.255.255.255/',
  'https://128.0.0.1/',
  'https://169.253.255.255/',
  'https://192.0.1.1/',
  'https://198.17.255.255/',
  'https://198.20.0.1/',
  'https://223.255.255.255/',
  `https://example.com/${'a'.repeat(2_028)}`,
];

test('every spelling of an address inside is refused as blocked_address', () => {
  assert.ok(blockedUrls.length >= 80);
  for (const url of blockedUrls) {
    const verdict = judgeUrl(url, nothing);
    assert.deepEqual([url, verdict.ok || verdict.code], [url, 'blocked_address']);
  }
});

test('what is no usable URL is refused as invalid_url', () => {
  for (const url of invalidUrls) {
    const verdict = judgeUrl(url, nothing);
    assert.deepEqual([url, verdict.ok || verdict.code], [url, 'invalid_url']);
  }
});

test('public hosts pass, names without a literal and addresses with one', () => {
  for (const url of goodUrls) assert.deepEqual([url, judgeUrl(url, nothing).ok], [url, true]);
  const name = judgeUrl('https://example.com/', nothing);
  assert.equal(name.ok && name.literal, null);
  const address = judgeUrl('https://[2606:4700::1]/', nothing);
  assert.equal(address.ok && address.literal, '2606:4700::1');
});

test('every refusal is one or two sentences that say what to do', () => {
  for (const url of [...blockedUrls, ...invalidUrls]) {
    const verdict = judgeUrl(url, nothing);
    assert.ok(!verdict.ok);
    assert.match(verdict.sentence, /^\S.{20,}\.$/s, url);
  }
});

function sentenceOf(url: string): string {
  const verdict = judgeUrl(url, nothing);
  return verdict.ok ? '' : verdict.sentence;
}

test('the refusal names the exact setting', () => {
  assert.equal(
    sentenceOf('http://127.0.0.1:9000/'),
    'The host 127.0.0.1 is a loopback address, which webhooks may not reach. For local testing start Posthorn with POSTHORN_ALLOWED_NETWORKS=127.0.0.0/8.',
  );
  assert.match(
    sentenceOf('http://localhost/'),
    /this machine itself .*POSTHORN_ALLOWED_NETWORKS=127\.0\.0\.0\/8,::1\/128\.$/,
  );
  assert.match(sentenceOf('http://192.168.3.4/'), /private address.*=192\.168\.0\.0\/16\.$/);
  assert.match(sentenceOf('http://[::1]/'), /loopback.*=::1\/128\.$/);
  assert.match(sentenceOf('http://[4000::1]/'), /reserved.*=4000::1\/128\.$/);
});

test('what a refusal proposes does open the address', () => {
  for (const url of blockedUrls) {
    const verdict = judgeUrl(url, nothing);
    const proposed = verdict.ok ? null : /POSTHORN_ALLOWED_NETWORKS=(\S+)\.$/.exec(verdict.sentence)?.[1];
    if (proposed) assert.ok(judgeUrl(url, { allowed: parseNetworks(proposed), own: null }).ok, url);
  }
});

test('allowed networks open their addresses in each spelling, names too, and nothing else', () => {
  const opened = ['http://127.0.0.1/', 'http://2130706433/', 'http://[::ffff:127.0.0.1]/', 'http://[::1]/'];
  for (const url of [...opened, 'http://localhost:3000/', 'http://api.localhost/', 'http://receiver:80/']) {
    assert.deepEqual([url, judgeUrl(url, loopback).ok], [url, true]);
  }
  const shut = ['http://10.0.0.1/', 'http://[::ffff:10.0.0.1]/', 'http://[64:ff9b::127.0.0.1]/', 'http://0/'];
  for (const url of shut) assert.deepEqual([url, judgeUrl(url, loopback).ok], [url, false]);
  const tens = { allowed: parseNetworks('10.0.0.0/8'), own: null };
  assert.equal(judgeUrl('http://localhost/', tens).ok, false);
  assert.equal(judgeUrl('http://db.internal/', tens).ok, true);
});

test('judgeAddress names the range and refuses what it cannot read', () => {
  const ranges: [string, string][] = [
    ['127.0.0.1', 'loopback'],
    ['::ffff:127.0.0.1', 'loopback'],
    ['10.9.8.7', 'private'],
    ['169.254.3.4', 'link-local'],
    ['fe80::1%eth0', 'link-local'],
    ['fd00::1', 'unique-local'],
    ['100.64.0.1', 'carrier-grade NAT'],
    ['169.254.169.254', 'cloud metadata'],
    ['fd00:ec2::254', 'cloud metadata'],
    ['168.63.129.16', 'cloud metadata'],
    ['2002:a00:1::', '6to4'],
    ['2001::1', 'Teredo'],
    ['64:ff9b::10.0.0.1', 'private'],
    ['::10.0.0.1', 'IPv4-compatible'],
    ['::8.8.8.8', 'IPv4-compatible'],
    ['2002:a00:1::10.0.0.1', '6to4'],
    ['64:ff9b::0.0.0.0', 'unspecified'],
    ['0177.0.0.1', 'unreadable'],
    ['example.com', 'unreadable'],
  ];
  for (const [address, range] of ranges) {
    const verdict = judgeAddress(address, nothing.allowed);
    assert.deepEqual([address, verdict.ok || verdict.range], [address, range]);
  }
  assert.deepEqual(judgeAddress('93.184.216.34', nothing.allowed), { ok: true });
});

test('a sentence about a name does not tell the address it resolved to', () => {
  const verdict = judgeConnection('hooks.example.com', '10.20.30.40', 443, nothing);
  assert.ok(!verdict.ok);
  assert.match(verdict.sentence, /^The host hooks\.example\.com resolves to a private address/);
  assert.doesNotMatch(verdict.sentence, /10\.20\.30\.40/);
});

test("Posthorn's own port is refused unless the allowed networks cover the address", () => {
  const own = { host: '127.0.0.1', port: 4870 };
  const closed = { allowed: nothing.allowed, own };
  assert.equal(judgeUrl('https://8.8.8.8:4870/', closed).ok, false);
  assert.equal(judgeUrl('https://example.com:4870/', closed).ok, false);
  assert.equal(judgeUrl('https://example.com:4871/', closed).ok, true);
  assert.equal(judgeUrl('http://127.0.0.1:4870/', { allowed: loopback.allowed, own }).ok, true);
  // Some other network is open: the name may be in it, so the connection decides.
  assert.equal(judgeUrl('https://example.com:4870/', { allowed: loopback.allowed, own }).ok, true);
  assert.equal(judgeConnection('example.com', '8.8.8.8', 4870, { allowed: loopback.allowed, own }).ok, false);
  assert.equal(judgeConnection('a.test', '127.0.0.1', 4870, { allowed: loopback.allowed, own }).ok, true);
});

test('a Posthorn on port 443 still reaches the web, but not itself', () => {
  const own = { host: '0.0.0.0', port: 443, addresses: ['8.8.4.4', '2606:4700::1'] };
  const options = { allowed: nothing.allowed, own };
  assert.equal(judgeUrl('https://8.8.8.8/', options).ok, true);
  assert.equal(judgeUrl('https://example.com/', options).ok, true);
  assert.equal(judgeUrl('https://8.8.4.4/', options).ok, false);
  assert.equal(judgeUrl('https://[::ffff:8.8.4.4]/', options).ok, false);
  assert.equal(judgeUrl('https://[2606:4700:0::1]/', options).ok, false);
  assert.equal(judgeUrl('http://8.8.4.4/', options).ok, true);
});

test('parseNetworks names the item it cannot read', () => {
  for (const bad of [
    '10/8',
    '10.0.0.0/33',
    'localhost',
    '::1/129',
    '10.0.0.0/8/8',
    '10.0.0.0/',
    '0177.0.0.1',
  ]) {
    assert.throws(
      () => parseNetworks(`127.0.0.0/8, ${bad}`),
      (thrown: unknown) => {
        assert.ok(thrown instanceof RangeError);
        assert.ok(thrown.message.includes(`"${bad}"`));
        return true;
      },
    );
  }
  assert.equal(parseNetworks(' 127.0.0.1 , ::1, ').cidrs.length, 2);
  const mappedLoopback = parseNetworks('::ffff:127.0.0.0/104');
  assert.equal(judgeAddress('127.9.9.9', mappedLoopback).ok, true);
  assert.equal(judgeAddress('128.0.0.1', mappedLoopback).ok, true);
  assert.equal(judgeAddress('10.0.0.1', mappedLoopback).ok, false);
});

const pair = (high: number, low: number): string => ((high << 8) | low).toString(16);

/** Every way to write an IPv4 address that a URL parser takes for one. */
function spellings(bytes: readonly number[]): string[] {
  const [a = 0, b = 0, c = 0, d = 0] = bytes;
  const whole = ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
  const wide = Array.from(`${a}.${b}.${c}.${d}`, (one) =>
    one === '.' ? '。' : String.fromCharCode(one.charCodeAt(0) + 0xfee0),
  );
  return [
    `${a}.${b}.${c}.${d}`,
    `${a}.${b}.${c}.${d}.`,
    `${whole}`,
    `0x${whole.toString(16)}`,
    `0${whole.toString(8)}`,
    `0${a.toString(8)}.0${b.toString(8)}.0${c.toString(8)}.0${d.toString(8)}`,
    `0x${a.toString(16)}.0x${b.toString(16)}.0x${c.toString(16)}.0x${d.toString(16)}`,
    `${a}.${(b << 16) | (c << 8) | d}`,
    `${a}.${b}.${(c << 8) | d}`,
    wide.join(''),
    `[::ffff:${a}.${b}.${c}.${d}]`,
    `[::ffff:${pair(a, b)}:${pair(c, d)}]`,
    `[::${a}.${b}.${c}.${d}]`,
    `[64:ff9b::${a}.${b}.${c}.${d}]`,
    `[2002:${pair(a, b)}:${pair(c, d)}::1]`,
  ];
}

test('any private IPv4 address is refused in every spelling', () => {
  const byte = fc.integer({ min: 0, max: 255 });
  const inside = fc.oneof(
    fc.tuple(fc.constant(10), byte, byte, byte),
    fc.tuple(fc.constant(127), byte, byte, byte),
    fc.tuple(fc.constant(172), fc.integer({ min: 16, max: 31 }), byte, byte),
    fc.tuple(fc.constant(192), fc.constant(168), byte, byte),
    fc.tuple(fc.constant(169), fc.constant(254), byte, byte),
    fc.tuple(fc.constant(100), fc.integer({ min: 64, max: 127 }), byte, byte),
    fc.tuple(fc.integer({ min: 224, max: 255 }), byte, byte, byte),
    fc.tuple(fc.constant(0), byte, byte, byte),
  );
  fc.assert(
    fc.property(inside, (bytes) => {
      for (const host of spellings(bytes)) {
        const verdict = judgeUrl(`http://${host}/`, nothing);
        assert.deepEqual([host, verdict.ok || verdict.code], [host, 'blocked_address']);
      }
    }),
    { numRuns: 500 },
  );
});

test('judgeUrl and judgeAddress agree on any IPv4 address, and no text makes the guard throw', () => {
  fc.assert(
    fc.property(fc.ipV4(), (address) => {
      const byUrl = judgeUrl(`http://${address}/`, nothing).ok;
      assert.equal(byUrl, judgeAddress(address, nothing.allowed).ok);
      assert.equal(byUrl, judgeAddress(`::ffff:${address}`, nothing.allowed).ok);
    }),
    { numRuns: 1_000 },
  );
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      judgeUrl(text, nothing);
      judgeUrl(`http://${text}`, nothing);
      judgeAddress(text, nothing.allowed);
    }),
  );
});
