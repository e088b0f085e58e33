// Reads the answer to one request from the bytes of a socket, however they are split: interim answers are passed
// over, the head is judged by answer-head.ts, at most 64 KiB of the body are kept. Nothing of `bytes` is kept.
import { type Framing, type Head, readHead } from './answer-head.ts';
import { ChunkDecoder } from './chunk-decoder.ts';
import type { SendResponse } from './sender.ts';

/** Bytes of an answer's body that are kept; whatever follows closes the connection. */
const MAX_BODY_BYTES = 65_536;
const MAX_HEAD_BYTES = 16_384;
/** Interim answers (100, 102, 103 …) before the answer proper. */
const MAX_INTERIM_ANSWERS = 16;

/**
 * `more`: not over yet. `whole`: over, and the connection may be used again for `keepAliveMs`. `last`: over, and
 * nothing more may be asked on this connection. `invalid`: not HTTP/1.1; `response` may hold what came before.
 */
export type Reading = 'more' | 'whole' | 'last' | 'invalid';

const nothing = Buffer.alloc(0);
const beginning = Buffer.from('HTTP/1.');

export class AnswerReader {
  #head: Head | null = null;
  #interim = 0;
  /** The beginning of a head that came in pieces. */
  #piece = nothing;
  #pieceLength = 0;
  #body = nothing;
  #bodyLength = 0;
  #isCut = false;
  #left = 0;
  #decoder: ChunkDecoder | null = null;

  /** Makes it ready for the next answer. */
  reset(): void {
    this.#head = null;
    this.#interim = 0;
    this.#piece = nothing;
    this.#pieceLength = 0;
    this.#body = nothing;
    this.#bodyLength = 0;
    this.#isCut = false;
    this.#decoder = null;
  }

  /** Of a `whole` answer: how long its connection may lie idle, ms. */
  get keepAliveMs(): number {
    return this.#head?.keepAliveMs ?? 0;
  }

  /** The status, once the head of the answer proper has come; 0 before. */
  get status(): number {
    return this.#head?.status ?? 0;
  }

  /** What has come of the answer; `isPartial` when it broke off. */
  response(isPartial: boolean): SendResponse {
    return {
      status: this.status,
      headers: this.#head?.fields ?? '',
      body: this.#bodyLength === this.#body.length ? this.#body : this.#body.subarray(0, this.#bodyLength),
      truncated: isPartial || this.#isCut,
    };
  }

  /** Takes the first `length` of `bytes`. After anything but `more` nothing may follow until `reset`. */
  take(bytes: Buffer, length: number): Reading {
    let at = 0;
    while (this.#head === null) {
      const end = this.#findHeadEnd(bytes, at, length);
      if (end < 0) return this.#keepPiece(bytes, at, length);
      const head = readHead(this.#headText(bytes, at, end));
      if (head === null || head.status === 101) return 'invalid';
      at = end;
      if (head.status < 200) {
        this.#interim += 1;
        if (this.#interim > MAX_INTERIM_ANSWERS) return 'invalid';
      } else {
        this.#head = head;
        if (head.framing.kind === 'length') this.#left = head.framing.length;
        else if (head.framing.kind === 'chunked') this.#decoder = new ChunkDecoder();
      }
    }
    return this.#takeBody(this.#head.framing, bytes, at, length);
  }

  /** The other side will send no more: whether that ends the answer (`last`) or cuts it off (`more`). */
  end(): Reading {
    return this.#head?.framing.kind === 'until_close' ? 'last' : 'more';
  }

  #takeBody(framing: Framing, bytes: Buffer, from: number, to: number): Reading {
    let at = to;
    if (framing.kind === 'length') {
      at = Math.min(to, from + this.#left);
      this.#left -= at - from;
      if (at > from && !this.#keep(bytes, from, at)) return 'last';
      if (this.#left > 0) return 'more';
    } else if (this.#decoder !== null) {
      at = this.#decoder.read(bytes, from, to, (start, end) => this.#keep(bytes, start, end));
      if (at < 0) return 'invalid';
      if (this.#isCut) return 'last';
      if (!this.#decoder.hasEnded) return 'more';
    } else {
      return this.#keep(bytes, from, to) ? 'more' : 'last';
    }
    // Bytes that nobody asked for would be read as the next request's answer.
    return at === to && this.keepAliveMs > 0 ? 'whole' : 'last';
  }

  /** Keeps a run of the body, as far as there is room; false when there was not enough. */
  #keep(bytes: Buffer, from: number, to: number): boolean {
    const end = Math.min(to, from + MAX_BODY_BYTES - this.#bodyLength);
    if (end > from) this.#append(bytes.subarray(from, end));
    this.#isCut = end < to;
    return !this.#isCut;
  }

  /** Copies into one growing buffer: a body of 65,536 one-byte chunks must not keep 65,536 objects alive. */
  #append(run: Buffer): void {
    const needed = this.#bodyLength + run.length;
    if (this.#bodyLength === 0) this.#body = Buffer.from(run);
    else {
      if (this.#body.length < needed) {
        const grown = Buffer.allocUnsafeSlow(Math.min(MAX_BODY_BYTES, Math.max(2 * needed, 1_024)));
        this.#body.copy(grown, 0, 0, this.#bodyLength);
        this.#body = grown;
      }
      run.copy(this.#body, this.#bodyLength);
    }
    this.#bodyLength = needed;
  }

  /** The place after the empty line that ends the head, in `bytes` and what came before; -1 if it has not come. */
  #findHeadEnd(bytes: Buffer, from: number, to: number): number {
    const limit = Math.min(to, from + MAX_HEAD_BYTES - this.#pieceLength);
    for (let at = from; at < limit; at += 1) {
      if (bytes[at] === 10 && this.#isEmptyLine(bytes, from, at)) return at + 1;
    }
    return -1;
  }

  /** Whether CRLF CR stands before the LF at `at`, part of it perhaps in an earlier piece. */
  #isEmptyLine(bytes: Buffer, from: number, at: number): boolean {
    if (at - from >= 3) return bytes[at - 1] === 13 && bytes[at - 2] === 10 && bytes[at - 3] === 13;
    for (let back = 1; back <= 3; back += 1) {
      const index = at - back;
      const byte = index >= from ? bytes[index] : this.#piece[this.#pieceLength + index - from];
      if (byte !== (back === 2 ? 10 : 13)) return false;
    }
    return true;
  }

  #headText(bytes: Buffer, from: number, end: number): string {
    const text = bytes.toString('latin1', from, end);
    if (this.#pieceLength === 0) return text;
    const before = this.#piece.toString('latin1', 0, this.#pieceLength);
    this.#pieceLength = 0;
    return before + text;
  }

  /** Keeps the beginning of a head until the rest comes; what can be no head is told at once. */
  #keepPiece(bytes: Buffer, from: number, to: number): Reading {
    const length = this.#pieceLength + to - from;
    if (length >= MAX_HEAD_BYTES) return 'invalid';
    if (this.#piece.length < length) {
      const grown = Buffer.allocUnsafeSlow(Math.min(MAX_HEAD_BYTES, Math.max(2 * length, 1_024)));
      this.#piece.copy(grown, 0, 0, this.#pieceLength);
      this.#piece = grown;
    }
    bytes.copy(this.#piece, this.#pieceLength, from, to);
    this.#pieceLength = length;
    const known = Math.min(length, beginning.length);
    return this.#piece.compare(beginning, 0, known, 0, known) === 0 ? 'more' : 'invalid';
  }
}
