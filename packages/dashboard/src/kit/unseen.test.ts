import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { cutText, splitUnseen } from './unseen.ts';

test('characters that turn or hide text are named, the rest stays', () => {
  assert.deepEqual(splitUnseen('invoice\u202Egpj.exe'), [
    { kind: 'text', text: 'invoice' },
    { kind: 'unseen', code: 'U+202E' },
    { kind: 'text', text: 'gpj.exe' },
  ]);
  for (const code of [0x0, 0x1b, 0xad, 0x200b, 0x200d, 0x2066, 0xfeff, 0xe0041]) {
    const pieces = splitUnseen(`a${String.fromCodePoint(code)}b`);
    assert.equal(pieces.length, 3, code.toString(16));
  }
});

test('line breaks, tabs and every letter of the world are text', () => {
  const text = 'line\n\ttabbed مرحبا שלום 日本 é 👍';
  assert.deepEqual(splitUnseen(text), [{ kind: 'text', text }]);
});

test('nothing is lost but what is named', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const back = splitUnseen(text).map((piece) =>
        piece.kind === 'text' ? piece.text : String.fromCodePoint(Number.parseInt(piece.code.slice(2), 16)),
      );
      assert.equal(back.join(''), text);
    }),
  );
});

test('a cut never splits a pair of surrogates', () => {
  assert.equal(cutText('ab👍cd', 3), 'ab');
  assert.equal(cutText('ab👍cd', 4), 'ab👍');
  assert.equal(cutText('ab', 3), 'ab');
});
