// Reading bodies strictly: what is refused, and where the message says that it stands.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ApiError } from '../errors.ts';
import { readJson } from './json.ts';

const read = (text: string | Buffer, maxDepth = 64) => readJson(Buffer.from(text), maxDepth);

function refusal(text: string | Buffer, maxDepth = 64): string {
  try {
    read(text, maxDepth);
  } catch (error) {
    assert.ok(error instanceof ApiError && error.code === 'bad_request', String(error));
    return error.message;
  }
  return 'accepted';
}

test('whatever JSON can hold comes out as JSON.parse has it', () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 6 }), (json) => {
      fc.pre(!json.includes('__proto__'));
      assert.deepEqual(read(json), JSON.parse(json));
    }),
  );
});

const malformed: [string, number][] = [
  ['', 0],
  ['{', 1],
  ['[1,2', 4],
  ['nul', 3],
  ['{"a":', 5],
  ['{"a":1,}', 7],
  ['{"a": hello}', 6],
  ['hello', 0],
  ['  \n hello', 4],
  ['{"a":1} x', 8],
  ['{"a":01}', 6],
  ['{"a":"x\ny"}', 7],
  ['["\\x"]', 3],
  ['{"a" 1}', 5],
  ['{"a":}', 5],
  ['{"a":,"b":1}', 5],
  ['[,]', 1],
  ['[1,]', 3],
  ['[1,,2]', 3],
  ['[[],{},]', 7],
  ['["\\"[", hello]', 8],
  ['{"a":{"b":[1,{"c":undefined}]}}', 18],
  ["{'a':1}", 1],
  ['{"a":NaN}', 5],
  ['{"a":+1}', 5],
  ['{"a":.5}', 5],
  [']', 0],
  [`["${'x'.repeat(100)}", ?]`, 105],
];
for (const [text, position] of malformed) {
  test(`${JSON.stringify(text).slice(0, 50)} is refused at position ${position}`, () => {
    const message = refusal(text);
    assert.match(message, /^The body is not valid JSON: /);
    assert.equal(Number(/position (\d+)/.exec(message)?.[1]), position, message);
  });
}

test('whatever is cut off or has a character too many is refused with a position inside it', () => {
  fc.assert(
    fc.property(
      fc.json(),
      fc.nat(),
      fc.constantFrom('', '?', ',', ']', '}', ':', 'x', '"', '1'),
      (json, nat, extra) => {
        const at = nat % (json.length + 1);
        const text = extra === '' ? json.slice(0, at) : json.slice(0, at) + extra + json.slice(at);
        let valid = true;
        try {
          JSON.parse(text);
        } catch {
          valid = false;
        }
        fc.pre(!valid && Buffer.from(text).toString() === text);
        const position = Number(/position (\d+)\.$/.exec(refusal(text))?.[1]);
        assert.ok(position >= 0 && position <= text.length, `${position} of ${text}`);
      },
    ),
    { numRuns: 2_000 },
  );
});

test('invalid UTF-8 is refused', () => {
  assert.match(refusal(Buffer.from([0x22, 0xff, 0x22])), /UTF-8/);
  assert.match(refusal(Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22])), /UTF-8/);
  assert.equal(read(Buffer.from('"ä😀"')), 'ä😀');
});

const nested = (depth: number, open: string, close: string, core = '') =>
  open.repeat(depth) + core + close.repeat(depth);

test('nesting is allowed to the depth given and not deeper', () => {
  for (const [open, close, core] of [
    ['[', ']', ''],
    ['{"a":', '}', '1'],
  ] as const) {
    assert.equal(refusal(nested(64, open, close, core)), 'accepted');
    assert.match(refusal(nested(65, open, close, core)), /deeper than 64 levels at position \d+/);
  }
  assert.match(refusal('[[[[1]]]]', 3), /deeper than 3 levels at position 3/);
});

test('brackets in strings and beside one another are no nesting', () => {
  assert.equal(refusal(JSON.stringify({ text: '['.repeat(500), other: '\\"{'.repeat(200) })), 'accepted');
  assert.equal(refusal(JSON.stringify(Array.from({ length: 500 }, () => ({})))), 'accepted');
});

test('a million brackets are refused in no time, and not by a stack that ends', () => {
  assert.match(refusal('['.repeat(1_000_000)), /deeper than 64 levels at position 64/);
});

const hostile: [string, string][] = [
  ['{"__proto__":{}}', '/__proto__'],
  ['{"\\u005f_proto__":{}}', '/__proto__'],
  ['[{"a":{"__proto__":1}}]', '/0/a/__proto__'],
  ['{"constructor":{"prototype":{}}}', '/constructor'],
  ['{"a":{"constructor":{"protot\\u0079pe":1}}}', '/a/constructor'],
];
for (const [text, path] of hostile) {
  test(`${text} is refused for its key ${path}`, () => {
    assert.equal(refusal(text), `The key ${path} is not allowed.`);
  });
}

test('innocent keys and values with such names pass', () => {
  for (const text of [
    '{"constructor":"ACME"}',
    '{"prototype":{}}',
    '{"a":"__proto__"}',
    '{"proto":{"constructor":null}}',
  ]) {
    assert.deepEqual(read(text), JSON.parse(text));
  }
});

const digits = (count: number) => `1${'0'.repeat(count - 1)}`;
const huge = [
  '1e309',
  '1E+400',
  '-1e309',
  '1e0309',
  digits(310),
  `-${digits(310)}`,
  `${digits(250)}e99`,
  `${digits(310)}.5`,
];
for (const number of huge) {
  test(`${number.length > 20 ? `a number of ${number.length} characters` : number} is refused for its size`, () => {
    assert.match(refusal(`{"a":[${number}]}`), /^The number at \/a\/0 is too large/);
  });
}

test('numbers that JavaScript can hold pass, and so do long ones in strings', () => {
  for (const text of [
    '1e308',
    '1e-400',
    '0.1e3',
    digits(300),
    '12345678901234567890',
    `"${digits(400)}"`,
    '"1e999"',
  ]) {
    assert.deepEqual(read(`[${text}]`), [JSON.parse(text)]);
  }
});

test('looking for such numbers takes no longer than reading', () => {
  for (const filler of ['9'.repeat(209), `${'9'.repeat(209)}e9`, 'e1', '1']) {
    const text = JSON.stringify({ a: `${filler},`.repeat(Math.ceil(2_000_000 / filler.length)) });
    const startedAt = performance.now();
    read(text);
    const tookMs = performance.now() - startedAt;
    assert.ok(tookMs < 1_000, `${tookMs} ms`);
  }
});
