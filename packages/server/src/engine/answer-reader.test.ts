// The answer's reader: what is an answer and what is none, that no split of the bytes changes it, and that no
// bytes at all make it throw or keep more than it may.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { readHeaderLines } from '../core/header-lines.ts';
import { AnswerReader, type Reading } from './answer-reader.ts';

interface Outcome {
  reading: Reading;
  status: number;
  /** Name, value … */
  headers: string[];
  body: string;
  truncated: boolean;
  keepAliveMs: number;
}

/** Reads `bytes` in pieces that end at `cuts`, as from a socket that reuses its memory. */
function read(bytes: Buffer, cuts: readonly number[] = [], closes = false): Outcome {
  const reader = new AnswerReader();
  const memory = Buffer.alloc(Math.max(1, bytes.length));
  const ends = [...new Set([...cuts, bytes.length])].filter((end) => end > 0 && end <= bytes.length);
  let reading: Reading = 'more';
  let at = 0;
  for (const end of ends.toSorted((a, b) => a - b)) {
    if (reading !== 'more') {
      // What comes after a whole answer forbids using the connection again, in the same piece or later.
      if (reading === 'whole') reading = 'last';
      break;
    }
    memory.fill(0xaa);
    bytes.copy(memory, 0, at, end);
    reading = reader.take(memory, end - at);
    at = end;
  }
  if (reading === 'more' && closes) reading = reader.end();
  memory.fill(0xbb);
  const { status, headers, body, truncated } = reader.response(false);
  const text = Buffer.from(body).toString('latin1');
  const keepAliveMs = reading === 'whole' ? reader.keepAliveMs : 0;
  return { reading, status, headers: readHeaderLines(headers), body: text, truncated, keepAliveMs };
}

function readText(text: string, closes = false): Outcome {
  return read(Buffer.from(text, 'latin1'), [], closes);
}

const ok = 'HTTP/1.1 200 OK\r\n';
const long = 'x'.repeat(16_384 - ok.length - 'a: '.length - 4);

