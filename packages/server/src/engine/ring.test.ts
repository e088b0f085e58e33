// Turns: one each, those that keep up first, and a quarter for the others.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Lane } from './lane.ts';
import { Ring } from './ring.ts';

const turns = (ring: Ring, count: number): string =>
  Array.from({ length: count }, () => ring.next()?.tag ?? '-').join(' ');

test('lanes come in the order they entered, each once', () => {
  const ring = new Ring();
  const [a, b] = [new Lane('a'), new Lane('b')];
  ring.enter(a, false);
  ring.enter(b, false);
  ring.enter(a, true);
  assert.equal(turns(ring, 3), 'a b -');
  assert.ok(ring.isEmpty);
  ring.enter(a, true);
  assert.equal(turns(ring, 2), 'a -');
});

test('lanes that keep up come first, and every fourth turn is one of the others’', () => {
  const ring = new Ring();
  for (const tag of ['a', 'b', 'c']) ring.enter(new Lane(tag), false);
  for (const tag of ['1', '2', '3', '4', '5', '6', '7', '8']) ring.enter(new Lane(tag), true);
  assert.equal(turns(ring, 12), '1 2 3 a 4 5 6 b 7 8 c -');
});
