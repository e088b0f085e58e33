// Why an attempt failed, in the field's words, and the one sentence that tells its reader what to do.

/** Causes without a usable answer; every one has its sentence in `sentences`. */
export const brokenCauses = [
  'blocked_address',
  'invalid_url',
  'dns_not_found',
  'dns_failed',
  'dns_timeout',
  'connection_refused',
  'connection_reset',
  'connection_closed',
  'network_unreachable',
  'timeout_connecting',
  'timeout_tls',
  'timeout_sending',
  'timeout_waiting_for_response',
  'timeout_reading_response',
  'tls_certificate_expired',
  'tls_certificate_untrusted',
  'tls_hostname_mismatch',
  'tls_failed',
  'invalid_response',
  'internal_error',
] as const;

type BrokenCause = (typeof brokenCauses)[number];

/** Causes without an answer, then causes read from the answer. `status_<n>` stands for a non-2xx answer. */
export type Cause = BrokenCause | 'redirect' | `status_${number}`;

/** What a sentence may need; all but the host may be left out. */
export interface CauseContext {
  /** The endpoint's host as its URL names it, with its port where that is not the scheme's own. */
  host: string;
  /** The whole attempt's time limit, ms. */
  timeoutMs?: number;
  /** The `Location` of a redirect. */
  location?: string | null;
  /** A refusal's own sentence (blocked_address, invalid_url), or the technical words below a failure. */
  detail?: string | null;
}

/** The cause that an answer's status stands for; null for a 2xx, which is success. */
export function causeOfStatus(status: number): Cause | null {
  if (status >= 200 && status < 300) return null;
  return status >= 300 && status < 400 && status !== 304 ? 'redirect' : `status_${status}`;
}

function limit({ timeoutMs }: CauseContext): string {
  if (timeoutMs === undefined) return 'in time';
  return timeoutMs >= 1_000 ? `within ${Number((timeoutMs / 1_000).toFixed(1))} s` : `within ${timeoutMs} ms`;
}

/** The technical words in brackets, for those who search for them. */
function because({ detail }: CauseContext): string {
  return detail ? ` (${detail})` : '';
}

const sentences: Record<BrokenCause, (context: CauseContext) => string> = {
  blocked_address: (at) =>
    at.detail ?? `The host ${at.host} has no address that webhooks may reach; use a public one.`,
  invalid_url: (at) =>
    at.detail ?? 'The URL cannot be called; change it to one like https://example.com/webhooks.',
  dns_not_found: (at) =>
    `The name ${at.host} has no address; check its spelling and its DNS records (A or AAAA).`,
  dns_failed: (at) =>
    `The name servers of ${at.host} answered with an error${because(at)}; check the domain's DNS configuration.`,
  dns_timeout: (at) =>
    `The name servers of ${at.host} did not answer ${limit(at)}; check that the domain's name servers are up.`,
  connection_refused: (at) =>
    `Nothing accepts connections at ${at.host}; start the receiver, or correct the URL's host or port.`,
  connection_reset: (at) =>
    `${at.host} reset the connection before its answer was whole; look for a crash, or a proxy or firewall that cuts connections.`,
  connection_closed: (at) =>
    `${at.host} closed the connection before its answer was whole; look for a crash or a proxy's time limit in the receiver's log.`,
  network_unreachable: (at) =>
    `No network route leads to ${at.host}${because(at)}; check its address, and the routes and firewall on the way.`,
  timeout_connecting: (at) =>
    `${at.host} did not accept the connection ${limit(at)}; check that it is up and that its firewall lets this sender in.`,
  timeout_tls: (at) =>
    `${at.host} did not finish the TLS handshake ${limit(at)}; check that this port speaks TLS and is not overloaded.`,
  timeout_sending: (at) =>
    `${at.host} did not take in the whole request ${limit(at)}; check that the receiver reads request bodies.`,
  timeout_waiting_for_response: (at) =>
    `${at.host} took in the request but did not answer ${limit(at)}; answer 2xx at once and do the work afterwards.`,
  timeout_reading_response: (at) =>
    `${at.host} began to answer but did not finish ${limit(at)}; end the response, an empty body is enough.`,
  tls_certificate_expired: (at) => `The TLS certificate of ${at.host} has expired; renew it.`,
  tls_certificate_untrusted: (at) =>
    `The TLS certificate of ${at.host} is not trusted${because(at)}; use one of a public authority and serve its whole chain.`,
  tls_hostname_mismatch: (at) =>
    `The TLS certificate of ${at.host} is for other names; use one that names this host, or correct the URL.`,
  tls_failed: (at) =>
    `The TLS handshake with ${at.host} failed${because(at)}; check that this port speaks TLS 1.2 or newer.`,
  invalid_response: (at) =>
    `${at.host} answered with something that is not valid HTTP/1.1${because(at)}; check what listens on this port.`,
  internal_error: (at) =>
    `Posthorn could not make the request${because(at)}; it is tried again, and its operator finds more in the log.`,
};