const table: [name: string, text: string, reading: Reading, body?: string][] = [
  ['an empty body', `${ok}content-length: 0\r\n\r\n`, 'whole', ''],
  ['a body with a length', `${ok}Content-Length:3\r\n\r\nabc`, 'whole', 'abc'],
  ['no reason, no blank', 'HTTP/1.1 200\r\ncontent-length: 0\r\n\r\n', 'whole', ''],
  ['a reason in latin1', 'HTTP/1.1 500 pas trouv\xe9\r\ncontent-length: 0\r\n\r\n', 'whole', ''],
  ['a body that is not whole', `${ok}content-length: 4\r\n\r\nabc`, 'more', 'abc'],
  ['bytes after the body', `${ok}content-length: 3\r\n\r\nabcd`, 'last', 'abc'],
  ['a second answer', `${ok}content-length: 0\r\n\r\n${ok}content-length: 0\r\n\r\n`, 'last', ''],
  ['204 whatever its fields say', 'HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\n', 'whole', ''],
  ['304 whatever its fields say', 'HTTP/1.1 304 x\r\ntransfer-encoding: chunked\r\n\r\n', 'whole', ''],
  ['until the close, before it', `${ok}\r\nabc`, 'more', 'abc'],
  [
    'interim answers',
    `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 x\r\na: b\r\n\r\n${ok}content-length: 0\r\n\r\n`,
    'whole',
  ],
  ['too many interim answers', 'HTTP/1.1 102 Processing\r\n\r\n'.repeat(17), 'invalid'],
  ['101 unasked', 'HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n', 'invalid'],
  [
    'chunks',
    `${ok}transfer-encoding: chunked\r\n\r\n3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n`,
    'whole',
    'abc0123456789',
  ],
  ['an extension', `${ok}Transfer-Encoding: Chunked\r\n\r\n3;a="b"\r\nabc\r\n000\r\n\r\n`, 'whole', 'abc'],
  ['blanks after a size', `${ok}transfer-encoding: chunked\r\n\r\n3  \r\nabc\r\n0\r\n\r\n`, 'whole', 'abc'],
  ['trailers', `${ok}transfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\nx: y\r\nz: 1\r\n\r\n`, 'whole', 'a'],
  ['bytes after chunks', `${ok}transfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\nz`, 'last', 'a'],
  [
    'codings, chunked last',
    `${ok}transfer-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
    'whole',
    '',
  ],
  ['codings without chunked', `${ok}transfer-encoding: gzip\r\n\r\nabc`, 'more', 'abc'],
  ['chunked not last', `${ok}transfer-encoding: chunked, gzip\r\n\r\n0\r\n\r\n`, 'invalid'],
  ['chunked twice', `${ok}transfer-encoding: chunked, chunked\r\n\r\n0\r\n\r\n`, 'invalid'],
  ['a size that is none', `${ok}transfer-encoding: chunked\r\n\r\n3\r\nabc\r\nxyz\r\n`, 'invalid', 'abc'],
  ['a signed size', `${ok}transfer-encoding: chunked\r\n\r\n+3\r\nabc\r\n0\r\n\r\n`, 'invalid'],
  ['a size with 0x', `${ok}transfer-encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n`, 'invalid'],
  ['no size', `${ok}transfer-encoding: chunked\r\n\r\n\r\nabc\r\n0\r\n\r\n`, 'invalid'],
  ['a size beyond all numbers', `${ok}transfer-encoding: chunked\r\n\r\n${'f'.repeat(14)}\r\n`, 'invalid'],
  ['a size line with a bare LF', `${ok}transfer-encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n`, 'invalid'],
  ['an extension with a bare LF', `${ok}transfer-encoding: chunked\r\n\r\n3;a\nabc\r\n0\r\n\r\n`, 'invalid'],
  [
    'a chunk longer than its size',
    `${ok}transfer-encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n`,
    'invalid',
    'ab',
  ],
  [
    'endless trailers',
    `${ok}transfer-encoding: chunked\r\n\r\n0\r\n${'a: b\r\n'.repeat(5_000)}`,
    'invalid',
    '',
  ],
  ['endless extensions', `${ok}transfer-encoding: chunked\r\n\r\n1;${'a'.repeat(17_000)}`, 'invalid', ''],
  ['both framings', `${ok}content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`, 'invalid'],
  ['two lengths, equal', `${ok}content-length: 3\r\ncontent-length: 3\r\n\r\nabc`, 'invalid'],
  ['a list of lengths', `${ok}content-length: 3, 3\r\n\r\nabc`, 'invalid'],
  ['a signed length', `${ok}content-length: +3\r\n\r\nabc`, 'invalid'],
  ['a negative length', `${ok}content-length: -1\r\n\r\n`, 'invalid'],
  ['an empty length', `${ok}content-length: \r\n\r\n`, 'invalid'],
  ['a length in hexadecimal', `${ok}content-length: 0x3\r\n\r\nabc`, 'invalid'],
  ['a length beyond all numbers', `${ok}content-length: ${'9'.repeat(16)}\r\n\r\n`, 'invalid'],
  ['a folded line', `${ok}a: b\r\n c\r\ncontent-length: 0\r\n\r\n`, 'invalid'],
  ['a folded first line', `${ok} a: b\r\n\r\n`, 'invalid'],
  ['a blank before the colon', `${ok}content-length : 0\r\n\r\n`, 'invalid'],
  ['a line without a colon', `${ok}nonsense\r\n\r\n`, 'invalid'],
  ['a line without a name', `${ok}: x\r\n\r\n`, 'invalid'],
  ['a control character in a value', `${ok}a: b\x00c\r\n\r\n`, 'invalid'],
  ['a bare LF', `${ok}a: b\nc: d\r\n\r\n`, 'invalid'],
  ['a bare CR', `${ok}a: b\rc: d\r\n\r\n`, 'invalid'],
  ['bare LFs only', 'HTTP/1.1 200 OK\ncontent-length: 0\n\n\r\n\r\n', 'invalid'],
  ['another protocol', 'SSH-2.0-OpenSSH_9.9\r\n', 'invalid'],
  ['its first byte', 'S', 'invalid'],
  ['an empty line first', `\r\n${ok}content-length: 0\r\n\r\n`, 'invalid'],
  ['HTTP/2', 'HTTP/2.0 200 OK\r\n\r\n', 'invalid'],
  ['HTTP/1.2', 'HTTP/1.2 200 OK\r\n\r\n', 'invalid'],
  ['a status of two digits', 'HTTP/1.1 20 OK\r\n\r\n', 'invalid'],
  ['a status of four digits', 'HTTP/1.1 2000 OK\r\n\r\n', 'invalid'],
  ['status 099', 'HTTP/1.1 099 OK\r\n\r\n', 'invalid'],
  ['a head of 16 KiB', `${ok}a: ${long}\r\n\r\n`, 'more', ''],
  ['a head of 16 KiB and a byte', `${ok}a: ${long}x\r\n\r\n`, 'invalid'],
  ['a head without end', `${ok}${'a: b\r\n'.repeat(4_000)}`, 'invalid'],
];

for (const [name, text, reading, body] of table) {
  test(`${name}: ${reading}`, () => {
    const bytes = Buffer.from(text, 'latin1');
    const whole = read(bytes);
    assert.equal(whole.reading, reading);
    if (body !== undefined) assert.equal(whole.body, body);
    assert.deepEqual(
      read(
        bytes,
        Array.from(bytes, (_, index) => index),
      ),
      whole,
    );
  });
}

test('a close ends an answer without a length and no other', () => {
  const open = readText('HTTP/1.1 200 OK\r\nkeep-alive: timeout=9\r\n\r\nabc', true);
  assert.deepEqual([open.reading, open.body, open.truncated], ['last', 'abc', false]);
  assert.equal(readText(`${ok}content-length: 4\r\n\r\nabc`, true).reading, 'more');
  assert.equal(readText(`${ok}transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n`, true).reading, 'more');
  assert.equal(readText('HTTP/1.1 2', true).reading, 'more');
  assert.equal(readText('', true).reading, 'more');
});

test('fields come back as received, without the blanks around them', () => {
  const { headers } = readText(
    `${ok}X-Mixed:  a b\t\r\nempty:\r\nx-mixed: \xe9\r\ncontent-length: 0\r\n\r\n`,
  );
  assert.deepEqual(headers, ['X-Mixed', 'a b', 'empty', '', 'x-mixed', 'é', 'content-length', '0']);
});

test('how long a connection may be kept', () => {
  const cases: [version: string, fields: string, keepAliveMs: number][] = [
    ['1.1', '', 4_000],
    ['1.1', 'connection: keep-alive\r\n', 4_000],
    ['1.1', 'connection: Close\r\n', 0],
    ['1.1', 'connection: x, close\r\n', 0],
    ['1.1', 'connection: x\r\nConnection: close\r\n', 0],
    ['1.1', 'connection: closed\r\n', 4_000],
    ['1.1', 'keep-alive: timeout=5\r\n', 4_000],
    ['1.1', 'Keep-Alive: max=100, timeout=30\r\n', 29_000],
    ['1.1', 'keep-alive: timeout="10"\r\n', 9_000],
    ['1.1', 'keep-alive: timeout=1\r\n', 0],
    ['1.1', 'keep-alive: timeout=0\r\n', 0],
    ['1.1', 'keep-alive: timeout=86400\r\n', 60_000],
    ['1.0', '', 0],
    ['1.0', 'connection: keep-alive\r\n', 4_000],
    ['1.0', 'connection: keep-alive, close\r\n', 0],
  ];
  for (const [version, fields, keepAliveMs] of cases) {
    const outcome = readText(`HTTP/${version} 200 OK\r\ncontent-length: 0\r\n${fields}\r\n`);
    assert.equal(outcome.keepAliveMs, keepAliveMs, `${version} ${fields}`);
    assert.equal(outcome.reading, keepAliveMs > 0 ? 'whole' : 'last');
  }
});

test('of a body 64 KiB are kept, however it is framed', () => {
  for (const [length, isCut] of [
    [65_536, false],
    [65_537, true],
    [200_000, true],
  ] as const) {
    const body = 'x'.repeat(length);
    const answers = [
      `${ok}content-length: ${length}\r\n\r\n${body}`,
      `${ok}transfer-encoding: chunked\r\n\r\n${length.toString(16)}\r\n${body}\r\n0\r\n\r\n`,
      `${ok}\r\n${body}`,
    ];
    for (const answer of answers) {
      const outcome = readText(answer, true);
      assert.deepEqual([outcome.body.length, outcome.truncated], [65_536, isCut]);
      if (isCut) assert.equal(outcome.reading, 'last');
    }
  }
});

const tokens = fc.stringMatching(/^x-[a-z0-9!#$%&'*+.^_`|~-]{0,20}$/);
const values = fc.stringMatching(/^(?:[!-~\xa1-\xff](?:[\t -~\xa1-\xff]{0,30}[!-~\xa1-\xff])?)?$/);
const chunk = fc.uint8Array({ minLength: 1, maxLength: 300 });

