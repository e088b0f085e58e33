// Which migrations a store needs, and which stores are refused.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { missingFrom, readMigrations } from './migrations.ts';

function folderOf(t: TestContext, names: string[]): URL {
  const folder = mkdtempSync(join(tmpdir(), 'posthorn-migrations-'));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const name of names) writeFileSync(join(folder, name), `-- ${name}`);
  return pathToFileURL(`${folder}/`);
}

const names = ['001-a.sqlite.sql', '002-b.sqlite.sql', '003-c.sqlite.sql'];
const applied = (...numbers: number[]) =>
  numbers.map((number) => ({ number, name: names[number - 1] ?? `${number}` }));

test('a dialect has its own files, in order, and their numbers have no gap', (t) => {
  const mixed = folderOf(t, [...names.toReversed(), '001-a.postgres.sql', 'notes.txt']);
  assert.deepEqual(
    readMigrations('sqlite', mixed).map(({ number, name, sql }) => [number, name, sql]),
    names.map((name, index) => [index + 1, name, `-- ${name}`]),
  );
  assert.throws(
    () => readMigrations('sqlite', folderOf(t, ['001-a.sqlite.sql', '003-c.sqlite.sql'])),
    /not whole: of its migrations number 2 is missing\. Install it anew\.$/,
  );
});

test('ours are there on both stores, under the same numbers and names', () => {
  const subjects = (['sqlite', 'postgres'] as const).map((dialect) =>
    readMigrations(dialect).map(({ name }) => name.replace(`.${dialect}.sql`, '')),
  );
  assert.deepEqual(subjects[0], subjects[1]);
});

test('a store gets what it lacks, in order; a newer one, one with a gap and one of another line get a sentence', (t) => {
  const all = readMigrations('sqlite', folderOf(t, names));
  const lacking = (...numbers: number[]) => missingFrom(all, applied(...numbers)).map(({ number }) => number);
  assert.deepEqual(lacking(), [1, 2, 3]);
  assert.deepEqual(lacking(1), [2, 3]);
  assert.deepEqual(lacking(1, 2, 3), []);
  assert.throws(() => lacking(1, 2, 3, 4), /newer Posthorn \(schema 4, this one knows 3\)/);
  assert.throws(() => lacking(1, 3), /has schema 3, but migration 2 was never run on it/);
  assert.throws(
    () => missingFrom(all, [{ number: 1, name: '001-z.sqlite.sql' }]),
    /its migration 1 is 001-z\.sqlite\.sql, here it is 001-a\.sqlite\.sql/,
  );
});

test('every migration after the first is safe while the version before runs: nothing that it uses goes or changes', () => {
  const unsafe =
    /\bDROP\s+(?:TABLE|COLUMN|SEQUENCE)\b|\bRENAME\b|\bALTER\s+COLUMN\s+\w+\s+(?:TYPE|SET\s+NOT\s+NULL)|\bTRUNCATE\b|\bADD\s+COLUMN\b(?=[^;,]*\bNOT\s+NULL\b)(?![^;,]*\bDEFAULT\b)/i;
  for (const bad of [
    'ALTER TABLE pending DROP COLUMN bytes',
    'ALTER TABLE pending ADD COLUMN x bigint NOT NULL',
    'ALTER TABLE pending RENAME COLUMN bytes TO length',
    'ALTER TABLE pending ALTER COLUMN bytes SET NOT NULL',
  ]) {
    assert.match(bad, unsafe);
  }
  assert.doesNotMatch('ALTER TABLE pending ADD COLUMN x bigint NOT NULL DEFAULT 0', unsafe);
  for (const { name, sql } of readMigrations('postgres').slice(1)) {
    const statements = sql.replaceAll(/--.*/g, '');
    assert.doesNotMatch(statements, unsafe, `${name}: nodes of the version before would fail`);
  }
});
