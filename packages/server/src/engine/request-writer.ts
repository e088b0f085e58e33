// Writes a request as one piece of bytes: head and body in one write are one system call and one segment less
// than two. Whether its headers can be written at all is asked before a connection is taken.
import type { Socket } from 'node:net';
import type { Target } from './connection.ts';
import type { SendRequest } from './sender.ts';

/** Requests up to this size are put together in the same bytes, over and over. */
const SHARED_BYTES = 65_536;

/** Header lines that HTTP/1.1 can carry (RFC 9110, section 5). The classes exclude one another, so it is linear. */
const sendable = /^(?:[!#$%&'*+\-.^_`|~\w]+: [\t\x20-\x7e\x80-\xff]*\r\n)*$/;

/** Whether HTTP/1.1 can carry `headers`. In one test: one for each name and value took 0.6 µs more of a delivery. */
export const isSendable = (headers: string): boolean => sendable.test(headers);

/**
 * The beginning of every request to one URL: `path` and `label` as a WHATWG URL spells them.
 * Throws a RangeError for a line break or blank in them, which no such URL has.
 */
export function beginHead(path: string, label: string): string {
  if (!/^[\x21-\x7e]+$/.test(path + label)) throw new RangeError('A URL with a blank cannot be written.');
  return `POST ${path} HTTP/1.1\r\nhost: ${label}\r\nconnection: keep-alive\r\n`;
}

export class RequestWriter {
  #shared = Buffer.allocUnsafeSlow(SHARED_BYTES);

  /** Writes the whole request to `socket`, which must be open; what the kernel does not take now is queued there. */
  write(socket: Socket, target: Target, request: SendRequest): void {
    const { headers, body } = request;
    const head = `${target.head}${headers}content-length: ${body.length}\r\n\r\n`;
    const length = head.length + body.length;
    // TLS keeps what it is given until it is encrypted and sent; plain TCP as good as always takes it at once.
    if (target.secure || length > SHARED_BYTES) {
      socket.write(fill(Buffer.allocUnsafe(length), head, body));
      return;
    }
    socket.write(fill(this.#shared.subarray(0, length), head, body));
    if (socket.writableLength > 0) this.#shared = Buffer.allocUnsafeSlow(SHARED_BYTES);
  }
}

function fill(bytes: Buffer, head: string, body: Uint8Array): Buffer {
  bytes.set(body, bytes.write(head, 'latin1'));
  return bytes;
}