const answers = fc
  .record({
    status: fc.integer({ min: 200, max: 999 }).filter((status) => status !== 204 && status !== 304),
    fields: fc.array(fc.tuple(tokens, values), { maxLength: 12 }),
    chunks: fc.array(chunk, { maxLength: 8 }),
    framing: fc.constantFrom('length', 'chunked', 'until_close'),
    interim: fc.integer({ min: 0, max: 3 }),
    rest: fc.constantFrom('', 'HTTP/1.1 200 OK\r\n\r\n'),
  })
  .map(({ status, fields, chunks, framing, interim, rest }) => {
    const body = Buffer.concat(chunks);
    const parts: (string | Uint8Array)[] = [];
    for (let count = 0; count < interim; count += 1)
      parts.push('HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n');
    parts.push(`HTTP/1.1 ${status} Reason\r\n`);
    for (const [name, value] of fields) parts.push(`${name}: ${value}\r\n`);
    if (framing === 'length') parts.push(`Content-Length: ${body.length}\r\n\r\n`, body, rest);
    else if (framing === 'until_close') parts.push('\r\n', body);
    else {
      parts.push('Transfer-Encoding: chunked\r\n\r\n');
      for (const one of chunks) parts.push(`${one.length.toString(16)};x=y\r\n`, one, '\r\n');
      parts.push('0\r\nx-trailer: 1\r\n\r\n', rest);
    }
    const bytes = Buffer.concat(
      parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : part)),
    );
    const isLast = framing === 'until_close' || rest !== '';
    return { bytes, status, fields: fields.flat(), body: body.toString('latin1'), isLast };
  });
