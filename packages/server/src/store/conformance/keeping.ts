// Keeping: nothing is lost in a crash, and the figures are what counting would give.
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
  countRows,
  disable,
  enable,
  finishOne,
  leaseOf,
  newEvent,
  type OpenStore,
  onStore,
  publish,
  publishHeld,
  remove,
  startAt,
  stateOf,
} from './bed.ts';

const minute = 60_000;

/** The figures are what counting gives. */
async function assertCounted(store: Store, held: number): Promise<void> {
  const [figures, counted] = [await store.figures(), await countRows(store)];
  assert.deepEqual(
    { pending: figures.pending, waitingLanes: figures.waitingLanes, held: figures.held },
    { pending: counted.pending, waitingLanes: counted.lanes, held },
  );
}

export function describeKeeping(open: OpenStore): void {
  describe('a crash', () => {
    test(
      'what was held is due at once, what waits keeps its time, what was finished stays so',
      onStore(open, async (store, { reopen }) => {
        const team = await addTeam(store);
        const { tag } = await addWebhook(store, team);
        const [born, retried, delivered, claimed] = [
          await publishHeld(store, newEvent(team)),
          await publishHeld(store, newEvent(team)),
          await publishHeld(store, newEvent(team)),
          await publishHeld(store, newEvent(team)),
        ];
        await finishOne(store, attemptOf(retried, { kind: 'retry', at: startAt + 10 * minute }));
        await finishOne(store, attemptOf(delivered, { kind: 'delivered' }));
        await finishOne(store, attemptOf(claimed, { kind: 'retry', at: startAt }));
        assert.equal((await claimLane(store, tag, startAt)).length, 1);

        const next = await reopen(startAt + minute);
        await assertCounted(next, 0);
        const { claimed: again } = await claimOthers(next, startAt + minute);
        assert.deepEqual(
          new Map(again.map(({ key, attempts }) => [key, attempts])),
          new Map([
            [born.key, 0],
            [claimed.key, 1],
          ]),
        );
        assert.equal(await stateOf(next, delivered.key), 'delivered 1');
        const later = await claimOthers(next, startAt + 10 * minute);
        assert.deepEqual(
          later.claimed.map(({ key }) => key),
          [retried.key],
        );
      }),
    );

    test(
      'what was held of a removed webhook is canceled, of a disabled one waits and is due when it is enabled',
      onStore(open, async (store, { reopen }) => {
        const team = await addTeam(store);
        const [gone, asleep] = [await addWebhook(store, team), await addWebhook(store, team)];
        const event = newEvent(team);
        assert.equal((await publish(store, event)).filter(({ leased }) => leased).length, 2);
        await remove(store, gone, startAt);
        const disabled = await disable(store, asleep, startAt);
        const next = await reopen(startAt + minute);
        assert.equal(await stateOf(next, event.uid + gone.tag), 'canceled 0');
        assert.equal(await next.cancelRemoved(10), 1);
        assert.deepEqual((await claimOthers(next, startAt + minute)).claimed, []);
        await enable(next, disabled, startAt + 2 * minute);
        assert.equal((await claimOthers(next, startAt + 2 * minute)).claimed.length, 1);
      }),
    );

    test(
      'a redelivery that was held is tried again',
      onStore(open, async (store, { reopen }) => {
        const team = await addTeam(store);
        const { tag } = await addWebhook(store, team);
        const held = await publishHeld(store, newEvent(team));
        await finishOne(store, attemptOf(held, { kind: 'failed' }));
        await store.redeliver(held.key, startAt, auditStep(store, 'x'));
        assert.equal((await claimLane(store, tag, startAt)).length, 1);
        const next = await reopen(startAt + 1);
        const [extra] = await claimLane(next, tag, startAt + 1);
        assert.deepEqual([extra?.key, extra?.extra, extra?.attempts], [held.key, true, 1]);
        await finishOne(next, attemptOf(extra ?? held, { kind: 'delivered' }));
        assert.equal(await stateOf(next, held.key), 'delivered 2');
        assert.deepEqual(await claimLane(next, tag, startAt + minute), []);
      }),
    );

    test(
      'a second crash takes over what the first takeover had claimed',
      onStore(open, async (store, { reopen }) => {
        const team = await addTeam(store);
        const { tag } = await addWebhook(store, team);
        const { key } = await publishHeld(store, newEvent(team));
        for (let crash = 1; crash <= 3; crash++) {
          const next = await reopen(startAt + crash);
          const claimed = await claimLane(next, tag, startAt + crash);
          assert.deepEqual(
            claimed.map((one) => one.key),
            [key],
          );
        }
      }),
    );
  });

  describe('figures', () => {
    test(
      'they follow everything that makes or ends work',
      onStore(open, async (store, { reopen }) => {
        const team = await addTeam(store);
        const hook = await addWebhook(store, team);
        await assertCounted(store, 0);
        const held = [];
        for (let i = 0; i < 6; i++) held.push(await publishHeld(store, newEvent(team, { at: startAt + i })));
        const [a, b, c, d, e, f] = held;
        assert.ok(a && b && c && d && e && f);
        await assertCounted(store, 6);
        await finishOne(store, attemptOf(a, { kind: 'delivered' }));
        await finishOne(store, attemptOf(b, { kind: 'failed' }));
        await finishOne(store, attemptOf(c, { kind: 'retry', at: startAt + minute }));
        await store.release([leaseOf(d)], startAt);
        await assertCounted(store, 2);
        await store.redeliver(b.key, startAt, auditStep(store, 'x'));
        await assertCounted(store, 2);
        assert.equal((await claimLane(store, hook.tag, startAt)).length, 2);
        await assertCounted(store, 4);
        await remove(store, hook, startAt);
        await store.cancelRemoved(10);
        await assertCounted(store, 4);
        await finishOne(store, attemptOf(e, { kind: 'retry', at: startAt + minute }));
        await assertCounted(store, 3);
        assert.equal((await store.figures()).pending, 3);
        const next = await reopen(startAt + 10);
        await assertCounted(next, 0);
        assert.equal((await next.figures()).pending, 3);
      }),
    );

    test(
      'the oldest is the oldest pending delivery of all lanes; a redelivery of a finished one is none',
      onStore(open, async (store) => {
        const team = await addTeam(store);
        await addWebhook(store, team);
        assert.equal((await store.figures()).oldestKey, null);
        const [old, middle] = [
          await publishHeld(store, newEvent(team, { at: startAt - minute })),
          await publishHeld(store, newEvent(team)),
        ];
        const other = await addTeam(store);
        await addWebhook(store, other);
        const young = await publishHeld(store, newEvent(other, { at: startAt + 1 }));
        assert.equal((await store.figures()).oldestKey, old.key);
        await finishOne(store, attemptOf(old, { kind: 'failed' }));
        assert.equal((await store.figures()).oldestKey, middle.key);
        await store.redeliver(old.key, startAt, auditStep(store, 'x'));
        assert.equal((await store.figures()).oldestKey, middle.key);
        await finishOne(store, attemptOf(middle, { kind: 'delivered' }));
        assert.equal((await store.figures()).oldestKey, young.key);
      }),
    );

    test(
      'calls made at once share commits',
      onStore(open, async (store) => {
        const team = await addTeam(store);
        const before = await store.figures();
        await Promise.all(Array.from({ length: 400 }, () => store.accept({ events: [newEvent(team)] })));
        const after = await store.figures();
        assert.equal(after.commitRows - before.commitRows, 400);
        assert.ok(after.commits - before.commits < 40, `${after.commits - before.commits} commits`);
      }),
    );
  });
}
