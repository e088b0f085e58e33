// Claiming: what is due, how much of it each lane gets, what is held at birth and how much may be held at all.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Store } from '../store.ts';
import {
  addTeam,
  addWebhook,
  attemptOf,
  claimLane,
  claimOthers,
  disable,
  enable,
  finishOne,
  leaseOf,
  newEvent,
  type OpenStore,
  onStore,
  publish,
  publishHeld,
  sharedStore,
  startAt,
  storedOf,
  usualType,
} from './bed.ts';

const minute = 60_000;

/** Publishes `count` events of a team in as few commits as they need. */
async function publishMany(store: Store, teamId: string, count: number, type = usualType): Promise<void> {
  for (let done = 0; done < count; done += 1_000) {
    const size = Math.min(1_000, count - done);
    const events = Array.from({ length: size }, (_, i) => newEvent(teamId, { type, at: startAt + done + i }));
    await store.accept({ events });
  }
}

/** Publishes events one by one as `count` calls of one commit, and counts how many were held at birth. */
async function countLeased(
  store: Store,
  teamId: string,
  count: number,
  payload: unknown = {},
): Promise<number> {
  const outcomes = await Promise.all(
    Array.from({ length: count }, () => store.accept({ events: [newEvent(teamId, { payload })] })),
  );
  const births = outcomes
    .flatMap((outcome) => storedOf(outcome))
    .flatMap((one) => (one.kind === 'stored' ? one.births : []));
  return births.filter(({ leased }) => leased).length;
}

/** What the store is told of a lane is a hint: it holds from the next commit on. */
async function closeLane(store: Store, tag: string): Promise<void> {
  store.setLaneOpen(tag, false);
  await store.ping();
}

