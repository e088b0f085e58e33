import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { LongList } from './long-list.ts';

interface Row {
  id: number;
  state?: string;
}

/** A list of `total` rows in pages of `size`; a page whose number is in `empty` has none. */
function makeList(total: number, size: number, empty: (page: number) => boolean = () => false) {
  const reads: (string | null)[] = [];
  let aborted = 0;
  const list = new LongList<Row>('list', async (cursor, signal) => {
    reads.push(cursor);
    signal.addEventListener('abort', () => {
      aborted += 1;
    });
    await turn();
    const page = Number(cursor ?? 0);
    const items = empty(page)
      ? []
      : Array.from({ length: Math.min(size, total - page * size) }, (_, at) => ({ id: page * size + at }));
    return { items, next: (page + 1) * size < total ? String(page + 1) : null };
  });
  let changes = 0;
  const stop = list.subscribe(() => {
    changes += 1;
  });
  const settle = async () => {
    for (let i = 0; i < 100; i++) await turn();
  };
  return { list, reads, stop, settle, aborted: () => aborted, changes: () => changes };
}

test('it reads a little ahead of what is looked at, and no more', async () => {
  const { list, reads, settle } = makeList(10_000, 50);
  await settle();
  assert.deepEqual(reads, [null, '1', '2']);
  assert.equal(list.count, 150);
  assert.equal(list.at(149)?.id, 149);
  assert.equal(list.isComplete, false);
});

test('far down only what is around is in memory, and what is above is read again when it is looked at', async () => {
  const { list, reads, settle } = makeList(10_000, 50);
  await settle();
  while (!list.isComplete) {
    list.look(list.count - 20, list.count);
    await settle();
  }
  list.look(9_980, 10_000);
  await settle();
  assert.equal(list.count, 10_000);
  const inMemory = Array.from({ length: 10_000 }, (_, at) => list.at(at)).filter((row) => row !== undefined);
  assert.ok(inMemory.length <= 200, `${inMemory.length} rows`);
  assert.equal(list.at(9_999)?.id, 9_999);
  assert.equal(list.at(0), undefined);
  const before = reads.length;
  list.look(0, 20);
  await settle();
  assert.equal(list.at(0)?.id, 0);
  assert.ok(reads.length - before <= 3);
  assert.equal(list.count, 10_000);
});

test('a page that nobody looks at any more is not waited for', async () => {
  const { list, settle, aborted } = makeList(10_000, 50);
  await settle();
  list.look(100, 140);
  list.look(0, 20);
  await settle();
  assert.equal(aborted(), 1);
});

test('many pages without a row make it pause, and it goes on when it is told to', async () => {
  const { list, reads, settle } = makeList(100_000, 50, (page) => page !== 0 && page < 60);
  await settle();
  assert.ok(list.isPaused);
  const paused = reads.length;
  assert.ok(paused < 30, `${paused} reads`);
  list.goOn();
  await settle();
  assert.ok(list.isPaused);
  list.goOn();
  list.goOn();
  await settle();
  assert.ok(!list.isPaused);
  assert.equal(list.at(50)?.id, 60 * 50);
});

test('what fails is told and tried again when asked to; what was read stays', async () => {
  let fails = true;
  const list = new LongList<Row>('list', async (cursor) => {
    await turn();
    if (cursor !== null && fails) throw new Error('away');
    return { items: [{ id: Number(cursor ?? 0) }], next: cursor === null ? '1' : null };
  });
  list.subscribe(() => {});
  for (let i = 0; i < 10; i++) await turn();
  assert.match(String(list.error), /away/);
  assert.equal(list.count, 1);
  fails = false;
  list.retry();
  for (let i = 0; i < 10; i++) await turn();
  assert.equal(list.error, null);
  assert.equal(list.count, 2);
  assert.ok(list.isComplete);
});

test('a newer form of a row takes its place; one that is not in memory is not there', async () => {
  const { list, settle, changes } = makeList(100, 50);
  await settle();
  const before = changes();
  assert.equal(
    list.replace({ id: 7, state: 'new' }, ({ id }) => id === 7),
    true,
  );
  assert.equal(list.at(7)?.state, 'new');
  assert.equal(changes(), before + 1);
  assert.equal(
    list.replace({ id: 700 }, ({ id }) => id === 700),
    false,
  );
});

test('it begins anew at the newest; without a listener it reads nothing', async () => {
  const { list, reads, stop, settle } = makeList(1_000, 50);
  await settle();
  list.look(100, 140);
  await settle();
  list.restart();
  assert.equal(list.count, 0);
  await settle();
  assert.equal(list.count, 150);
  stop();
  const before = reads.length;
  list.look(500, 540);
  await settle();
  assert.equal(reads.length, before);
});
