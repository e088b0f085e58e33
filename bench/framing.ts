// The least of HTTP/1.1 that the generator and the sink need: where a message with a content-length ends.
// They are written by hand on raw sockets so that they take little of the processor that is being measured.

/** Where a message's body begins and where the message ends, as offsets into the bytes it was found in. */
export interface Frame {
  bodyAt: number;
  endAt: number;
}

/** Called with a whole message: it starts at `startAt` of `bytes`, which hold it until the call returns. */
export type TakeMessage = (bytes: Buffer, startAt: number, frame: Frame) => void;

const headEnd = Buffer.from('\r\n\r\n');
const contentLength = /\r\ncontent-length: *(\d+)\r\n/i;
const transferEncoding = /\r\ntransfer-encoding:/i;

/** Takes the whole messages off a connection's stream of bytes and keeps the unfinished rest for the next call. */
export class MessageStream {
  readonly #take: TakeMessage;
  #rest: Buffer | null = null;
  /** The last message that filled a chunk alone, and its content-length line: the next one is mostly its like. */
  #last: Frame | null = null;
  #lengthAt = 0;
  #lengthLine = Buffer.alloc(0);

  constructor(take: TakeMessage) {
    this.#take = take;
  }

  /** Takes every whole message in what was left over and `chunk` together. Throws at a chunked message. */
  push(chunk: Buffer): void {
    if (this.#rest === null && this.#last !== null && this.#isLikeLast(chunk, this.#last)) {
      this.#take(chunk, 0, this.#last);
      return;
    }
    const bytes = this.#rest === null ? chunk : Buffer.concat([this.#rest, chunk]);
    let startAt = 0;
    while (startAt < bytes.length) {
      const frame = this.#frame(bytes, startAt);
      if (frame === null) break;
      this.#take(bytes, startAt, frame);
      startAt = frame.endAt;
    }
    // A copy: the chunk's bytes are the reader's own, who may read the next chunk into them.
    this.#rest = startAt < bytes.length ? Buffer.from(bytes.subarray(startAt)) : null;
  }

  /** Whether `chunk` is one message with its head, its content-length and its end just where `last` had them. */
  #isLikeLast(chunk: Buffer, last: Frame): boolean {
    if (chunk.length !== last.endAt) return false;
    for (let at = 0; at < headEnd.length; at++) {
      if (chunk[last.bodyAt - headEnd.length + at] !== headEnd[at]) return false;
    }
    for (let at = 0; at < this.#lengthLine.length; at++) {
      if (chunk[this.#lengthAt + at] !== this.#lengthLine[at]) return false;
    }
    return true;
  }

  /** Frames the message that starts at `from`; null while a part of it is missing. */
  #frame(bytes: Buffer, from: number): Frame | null {
    const headEndAt = bytes.indexOf(headEnd, from);
    if (headEndAt === -1) return null;
    const bodyAt = headEndAt + headEnd.length;
    const head = bytes.toString('latin1', from, bodyAt);
    const length = contentLength.exec(head);
    if (length === null && transferEncoding.test(head)) throw new Error(`a chunked message: ${head}`);
    const frame = { bodyAt, endAt: bodyAt + Number(length?.[1] ?? 0) };
    if (frame.endAt > bytes.length) return null;
    if (from === 0 && length !== null && frame.endAt === bytes.length) {
      this.#last = frame;
      this.#lengthAt = length.index;
      this.#lengthLine = Buffer.from(length[0], 'latin1');
    }
    return frame;
  }
}
