// The live feed on a real SQLite file, with a clock that runs twenty times as fast.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type Clock, sleep, systemClock } from '../src/clock.ts';
import { type Listening, LiveFeed } from '../src/platform/feed.ts';
import { addTeam, addWebhook, newEvent, publish, startAt } from '../src/store/conformance/bed.ts';
import { openSqliteStore } from '../src/store/sqlite/client.ts';
import type { Store } from '../src/store/store.ts';

const fast: Clock = { ...systemClock, after: (ms, run) => systemClock.after(ms / 20, run) };

let folder = '';
let store: Store;
let reads = 0;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'posthorn-feed-'));
  const opened = await openSqliteStore({ path: join(folder, 'feed.db'), now: startAt, delivers: true });
  store = Object.assign(Object.create(opened) as Store, {
    queries: opened.queries,
    readFeed(request: Parameters<Store['readFeed']>[0]) {
      reads += 1;
      return opened.readFeed(request);
    },
    feedPosition: () => opened.feedPosition(),
    read: opened.read.bind(opened),
    accept: opened.accept.bind(opened),
    change: opened.change.bind(opened),
    close: opened.close.bind(opened),
  });
});
after(async () => {
  await store.close();
  rmSync(folder, { recursive: true });
});

/** Resolves when the feed has looked at the store again, twice: what was there before has been told. */
async function looked(): Promise<void> {
  const enough = reads + 2;
  while (reads < enough) await sleep(systemClock, 2);
}

/** Takes batches until `count` events have come. */
async function take(listening: Listening, count: number): Promise<string[]> {
  const ids: string[] = [];
  while (ids.length < count) {
    const batch = await listening.next();
    if (batch === null) break;
    ids.push(...batch.items.flatMap((item) => (item.kind === 'event' ? [item.event.id] : [])));
  }
  return ids;
}

test('one who takes nothing is taken off and waited for by nobody; it gets everything once when it takes again', async () => {
  const feed = new LiveFeed(store, fast);
  const team = await addTeam(store);
  await addWebhook(store, team);
  const [slow, quick] = [await feed.listen(team, null), await feed.listen(team, null)];
  const first = newEvent(team);
  await publish(store, first);
  assert.deepEqual([await take(slow, 1), await take(quick, 1)], [[first.id], [first.id]]);
  const ids: string[] = [];
  for (let i = 0; i < 12; i++) {
    const event = newEvent(team);
    ids.push(event.id);
    await publish(store, event);
    assert.deepEqual(await take(quick, 1), [event.id]);
  }
  const batches: number[] = [];
  const came: string[] = [];
  while (came.length < ids.length) {
    const batch = await slow.next();
    assert.ok(batch !== null);
    batches.push(batch.items.length);
    came.push(...batch.items.flatMap((item) => (item.kind === 'event' ? [item.event.id] : [])));
  }
  assert.deepEqual(came, ids);
  assert.ok(batches.length < 6, `caught up by itself and not from ${batches.length} batches in memory`);
  const last = newEvent(team);
  await publish(store, last);
  assert.deepEqual([await take(slow, 1), await take(quick, 1)], [[last.id], [last.id]]);
  feed.close();
  assert.equal(await slow.next(), null);
});

test('each listener gets its own team’s, and a place that goes on although nothing came', async () => {
  const feed = new LiveFeed(store, fast);
  const [team, other] = [await addTeam(store), await addTeam(store)];
  const listeners = await Promise.all([team, other].map((id) => feed.listen(id, null)));
  const [own, foreign] = listeners as [Listening, Listening];
  const pending = foreign.next();
  const mine = newEvent(team);
  const taking = take(own, 1);
  await publish(store, mine);
  assert.deepEqual(await taking, [mine.id]);
  await looked();
  const from = foreign.position();
  const late = await feed.listen(team, from);
  const theirs = newEvent(other);
  await publish(store, theirs);
  const batch = await pending;
  assert.deepEqual(
    batch?.items.map((item) => item.kind === 'event' && item.event.id),
    [theirs.id],
  );
  const next = newEvent(team);
  await publish(store, next);
  assert.deepEqual(await take(late, 1), [next.id], 'from the place of one who was told nothing');
  feed.close();
});

test('while nobody listens the store is not asked', async () => {
  const feed = new LiveFeed(store, fast);
  const team = await addTeam(store);
  const listening = await feed.listen(team, null);
  const taking = listening.next();
  await looked();
  listening.end();
  assert.equal(await taking, null);
  await sleep(systemClock, 50);
  const asked = reads;
  await publish(store, newEvent(team));
  await sleep(systemClock, 100);
  assert.equal(reads, asked);
  feed.close();
});
