// HMAC held against node's own, whatever the lengths of key, prefix and body.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import { inspect } from 'node:util';
import * as fc from 'fast-check';
import { HmacKey } from './hmac.ts';

const algorithms = ['sha1', 'sha256'] as const;

function signByNode(algorithm: string, key: Uint8Array, prefix: string, body: Uint8Array): string {
  return createHmac(algorithm, key).update(prefix).update(body).digest('base64');
}

test('any key, prefix and body are signed as by node itself', () => {
  const bytes = (maxLength: number) => fc.uint8Array({ maxLength });
  const prefixes = fc.stringMatching(/^[ -~]{0,60}$/);
  fc.assert(
    fc.property(
      fc.constantFrom(...algorithms),
      bytes(200),
      prefixes,
      bytes(2_000),
      (algorithm, key, prefix, body) => {
        const hmac = new HmacKey(algorithm, Buffer.from(key));
        assert.equal(hmac.sign(prefix, body, 'base64'), signByNode(algorithm, key, prefix, body));
      },
    ),
    { numRuns: 300 },
  );
});

test('bodies around and beyond 64 KiB are signed whole, and leave nothing for the next one', () => {
  for (const algorithm of algorithms) {
    const secret = Buffer.from('abcdefghijklmnopqrstuvwxyz012345');
    const hmac = new HmacKey(algorithm, secret);
    for (const length of [65_471, 65_472, 65_473, 65_536, 300_000, 2]) {
      const body = Buffer.alloc(length, 'x');
      assert.equal(hmac.sign('', body, 'base64'), signByNode(algorithm, secret, '', body), `${length}`);
    }
  }
});

test('a key shows nothing of its secret', () => {
  const hmac = new HmacKey('sha1', Buffer.from('abcdef'));
  assert.doesNotMatch(
    inspect(hmac, { depth: 9, showHidden: true }) + JSON.stringify(hmac),
    /Buffer|Array|abcdef|97/,
  );
});
