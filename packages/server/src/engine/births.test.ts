import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newEvent } from '../store/conformance/bed.ts';
import type { Birth, NewEvent } from '../store/store.ts';
import { type BirthMessage, BirthSender, readBirths } from './births.ts';

const birth = (tag: string, leased = true): Birth => ({ tag, version: 3, leased });

function messageOf(...events: [event: NewEvent, born: Birth[]][]): Promise<BirthMessage> {
  return new Promise((resolve) => {
    const sender = new BirthSender(resolve);
    for (const [event, born] of events) sender.take(event, born);
  });
}

test('births of one round travel in one message, each event’s body once, and arrive as tasks', async () => {
  const [first, second] = [newEvent('team_1'), newEvent('team_1')];
  const message = await messageOf([first, [birth('a'), birth('b')]], [second, [birth('a'), birth('b')]]);
  assert.equal(message.bodies.length, first.body.length + second.body.length);
  const arrived = readBirths(message);
  assert.deepEqual(
    arrived,
    [first, second].flatMap(({ uid, type, acceptedAt, body }) =>
      ['a', 'b'].map((tag) => ({
        key: uid + tag,
        tag,
        version: 3,
        type,
        number: 1,
        createdAt: acceptedAt,
        extra: false,
        body: Buffer.from(body),
      })),
    ),
  );
  assert.equal(arrived[0]?.body, arrived[1]?.body, 'deliveries of one event share its bytes');
  assert.notEqual(arrived[0]?.body.buffer, message.bodies.buffer, 'and keep no more than these alive');
});

test('only what is leased travels', async () => {
  const [first, second] = [newEvent('team_1'), newEvent('team_1')];
  const message = await messageOf([first, [birth('a', false)]], [second, [birth('a', false), birth('b')]]);
  assert.equal(message.bodies.length, second.body.length);
  assert.deepEqual(
    readBirths(message).map(({ key }) => key),
    [`${second.uid}b`],
  );
});