/** What to do about an answer's status, for those that mean something of their own. */
const statusAdvice: Record<number, string> = {
  304: 'answer a webhook with 200 instead',
  400: 'find out in its log what it could not read, and answer 2xx once the event is taken in',
  401: 'it asks for a login: exempt the webhook path from authentication and verify the signature instead',
  402: 'its hosting is not paid or over its quota: check that account',
  403: 'it forbids the request: check its firewall, bot or deployment protection and its signature check',
  404: "nothing is at this path: correct the webhook's URL or deploy the route",
  405: 'this path does not take POST: correct the URL or add a POST handler',
  406: "it does not like the request's headers: stop checking accept for webhooks",
  408: 'it did not read the request in time: check the load of the receiver and of any proxy before it',
  409: 'it reports a conflict: answer 2xx for an event id that was already taken in',
  410: 'it says that this endpoint is gone for good: remove the webhook or change its URL',
  411: 'a proxy before it lost the content-length header: check its configuration',
  413: 'the event is too large for it: raise its limit for request bodies',
  414: "the URL is too long for it: shorten the webhook's URL",
  415: 'it does not take application/json: accept that content type',
  421: 'its proxy does not serve this host name: check the name and its certificate',
  422: 'it rejected the content: answer 2xx for events that you do not handle',
  426: 'it wants another protocol: check that the URL is an HTTP one',
  429: "it asks for fewer requests: raise its limit, or lower this webhook's ratePerSecond",
  431: "the request's headers are too large for it: raise its limit",
  500: 'it failed while handling the event: look for the error in its log',
  501: 'it does not implement POST: correct the URL or the receiver',
  502: 'the proxy before it got no valid answer: check that the receiver runs',
  503: 'it is overloaded or down for maintenance: check that it runs, deliveries are tried again',
  504: 'the proxy before it got no answer in time: answer 2xx at once and do the work afterwards',
};

function adviseOn(status: number): string {
  const known = statusAdvice[status];
  if (known !== undefined) return known;
  if (status >= 400 && status < 500) return 'it refused the request: look for the reason in its log';
  if (status >= 500 && status < 600)
    return 'it failed while handling the event: look for the error in its log';
  return 'only a status from 200 to 299 means that the event was taken in: answer 200';
}

/** One sentence in plain English that says what happened and what to do about it. */
export function explainCause(cause: Cause, context: CauseContext): string {
  if (cause === 'redirect') {
    const target = context.location ? ` to ${context.location}` : '';
    return `${context.host} answered with a redirect${target}, which is not followed; set the webhook's URL to the final address.`;
  }
  if (isStatusCause(cause)) {
    const status = Number(cause.slice('status_'.length));
    return `${context.host} answered ${status}; ${adviseOn(status)}.`;
  }
  return sentences[cause](context);
}

function isStatusCause(cause: Cause): cause is `status_${number}` {
  return cause.startsWith('status_');
}
