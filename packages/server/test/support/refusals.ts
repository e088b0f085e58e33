// What is asserted of a command that can't go on: one sentence for the operator, and no stack.
import assert from 'node:assert/strict';

/** Code 1 and one line that begins like a sentence, ends like one, and says what `sentence` says. */
export function assertSentence(refused: { code: unknown; output: string }, sentence: RegExp): void {
  assert.equal(refused.code, 1, refused.output);
  assert.match(refused.output, sentence);
  assert.match(refused.output, /^[A-Z/][^\n]*\.\n$/, refused.output);
  assert.ok(!/\n\s+at /.test(refused.output), refused.output);
}
