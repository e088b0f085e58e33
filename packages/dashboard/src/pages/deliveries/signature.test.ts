import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import { checkSignature, signatureOf } from './signature.ts';

const secret = 'aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF';
const body =
  '{"id":"evt_1","type":"deployment.succeeded","createdAt":1700000000000,"payload":{"name":"Café","a":[1,2]},"region":null}';
const sign = (text: string, key: string | Buffer = secret, hash = 'sha1', form: 'hex' | 'base64' = 'hex') =>
  createHmac(hash, key).update(text).digest(form);
const good = sign(body);

test('the signature of the known-answer vector', async () => {
  const vector =
    '{"id":"evt_1","type":"deployment.succeeded","createdAt":1700000000000,"payload":{"deployment":{"id":"dpl_1"}}}';
  assert.equal(await signatureOf(vector, 'vercel_secret'), '121fc49dd29b913bbb19ad65e8dc00f569f5f73c');
});

test('what fits, fits', async () => {
  assert.deepEqual(await checkSignature(body, good, secret), { kind: 'match' });
});

const parsed: unknown = JSON.parse(body);
const mistakes: [what: string, body: string, header: string, secret: string, told: RegExp][] = [
  ['pretty JSON', JSON.stringify(parsed, null, 2), good, secret, /parsed and serialised again/],
  ['a signature of pretty JSON', body, sign(JSON.stringify(parsed, null, 2)), secret, /serialised again/],
  [
    'what Python writes',
    body,
    sign(
      JSON.stringify(parsed)
        .replaceAll(/([,:])(?=["[{\dn])/g, '$1 ')
        .replace('Café', 'Caf\\u00e9'),
    ),
    secret,
    /ASCII were escaped/,
  ],
  [
    'another order',
    body,
    sign(
      '{"createdAt":1700000000000,"id":"evt_1","payload":{"a":[1,2],"name":"Café"},"region":null,"type":"deployment.succeeded"}',
    ),
    secret,
    /another order/,
  ],
  ['base64', body, sign(body, secret, 'sha1', 'base64'), secret, /base64/],
  ['SHA-256', body, sign(body, secret, 'sha256'), secret, /SHA-256/],
  ['SHA-256 in base64', body, sign(body, secret, 'sha256', 'base64'), secret, /SHA-256.*base64/],
  ['capitals', body, good.toUpperCase(), secret, /lowercase/],
  ['a prefix', body, `sha1=${good}`, secret, /prefix/],
  ['a newline that was added', `${body}\n`, good, secret, /line break at the end/],
  ['a newline that was trimmed', body, sign(`${body}\n`), secret, /trimmed away/],
  ['a secret with a newline', body, good, `${secret}\n`, /secret has space/],
  ['a quoted secret', body, good, `"${secret}"`, /quotation marks/],
  [
    'a secret that was decoded',
    body,
    sign(body, Buffer.from(secret, 'base64')),
    secret,
    /decoded from base64/,
  ],
  ['decoded characters', body.replace('Café', 'Caf\\u00e9'), good, secret, /decoded|serialised/],
  ['Latin-1', Buffer.from(body).toString('latin1'), good, secret, /Latin-1/],
];
for (const [what, given, header, key, told] of mistakes) {
  test(`the mistake is named: ${what}`, async () => {
    const verdict = await checkSignature(given, header, key);
    assert.equal(verdict.kind, 'mistake');
    assert.match(verdict.kind === 'mistake' ? verdict.mistakes.join(' ') : '', told);
  });
}

test('two mistakes are both named', async () => {
  const verdict = await checkSignature(`${body}\n`, `sha256=${sign(body, secret, 'sha256')}`, secret);
  assert.equal(verdict.kind, 'mistake');
  if (verdict.kind === 'mistake') assert.equal(verdict.mistakes.length, 3);
});

test('another secret is not explained away', async () => {
  assert.deepEqual(await checkSignature(body, good, 'x'.repeat(32)), { kind: 'unknown' });
  assert.deepEqual(await checkSignature(body, '', secret), { kind: 'unknown' });
  assert.deepEqual(await checkSignature('', good, secret), { kind: 'unknown' });
});
