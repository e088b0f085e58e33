// When the next attempt is made, as arithmetic: the schedule's wait with jitter, a receiver's Retry-After, and the
// window that neither may leave.

/** How long after a delivery was made its last attempt may start, at the least. */
export const windowMs = 24 * 60 * 60 * 1000;
/** Waits vary by this share in either direction, so that a burst does not come back as a burst. */
const jitter = 0.1;

export interface RetryInput {
  /** The waits between attempts, in ms. */
  scheduleMs: readonly number[];
  /** Attempts of the schedule made so far, this one included. */
  attempts: number;
  /** When the delivery was made, and now: epoch ms. */
  createdAt: number;
  now: number;
  /** What the receiver asked for (ms from now), null if it did not. */
  retryAfterMs: number | null;
  /** In [0, 1). */
  random: number;
}

/** The time of the next attempt (epoch ms), or null when the schedule is used up. */
export function nextAttemptAt(input: RetryInput): number | null {
  const wait = input.scheduleMs[input.attempts - 1];
  if (wait === undefined) return null;
  const scheduled = input.now + Math.round(wait * (1 - jitter + 2 * jitter * input.random));
  if (input.retryAfterMs === null) return scheduled;
  const asked = Math.min(input.now + input.retryAfterMs, input.createdAt + windowMs);
  return Math.max(scheduled, asked);
}

/**
 * Reads Retry-After (RFC 9110 section 10.2.3): seconds or an HTTP date.
 * @returns ms from now, not negative; null if the value is neither
 */
export function readRetryAfter(value: string, now: number): number | null {
  const text = value.trim();
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  if (!/^[A-Za-z]{3}, \d{2} [A-Za-z]{3} \d{4} \d{2}:\d{2}:\d{2} GMT$/.test(text)) return null;
  const at = Date.parse(text);
  return Number.isNaN(at) ? null : Math.max(0, at - now);
}
