// Why an attempt failed, in the field's words, and the one sentence that tells its reader what to do.

/** Causes without an answer, then causes read from the answer. `status_<n>` stands for a non-2xx answer. */
export type Cause =
  | 'blocked_address'
  | 'invalid_url'
  | 'dns_not_found'
  | 'dns_failed'
  | 'dns_timeout'
  | 'connection_refused'
  | 'connection_reset'
  | 'connection_closed'
  | 'network_unreachable'
  | 'timeout_connecting'
  | 'timeout_tls'
  | 'timeout_sending'
  | 'timeout_waiting_for_response'
  | 'timeout_reading_response'
  | 'tls_certificate_expired'
  | 'tls_certificate_untrusted'
  | 'tls_hostname_mismatch'
  | 'tls_failed'
  | 'invalid_response'
  | 'redirect'
  | 'internal_error'
  | `status_${number}`;
