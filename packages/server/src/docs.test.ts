// The pages made from tables are as the tables are now. `npm run docs` writes them anew.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { settingsTable } from './config.ts';
import { generatedPages } from './docs.ts';
import { errorCodes } from './errors.ts';

for (const { path, text } of generatedPages()) {
  test(`${path} is what npm run docs makes`, () => {
    const kept = readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');
    assert.equal(kept, text);
  });
}

test('the pages name every setting and every error', () => {
  const [example = '', settings = '', errors = ''] = generatedPages().map(({ text }) => text);
  for (const { name } of settingsTable) {
    assert.match(example, new RegExp(`^#${name}=`, 'm'));
    assert.ok(settings.includes(`| \`${name}\` |`), name);
  }
  for (const code of Object.keys(errorCodes)) assert.ok(errors.includes(`| \`${code}\` |`), code);
});
