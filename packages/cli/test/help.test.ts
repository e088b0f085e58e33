import assert from 'node:assert/strict';
import { test } from 'node:test';
import { settingsTable, version } from '@posthorn/server';
import { runNpmStart, runPosthorn } from './command.ts';

test('posthorn start --help names every setting, readable at 100 columns', async (t) => {
  const { code, stdout } = await runPosthorn(t, ['start', '--help']).ended;
  assert.equal(code, 0);
  for (const { name, meaning } of settingsTable) {
    assert.match(stdout, new RegExp(`^ +${name}$`, 'm'));
    assert.ok(stdout.includes(meaning), meaning);
  }
  const tooLong = stdout.split('\n').filter((line) => line.length > 105);
  assert.deepEqual(tooLong, []);
});

test('npm start -- --help prints the same', async (t) => {
  const [direct, throughNpm] = await Promise.all([
    runPosthorn(t, ['start', '--help']).ended,
    runNpmStart(t, {}, ['--help']).ended,
  ]);
  assert.equal(throughNpm.code, 0);
  assert.ok(throughNpm.stdout.includes(direct.stdout.trim()));
});

test('posthorn --version prints the version', async (t) => {
  assert.deepEqual(await runPosthorn(t, ['--version']).ended, {
    code: 0,
    signal: null,
    stdout: `${version}\n`,
    stderr: '',
  });
});

test('an unknown option, command or argument ends with a sentence and 2', async (t) => {
  const wrong = [['start', '--prot'], ['strat'], ['start', 'now'], ['--nope'], []];
  const ended = await Promise.all(wrong.map((args) => runPosthorn(t, args).ended));
  for (const [index, { code, stdout, stderr }] of ended.entries()) {
    assert.equal(code, 2, `posthorn ${wrong[index]?.join(' ')}`);
    assert.equal(stdout, '');
    assert.notEqual(stderr, '');
    assert.doesNotMatch(stderr, /^\s+at /m, 'no stack');
  }
  assert.match(ended[0]?.stderr ?? '', /^Unknown option '--prot'/);
  assert.match(ended[1]?.stderr ?? '', /^Unknown command 'strat'/);
});
