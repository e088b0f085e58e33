// Secrets at rest: they open with any key of the list, at their own place, unchanged, and not otherwise.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { Vault, VaultError } from './vault.ts';

const [oldKey, newKey, otherKey] = [randomBytes(32), randomBytes(32), randomBytes(32)];
const place = 'endpoints:AbCdEfGh';

test('what was sealed opens again, whatever it says', () => {
  const vault = new Vault([newKey]);
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' }), (text, where) => {
      const plain = text.toWellFormed();
      assert.equal(vault.open(vault.seal(plain, where), where), plain);
    }),
  );
});

test('the same secret is sealed differently each time, and never shows', () => {
  const vault = new Vault([newKey]);
  const sealed = Array.from({ length: 100 }, () => vault.seal('open sesame', place));
  assert.equal(new Set(sealed.map((bytes) => bytes.toString('hex'))).size, 100);
  for (const bytes of sealed) assert.equal(bytes.includes('open sesame'), false);
});

test('it does not open at another place', () => {
  const vault = new Vault([newKey]);
  assert.throws(() => vault.open(vault.seal('secret', place), 'endpoints:AbCdEfGi'), VaultError);
});

test('it does not open when any byte was changed', () => {
  const vault = new Vault([newKey]);
  const sealed = vault.seal('secret', place);
  for (let at = 0; at < sealed.length; at++) {
    for (const bit of [1, 128]) {
      const changed = Buffer.from(sealed);
      changed[at] = (changed[at] ?? 0) ^ bit;
      assert.throws(() => vault.open(changed, place), VaultError, `byte ${at}`);
    }
  }
});

test('it does not open when any part of it is missing, not even as an empty one', () => {
  const vault = new Vault([newKey]);
  for (const plain of ['secret', '']) {
    const sealed = vault.seal(plain, place);
    for (let length = 0; length < sealed.length; length++) {
      assert.throws(() => vault.open(sealed.subarray(0, length), place), VaultError, `${length} bytes`);
    }
    assert.throws(() => vault.open(Buffer.concat([sealed, Buffer.from([0])]), place), VaultError);
  }
});

test('keys rotate: the first seals, all open, and what another key sealed is stale', () => {
  const before = new Vault([oldKey]);
  const sealed = before.seal('secret', place);
  const rotated = new Vault([newKey, oldKey]);
  assert.equal(rotated.open(sealed, place), 'secret');
  assert.equal(rotated.isStale(sealed), true);
  const again = rotated.seal('secret', place);
  assert.equal(rotated.isStale(again), false);
  assert.throws(() => before.open(again, place), /not in POSTHORN_SECRET_KEY/);
  assert.equal(new Vault([newKey]).open(again, place), 'secret');
  assert.throws(() => new Vault([otherKey, newKey]).open(sealed, place), VaultError);
  assert.equal(new Vault([otherKey]).isStale(sealed), true);
});

test('the fingerprint names the first key and does not tell it', () => {
  assert.equal(new Vault([newKey, oldKey]).fingerprint, new Vault([newKey]).fingerprint);
  assert.notEqual(new Vault([newKey]).fingerprint, new Vault([oldKey]).fingerprint);
  assert.equal(newKey.includes(Buffer.from(new Vault([newKey]).fingerprint, 'hex')), false);
  assert.throws(() => new Vault([]), VaultError);
});

test('bytes as a store gives them back, in the middle of a larger buffer, open too', () => {
  const vault = new Vault([newKey]);
  const sealed = vault.seal('secret', place);
  const larger = new Uint8Array(sealed.length + 20);
  larger.set(sealed, 7);
  const part = larger.subarray(7, 7 + sealed.length);
  assert.equal(vault.open(part, place), 'secret');
  assert.equal(vault.isStale(part), false);
});
