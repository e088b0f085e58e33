import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { colourCode, type Language } from './colour-code.ts';

const languages: Language[] = ['plain', 'javascript', 'python', 'go', 'ruby', 'php', 'shell', 'json'];

test('colour changes no character', () => {
  fc.assert(
    fc.property(fc.constantFrom(...languages), fc.string({ unit: 'grapheme' }), (language, text) => {
      assert.equal(
        colourCode(text, language)
          .map((piece) => piece.text)
          .join(''),
        text,
      );
    }),
  );
});

test('comments, strings, numbers and words are told apart', () => {
  assert.deepEqual(
    colourCode('const a = "x"; // 1', 'javascript').filter(({ kind }) => kind !== 'plain'),
    [
      { kind: 'word', text: 'const' },
      { kind: 'string', text: '"x"' },
      { kind: 'comment', text: '// 1' },
    ],
  );
  assert.deepEqual(
    colourCode('{"a":1.5,"b":null}', 'json')
      .filter(({ kind }) => kind !== 'plain')
      .map(({ text }) => text),
    ['"a"', '1.5', '"b"', 'null'],
  );
});
