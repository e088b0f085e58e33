import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Task } from './attempt.ts';
import { type BirthMessage, BirthSender, readBirths } from './births.ts';

const task = (key: string, body: Buffer): Task => ({
  key,
  tag: key.slice(0, 4),
  version: 3,
  type: 'deployment.created',
  number: 1,
  createdAt: 1_700_000_000_000,
  extra: false,
  body,
});

test('births of one round travel in one message, each event’s body once, and arrive as they were', async () => {
  const [first, second] = [Buffer.from('{"id":"1"}'), Buffer.from('{"id":"2","more":true}')];
  const tasks = [task('a001', first), task('b001', first), task('a002', second), task('b002', second)];
  const message = await new Promise<BirthMessage>((resolve) => {
    const sender = new BirthSender(resolve);
    for (const one of tasks) sender.take(one);
  });
  assert.equal(message.bodies.length, first.length + second.length);
  const arrived = readBirths(message);
  assert.deepEqual(arrived, tasks);
  assert.equal(arrived[0]?.body, arrived[1]?.body, 'deliveries of one event share its bytes');
  assert.notEqual(arrived[0]?.body.buffer, message.bodies.buffer, 'and keep no more than these alive');
});
