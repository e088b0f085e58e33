import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { curlOf } from './curl.ts';

test('the command that is copied says the same to a shell, whatever stands in it', () => {
  const body = `{"it's":"a \\"test\\" $HOME \`id\` \\u00e9 é\n","x":'!'}`;
  const headers = {
    host: 'x',
    'content-length': '5',
    'x-vercel-signature': "a'b",
    'content-type': 'application/json',
  };
  const command = curlOf({ method: 'POST', url: "https://example.com/it's?a=1&b=2", headers, body });
  // A function of that name prints what it was given, one argument a line, ended by a zero byte.
  const printed = execFileSync('sh', ['-c', `curl() { printf '%s\\0' "$@"; }\n${command}`], {
    encoding: 'utf8',
  });
  assert.deepEqual(printed.split('\0').slice(0, -1), [
    '-i',
    '-X',
    'POST',
    "https://example.com/it's?a=1&b=2",
    '-H',
    "x-vercel-signature: a'b",
    '-H',
    'content-type: application/json',
    '--data-raw',
    body,
  ]);
});
