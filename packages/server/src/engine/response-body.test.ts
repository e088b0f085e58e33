// Stored bodies become readable, and a bomb stays small.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import * as fc from 'fast-check';
import { MAX_READABLE_BYTES, readableBody } from './response-body.ts';

const text = '{"error":"Ünknown event ✓"}'.repeat(20);
const bytes = Buffer.from(text);

test('every content coding is expanded, also when the body was cut off', () => {
  const coded: [string, Buffer][] = [
    ['gzip', gzipSync(bytes)],
    ['X-GZIP', gzipSync(bytes)],
    ['deflate', deflateSync(bytes)],
    ['deflate', deflateRawSync(bytes)],
    ['br', brotliCompressSync(bytes)],
    ['zstd', zstdCompressSync(bytes)],
    ['identity', bytes],
  ];
  for (const [coding, body] of coded) {
    assert.equal(readableBody(['Date', 'now', 'Content-Encoding', coding], body), text, coding);
  }
  assert.equal(readableBody([], bytes), text);
  assert.equal(readableBody(['content-encoding', 'gzip, br'], brotliCompressSync(gzipSync(bytes))), text);
  const cut = readableBody(['content-encoding', 'gzip'], gzipSync(bytes).subarray(0, -9));
  assert.ok(text.startsWith(cut.slice(0, 20)) && cut.length > 20, cut);
});

test('a bomb gives its first 64 KiB at most, whatever it would grow to', () => {
  const zeros = Buffer.alloc(16 * 1024 * 1024, 'a');
  const bombs: [string, Buffer][] = [
    ['gzip', gzipSync(zeros)],
    ['deflate', deflateSync(zeros)],
    ['br', brotliCompressSync(zeros)],
    ['zstd', zstdCompressSync(zeros)],
    ['gzip, gzip', gzipSync(gzipSync(zeros))],
  ];
  for (const [coding, bomb] of bombs) {
    const body = bomb.subarray(0, 65_536);
    const shown = readableBody(['content-encoding', coding], body);
    assert.ok(shown.length <= MAX_READABLE_BYTES, `${coding}: ${shown.length}`);
    assert.match(shown, /^a*$/, coding);
  }
  const shown = readableBody(['content-encoding', 'gzip'], gzipSync(zeros).subarray(0, 65_536));
  assert.ok(shown.length > MAX_READABLE_BYTES / 2, `${shown.length}`);
});

test('what is not what its header says is shown as it is', () => {
  assert.equal(readableBody(['content-encoding', 'gzip'], bytes), text);
  assert.equal(readableBody(['content-encoding', 'constructor'], bytes), text);
  assert.equal(readableBody(['content-encoding', 'gzip,gzip,gzip,gzip'], bytes), text);
  assert.equal(readableBody([], Buffer.from([0x61, 0xff, 0x62])), 'a\ufffdb');
});

test('no body makes it throw', () => {
  const coding = fc.constantFrom('gzip', 'deflate', 'br', 'zstd', 'gzip, br', '');
  fc.assert(
    fc.property(coding, fc.uint8Array({ maxLength: 200 }), (name, body) => {
      assert.ok(readableBody(['content-encoding', name], body).length <= MAX_READABLE_BYTES);
    }),
  );
});
