// From what node, OpenSSL and c-ares throw to the causes of core/cause.ts.
import type { Cause } from '../core/cause.ts';
import type { Lookup } from './resolver.ts';

/** How far a request has come, as far as its connection knows. */
export type Stage = 'resolving' | 'connecting' | 'tls' | 'open';

/** What this house found out itself: the cause is known already. */
export class ExchangeFailure extends Error {
  readonly reason: Cause;
  readonly detail: string | null;

  constructor(reason: Cause, detail: string | null) {
    super(detail ?? reason);
    this.reason = reason;
    this.detail = detail;
  }
}

/** What a lookup without addresses means. */
export function failureOfLookup(found: Exclude<Lookup, { kind: 'addresses' }>): ExchangeFailure {
  if (found.kind === 'unavailable') return new ExchangeFailure('internal_error', found.detail);
  return new ExchangeFailure(`dns_${found.kind}`, found.kind === 'failed' ? found.detail : null);
}

const causeOfCode: Readonly<Record<string, Cause>> = {
  ECONNREFUSED: 'connection_refused',
  ECONNRESET: 'connection_reset',
  ECONNABORTED: 'connection_reset',
  EPIPE: 'connection_reset',
  ENETUNREACH: 'network_unreachable',
  EHOSTUNREACH: 'network_unreachable',
  EHOSTDOWN: 'network_unreachable',
  ENETDOWN: 'network_unreachable',
  EADDRNOTAVAIL: 'network_unreachable',
  EAFNOSUPPORT: 'network_unreachable',
  EACCES: 'network_unreachable',
  EPERM: 'network_unreachable',
  CERT_HAS_EXPIRED: 'tls_certificate_expired',
  ERR_TLS_CERT_ALTNAME_INVALID: 'tls_hostname_mismatch',
};

const untrusted = new Set([
  'CERT_NOT_YET_VALID',
  'CERT_REVOKED',
  'CERT_REJECTED',
  'CERT_UNTRUSTED',
  'CERT_CHAIN_TOO_LONG',
  'CERT_SIGNATURE_FAILURE',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'INVALID_CA',
  'INVALID_PURPOSE',
  'PATH_LENGTH_EXCEEDED',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

/** Codes of a connection that was closed: with no byte of an answer, it may have been closed before the request. */
const closed = new Set(['ECONNRESET', 'ECONNABORTED', 'EPIPE']);

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

/** Whether the other side closed the connection, as far as the error tells. */
export function isClosedByPeer(error: unknown): boolean {
  if (error instanceof ExchangeFailure) return error.reason === 'connection_closed';
  return closed.has(codeOf(error));
}

/** The cause of an error that node or this house threw, and the technical words for its sentence. */
export function readError(error: unknown, stage: Stage): { cause: Cause; detail: string | null } {
  if (error instanceof ExchangeFailure) return { cause: error.reason, detail: error.detail };
  // Every address was tried: a host that refused says more than a family that has no route.
  if (error instanceof AggregateError) {
    const told = error.errors.map((one) => readError(one, stage));
    return told.find((one) => one.cause !== 'network_unreachable') ?? told[0] ?? readError(null, stage);
  }
  const code = codeOf(error);
  const message = error instanceof Error ? error.message : String(error);
  const detail = code || message;
  if (code === 'ETIMEDOUT') {
    return { cause: stage === 'connecting' ? 'timeout_connecting' : 'connection_reset', detail };
  }
  if (untrusted.has(code)) return { cause: 'tls_certificate_untrusted', detail };
  if (stage === 'tls' && (closed.has(code) || causeOfCode[code] === undefined)) {
    return { cause: 'tls_failed', detail };
  }
  const known = causeOfCode[code];
  if (known !== undefined) return { cause: known, detail };
  if (code.startsWith('ERR_SSL_') || code.startsWith('ERR_TLS_') || code === 'EPROTO') {
    return { cause: 'tls_failed', detail };
  }
  return { cause: 'internal_error', detail };
}
