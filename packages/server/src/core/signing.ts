// Signatures of a delivery: Vercel's header and the three of Standard Webhooks, made with one secret.
import { HmacKey } from './hmac.ts';

/** One secret, ready to sign with: as UTF-8 bytes for Vercel's header, as base64 for Standard Webhooks. */
export interface SigningKey {
  utf8: HmacKey;
  base64: HmacKey;
}

export function signingKey(secret: string): SigningKey {
  const bytes = Buffer.from(secret, 'utf8');
  const decoded = Buffer.from(secret, 'base64');
  return {
    utf8: new HmacKey('sha1', bytes),
    base64: new HmacKey('sha256', decoded.length > 0 ? decoded : bytes),
  };
}

/** Lower-case hex HMAC-SHA1 of the body: `x-vercel-signature` (vercel.com/docs/webhooks/webhooks-api). */
export function signVercel(key: SigningKey, body: Uint8Array): string {
  return key.utf8.sign('', body, 'hex');
}

/**
 * `v1,` and the base64 HMAC-SHA256 of `id.timestamp.body` (standardwebhooks.com). `id` is ASCII, `timestamp` in
 * seconds.
 */
export function signStandard(key: SigningKey, id: string, timestamp: number, body: Uint8Array): string {
  return `v1,${key.base64.sign(`${id}.${timestamp}.`, body, 'base64')}`;
}
