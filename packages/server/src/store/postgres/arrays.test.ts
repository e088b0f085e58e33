import assert from 'node:assert/strict';
import { test } from 'node:test';
import pg from 'pg';
import { createDatabase } from '../../../test/support/postgres.ts';
import { Arrays, withArrays } from './arrays.ts';

test('what is written is what PostgreSQL reads, nulls, negative and large numbers, and a second buffer’s worth included', async () => {
  const client = new pg.Client({ connectionString: (await createDatabase()).url });
  await client.connect();
  const arrays = new Arrays();
  const texts = ['', null, 'plain', '{"quoted",\\NULL}', 'é€😀', 'x'.repeat(40_000), 'after'];
  const numbers = [0, null, -1, 1_764_129_600_000, Number.MAX_SAFE_INTEGER, -4_294_967_297];
  const { rows } = await client.query(
    `SELECT to_json($1::text[]) AS texts, to_json($2::int8[]) AS numbers, to_json($3::float8[]) AS reals,
            to_json($4::bool[]) AS truths, $5::bytea AS bytes, to_json($6::text[]) AS none`,
    [
      arrays.texts(texts),
      arrays.int8s(numbers),
      arrays.float8s([1.25, null, -0.5]),
      arrays.bools([true, null, false]),
      arrays.join([Buffer.from('ab'), Buffer.from('c')], 3),
      arrays.texts([]),
    ],
  );
  await client.end();
  assert.deepEqual(rows[0], {
    texts,
    numbers,
    reals: [1.25, null, -0.5],
    truths: [true, null, false],
    bytes: Buffer.from('abc'),
    none: [],
  });
});

test('the bytes of a statement that failed are not used again: it may still be waiting to be sent', async () => {
  let first: Buffer | null = null;
  const failing = withArrays((arrays) => {
    first = arrays.texts(['first']);
    return Promise.reject(new Error('too late'));
  });
  await assert.rejects(failing, /too late/);
  await withArrays(async (arrays) => arrays.texts(['second']));
  assert.match(String(first), /first/);
});
