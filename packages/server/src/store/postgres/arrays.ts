// Arrays as PostgreSQL's binary protocol has them. pg sends a Buffer as it is, and writes an array of JavaScript as text:
// every element escaped here and parsed there. A finish of 50 rows
// took the database 32 µs a row with texts and 28 so (its processor time).

const oids = { text: 25, int8: 20, float8: 701, bool: 16 } as const;
const headerBytes = 20;
/** More than an element of a fixed length takes, its own length included. */
const fixedBytes = 12;
const two32 = 4_294_967_296;

/** The header of an array of one dimension with `count` elements. */
function begin(bytes: Buffer, oid: number, count: number): void {
  bytes.writeInt32BE(1, 0);
  // Whether there are nulls: the server looks for itself.
  bytes.writeInt32BE(1, 4);
  bytes.writeInt32BE(oid, 8);
  bytes.writeInt32BE(count, 12);
  bytes.writeInt32BE(1, 16);
}

/** `text[]`. */
export function texts(values: readonly (string | null)[]): Buffer {
  let most = headerBytes + 4 * values.length;
  for (const value of values) if (value !== null) most += 3 * value.length;
  const bytes = Buffer.allocUnsafe(most);
  begin(bytes, oids.text, values.length);
  let at = headerBytes;
  for (const value of values) {
    const length = value === null ? -1 : bytes.write(value, at + 4);
    bytes.writeInt32BE(length, at);
    at += 4 + Math.max(0, length);
  }
  return bytes.subarray(0, at);
}

function fixed<Value>(
  oid: number,
  values: readonly (Value | null)[],
  put: (bytes: Buffer, value: Value, at: number) => number,
): Buffer {
  const bytes = Buffer.allocUnsafe(headerBytes + fixedBytes * values.length);
  begin(bytes, oid, values.length);
  let at = headerBytes;
  for (const value of values) {
    const length = value === null ? -1 : put(bytes, value, at + 4);
    bytes.writeInt32BE(length, at);
    at += 4 + Math.max(0, length);
  }
  return bytes.subarray(0, at);
}

function putInt8(bytes: Buffer, value: number, at: number): number {
  const high = Math.floor(value / two32);
  bytes.writeInt32BE(high, at);
  bytes.writeUInt32BE(value - high * two32, at + 4);
  return 8;
}

function putFloat8(bytes: Buffer, value: number, at: number): number {
  bytes.writeDoubleBE(value, at);
  return 8;
}

function putBool(bytes: Buffer, value: boolean, at: number): number {
  bytes[at] = value ? 1 : 0;
  return 1;
}

/** `int8[]`, of whole numbers below 2^53. */
export const int8s = (values: readonly (number | null)[]): Buffer => fixed(oids.int8, values, putInt8);
/** `float8[]`. */
export const float8s = (values: readonly (number | null)[]): Buffer => fixed(oids.float8, values, putFloat8);
/** `bool[]`. */
export const bools = (values: readonly (boolean | null)[]): Buffer => fixed(oids.bool, values, putBool);
