// Signatures of a delivery: Vercel's header and the three of Standard Webhooks, made with one secret.
import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';

/** One secret, ready to sign with: as UTF-8 bytes for Vercel's header, as base64 for Standard Webhooks. */
export interface SigningKey {
  utf8: KeyObject;
  base64: KeyObject;
}

export function signingKey(secret: string): SigningKey {
  const decoded = Buffer.from(secret, 'base64');
  return {
    utf8: createSecretKey(Buffer.from(secret, 'utf8')),
    base64: createSecretKey(decoded.length > 0 ? decoded : Buffer.from(secret, 'utf8')),
  };
}

/** Lower-case hex HMAC-SHA1 of the body: `x-vercel-signature` (vercel.com/docs/webhooks/webhooks-api). */
export function signVercel(key: SigningKey, body: Uint8Array): string {
  return createHmac('sha1', key.utf8).update(body).digest('hex');
}

/** `v1,` and the base64 HMAC-SHA256 of `id.timestamp.body` (standardwebhooks.com). `timestamp` is in seconds. */
export function signStandard(key: SigningKey, id: string, timestamp: number, body: Uint8Array): string {
  return `v1,${createHmac('sha256', key.base64).update(`${id}.${timestamp}.`).update(body).digest('base64')}`;
}
