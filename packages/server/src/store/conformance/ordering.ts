// Ordered lanes: only the oldest unfinished delivery of a key may be held, and the next follows when it is finished.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Store } from '../store.ts';
import {
  addTeam,
  addWebhook,
  attemptOf,
  auditStep,
  claimLane,
  claimOthers,
  finishOne,
  type Held,
  leaseOf,
  newEvent,
  type OpenStore,
  onStore,
  publish,
  remove,
  sharedStore,
  startAt,
  stateOf,
} from './bed.ts';

const minute = 60_000;

/** A webhook with an order and the keys of one delivery per project named, in that order. */
async function scene(store: Store, ordering: 'project' | 'all', projects: (string | null)[]) {
  const team = await addTeam(store);
  const hook = await addWebhook(store, team, { ordering });
  const keys: string[] = [];
  for (const projectId of projects) {
    const event = newEvent(team, { projectId });
    const births = await publish(store, event);
    assert.deepEqual(
      births,
      [{ tag: hook.tag, version: 1, leased: false }],
      'an ordered lane is never leased at birth',
    );
    keys.push(event.uid + hook.tag);
  }
  const claim = async (now = startAt, count = 10): Promise<Held[]> => claimLane(store, hook.tag, now, count);
  return { team, hook, keys, claim };
}

const keysOf = (held: Held[]) => held.map(({ key }) => key).toSorted();
const first = (held: Held[]): Held => {
  assert.ok(held[0] !== undefined, 'nothing was claimed');
  return held[0];
};

export function describeOrdering(open: OpenStore): void {
  describe('order', () => {
    const shared = sharedStore(open);
    test(
      'all: one at a time, the next when the one before is finished, whichever way',
      onStore(open, async (store) => {
        const { hook, keys, claim } = await scene(store, 'all', ['a', 'b', null, 'a']);
        for (const [at, kind] of (['delivered', 'failed', 'delivered'] as const).entries()) {
          const held = await claim();
          assert.deepEqual(keysOf(held), [keys[at]]);
          assert.deepEqual(await claim(), [], 'the next waits while the first is held');
          const endedAt = startAt + at;
          const finished = await finishOne(store, attemptOf(first(held), { kind }, endedAt));
          assert.deepEqual(finished, { kind: 'written', dueAt: endedAt });
          assert.ok(((await claimOthers(store, startAt - minute)).nextDueAt ?? Number.NaN) <= endedAt);
        }
        const last = await claim();
        assert.deepEqual(keysOf(last), [keys[3]]);
        assert.deepEqual(await finishOne(store, attemptOf(first(last), { kind: 'delivered' })), {
          kind: 'written',
          dueAt: null,
        });
        assert.equal((await claimOthers(store, startAt)).nextDueAt, null);
        assert.equal(await stateOf(store, `${keys[3]}`), 'delivered 1');
        assert.equal(hook.ordering, 'all');
      }),
    );

    test(
      'all: a retry holds up everything behind it until its time',
      onStore(open, async (store) => {
        const { keys, claim } = await scene(store, 'all', [null, null]);
        const at = startAt + minute;
        assert.deepEqual(await finishOne(store, attemptOf(first(await claim()), { kind: 'retry', at })), {
          kind: 'written',
          dueAt: at,
        });
        assert.deepEqual(await claim(at - 1), []);
        assert.equal((await claimOthers(store, startAt)).nextDueAt, at);
        const again = await claim(at);
        assert.deepEqual(keysOf(again), [keys[0]]);
        await finishOne(store, attemptOf(first(again), { kind: 'delivered' }, at));
        assert.deepEqual(keysOf(await claim(at)), [keys[1]]);
      }),
    );

    test(
      'project: the heads of all projects at once, and a retry blocks its own project only',
      shared(async (store) => {
        const { keys, claim } = await scene(store, 'project', ['a', 'a', 'b', null, 'b', null]);
        const held = await claim();
        assert.deepEqual(keysOf(held), [keys[0], keys[2], keys[3]].toSorted());
        assert.deepEqual(await claim(), []);
        const of = (key: string | undefined) => first(held.filter((one) => one.key === key));
        const at = startAt + minute;
        await finishOne(store, attemptOf(of(keys[0]), { kind: 'retry', at }));
        await finishOne(store, attemptOf(of(keys[2]), { kind: 'delivered' }));
        assert.deepEqual(keysOf(await claim()), [keys[4]]);
        await finishOne(store, attemptOf(of(keys[3]), { kind: 'failed' }));
        assert.deepEqual(keysOf(await claim()), [keys[5]]);
        assert.deepEqual(keysOf(await claim(at)), [keys[0]]);
      }),
    );

    test(
      'a head that is given back comes again before the next',
      shared(async (store) => {
        const { keys, claim } = await scene(store, 'all', [null, null]);
        await store.release([leaseOf(first(await claim()))], startAt + 5);
        assert.deepEqual(await claim(startAt + 4), []);
        assert.deepEqual(keysOf(await claim(startAt + 5)), [keys[0]]);
      }),
    );

    test(
      'no more heads are taken than asked for, and the lane says that there are more',
      shared(async (store) => {
        const { hook, keys } = await scene(store, 'project', ['a', 'b', 'c']);
        const claim = (count: number) =>
          store.claim({
            now: startAt,
            lanes: [{ tag: hook.tag, count, replayed: 0 }],
            others: { lanes: 0, each: 0 },
          });
        const two = await claim(2);
        assert.deepEqual([keysOf(two.claimed), two.looked[0]?.more], [keys.slice(0, 2).toSorted(), true]);
        const one = await claim(2);
        assert.deepEqual([keysOf(one.claimed), one.looked[0]?.more], [keys.slice(2), false]);
      }),
    );

    test(
      'a redelivery brings a waiting head forward, but nothing past its head',
      shared(async (store) => {
        const { keys, claim } = await scene(store, 'all', [null, null]);
        await finishOne(store, attemptOf(first(await claim()), { kind: 'retry', at: startAt + minute }));
        await store.redeliver(`${keys[1]}`, startAt, auditStep(store, 'x'));
        assert.deepEqual(await claim(), []);
        await store.redeliver(`${keys[0]}`, startAt, auditStep(store, 'x'));
        assert.deepEqual(keysOf(await claim()), [keys[0]]);
      }),
    );

    test(
      'the order outlives a crash: what was held is the head again',
      onStore(open, async (store, { reopen }) => {
        const { hook, keys, claim } = await scene(store, 'all', [null, null]);
        await claim();
        const next = await reopen(startAt + 7);
        const { claimed } = await claimOthers(next, startAt + 7);
        assert.deepEqual(keysOf(claimed), [keys[0]]);
        await finishOne(next, attemptOf(first(claimed), { kind: 'delivered' }));
        assert.deepEqual(keysOf(await claimLane(next, hook.tag, startAt + 7)), [keys[1]]);
      }),
    );

    test(
      'a removed webhook’s ordered deliveries are canceled too',
      shared(async (store) => {
        const { hook, keys } = await scene(store, 'all', [null, null]);
        await remove(store, hook, startAt);
        assert.equal(await store.cancelRemoved(10), 2);
        for (const key of keys) assert.equal(await stateOf(store, key), 'canceled 0');
      }),
    );
  });
}