const cuts = fc.array(fc.nat({ max: 3_000 }), { maxLength: 40 });

test('any answer is read as it was written, whatever the pieces it comes in', () => {
  fc.assert(
    fc.property(answers, cuts, (answer, at) => {
      const outcome = read(answer.bytes, at, true);
      assert.equal(outcome.reading, answer.isLast ? 'last' : 'whole');
      assert.equal(outcome.status, answer.status);
      assert.deepEqual(outcome.headers.slice(0, answer.fields.length), answer.fields);
      assert.equal(outcome.body, answer.body);
      assert.equal(outcome.truncated, false);
    }),
    { numRuns: 500 },
  );
});

test('a damaged answer is read the same whatever its pieces, and never throws', () => {
  const damage = fc.array(fc.tuple(fc.nat({ max: 400 }), fc.integer({ min: 0, max: 255 })), { maxLength: 4 });
  fc.assert(
    fc.property(answers, damage, cuts, fc.boolean(), ({ bytes }, places, at, closes) => {
      for (const [place, byte] of places) if (place < bytes.length) bytes[place] = byte;
      assert.deepEqual(read(bytes, at, closes), read(bytes, [], closes));
    }),
    { numRuns: 1_000 },
  );
});

test('random bytes never throw, and what begins like an answer is read the same in any pieces', () => {
  const beginnings = fc.constantFrom('', ok, `${ok}transfer-encoding: chunked\r\n\r\n`, `${ok}\r\n`);
  fc.assert(
    fc.property(beginnings, fc.uint8Array({ maxLength: 400 }), cuts, (beginning, noise, at) => {
      const bytes = Buffer.concat([Buffer.from(beginning), noise]);
      assert.deepEqual(read(bytes, at, true), read(bytes, [], true));
    }),
    { numRuns: 1_000 },
  );
});

test('a reader that was reset reads the next answer as a new one would', () => {
  const reader = new AnswerReader();
  for (const text of [
    `${ok}transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n`,
    `${ok}content-length: 2\r\n\r\nxy`,
    'HTTP/1.1 204 x\r\n\r\n',
    `${ok}content-length: 70000\r\n\r\n${'z'.repeat(70_000)}`,
    `${ok}content-length: 0\r\n\r\n`,
  ]) {
    reader.reset();
    const bytes = Buffer.from(text);
    const half = bytes.length >> 1;
    const first = reader.take(bytes.subarray(0, half), half);
    if (first === 'more') reader.take(bytes.subarray(half), bytes.length - half);
    const expected = readText(text);
    const { status, body, truncated } = reader.response(false);
    assert.deepEqual(
      [status, Buffer.from(body).toString(), truncated],
      [expected.status, expected.body, expected.truncated],
    );
  }
});