export function describeClaiming(open: OpenStore): void {
  describe('claims', () => {
    test(
      'a lane with 10,000 due gets no more than its share, and one with a single delivery is served beside it',
      onStore(
        open,
        async (store) => {
          const [big, small] = [await addTeam(store), await addTeam(store)];
          const crowd = await addWebhook(store, big);
          const lone = await addWebhook(store, small);
          await publishMany(store, big, 10_000);
          await publish(store, newEvent(small, { at: startAt + 20_000 }));
          const now = startAt + 30_000;
          const { claimed, looked, nextDueAt } = await claimOthers(store, now);
          assert.equal(claimed.filter(({ tag }) => tag === crowd.tag).length, 8);
          assert.equal(claimed.filter(({ tag }) => tag === lone.tag).length, 1);
          assert.deepEqual(
            new Map(looked.map(({ tag, more }) => [tag, more])),
            new Map([
              [crowd.tag, true],
              [lone.tag, false],
            ]),
          );
          // The lane is marked as being worked off: no more than a safety net, and later than now.
          assert.ok(nextDueAt !== null && nextDueAt > now && nextDueAt <= now + 10_000);
          assert.deepEqual((await claimOthers(store, now + 1)).claimed, []);
          const direct = await store.claim({
            now: now + 1,
            lanes: [{ tag: crowd.tag, count: 20, replayed: 0 }],
            others: { lanes: 0, each: 0 },
          });
          assert.equal(direct.claimed.length, 20);
          assert.deepEqual(direct.looked, [{ tag: crowd.tag, more: true, moreReplayed: false }]);
        },
        { delivers: false },
      ),
    );

    test(
      'no more lanes are looked at than asked for, those that wait longest first',
      onStore(
        open,
        async (store) => {
          const tags: string[] = [];
          for (let i = 0; i < 5; i++) {
            const team = await addTeam(store);
            tags.push((await addWebhook(store, team)).tag);
            await claimOthers(store, startAt + i);
            await publish(store, newEvent(team, { at: startAt + 10 + i }));
          }
          const first = await claimOthers(store, startAt + 100, 8, 2);
          assert.deepEqual(
            first.claimed.map(({ tag }) => tag),
            tags.slice(0, 2),
          );
          const rest = await claimOthers(store, startAt + 100, 8, 64);
          assert.deepEqual(
            rest.claimed.map(({ tag }) => tag),
            tags.slice(2),
          );
        },
        { delivers: false },
      ),
    );

    test(
      'a claim takes the oldest first, each once, with what its attempt needs',
      onStore(
        open,
        async (store) => {
          const team = await addTeam(store);
          const { tag } = await addWebhook(store, team);
          const events = [3, 1, 2].map((n) => newEvent(team, { at: startAt + n, payload: { n } }));
          await store.accept({ events });
          const claimed = await claimLane(store, tag, startAt + 5, 2);
          const [three, one, two] = events;
          assert.deepEqual(
            claimed.map(({ key }) => key),
            [one?.uid + tag, two?.uid + tag],
          );
          assert.deepEqual(
            { ...claimed[0], body: Buffer.from(claimed[0]?.body ?? []) },
            {
              key: one?.uid + tag,
              tag,
              version: 1,
              type: usualType,
              attempts: 0,
              createdAt: startAt + 1,
              extra: false,
              body: one?.body,
            },
          );
          assert.deepEqual(
            (await claimLane(store, tag, startAt + 5)).map(({ key }) => key),
            [three?.uid + tag],
          );
          assert.deepEqual(await claimLane(store, tag, startAt + 5), []);
        },
        { delivers: false },
      ),
    );

    test(
      'a retry is not claimed before its time, and the store tells when that is',
      onStore(open, async (store) => {
        const team = await addTeam(store);
        const { tag } = await addWebhook(store, team);
        const held = await publishHeld(store, newEvent(team));
        const at = startAt + 5 * minute;
        assert.deepEqual(await finishOne(store, attemptOf(held, { kind: 'retry', at })), {
          kind: 'written',
          dueAt: at,
        });
        assert.equal((await claimOthers(store, startAt)).nextDueAt, at);
        assert.deepEqual((await claimOthers(store, at - 1)).claimed, []);
        assert.deepEqual(await claimLane(store, tag, at - 1), []);
        const { claimed } = await claimOthers(store, at);
        assert.deepEqual(
          claimed.map(({ key, attempts }) => [key, attempts]),
          [[held.key, 1]],
        );
        assert.equal((await claimOthers(store, at + 1)).nextDueAt, null);
      }),
    );

    test(
      'a held lane is not looked at before its time, though asked for by name it is',
      onStore(open, async (store) => {
        const team = await addTeam(store);
        const { tag } = await addWebhook(store, team);
        const held = await publishHeld(store, newEvent(team));
        await store.release([leaseOf(held)], startAt);
        await store.holdLane(tag, startAt + minute);
        const looked = await claimOthers(store, startAt + 1);
        assert.deepEqual([looked.claimed.length, looked.nextDueAt], [0, startAt + minute]);
        assert.equal((await claimOthers(store, startAt + minute)).claimed.length, 1);
      }),
    );

    test(
      'a disabled webhook’s deliveries wait, and their time stands still',
      onStore(open, async (store) => {
        const team = await addTeam(store);
        let hook = await addWebhook(store, team);
        const retried = await publishHeld(store, newEvent(team));
        const released = await publishHeld(store, newEvent(team));
        await finishOne(store, attemptOf(retried, { kind: 'retry', at: startAt + 10 * minute }));
        // Four minutes of the wait are over when it is disabled for an hour.
        hook = await disable(store, hook, startAt + 4 * minute);
        await store.release([leaseOf(released)], startAt + 5 * minute);
        assert.deepEqual((await claimOthers(store, startAt + 30 * minute)).claimed, []);
        assert.deepEqual(await claimLane(store, hook.tag, startAt + 30 * minute), []);
        const enabledAt = startAt + 64 * minute;
        hook = await enable(store, hook, enabledAt);
        const keys = async (now: number) => (await claimOthers(store, now)).claimed.map(({ key }) => key);
        assert.deepEqual(await keys(enabledAt), [released.key]);
        const due = enabledAt + 6 * minute;
        assert.equal((await claimOthers(store, enabledAt)).nextDueAt, due);
        assert.deepEqual(await keys(due - 1), []);
        assert.deepEqual(await keys(due), [retried.key]);
      }),
    );

    test(
      'an attempt that ends while its webhook is disabled waits its whole time afterwards',
      onStore(open, async (store) => {
        const team = await addTeam(store);
        let hook = await addWebhook(store, team);
        const held = await publishHeld(store, newEvent(team));
        hook = await disable(store, hook, startAt);
        const endedAt = startAt + 20_000;
        await finishOne(store, attemptOf(held, { kind: 'retry', at: endedAt + minute }, endedAt));
        const enabledAt = startAt + 10 * minute;
        await enable(store, hook, enabledAt);
        assert.deepEqual((await claimOthers(store, enabledAt + minute - 1)).claimed, []);
        assert.equal((await claimOthers(store, enabledAt + minute)).claimed.length, 1);
      }),
    );

    test(
      'a sweep finds lanes whose marker was lost, and moves none that is due earlier',
      onStore(open, async (store) => {
        const team = await addTeam(store);
        const hooks = [await addWebhook(store, team), await addWebhook(store, team, { ordering: 'all' })];
        const event = newEvent(team);
        await publish(store, event);
        const [plain] = hooks;
        assert.ok(plain !== undefined);
        const held = {
          key: event.uid + plain.tag,
          tag: plain.tag,
          attempts: 0,
          extra: false,
          body: event.body,
        };
        await finishOne(store, attemptOf(held, { kind: 'retry', at: startAt + minute }));
        for (const { tag } of hooks) await store.holdLane(tag, startAt + 1_000 * minute);
        await store.sweep(startAt + 1);
        const first = await claimOthers(store, startAt + 1);
        assert.deepEqual(
          first.claimed.map(({ tag }) => tag),
          [hooks[1]?.tag],
        );
        assert.equal(first.nextDueAt, startAt + minute);
        assert.equal((await claimOthers(store, startAt + minute)).claimed.length, 1);
      }),
    );
  });

  describe('held at birth', () => {
    const shared = sharedStore(open);
    test(
      'a lane is given at most 4,096; the rest is claimed as it gets room',
      onStore(open, async (store) => {
        const team = await addTeam(store);
        const { tag } = await addWebhook(store, team);
        const first = await publishHeld(store, newEvent(team));
        // A store may judge some dozens of events together.
        const leased = await countLeased(store, team, 4_200);
        assert.ok(leased > 4_000 && leased <= 4_095, `${leased}`);
        assert.equal((await store.figures()).held, 1 + leased);
        assert.equal((await claimLane(store, tag, startAt, 4_095 - leased)).length, 4_095 - leased);
        const full = await store.claim({
          now: startAt,
          lanes: [{ tag, count: 10, replayed: 0 }],
          others: { lanes: 0, each: 0 },
        });
        assert.deepEqual([full.claimed.length, full.looked], [0, [{ tag, more: true, moreReplayed: false }]]);
        await finishOne(store, attemptOf(first, { kind: 'delivered' }));
        assert.equal((await claimLane(store, tag, startAt)).length, 1);
      }),
    );

    test(
      'what goes back with a time before all others comes first, to who asks for its lane and to who does not',
      shared(async (store) => {
        const team = await addTeam(store);
        const { tag } = await addWebhook(store, team);
        const held = [];
        for (let i = 0; i < 3; i++) held.push(await publishHeld(store, newEvent(team)));
        const [first, second] = held;
        assert.ok(first !== undefined && second !== undefined);
        await store.release(held.map(leaseOf), startAt + 10);
        assert.equal((await claimLane(store, tag, startAt + minute, 2)).length, 2);
        await store.release([leaseOf(first)], startAt - minute);
        assert.equal((await claimLane(store, tag, startAt + minute, 1))[0]?.key, first.key);
        await finishOne(store, attemptOf(second, { kind: 'retry', at: startAt - 2 * minute }));
        assert.equal((await claimLane(store, tag, startAt + minute, 1))[0]?.key, second.key);
        await store.release([leaseOf(first)], startAt - 3 * minute);
        const { claimed } = await claimOthers(store, startAt + minute, 1);
        assert.equal(claimed.find((one) => one.tag === tag)?.key, first.key);
      }),
    );

    test(
      'what is born behind a backlog queues behind it, until a claim has emptied it',
      shared(async (store) => {
        const team = await addTeam(store);
        const { tag } = await addWebhook(store, team);
        const held = await publishHeld(store, newEvent(team));
        await store.release([leaseOf(held)], startAt);
        assert.equal(await countLeased(store, team, 1), 0);
        assert.equal((await claimLane(store, tag, startAt, 1)).length, 1);
        assert.equal(await countLeased(store, team, 1), 0);
        assert.equal((await claimLane(store, tag, startAt, 10)).length, 2);
        assert.equal(await countLeased(store, team, 1), 1);
      }),
    );

    test(
      'a waiting retry is no backlog',
      shared(async (store) => {
        const team = await addTeam(store);
        await addWebhook(store, team);
        const held = await publishHeld(store, newEvent(team));
        await finishOne(store, attemptOf(held, { kind: 'retry', at: startAt + minute }));
        assert.equal(await countLeased(store, team, 1), 1);
      }),
    );

    test(
      'a closed lane is given nothing, keeps its marker, and is given again when it opens',
      onStore(open, async (store) => {
        const team = await addTeam(store);
        const { tag } = await addWebhook(store, team);
        await closeLane(store, tag);
        await store.holdLane(tag, startAt + minute);
        assert.equal(await countLeased(store, team, 2), 0);
        const waiting = await claimOthers(store, startAt);
        assert.deepEqual([waiting.claimed.length, waiting.nextDueAt], [0, startAt + minute]);
        store.setLaneOpen(tag, true);
        assert.equal((await claimLane(store, tag, startAt)).length, 2);
        assert.equal(await countLeased(store, team, 1), 1);
      }),
    );

    test(
      'a process that does not send holds nothing',
      onStore(
        open,
        async (store) => {
          const team = await addTeam(store);
          await addWebhook(store, team);
          assert.equal(await countLeased(store, team, 3), 0);
          assert.equal((await store.figures()).held, 0);
          assert.equal((await claimOthers(store, startAt)).claimed.length, 3);
        },
        { delivers: false },
      ),
    );

    test(
      'however many lanes take all they may, the next one has room',
      onStore(open, async (store) => {
        const crowded = await addTeam(store);
        for (let i = 0; i < 60; i++) await addWebhook(store, crowded);
        const leased = await countLeased(store, crowded, 1_600);
        // More lanes would hold more, but never all that a process holds.
        assert.ok(leased > 32_768 && leased < 65_536, `${leased}`);
        const team = await addTeam(store);
        const { tag } = await addWebhook(store, team);
        assert.equal(await countLeased(store, team, 3), 3);
        // And so it has when it comes by way of a claim.
        await closeLane(store, tag);
        await countLeased(store, team, 3);
        assert.equal((await claimLane(store, tag, startAt)).length, 3);
      }),
    );

    test(
      'large bodies count: one lane’s leave room for another’s, and a claim stops at the bound too',
      onStore(open, async (store) => {
        const [heavy, light] = [await addTeam(store), await addTeam(store)];
        const { tag } = await addWebhook(store, heavy);
        const { tag: other } = await addWebhook(store, light);
        const payload = { text: 'x'.repeat(1_000_000) };
        const leased = await countLeased(store, heavy, 40, payload);
        assert.ok(leased > 0 && leased < 20, `${leased}`);
        assert.deepEqual(await claimLane(store, tag, startAt, 40), []);
        assert.equal(await countLeased(store, light, 2), 2);
        await closeLane(store, other);
        await countLeased(store, light, 40, payload);
        const claimed = await claimLane(store, other, startAt, 40);
        assert.ok(claimed.length > 0 && claimed.length < 20, `${claimed.length}`);
      }),
    );
  });
}
