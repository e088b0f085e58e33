// Header lines: what was sent or received comes back, also from attempts that were stored in the older way.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { headerOf, readHeaderLines } from './header-lines.ts';

const tokens = fc.stringMatching(/^[!#$%&'*+\-.^_`|~\w]{1,20}$/);
const values = fc.stringMatching(
  /^[\x21-\x7e\x80-\xff]([\t\x20-\x7e\x80-\xff]{0,20}[\x21-\x7e\x80-\xff])?$|^$/,
);
const fields = fc.array(fc.tuple(tokens, values), { maxLength: 8 });

test('fields come back in their order, whatever blanks stand around the values', () => {
  fc.assert(
    fc.property(fields, fc.constantFrom('', ' ', '\t ', '  '), (all, blank) => {
      const lines = all.map(([name, value]) => `${name}:${blank}${value}${blank}\r\n`).join('');
      assert.deepEqual(readHeaderLines(lines), all.flat());
      for (const [name] of all) {
        const lower = name.toLowerCase();
        assert.equal(headerOf(lines, lower), all.find(([one]) => one.toLowerCase() === lower)?.[1]);
      }
    }),
  );
});

test('attempts stored in the older way are read as well', () => {
  assert.deepEqual(readHeaderLines('webhook-id\nevt_1\nempty\n'), ['webhook-id', 'evt_1', 'empty', '']);
  assert.equal(headerOf('a\n1\nRetry-After\n20', 'retry-after'), '20');
  assert.equal(headerOf('', 'a'), null);
});
