// Which turns share a commit: a small publish goes ahead of a long turn, unless much is published.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attemptOf, newEvent } from '../conformance/bed.ts';
import type { Claimed } from '../store.ts';
import { AttemptPack } from './attempt-pack.ts';
import { Brisk } from './brisk.ts';
import * as wire from './wire.ts';

function turn(events: number, attempts = 0, claims = 0): wire.Turn {
  const {
    groups,
    events: cells,
    bodies,
  } = wire.encodeEvents(Array.from({ length: events }, () => ({ events: [newEvent('team_1')] })));
  const claimed: Claimed = {
    key: 'evt_1tag00001',
    tag: 'tag00001',
    version: 1,
    type: 'x',
    attempts: 0,
    createdAt: 1,
    extra: false,
    body: new Uint8Array(1),
  };
  const pack = new AttemptPack();
  for (let i = 0; i < attempts; i++) pack.add(attemptOf(claimed, { kind: 'delivered' }, 1));
  return {
    attempts: pack.packed(),
    groups,
    events: cells,
    eventBodies: bodies,
    operations: Array.from({ length: claims }, () => ({
      kind: 'claim',
      request: { now: 1, lanes: [], others: { lanes: 1, each: 1 } },
    })),
  };
}

test('a small publish goes ahead of many attempts or a claim, and shares with little else', () => {
  const publish = turn(1);
  for (const long of [turn(0, 65), turn(0, 0, 1)]) {
    assert.deepEqual(new Brisk().shareOut([long, publish], 0), [[publish], [long]]);
  }
  const short = turn(0, 64);
  assert.deepEqual(new Brisk().shareOut([short, publish], 0), [[short, publish]]);
  assert.deepEqual(new Brisk().shareOut([], 0), []);
});

test('when much is published all share, and for 100 ms after', () => {
  const brisk = new Brisk();
  const [much, little, long] = [turn(5), turn(4), turn(0, 500)];
  assert.deepEqual(brisk.shareOut([long, much], 0), [[long, much]]);
  assert.deepEqual(brisk.shareOut([long, little], 99), [[long, little]]);
  assert.equal(brisk.isTime(99), false);
  assert.deepEqual(brisk.shareOut([long, little], 100), [[little], [long]]);
  assert.equal(brisk.isTime(199), true);
  assert.equal(brisk.isTime(200), false);
});
