// The head of an answer: status line and fields as RFC 9112 has them, strictly, and what they say about the body
// that follows and about the connection afterwards. Pure; answer-reader.ts feeds it.
import { trimBlanks } from '../core/header-lines.ts';

/** How the end of the body is known. `length` is in bytes. */
export type Framing = { kind: 'length'; length: number } | { kind: 'chunked' } | { kind: 'until_close' };

export interface Head {
  readonly status: number;
  /** The fields' lines as received. */
  readonly fields: string;
  readonly framing: Framing;
  /** How long the connection may lie idle before it is used again, ms; 0 when it may not be used again. */
  readonly keepAliveMs: number;
}

/** What undici and node's own agent assume of a server that does not tell: it closes idle connections after 5 s. */
const UNTOLD_KEEP_ALIVE_MS = 4_000;
const MAX_KEEP_ALIVE_MS = 60_000;
/** A server counts from when it sent the answer, and its FIN takes a while. */
const KEEP_ALIVE_MARGIN_MS = 1_000;

/**
 * A whole head: every line ends with CRLF, a name is a token and stands right before its colon (so no folded
 * lines), a value has no control character but the tab. The classes exclude one another, so it is linear.
 */
const wholeHead =
  /^HTTP\/1\.[01] [1-9]\d\d(?: [\t\x20-\x7e\x80-\xff]*)?\r\n(?:[!#$%&'*+\-.^_`|~\w]+:[\t\x20-\x7e\x80-\xff]*\r\n)*\r\n$/;
const noBody: Framing = { kind: 'length', length: 0 };
const chunked: Framing = { kind: 'chunked' };
const untilClose: Framing = { kind: 'until_close' };
const hasClose = /(?:^|,)[ \t]*close[ \t]*(?:,|$)/i;
const hasKeepAlive = /(?:^|,)[ \t]*keep-alive[ \t]*(?:,|$)/i;
const timeoutHint = /(?:^|[,; \t])timeout[ \t]*=[ \t]*"?(\d{1,9})/i;
const isLength = /^\d{1,15}$/;

let lastText = '';
let lastHead: Head | null = null;

/**
 * Reads `text`, a head from its status line to its empty line, as latin1; null when it is not valid. The last one is
 * remembered: an endpoint that is sent much says the same until its clock's next second.
 */
export function readHead(text: string): Head | null {
  if (text === lastText) return lastHead;
  lastHead = read(text);
  lastText = text;
  return lastHead;
}

function read(text: string): Head | null {
  if (!wholeHead.test(text)) return null;
  const status = Number(text.slice(9, 12));
  let length: string | null = null;
  let coding: string | null = null;
  let connection: string | null = null;
  let hint: string | null = null;
  const fieldsAt = text.indexOf('\r\n') + 2;
  let at = fieldsAt;
  for (let end = text.indexOf('\r\n', at); end > at; end = text.indexOf('\r\n', at)) {
    const colon = text.indexOf(':', at);
    const name = text.slice(at, colon);
    const value = trimBlanks(text, colon + 1, end);
    at = end + 2;
    // Lengths first: most fields need no lower-case copy of their name.
    if (name.length === 14 && name.toLowerCase() === 'content-length') {
      if (length !== null) return null;
      length = value;
    } else if (name.length === 17 && name.toLowerCase() === 'transfer-encoding') {
      coding = coding === null ? value : `${coding},${value}`;
    } else if (name.length === 10) {
      const lower = name.toLowerCase();
      if (lower === 'connection') connection = connection === null ? value : `${connection},${value}`;
      else if (lower === 'keep-alive') hint = value;
    }
  }
  const framing = frame(status, length, coding);
  if (framing === null) return null;
  const isOld = text.charCodeAt(7) === 48;
  const isKept = isOld
    ? coding === null && connection !== null && hasKeepAlive.test(connection) && !hasClose.test(connection)
    : connection === null || !hasClose.test(connection);
  const keepAliveMs = isKept && framing !== untilClose ? readHint(hint) : 0;
  return { status, fields: text.slice(fieldsAt, -2), framing, keepAliveMs };
}

/** RFC 9112, section 6.3; null when the fields contradict one another or are not what they should be. */
function frame(status: number, length: string | null, coding: string | null): Framing | null {
  if (length !== null && (coding !== null || !isLength.test(length))) return null;
  if (status < 200 || status === 204 || status === 304) return noBody;
  if (length !== null) return length === '0' ? noBody : { kind: 'length', length: Number(length) };
  if (coding === null) return untilClose;
  const codings = coding
    .toLowerCase()
    .split(',')
    .map((one) => one.trim());
  const at = codings.indexOf('chunked');
  if (at < 0) return untilClose;
  return at === codings.length - 1 ? chunked : null;
}

function readHint(hint: string | null): number {
  const seconds = hint === null ? undefined : timeoutHint.exec(hint)?.[1];
  if (seconds === undefined) return UNTOLD_KEEP_ALIVE_MS;
  return Math.max(0, Math.min(MAX_KEEP_ALIVE_MS, Number(seconds) * 1_000 - KEEP_ALIVE_MARGIN_MS));
}
