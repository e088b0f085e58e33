// Pruning: history leaves oldest first and whole, what is unfinished stays, and ids that left are free again.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { findEvents, listAttempts, listEvents } from '../control/history.ts';
import type { Store } from '../store.ts';
import {
  addTeam,
  addWebhook,
  attemptOf,
  auditStep,
  claimLane,
  finishOne,
  newEvent,
  type OpenStore,
  onStore,
  publishHeld,
  startAt,
  stateOf,
  storedOf,
} from './bed.ts';

const day = 86_400_000;

/** Prunes what is older than `before`, round by round; answers how many rounds that took. */
async function pruneAll(store: Store, before: number, limit = 10): Promise<number> {
  let rounds = 1;
  while ((await store.prune(before, limit)) > 0) rounds += 1;
  return rounds;
}

const eventsOf = async (store: Store, teamId: string): Promise<string[]> => {
  const filter = {
    teamId,
    type: null,
    projectId: null,
    since: null,
    until: null,
    before: null,
    limit: 1_000,
  };
  return (await listEvents(store, filter)).rows.map(({ id }) => id);
};

export function describePruning(open: OpenStore): void {
  describe('pruning', () => {
    test(
      'takes what is old and finished, with its attempts, and leaves what is unfinished or young',
      onStore(open, async (store) => {
        const team = await addTeam(store);
        const { tag } = await addWebhook(store, team);
        const [done, failed, retried, held, asked] = [
          await publishHeld(store, newEvent(team, { id: 'done' })),
          await publishHeld(store, newEvent(team, { id: 'failed' })),
          await publishHeld(store, newEvent(team, { id: 'retried' })),
          await publishHeld(store, newEvent(team, { id: 'held' })),
          await publishHeld(store, newEvent(team, { id: 'asked' })),
        ];
        await finishOne(store, attemptOf(done, { kind: 'delivered' }));
        await finishOne(store, attemptOf(failed, { kind: 'failed' }));
        await finishOne(store, attemptOf(retried, { kind: 'retry', at: startAt + day }));
        await finishOne(store, attemptOf(asked, { kind: 'failed' }));
        await store.redeliver(asked.key, startAt, auditStep(store, 'x'));
        await store.accept({ events: [newEvent(team, { id: 'young', at: startAt + 2 * day })] });
        await pruneAll(store, startAt + day);
        assert.deepEqual(
          new Set(await eventsOf(store, team)),
          new Set(['retried', 'held', 'asked', 'young']),
        );
        assert.deepEqual(
          [await stateOf(store, done.key), await stateOf(store, failed.key), await stateOf(store, held.key)],
          ['missing', 'missing', 'pending 0'],
        );
        assert.deepEqual(await listAttempts(store, done.key), []);
        assert.equal((await listAttempts(store, retried.key)).length, 1);
        // What was kept leaves when it is finished.
        await finishOne(store, attemptOf(held, { kind: 'delivered' }));
        const due = await claimLane(store, tag, startAt + day);
        for (const one of due) await finishOne(store, attemptOf(one, { kind: 'delivered' }));
        await pruneAll(store, startAt + day);
        assert.deepEqual(await eventsOf(store, team), ['young']);
      }),
    );

    test(
      'a publisher’s id is known as long as its event is kept, and new afterwards',
      onStore(open, async (store) => {
        const team = await addTeam(store);
        const again = () => store.accept({ events: [newEvent(team, { id: 'mine', at: startAt })] });
        await again();
        await pruneAll(store, startAt);
        assert.equal(storedOf(await again())[0]?.kind, 'known');
        await pruneAll(store, startAt + 1);
        assert.deepEqual(await findEvents(store, 'mine', team), []);
        assert.equal(storedOf(await again())[0]?.kind, 'stored');
      }),
    );

    test(
      'no more than asked for at once, and what is kept at the front is no bar',
      onStore(open, async (store) => {
        const team = await addTeam(store);
        await addWebhook(store, team);
        for (let i = 0; i < 12; i++) await publishHeld(store, newEvent(team, { at: startAt + i }));
        const other = await addTeam(store);
        const events = Array.from({ length: 25 }, (_, i) => newEvent(other, { at: startAt + 100 + i }));
        await store.accept({ events });
        assert.equal(await store.prune(startAt + day, 10), 10);
        assert.equal((await eventsOf(store, other)).length, 25);
        assert.ok((await pruneAll(store, startAt + day)) >= 3);
        assert.deepEqual(
          [(await eventsOf(store, team)).length, (await eventsOf(store, other)).length],
          [12, 0],
        );
      }),
    );
  });
}
