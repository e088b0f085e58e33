// The registry of every error that the API answers, in Vercel's form: {"error":{"code","message"}}. A test holds
// docs/reference/errors.md equal to this table.

export const errorCodes = {
  bad_request: {
    status: 400,
    meaning: 'The request is malformed: JSON, a field, a query parameter or a header.',
  },
  invalid_url: { status: 400, meaning: 'The webhook’s URL is not one that Posthorn will call.' },
  blocked_address: {
    status: 400,
    meaning: 'The webhook’s host is private; the message names the setting that allows it.',
  },
  invalid_event: { status: 400, meaning: 'An event type is unknown, or not available as asked.' },
  invalid_project: { status: 400, meaning: 'A project in projectIds is not one of the team’s.' },
  invalid_payload: { status: 400, meaning: 'An event’s payload does not fit its type’s schema.' },
  unauthorized: { status: 401, meaning: 'No token was sent, or the session has ended.' },
  forbidden: {
    status: 403,
    meaning: 'The token is unknown, revoked or expired, or its role or plan does not allow this.',
  },
  webhook_limit: { status: 403, meaning: 'The team has as many webhooks as it may have.' },
  not_found: { status: 404, meaning: 'There is no such thing, or it belongs to another team.' },
  conflict: { status: 409, meaning: 'The change does not fit what is there; nothing was changed.' },
  id_conflict: { status: 409, meaning: 'The event id is taken by an event with other content.' },
  delivery_canceled: {
    status: 409,
    meaning: 'The delivery’s webhook was removed, so it can’t be redelivered.',
  },
  webhook_disabled: { status: 409, meaning: 'The webhook is disabled; enable it first.' },
  ENV_CONFLICT: { status: 400, meaning: 'A variable with that key exists for one of the environments.' },
  payload_too_large: { status: 413, meaning: 'The body, an event or a batch is larger than its limit.' },
  uri_too_long: { status: 414, meaning: 'The address of the request is too long.' },
  unsupported_media_type: { status: 415, meaning: 'The body is not application/json.' },
  headers_too_large: { status: 431, meaning: 'The request’s headers are too large.' },
  rate_limited: { status: 429, meaning: 'Too much at once; Retry-After says when to try again.' },
  internal_server_error: {
    status: 500,
    meaning: 'A fault of the server’s own; its log has the cause under the request id.',
  },
  store_unavailable: {
    status: 503,
    meaning: 'The store is away; nothing was acknowledged. Repeat the call, a publish with its own id.',
  },
  shutting_down: { status: 503, meaning: 'This node is stopping; try again.' },
} as const;

export type ErrorCode = keyof typeof errorCodes;

/** An answer other than success. `message` is a sentence that says what to do. */
export class ApiError extends Error {
  override name = 'ApiError';
  readonly code: ErrorCode;
  readonly status: number;
  /** Further members of the `error` object, and headers of the answer. */
  readonly detail: Record<string, unknown>;
  readonly headers: Record<string, string>;

  constructor(
    code: ErrorCode,
    message: string,
    extra: { detail?: Record<string, unknown>; headers?: Record<string, string> } = {},
  ) {
    super(message);
    this.code = code;
    this.status = errorCodes[code].status;
    this.detail = extra.detail ?? {};
    this.headers = extra.headers ?? {};
  }
}
