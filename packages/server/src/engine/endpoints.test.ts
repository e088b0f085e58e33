// The endpoint book: what is remembered, for how long, and what happens when reading goes wrong.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock, settle } from '../../test/support/fake-clock.ts';
import { endpointRow, FakeDeliveries, newGate } from '../../test/support/fake-deliveries.ts';
import { signVercel } from '../core/signing.ts';
import type { EndpointRow } from '../store/store.ts';
import { type Endpoint, EndpointBook } from './endpoints.ts';

const tag = 'tag00001';

const row = (changes: Partial<EndpointRow> = {}): EndpointRow =>
  endpointRow(tag, {
    id: 'account_hook_1',
    url: 'https://example.com/1',
    secretSealed: Buffer.from('first'),
    ...changes,
  });

function setUp(first: EndpointRow | null = row()) {
  const clock = new FakeClock();
  const store = new FakeDeliveries();
  if (first !== null) store.endpointRows.set(first.tag, first);
  const opened: string[] = [];
  const book = new EndpointBook(store, clock, (sealed, place) => {
    const secret = Buffer.from(sealed).toString();
    opened.push(`${secret} at ${place}`);
    if (secret === 'broken') throw new Error('It does not open.');
    return secret;
  });
  const read = (of = tag) =>
    new Promise<{ endpoint: Endpoint | null; fault: unknown }>((resolve) => {
      book.read(of, (endpoint, fault) => resolve({ endpoint, fault }));
    });
  return { clock, store, book, opened, read };
}

const body = Buffer.from('{}');
const signatureOf = (endpoint: Endpoint | null) => endpoint && signVercel(endpoint.key, body);

test('an endpoint is read once, and remembered for a second', async () => {
  const { clock, store, book, read } = setUp();
  assert.equal(book.peek(tag, 1), null);
  const { endpoint } = await read();
  assert.equal(endpoint?.url, 'https://example.com/1');
  assert.equal(book.peek(tag, 1), endpoint);
  await clock.advance(499);
  assert.equal(book.peek(tag, 1), endpoint);
  await clock.advance(501);
  assert.equal(book.peek(tag, 1), null);
  assert.deepEqual(store.endpointReads, [tag]);
});

test('one that is in use is read again before its second is over, and nobody waits for that', async () => {
  const { clock, store, book, read } = setUp();
  const { endpoint } = await read();
  store.endpointRows.set(tag, row({ version: 2, url: 'https://example.com/2' }));
  const { gate, open } = newGate();
  store.gates.set('endpoints', gate);
  await clock.advance(500);
  for (let i = 0; i < 3; i++) assert.equal(book.peek(tag, 1), endpoint);
  await clock.advance(499);
  assert.equal(book.peek(tag, 1), endpoint);
  open();
  await settle();
  await clock.advance(1);
  assert.equal(book.peek(tag, 1)?.url, 'https://example.com/2');
  assert.deepEqual(store.endpointReads, [tag, tag]);
});

test('those in use are read again together, and as long as they are', async () => {
  const { clock, store, book, read } = setUp();
  const both = [tag, 'tag00002'];
  store.endpointRows.set('tag00002', row({ tag: 'tag00002' }));
  for (const one of both) await read(one);
  const versions = () => both.map((one) => book.peek(one, 1)?.version);
  for (let round = 1; round <= 3; round++) {
    assert.deepEqual(versions(), [round, round]);
    for (const one of both) store.endpointRows.set(one, row({ tag: one, version: round + 1 }));
    await clock.advance(500);
    versions();
    await settle();
    assert.deepEqual(store.endpointReads.slice(2 * round), both);
  }
  assert.equal(store.endpointQueries, 2 + 3);
});

test('one that could not be read again serves until its second is over, and no longer', async () => {
  const { clock, store, book, read } = setUp();
  const { endpoint } = await read();
  store.failing.add('endpoints');
  await clock.advance(500);
  assert.equal(book.peek(tag, 1), endpoint);
  await clock.advance(499);
  assert.equal(book.peek(tag, 1), endpoint);
  await clock.advance(1);
  assert.equal(book.peek(tag, 1), null);
  assert.match(String((await read()).fault), /away/);
  assert.deepEqual(store.endpointReads, [tag, tag, tag], 'asked once in advance');
});

