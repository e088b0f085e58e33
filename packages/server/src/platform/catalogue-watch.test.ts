import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock, settle } from '../../test/support/fake-clock.ts';
import { StoreUnavailable } from '../store/errors.ts';
import type { News, Store } from '../store/store.ts';
import { watchCatalogue } from './catalogue-watch.ts';

/** A catalogue and a store of which only what the watch asks of them is there: what they do is tested with real ones. */
function setUp() {
  const clock = new FakeClock();
  const faults: unknown[] = [];
  /** When the store was asked, ms since the start, and how each look ends. */
  const looks: { atMs: number; end(error?: Error): void }[] = [];
  const startMs = clock.monotonic();
  let tell: (news: News) => void = () => {};
  let look: () => Promise<void> = () => Promise.reject(new Error('nobody watches'));
  const store = {
    onNews(hear: (news: News) => void) {
      tell = hear;
    },
  } as unknown as Store;
  const catalogue = {
    load: () =>
      new Promise<void>((resolve, reject) => {
        looks.push({
          atMs: clock.monotonic() - startMs,
          end: (error) => (error === undefined ? resolve() : reject(error)),
        });
      }),
    lookBy(by: () => Promise<void>) {
      look = by;
    },
  };
  const stop = watchCatalogue({ store, clock, catalogue }, (error) => faults.push(error));
  return {
    clock,
    faults,
    looks,
    stop,
    tell: (news: News) => tell(news),
    /** Asks as a call does that names an unknown type; answers how it went. */
    ask() {
      const answer = { kind: 'waiting' };
      look().then(
        () => Object.assign(answer, { kind: 'looked' }),
        (error: Error) => Object.assign(answer, { kind: error.name }),
      );
      return answer;
    },
  };
}

test('a call that names an unknown type has the store asked at once', async () => {
  const { ask, looks } = setUp();
  const call = ask();
  await settle();
  assert.deepEqual([looks.map(({ atMs }) => atMs), call.kind], [[0], 'waiting']);
  looks[0]?.end();
  await settle();
  assert.equal(call.kind, 'looked');
});

test('a flood of such calls is ten looks a second, each begun after those who wait for it had asked', async () => {
  const { ask, clock, looks } = setUp();
  const calls: { atMs: number; call: { kind: string } }[] = [];
  for (let atMs = 0; atMs < 2_000; atMs += 10) {
    for (let n = 0; n < 5; n++) calls.push({ atMs, call: ask() });
    await clock.advance(10);
    const open = looks.at(-1);
    open?.end();
    await settle();
    for (const made of calls) {
      if (made.call.kind === 'looked') assert.ok(made.atMs <= (open?.atMs ?? -1), `${made.atMs} ms`);
    }
  }
  await clock.advance(1_000);
  looks.at(-1)?.end();
  await settle();
  assert.deepEqual([...new Set(calls.map(({ call }) => call.kind))], ['looked']);
  assert.ok(looks.length >= 20 && looks.length <= 30, `${looks.length} looks for ${calls.length} calls`);
});

test('one look at a time: while the store is slow nobody else asks it, and nobody waits longer than 1.5 s', async () => {
  const { ask, clock, looks } = setUp();
  const first = ask();
  await clock.advance(1_000);
  const second = ask();
  await clock.advance(499);
  assert.deepEqual([looks.length, first.kind, second.kind], [1, 'waiting', 'waiting']);
  await clock.advance(1);
  assert.deepEqual([looks.length, first.kind, second.kind], [1, 'StoreUnavailable', 'waiting']);
  looks[0]?.end(new StoreUnavailable('away'));
  await settle();
  assert.equal(looks.length, 2);
  looks[1]?.end();
  await settle();
  assert.equal(second.kind, 'looked');
});

test('what the store tells is looked for at once, and every three seconds without it; also after a failure', async () => {
  const { clock, faults, looks, stop, tell } = setUp();
  tell('event types');
  await settle();
  looks[0]?.end();
  await clock.advance(3_000);
  looks[1]?.end(new StoreUnavailable('away'));
  await clock.advance(3_000);
  looks[2]?.end(new Error('odd'));
  await clock.advance(3_000);
  looks[3]?.end();
  await settle();
  assert.deepEqual(
    looks.map(({ atMs }) => atMs),
    [0, 3_000, 6_000, 9_000],
  );
  assert.deepEqual(faults.map(String), ['Error: odd']);
  await stop();
  tell('event types');
  await clock.advance(60_000);
  assert.deepEqual([looks.length, clock.timers], [4, 0]);
});
