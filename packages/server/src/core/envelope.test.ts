// An event's body: compact JSON that survives being read and written again.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { eventIdOf, serialiseEvent } from './envelope.ts';

const fields = {
  id: 'evt_1',
  type: 'deployment.created',
  createdAt: 1_700_000_000_000,
  payload: {},
  region: null,
};

test('the five fields, in order and compact', () => {
  const body = serialiseEvent({ ...fields, payload: { a: [1, 'ä'] }, region: 'fra1' }, null);
  const expected =
    '{"id":"evt_1","type":"deployment.created","createdAt":1700000000000,"payload":{"a":[1,"ä"]},"region":"fra1"}';
  assert.equal(body.toString(), expected);
  assert.equal(serialiseEvent(fields, null).toString().endsWith('"payload":{},"region":null}'), true);
});

test('legacy types have four more beside them', () => {
  const body = serialiseEvent(fields, { clientId: null, ownerId: 'team_1', teamId: 'team_1', userId: 'u' });
  assert.deepEqual(JSON.parse(body.toString()), {
    ...fields,
    clientId: null,
    ownerId: 'team_1',
    teamId: 'team_1',
    userId: 'u',
  });
});

test('whatever the payload: reading and writing it again gives the same bytes', () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 5 }), fc.option(fc.string()), (json, region) => {
      const payload: unknown = JSON.parse(json);
      const text = serialiseEvent({ ...fields, payload, region }, null).toString();
      assert.equal(JSON.stringify(JSON.parse(text)), text);
    }),
    { numRuns: 500 },
  );
});

test('awkward payloads survive too', () => {
  const texts = [
    '{"b":1,"1":2,"01":3}',
    '[-0,1e21,1E-7,0.1,12345678901234567890]',
    '{"":{"\\u2028":"\\ud800"}}',
    '"\\u0000"',
  ];
  for (const json of texts) {
    const text = serialiseEvent({ ...fields, payload: JSON.parse(json) as unknown }, null).toString();
    assert.equal(JSON.stringify(JSON.parse(text)), text, json);
  }
});

test('the id is found in the body, whatever else stands there', () => {
  const id = fc.stringMatching(/^[A-Za-z0-9_:-]{1,128}$/);
  fc.assert(
    fc.property(id, fc.json(), (one, json) => {
      assert.equal(
        eventIdOf(serialiseEvent({ ...fields, id: one, payload: JSON.parse(json) as unknown }, null)),
        one,
      );
    }),
  );
});
