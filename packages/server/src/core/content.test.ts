// What makes two publications of one id the same.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Content, sameContent } from './content.ts';
import { serialiseEvent } from './envelope.ts';

interface Options {
  type?: string;
  payload?: unknown;
  region?: string | null;
  projectId?: string | null;
  createdAt?: number;
  given?: boolean;
}

function contentOf({
  type = 'x',
  payload = {},
  region = null,
  projectId = null,
  createdAt = 1,
  given = false,
}: Options = {}): Content {
  return {
    projectId,
    createdAtGiven: given,
    body: serialiseEvent({ id: 'e', type, createdAt, payload, region }, null),
  };
}

const same = (a: Options, b: Options) => {
  const result = sameContent(contentOf(a), contentOf(b));
  assert.equal(sameContent(contentOf(b), contentOf(a)), result, 'it does not matter which came first');
  return result;
};

test('the order of keys does not count, that of a list does', () => {
  assert.equal(
    same({ payload: { a: 1, b: { c: 2, d: 3 } } }, { payload: { b: { d: 3, c: 2 }, a: 1 } }),
    true,
  );
  assert.equal(same({ payload: { a: [1, 2] } }, { payload: { a: [2, 1] } }), false);
});

test('values are compared as JSON values', () => {
  assert.equal(same({ payload: { a: 0 } }, { payload: { a: -0 } }), true);
  assert.equal(same({ payload: { a: 1 } }, { payload: { a: '1' } }), false);
  assert.equal(same({ payload: { a: null } }, { payload: {} }), false);
  assert.equal(same({ payload: { a: undefined } }, { payload: {} }), true);
  assert.equal(same({ payload: [] }, { payload: {} }), false);
});

test('type, project and region count', () => {
  assert.equal(same({ type: 'x' }, { type: 'y' }), false);
  assert.equal(same({ projectId: 'p' }, { projectId: null }), false);
  assert.equal(same({ projectId: 'p' }, { projectId: 'p' }), true);
  assert.equal(same({ region: 'fra1' }, { region: null }), false);
});

test('createdAt counts only where both gave it', () => {
  assert.equal(same({ createdAt: 1 }, { createdAt: 2 }), true);
  assert.equal(same({ createdAt: 1, given: true }, { createdAt: 2 }), true);
  assert.equal(same({ createdAt: 1, given: true }, { createdAt: 2, given: true }), false);
  assert.equal(same({ createdAt: 2, given: true }, { createdAt: 2, given: true }), true);
});

/** The same value with the keys of every object turned round. */
function turnRound(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(turnRound);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .toReversed()
      .map(([key, inner]) => [key, turnRound(inner)]),
  );
}

test('whatever the payload: turned round it is the same, with one more key it is not', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (object) => {
      const payload = JSON.parse(JSON.stringify(object)) as Record<string, unknown>;
      assert.equal(same({ payload }, { payload: turnRound(payload) }), true);
      assert.equal(
        same({ payload }, { payload: { ...payload, [`${Object.keys(payload).join()}+`]: 1 } }),
        false,
      );
    }),
  );
});
