// Signatures: the known answer of Vercel's header, and Standard Webhooks' own library as judge of the others.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { Webhook } from 'standardwebhooks';
import { newSecret } from '../id.ts';
import { signingKey, signStandard, signVercel } from './signing.ts';

const body = Buffer.from(
  '{"id":"evt_1","type":"deployment.succeeded","createdAt":1700000000000,"payload":{"deployment":{"id":"dpl_1"}}}',
);

test('the known answer of x-vercel-signature', () => {
  assert.equal(signVercel(signingKey('vercel_secret'), body), '121fc49dd29b913bbb19ad65e8dc00f569f5f73c');
});

test('the key of x-vercel-signature is the secret’s UTF-8 bytes, whatever they are', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1, unit: 'grapheme' }), fc.uint8Array(), (secret, bytes) => {
      assert.equal(
        signVercel(signingKey(secret), bytes),
        createHmac('sha1', secret).update(bytes).digest('hex'),
      );
    }),
  );
});

test('standardwebhooks verifies with the secret as it was given, and refuses any other body, id, time or secret', () => {
  const secret = newSecret();
  const seconds = Math.floor(Date.now() / 1000);
  const signature = signStandard(signingKey(secret), 'evt_1', seconds, body);
  assert.match(signature, /^v1,[A-Za-z0-9+/]{43}=$/);
  const headers = (id: string, at: number) => ({
    'webhook-id': id,
    'webhook-timestamp': String(at),
    'webhook-signature': signature,
  });
  const webhook = new Webhook(secret);
  assert.deepEqual(webhook.verify(body.toString(), headers('evt_1', seconds)), JSON.parse(body.toString()));
  assert.throws(() => webhook.verify(`${body.toString()} `, headers('evt_1', seconds)));
  assert.throws(() => webhook.verify(body.toString(), headers('evt_2', seconds)));
  assert.throws(() => webhook.verify(body.toString(), headers('evt_1', seconds + 1)));
  assert.throws(() => new Webhook(newSecret()).verify(body.toString(), headers('evt_1', seconds)));
});
