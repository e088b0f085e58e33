import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileOwnSchema, explainOwnSchema } from './payload-schema.ts';

const object = (more: object) => ({ type: 'object', ...more });

test('a schema of an object is taken, with references into itself', () => {
  const schema = object({
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: 'https://example.com/invoice',
    required: ['amount'],
    properties: { amount: { $ref: '#/$defs/money' }, note: { type: 'string', pattern: '^[a-z ]+$' } },
    $defs: { money: { type: 'number', minimum: 0 } },
  });
  assert.equal(explainOwnSchema(schema), null);
  const validate = compileOwnSchema(schema);
  assert.equal(validate({ amount: 1, note: 'all well' }), true);
  assert.equal(validate({ amount: -1 }), false);
  assert.equal(validate({ amount: 1, note: 'No 1' }), false);
  // The same $id again, as when a type is replaced.
  assert.equal(compileOwnSchema(object({ $id: 'https://example.com/invoice' }))({}), true);
});

const refusals: [string, object, RegExp][] = [
  ['no object', { type: 'array' }, /must describe an object/],
  ['no type', {}, /must describe an object/],
  ['an unknown type', object({ properties: { a: { type: 'strang' } } }), /can't be used/],
  [
    'a remote reference',
    object({ properties: { a: { $ref: 'https://example.com/s.json' } } }),
    /into the schema itself/,
  ],
  ['a reference to the whole', object({ properties: { a: { $ref: '#' } } }), /into the schema itself/],
  ['a reference to nothing', object({ properties: { a: { $ref: '#/$defs/a' } } }), /points to nothing/],
  [
    'a reference that comes back',
    object({ properties: { a: { $ref: '#/$defs/a' } }, $defs: { a: { anyOf: [{ $ref: '#/$defs/a' }] } } }),
    /refers to itself/,
  ],
  ['a schema that answers later', object({ $async: true }), /\$async/],
  ['a name within', object({ properties: { a: { $id: 'b' } } }), /\$id/],
  ['a look-ahead', object({ properties: { a: { pattern: '^(?=a)b' } } }), /linear time/],
  ['a back reference', object({ properties: { a: { pattern: '(a)\\1' } } }), /linear time/],
  ['a broken pattern', object({ properties: { a: { pattern: '(' } } }), /linear time/],
  [
    'a pattern with classes of Unicode',
    object({ properties: { a: { pattern: '^\\p{L}$' } } }),
    /not available/,
  ],
  ['a pattern in a key', object({ patternProperties: { '(a)\\1': { type: 'string' } } }), /linear time/],
  ['items compared with each other', object({ properties: { a: { uniqueItems: true } } }), /maxItems/],
  ['too many bytes', object({ description: 'x'.repeat(70_000) }), /64 KiB/],
];
for (const [what, schema, why] of refusals) {
  test(`a schema with ${what} is refused`, () => {
    assert.match(explainOwnSchema(schema) ?? 'taken', why);
  });
}

test('a schema whose references would double at every step is refused', () => {
  const $defs: Record<string, object> = { d0: { type: 'string' } };
  for (let i = 1; i <= 60; i++)
    $defs[`d${i}`] = { anyOf: [{ $ref: `#/$defs/d${i - 1}` }, { $ref: `#/$defs/d${i - 1}` }] };
  const started = performance.now();
  assert.match(
    explainOwnSchema(object({ properties: { a: { $ref: '#/$defs/d60' } }, $defs })) ?? '',
    /more than 2000/,
  );
  assert.ok(performance.now() - started < 2_000);
});

test('a pattern that would backtrack for ever elsewhere runs in linear time', () => {
  const schema = object({ properties: { a: { type: 'string', pattern: '^(a+)+$' } } });
  assert.equal(explainOwnSchema(schema), null);
  const validate = compileOwnSchema(schema);
  const started = performance.now();
  assert.equal(validate({ a: `${'a'.repeat(200_000)}b` }), false);
  assert.ok(performance.now() - started < 5_000);
});
