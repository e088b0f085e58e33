// A stored answer's body for human eyes: expanded when it was sent compressed, within a bound whatever it would
// grow to, and as text. Answers are stored as they came; only who reads the log pays for this.
import {
  brotliDecompressSync,
  constants,
  gunzipSync,
  inflateRawSync,
  inflateSync,
  zstdDecompressSync,
} from 'node:zlib';

/** Bytes that are shown of a body, before or after expansion. */
export const MAX_READABLE_BYTES = 65_536;

type Expand = (body: Uint8Array, maxOutputLength: number) => Uint8Array;

const { Z_SYNC_FLUSH, BROTLI_OPERATION_FLUSH, ZSTD_e_flush } = constants;

const gunzip: Expand = (body, maxOutputLength) =>
  gunzipSync(body, { maxOutputLength, finishFlush: Z_SYNC_FLUSH });

function expandDeflate(body: Uint8Array, maxOutputLength: number): Uint8Array {
  // Some servers send raw deflate under this name: a zlib header has 8 in its low bits and 31 divides it.
  const [first = 0, second = 0] = body;
  const hasHeader = (first & 15) === 8 && (first * 256 + second) % 31 === 0;
  const inflate = hasHeader ? inflateSync : inflateRawSync;
  return inflate(body, { maxOutputLength, finishFlush: Z_SYNC_FLUSH });
}

/** How to expand each content coding; an input that was cut off expands as far as it goes. */
const expanders: ReadonlyMap<string, Expand> = new Map<string, Expand>([
  ['gzip', gunzip],
  ['x-gzip', gunzip],
  ['deflate', expandDeflate],
  [
    'br',
    (body, maxOutputLength) =>
      brotliDecompressSync(body, { maxOutputLength, finishFlush: BROTLI_OPERATION_FLUSH }),
  ],
  [
    'zstd',
    (body, maxOutputLength) => zstdDecompressSync(body, { maxOutputLength, finishFlush: ZSTD_e_flush }),
  ],
]);

function isTooLarge(error: unknown): boolean {
  return error instanceof RangeError && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE';
}

/** Expands `body`, or its longest beginning whose expansion is within the bound; throws what zlib throws. */
function expandWithin(body: Uint8Array, expand: Expand): Uint8Array {
  try {
    return expand(body, MAX_READABLE_BYTES);
  } catch (error) {
    if (!isTooLarge(error)) throw error;
  }
  // zlib gives nothing of an output that is too large, so look for how much input still fits: 16 bounded tries.
  let best: Uint8Array = new Uint8Array(0);
  let fits = 0;
  let tooMuch = body.length;
  while (tooMuch - fits > 1) {
    const middle = (fits + tooMuch) >> 1;
    try {
      best = expand(body.subarray(0, middle), MAX_READABLE_BYTES);
      fits = middle;
    } catch (error) {
      if (!isTooLarge(error)) throw error;
      tooMuch = middle;
    }
  }
  return best;
}

function codingsOf(headers: readonly string[]): string[] {
  const codings: string[] = [];
  for (let index = 0; index + 1 < headers.length; index += 2) {
    if (headers[index]?.toLowerCase() !== 'content-encoding') continue;
    codings.push(...(headers[index + 1] ?? '').toLowerCase().split(','));
  }
  return codings.map((one) => one.trim()).filter((one) => one !== '' && one !== 'identity');
}

/**
 * The text of a stored body: gzip, deflate, br and zstd expanded to at most 64 KiB, read as UTF-8 with U+FFFD
 * for what is none. `headers` are name, value … as received. What can't be expanded is read as it is. Never throws.
 */
export function readableBody(headers: readonly string[], body: Uint8Array): string {
  let bytes = body;
  const codings = codingsOf(headers);
  // More than three codings is an attack on the reader, not a server.
  for (const coding of codings.length > 3 ? [] : codings.toReversed()) {
    const expand = expanders.get(coding);
    if (expand === undefined) break;
    try {
      bytes = expandWithin(bytes, expand);
    } catch {
      // Not what its header says, or damaged: the bytes as they came say more than nothing.
      bytes = body;
      break;
    }
  }
  return new TextDecoder().decode(bytes.subarray(0, MAX_READABLE_BYTES));
}
