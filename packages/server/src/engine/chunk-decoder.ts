// Chunked transfer coding (RFC 9112, section 7.1), byte by byte where it must be, whole runs of data at once.
// Extensions and trailers are passed over within a bound; anything that is not exactly the grammar is refused.

/** Where the next byte stands. A line ends with CRLF; a CR alone or an LF alone is refused. */
type Place =
  | 'size'
  | 'extension'
  | 'size_lf'
  | 'data'
  | 'data_cr'
  | 'data_lf'
  | 'trailer_start'
  | 'trailer'
  | 'trailer_lf'
  | 'last_lf'
  | 'end';

/** Bytes of all extensions and trailers of one answer together. */
const MAX_PASSED_OVER = 16_384;
/** 2^52 bytes are more than anybody sends, and numbers stay exact. */
const MAX_SIZE_DIGITS = 13;

const CR = 13;
const LF = 10;

export class ChunkDecoder {
  #place: Place = 'size';
  #size = 0;
  #digits = 0;
  #passedOver = 0;

  /** Whether the last chunk and the trailers have come. */
  get hasEnded(): boolean {
    return this.#place === 'end';
  }

  /**
   * Reads `bytes` from `from` to `to`, calls `take` with each run of data (from, to), and gives the place after
   * the last byte that it used: `to`, or less when the body ended there or `take` gave false. -1 when the coding is broken.
   */
  read(bytes: Uint8Array, from: number, to: number, take: (from: number, to: number) => boolean): number {
    let at = from;
    while (at < to && this.#place !== 'end') {
      if (this.#place === 'data') {
        const end = Math.min(to, at + this.#size);
        this.#size -= end - at;
        if (this.#size === 0) this.#place = 'data_cr';
        if (!take(at, end)) return end;
        at = end;
      } else {
        const next = this.#step(bytes[at] ?? 0);
        if (next === null) return -1;
        this.#place = next;
        at += 1;
      }
    }
    return at;
  }

  #step(byte: number): Place | null {
    switch (this.#place) {
      case 'size':
        return this.#readSize(byte);
      case 'extension':
        return byte === CR ? 'size_lf' : this.#passOver(byte, 'extension');
      case 'size_lf':
        if (byte !== LF) return null;
        this.#digits = 0;
        return this.#size === 0 ? 'trailer_start' : 'data';
      case 'data_cr':
        return byte === CR ? 'data_lf' : null;
      case 'data_lf':
        return byte === LF ? 'size' : null;
      case 'trailer_start':
        return byte === CR ? 'last_lf' : this.#passOver(byte, 'trailer');
      case 'trailer':
        return byte === CR ? 'trailer_lf' : this.#passOver(byte, 'trailer');
      case 'trailer_lf':
        return byte === LF ? 'trailer_start' : null;
      case 'last_lf':
        return byte === LF ? 'end' : null;
      default:
        return null;
    }
  }

  #readSize(byte: number): Place | null {
    const digit = hexValue(byte);
    if (digit >= 0) {
      this.#digits += 1;
      this.#size = this.#size * 16 + digit;
      return this.#digits > MAX_SIZE_DIGITS ? null : 'size';
    }
    if (this.#digits === 0) return null;
    if (byte === CR) return 'size_lf';
    // `;` begins an extension; RFC 9112 allows blanks before it, and some servers pad the size with them.
    return byte === 59 || byte === 32 || byte === 9 ? this.#passOver(byte, 'extension') : null;
  }

  #passOver(byte: number, place: Place): Place | null {
    this.#passedOver += 1;
    return byte === LF || this.#passedOver > MAX_PASSED_OVER ? null : place;
  }
}

/** The value of a hexadecimal digit, or -1. */
function hexValue(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const lower = byte | 32;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
}
