// TLS with PostgreSQL: what the sslmode, sslrootcert, sslcert and sslkey of DATABASE_URL ask for, as libpq means them where
// Node can do the same, and what to say when a certificate does not fit.
import { readFileSync } from 'node:fs';
import { checkServerIdentity, createSecureContext, type PeerCertificate } from 'node:tls';
import type { ClientConfig } from 'pg';
import { StoreError } from '../errors.ts';

/** The parameters of the URL that are read here; pg is not to read them again. */
export const tlsParameters = ['sslmode', 'sslrootcert', 'sslcert', 'sslkey'] as const;

const modes = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'];

/** @throws StoreError when a mode is unknown or a file can't be used */
export function readTls(url: URL): ClientConfig['ssl'] {
  const mode = url.searchParams.get('sslmode') ?? 'prefer';
  const given = tlsParameters.slice(1).filter((name) => url.searchParams.has(name));
  if (!modes.includes(mode)) {
    throw new StoreError(
      `DATABASE_URL has sslmode=${mode}. Use disable, prefer, require, verify-ca or verify-full.`,
    );
  }
  if (mode === 'disable' || mode === 'allow' || mode === 'prefer') {
    if (given.length === 0) return false;
    throw new StoreError(
      `DATABASE_URL has ${given[0]}, but with sslmode=${mode} no TLS is spoken. Add sslmode=verify-full to it.`,
    );
  }
  const root = url.searchParams.get('sslrootcert');
  const hasRoot = root !== null && root !== 'system';
  const certificates = { ...(hasRoot && { ca: readPem('sslrootcert', root) }), ...readOwn(url) };
  try {
    createSecureContext(certificates);
  } catch (error) {
    throw new StoreError(
      `A file that DATABASE_URL names (${given.join(', ')}) can't be used (${textOf(error)}). It has to hold PEM: certificates, or a key without a password that belongs to its certificate.`,
    );
  }
  // Only the whole check says anything of the host. With a root, `require` is `verify-ca`, as in libpq.
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const check =
    mode === 'verify-full' ? (_: string, shown: PeerCertificate) => checkServerIdentity(host, shown) : nobody;
  return {
    ...certificates,
    rejectUnauthorized: mode !== 'require' || hasRoot,
    checkServerIdentity: check,
  };
}

const nobody = () => undefined;
const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

function readOwn(url: URL): { cert?: string; key?: string } {
  const cert = url.searchParams.get('sslcert');
  const key = url.searchParams.get('sslkey');
  if (cert === null && key === null) return {};
  if (cert === null || key === null) {
    throw new StoreError('DATABASE_URL has one of sslcert and sslkey. A client certificate needs both.');
  }
  return { cert: readPem('sslcert', cert), key: readPem('sslkey', key) };
}

function readPem(name: string, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new StoreError(
      `The file that DATABASE_URL names as ${name} can't be read (${textOf(error)}). Name one that can.`,
    );
  }
}

const unknownAuthority =
  'shows a certificate that no trusted authority has signed. Name its authority with sslrootcert=<file> in DATABASE_URL.';

/** What to say of a certificate, by the code of Node's error. */
export const certificateTroubles: Record<string, string> = {
  CERT_HAS_EXPIRED: 'shows a certificate that has expired. Renew it on the server.',
  CERT_NOT_YET_VALID: 'shows a certificate that is not valid yet. Look at the clocks of both machines.',
  ERR_TLS_CERT_ALTNAME_INVALID:
    'shows a certificate that is for another host. Use the name in DATABASE_URL that it was made for.',
  SELF_SIGNED_CERT_IN_CHAIN: unknownAuthority,
  DEPTH_ZERO_SELF_SIGNED_CERT: unknownAuthority,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: unknownAuthority,
  UNABLE_TO_GET_ISSUER_CERT: unknownAuthority,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: unknownAuthority,
  CERT_SIGNATURE_FAILURE: unknownAuthority,
};
