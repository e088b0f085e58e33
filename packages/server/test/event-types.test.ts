// The operator's own event types: listed, validated and subscribed to like Vercel's.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type ControlPlane, startControlPlane } from './support/control.ts';

let plane: ControlPlane;
before(async () => {
  plane = await startControlPlane();
});
after(() => plane.close());

const schema = { type: 'object', required: ['amount'], properties: { amount: { type: 'number' } } };
const invoice = {
  type: 'acme.invoice.paid',
  label: 'Invoice Paid',
  category: 'Acme',
  schema,
  sample: { amount: 1 },
};
const put = (body: object, token?: string) =>
  plane.call('POST', '/v1/event-types', { body, ...(token ? { token } : {}) });
const publish = (payload: object) =>
  plane.call('POST', '/v1/events', { body: { type: invoice.type, payload } });

test('every type is listed for every token, with schema and sample', async () => {
  const { eventTypes } = (
    await plane.call('GET', '/v1/event-types', { token: await plane.token('PUBLISHER') })
  ).body;
  assert.equal(eventTypes.length, 114);
  const created = eventTypes.find(({ type }: { type: string }) => type === 'deployment.created');
  assert.equal(created.label, 'Deployment Created');
  assert.ok(created.schema.properties.deployment);
  assert.ok(created.sample.deployment.id);
  assert.ok(!('builtIn' in created));
});

test('a type that is added is listed, judged at publish, subscribed to, and can be replaced', async () => {
  assert.equal((await publish({ amount: 1 })).body.error.code, 'invalid_event');
  const added = await put(invoice);
  assert.equal(added.status, 200, JSON.stringify(added.body));
  assert.deepEqual(
    [added.body.schema, added.body.sample, added.body.description],
    [schema, { amount: 1 }, ''],
  );
  const listed = (await plane.call('GET', '/v1/event-types')).body.eventTypes;
  assert.deepEqual(listed.at(-1), added.body);
  assert.equal((await publish({ amount: 1 })).status, 202);
  assert.equal((await publish({ amount: 'one' })).body.error.code, 'invalid_payload');
  const hook = await plane.call('POST', '/v1/webhooks', {
    body: { url: 'http://127.0.0.1:9/hook', events: [invoice.type, 'project.created'] },
  });
  assert.equal(hook.status, 200);

  const replaced = await put({ ...invoice, label: 'Paid', schema: { type: 'object' } });
  assert.deepEqual([replaced.body.label, replaced.body.sample], ['Paid', { amount: 1 }]);
  assert.equal((await publish({ amount: 'one' })).status, 202);
  const rows = await plane.store.read(plane.store.queries.selectFrom('event_types').selectAll().compile());
  assert.deepEqual(
    rows.map(({ type, label }) => [type, label]),
    [[invoice.type, 'Paid']],
  );
});

test('a sample is only needed where an empty payload does not fit', async () => {
  const { sample: _sample, ...without } = invoice;
  assert.deepEqual(
    (await put({ ...without, type: 'acme.open', schema: { type: 'object' } })).body.sample,
    {},
  );
  const refused = await put({ ...without, type: 'acme.strict' });
  assert.deepEqual([refused.status, refused.body.error.code], [400, 'bad_request']);
  assert.match(refused.body.error.message, /give a sample/);
  assert.equal((await put({ ...invoice, type: 'acme.strict', sample: { amount: 'x' } })).status, 400);
});

for (const type of ['deployment.created', 'project.domain-moved', 'deployment-ready', 'posthorn.started']) {
  test(`the name ${type} is reserved`, async () => {
    const refused = await put({ ...invoice, type });
    assert.deepEqual([refused.status, refused.body.error.code], [409, 'conflict']);
  });
}

for (const type of ['', 'Acme', 'a b', '.a', 'x'.repeat(129)]) {
  test(`${JSON.stringify(type.slice(0, 12))} is no name of a type`, async () => {
    assert.equal((await put({ ...invoice, type })).status, 400);
  });
}

test('only the operator adds types, and a schema that could hang is refused', async () => {
  assert.equal((await put(invoice, await plane.token('OWNER'))).status, 403);
  const remote = { type: 'object', properties: { a: { $ref: 'http://127.0.0.1:1/schema.json' } } };
  const refused = await put({ ...invoice, type: 'acme.remote', schema: remote });
  assert.deepEqual([refused.status, refused.body.error.code], [400, 'bad_request']);
});
