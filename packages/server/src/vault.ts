// Secrets at rest: AES-256-GCM. The first key seals; every key of the list opens, so that keys can be rotated.
import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';

const version = 1;
const fingerprintLength = 4;
const nonceLength = 12;
const tagBytes = 16;

interface Key {
  fingerprint: Buffer;
  key: Buffer;
}

/** A sealed value was made with a key that is not in the list, or was tampered with. */
export class VaultError extends Error {
  override name = 'VaultError';
}

export class Vault {
  readonly #keys: Key[];

  /** @param keys 32 bytes each; the first one seals */
  constructor(keys: Buffer[]) {
    if (keys.length === 0) throw new VaultError('The list of secret keys is empty.');
    this.#keys = keys.map((key) => ({
      key,
      fingerprint: createHash('sha256').update(key).digest().subarray(0, fingerprintLength),
    }));
  }

  /** What names the first key without telling it: kept in the store to notice a wrong key at the start. */
  get fingerprint(): string {
    return (this.#keys[0] as Key).fingerprint.toString('hex');
  }

  /** Whether the list has the key of a fingerprint. */
  hasKey(fingerprint: string): boolean {
    return this.#keys.some((key) => key.fingerprint.toString('hex') === fingerprint);
  }

  /** Seals `plain` for `place` (table, column and row), which must be given again to open it. */
  seal(plain: string, place: string): Buffer {
    const { key, fingerprint } = this.#keys[0] as Key;
    const nonce = randomBytes(nonceLength);
    const cipher = createCipheriv('aes-256-gcm', key, nonce);
    cipher.setAAD(Buffer.from(place));
    const sealed = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final()]);
    return Buffer.concat([Buffer.from([version]), fingerprint, nonce, cipher.getAuthTag(), sealed]);
  }

  /** @throws VaultError when no key of the list fits or the bytes were changed */
  open(sealed: Uint8Array, place: string): string {
    const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength);
    const key = this.#keyOf(bytes);
    if (key === null)
      throw new VaultError('A secret was sealed with a key that is not in POSTHORN_SECRET_KEY.');
    const at = 1 + fingerprintLength;
    try {
      const nonce = bytes.subarray(at, at + nonceLength);
      // Node takes shorter tags, which are easier to guess, unless their length is given.
      const decipher = createDecipheriv('aes-256-gcm', key.key, nonce, { authTagLength: tagBytes });
      decipher.setAAD(Buffer.from(place));
      decipher.setAuthTag(bytes.subarray(at + nonceLength, at + nonceLength + tagBytes));
      return (
        decipher.update(bytes.subarray(at + nonceLength + tagBytes), undefined, 'utf8') +
        decipher.final('utf8')
      );
    } catch {
      throw new VaultError('A sealed secret does not open: its bytes or its place were changed.');
    }
  }

  /** Whether a value is sealed with another key than the first and should be sealed again. */
  isStale(sealed: Uint8Array): boolean {
    return this.#keyOf(Buffer.from(sealed)) !== this.#keys[0];
  }

  #keyOf(bytes: Buffer): Key | null {
    if (bytes[0] !== version) return null;
    const fingerprint = bytes.subarray(1, 1 + fingerprintLength);
    return this.#keys.find((key) => key.fingerprint.equals(fingerprint)) ?? null;
  }
}
