import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, test } from 'node:test';
import { MessageChannel } from 'node:worker_threads';
import { createDatabase } from '../../../test/support/postgres.ts';
import { addTeam, addWebhook, startAt } from '../conformance/bed.ts';
import { openPostgresStore } from './client.ts';
import { Connections } from './connection.ts';
import { PostgresDeliveries } from './deliveries.ts';
import { followHints, Hints, SenderHints } from './hints.ts';

describe('what an accept is told of lanes', () => {
  test('it is of the teams whose events it has, and of lanes of which nobody knows whose they are', () => {
    const hints = new Hints();
    hints.setBehind('one', true);
    hints.setOpen('two', false);
    hints.hold('key', 'three', 100);
    hints.setBehind('four', true);
    assert.deepEqual(hints.forAccept(['a']).tags.toSorted(), ['four', 'one', 'three', 'two']);
    hints.learn('one', 'a');
    hints.learn('two', 'b');
    hints.learn('three', 'a');
    const { tags, counts, closed } = hints.forAccept(['a']);
    assert.deepEqual(tags.toSorted(), ['four', 'one', 'three']);
    assert.equal(counts[tags.indexOf('one')], 0);
    assert.ok((counts[tags.indexOf('three')] ?? 0) > 0);
    assert.deepEqual(hints.forAccept(['b']).tags.toSorted(), ['four', 'two']);
    assert.deepEqual(closed, [false, false, false]);
    assert.deepEqual(hints.forAccept(['a', 'b']).tags.toSorted(), ['four', 'one', 'three', 'two']);
  });

  test('a lane that can take what comes is left out, whoever it belongs to', () => {
    const hints = new Hints();
    hints.learn('one', 'a');
    for (const tag of ['one', 'two']) {
      hints.setBehind(tag, true);
      hints.setOpen(tag, false);
      hints.hold(`key ${tag}`, tag, 100);
    }
    for (const tag of ['one', 'two']) {
      hints.setBehind(tag, false);
      hints.setOpen(tag, true);
    }
    assert.deepEqual(hints.forAccept(['a']).tags.toSorted(), ['one', 'two']);
    for (const tag of ['one', 'two']) hints.letGo(`key ${tag}`);
    assert.deepEqual(hints.forAccept(['a']).tags, []);
    hints.setBehind('two', true);
    assert.deepEqual(hints.forAccept(['a']).tags, ['two']);
  });

  test('what is known of whom stays bounded, and nothing that may not take more is forgotten', () => {
    const hints = new Hints();
    hints.learn('behind', 'a');
    hints.setBehind('behind', true);
    for (let at = 0; at < 100_000; at++) hints.learn(`webhook${at}`, 'b');
    assert.deepEqual(hints.forAccept([]).tags, ['behind']);
    assert.ok(hints.learn('behind', 'a'));
    assert.deepEqual(hints.forAccept([]).tags, []);
    assert.deepEqual(hints.forAccept(['a']).tags, ['behind']);
  });

  test('the thread that sends tells whose a webhook is, once', async () => {
    const { port1, port2 } = new MessageChannel();
    const hints = new Hints();
    followHints(hints, port2, { onName() {}, onNews() {} });
    const sender = new SenderHints(port1);
    sender.setBehind('one', true);
    assert.equal(sender.learn('one', 'a'), true);
    assert.equal(sender.learn('one', 'a'), false);
    const [message] = (await once(port2, 'message')) as [{ webhooks: unknown[] }];
    assert.deepEqual(message.webhooks, [['one', 'a']]);
    assert.deepEqual(hints.forAccept(['b']).tags, []);
    assert.deepEqual(hints.forAccept(['a']).tags, ['one']);
    sender.close();
  });
});

test('whoever sends to a webhook has its lane told to the accepts of its team alone', async () => {
  const { url } = await createDatabase();
  const connection = { url, size: 2, deadlineMs: 60_000, connectMs: 5_000 };
  const store = await openPostgresStore({ connection, now: startAt, delivers: false });
  const hints = new Hints();
  const sending = new PostgresDeliveries(new Connections(connection), hints, null);
  try {
    const team = await addTeam(store);
    const { tag } = await addWebhook(store, team);
    hints.setBehind(tag, true);
    assert.deepEqual(hints.forAccept(['another']).tags, [tag]);
    await sending.endpoints([tag]);
    assert.deepEqual(hints.forAccept(['another']).tags, []);
    assert.deepEqual(hints.forAccept([team]).tags, [tag]);
  } finally {
    await sending.close();
    await store.close();
  }
});
