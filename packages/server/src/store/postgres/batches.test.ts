import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { Batches } from './batches.ts';

interface Bed {
  clock: FakeClock;
  batches: Batches<string, string>;
  /** What each statement so far carried. */
  carried: string[][];
  /** Ends the statement that is under way. */
  end(): void;
}

function bed(waitMs: (last: number) => number, enough: (lately: number) => number = () => 4): Bed {
  const clock = new FakeClock();
  const carried: string[][] = [];
  let end = () => {};
  const batches = new Batches<string, string>({
    clock,
    most: 10,
    mostBytes: 1_000,
    bytesOf: () => 1,
    waitMs,
    enough,
    keysOf: (item) => [item],
    run: (items) => {
      carried.push(items);
      return new Promise((resolve) => {
        end = () => resolve(items);
      });
    },
  });
  return { clock, batches, carried, end: () => end() };
}

test('what is asked for while a statement is under way goes together with the next one', async () => {
  const { clock, batches, carried, end } = bed(() => 0);
  const first = batches.add('a');
  await clock.advance(0);
  const others = [batches.add('b'), batches.add('c')];
  await clock.advance(1_000);
  assert.deepEqual(carried, [['a']]);
  end();
  assert.equal(await first, 'a');
  await clock.advance(0);
  end();
  assert.deepEqual(await Promise.all(others), ['b', 'c']);
  assert.deepEqual(carried, [['a'], ['b', 'c']]);
});

test('how long items wait for company follows what the statement before carried, and enough of them do not wait', async () => {
  const { clock, batches, carried, end } = bed((last) => (last > 1 ? 10 : 0));
  void batches.add('a');
  await clock.advance(0);
  end();
  void batches.add('b');
  void batches.add('c');
  await clock.advance(0);
  end();
  // Two shared a statement: the next one waits.
  await clock.advance(0);
  void batches.add('d');
  await clock.advance(9);
  assert.deepEqual(carried, [['a'], ['b', 'c']]);
  void batches.add('e');
  await clock.advance(1);
  assert.deepEqual(carried.at(-1), ['d', 'e']);
  end();
  await clock.advance(0);
  for (const item of ['f', 'g', 'h', 'i']) void batches.add(item);
  await clock.advance(0);
  assert.deepEqual(carried.at(-1), ['f', 'g', 'h', 'i']);
  end();
  // One that waited in vain lets the next one go at once.
  await clock.advance(0);
  void batches.add('j');
  await clock.advance(10);
  end();
  await clock.advance(0);
  void batches.add('k');
  await clock.advance(0);
  assert.deepEqual(carried.slice(-2), [['j'], ['k']]);
});

test('what waits goes as soon as enough do, by the most that lately went together', async () => {
  const { clock, batches, carried, end } = bed(
    (last) => (last > 1 ? 10 : 0),
    (lately) => lately / 2,
  );
  const add = async (...items: string[]) => {
    for (const item of items) void batches.add(item);
    await clock.advance(0);
  };
  const ended = async () => {
    end();
    await clock.advance(0);
  };
  await add('1', '2', '3', '4', '5', '6', '7', '8');
  await ended();
  // Half of eight go at once, fewer wait.
  await add('a', 'b', 'c');
  assert.equal(carried.length, 1);
  await add('d');
  assert.deepEqual(carried.at(-1), ['a', 'b', 'c', 'd']);
  await ended();
  // The eight are not forgotten for one statement of four, but little by little.
  await add('e', 'f');
  assert.equal(carried.length, 2);
  await clock.advance(10);
  await ended();
  for (let round = 0; round < 20; round++) {
    await add(`g${round}`, `h${round}`);
    await clock.advance(10);
    await ended();
  }
  await add('i');
  const before = carried.length;
  await add('j');
  assert.equal(carried.length, before);
  await add('k');
  assert.deepEqual(carried.at(-1), ['i', 'j', 'k']);
});

test('what waits for company goes at once where somebody needs it written', async () => {
  const { clock, batches, carried, end } = bed(() => 50);
  void batches.add('a');
  await clock.advance(0);
  assert.deepEqual(carried, []);
  batches.flushFor('b');
  assert.deepEqual(carried, []);
  batches.flushFor('a');
  assert.deepEqual(carried, [['a']]);
  end();
  await clock.advance(0);
  void batches.add('b');
  const drained = batches.drain();
  assert.deepEqual(carried, [['a'], ['b']]);
  end();
  await drained;
});