test('a newer version is not served from memory', async () => {
  const { store, book, read } = setUp();
  await read();
  assert.equal(book.peek(tag, 2), null);
  store.endpointRows.set(tag, row({ version: 2, url: 'https://example.com/2' }));
  await read();
  assert.equal(book.peek(tag, 2)?.url, 'https://example.com/2');
  assert.equal(book.peek(tag, 1)?.url, 'https://example.com/2');
});

test('secrets are opened once for each version', async () => {
  const { store, read, opened } = setUp(row({ oldSecretSealed: Buffer.from('before'), oldSecretUntil: 99 }));
  const { endpoint } = await read();
  const again = await read();
  assert.equal(again.endpoint, endpoint);
  assert.deepEqual(opened.toSorted(), [`before at endpoints:${tag}`, `first at endpoints:${tag}`]);
  assert.equal(endpoint?.oldKey?.until, 99);
  store.endpointRows.set(tag, row({ version: 2, secretSealed: Buffer.from('second') }));
  const { endpoint: rotated } = await read();
  assert.notEqual(signatureOf(rotated), signatureOf(endpoint));
  assert.equal(opened.length, 3);
});

test('reads of one turn share a query, one endpoint is asked for once', async () => {
  const { store, read } = setUp();
  store.endpointRows.set('tag00002', row({ tag: 'tag00002', url: 'https://example.com/other' }));
  const [one, again, other] = await Promise.all([read(), read(), read('tag00002')]);
  assert.equal(one?.endpoint, again?.endpoint);
  assert.equal(other?.endpoint?.url, 'https://example.com/other');
  assert.deepEqual(store.endpointReads, [tag, 'tag00002']);
});

test('one that is not there is null, without a fault', async () => {
  assert.deepEqual(await setUp(null).read(), { endpoint: null, fault: null });
});

test('a store that is away is a fault for everybody who asked, and is asked anew', async () => {
  const { store, read } = setUp();
  store.failing.add('endpoints');
  const [one, other] = await Promise.all([read(), read('tag00002')]);
  for (const { endpoint, fault } of [one, other]) {
    assert.equal(endpoint, null);
    assert.match(String(fault), /away/);
  }
  store.failing.clear();
  assert.equal((await read()).endpoint?.version, 1);
});

test('a secret that does not open is the fault of its own endpoint alone', async () => {
  const { store, book, read } = setUp(row({ secretSealed: Buffer.from('broken') }));
  store.endpointRows.set('tag00002', row({ tag: 'tag00002' }));
  const [broken, other] = await Promise.all([read(), read('tag00002')]);
  assert.equal(broken?.endpoint, null);
  assert.match(String(broken?.fault), /does not open/);
  assert.equal(other?.endpoint?.tag, 'tag00002');
  assert.equal(book.peek(tag, 1), null);
});

test('after a change on this node it is read anew', async () => {
  const { store, book, read } = setUp();
  await read();
  store.endpointRows.set(tag, row({ version: 2, enabled: false }));
  book.forget(tag);
  book.forget('unknown');
  assert.equal(book.peek(tag, 1), null);
  assert.equal((await read()).endpoint?.enabled, false);
});

test('a change while it is being read: what was read before it is not used', async () => {
  const { store, book, read } = setUp();
  const { gate, open } = newGate();
  store.gates.set('endpoints', gate);
  const reading = read();
  await settle();
  store.endpointRows.set(tag, row({ version: 2, enabled: false }));
  book.forget(tag);
  store.gates.clear();
  open();
  const { endpoint } = await reading;
  assert.deepEqual([endpoint?.version, endpoint?.enabled], [2, false]);
  assert.equal(book.peek(tag, 1), endpoint);
});

test('an answer that took longer than a second is read again, unless the store is that slow every time', async () => {
  const { clock, store, read } = setUp();
  /** Has the next read take so long, and the endpoint change in its middle. */
  const slowRead = async (version: number) => {
    const { gate, open } = newGate();
    store.gates.set('endpoints', gate);
    await settle();
    store.endpointRows.set(tag, row({ version }));
    await clock.advance(1_000);
    store.gates.clear();
    open();
  };
  const reading = read();
  await slowRead(2);
  assert.equal((await reading).endpoint?.version, 2);
  assert.equal(store.endpointReads.length, 2);

  let answered = 0;
  const slow = read().then(({ endpoint }) => {
    answered = endpoint?.version ?? 0;
  });
  for (let version = 3; version < 6; version++) {
    await slowRead(version);
    await Promise.resolve();
    assert.equal(answered, 0);
  }
  await slowRead(6);
  await slow;
  assert.equal(answered, 5, 'what is known, and no more');
});
