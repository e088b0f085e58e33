// Writes a request as one piece of bytes: head and body in one write are one system call and one segment less
// than two. Whether its headers can be written at all is asked before a connection is taken.
import type { Socket } from 'node:net';
import type { Target } from './connection.ts';
import type { SendRequest } from './sender.ts';

/** Requests up to this size are put together in the same bytes, over and over. */
const SHARED_BYTES = 65_536;

const isName = /^[!#$%&'*+\-.^_`|~\w]+$/;
const isValue = /^[\t\x20-\x7e\x80-\xff]*$/;

/** The name of the first header that HTTP/1.1 cannot carry (RFC 9110, section 5), or null. */
export function findUnsendable(headers: readonly string[]): string | null {
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index] ?? '';
    if (!isName.test(name) || !isValue.test(headers[index + 1] ?? '')) return name;
  }
  return null;
}

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
    let head = target.head;
    for (let index = 0; index < headers.length; index += 2) {
      head += `${headers[index]}: ${headers[index + 1]}\r\n`;
    }
    head += `content-length: ${body.length}\r\n\r\n`;
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
