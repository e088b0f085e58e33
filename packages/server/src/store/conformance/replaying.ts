// Replaying: what a query is about is made again, each once and nothing left out, in steps that survive a crash, and
// beside live deliveries, which never wait for it.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ReplayState } from '../../core/replay.ts';
import { newReplayId } from '../../id.ts';
import { findDelivery, listAttempts } from '../control/history.ts';
import {
  countReplayed,
  findReplay,
  findSeqFrom,
  insertReplay,
  listReplays,
  stopReplays,
} from '../control/replays.ts';
import type { WebhookRow } from '../control/webhooks.ts';
import type { Claimed, NewEvent, ReplayQuery, ReplayStep, RunningReplay, Store } from '../store.ts';
import {
  addProject,
  addTeam,
  addWebhook,
  attemptOf,
  auditStep,
  change,
  claimLane,
  claimOthers,
  disable,
  enable,
  finishOne,
  type Held,
  leaseOf,
  newEvent,
  type OpenStore,
  onStore,
  publish,
  publishHeld,
  remove,
  sharedStore,
  startAt,
  stateOf,
} from './bed.ts';

const minute = 60_000;
/** When replays begin: after everything that they are about. */
const now = startAt + 60 * minute;

interface Asked extends Partial<Omit<ReplayQuery, 'tag' | 'teamId'>> {
  rate?: number | null;
}

/** Counts what is asked for, and begins to make it; answers the replay's id and how much it is. */
async function begin(store: Store, hook: WebhookRow, asked: Asked = {}) {
  const { since = startAt, until = now, types = null, states = ['failed'], createdAt = now } = asked;
  const seqFrom = await findSeqFrom(store, since);
  const query = { tag: hook.tag, teamId: hook.team_id, since, until, seqFrom, types, states, createdAt };
  const counted = await countReplayed(store, query);
  const id = newReplayId(createdAt);
  const row = {
    id,
    team_id: hook.team_id,
    tag: hook.tag,
    state: 'running' as const,
    since,
    until,
    seq_from: seqFrom,
    types: types === null ? null : JSON.stringify(types),
    states: JSON.stringify(states),
    rate: asked.rate ?? null,
    matched: counted.matched,
    made: 0,
    walking: states[0] as ReplayState,
    after: '',
    created_at: createdAt,
  };
  await change(store, { steps: [insertReplay(store, row)] });
  return { id, ...counted };
}

const step = (store: Store, replay: RunningReplay, most = 100, at = now, keptSince = 0) =>
  store.makeReplayed({ replay, most, now: at, keptSince });

async function runningOne(store: Store, id: string): Promise<RunningReplay> {
  const found = (await store.runningReplays()).find((replay) => replay.id === id);
  assert.ok(found !== undefined, 'the replay runs');
  return found;
}

function madeOf(made: ReplayStep): ReplayStep & { kind: 'made' } {
  assert.ok(made.kind === 'made', 'something came between');
  return made;
}

/** Makes all that is left of a replay, `most` at a time. */
async function makeAll(store: Store, id: string, most = 100, at = now, keptSince = 0): Promise<Claimed[]> {
  const claimed: Claimed[] = [];
  for (let replay: RunningReplay | null = await runningOne(store, id); replay !== null; ) {
    const made: ReplayStep & { kind: 'made' } = madeOf(await step(store, replay, most, at, keptSince));
    assert.ok(made.claimed.length <= most, `${made.claimed.length} of ${most}`);
    claimed.push(...made.claimed);
    replay = made.next;
  }
  return claimed;
}

const progress = async (store: Store, id: string): Promise<string> => {
  const row = await findReplay(store, id, null);
  return row === null ? 'missing' : `${row.state} ${row.made} of ${row.matched}`;
};

const keysOf = (claimed: Claimed[]): string[] => claimed.map(({ key }) => key);

/** A webhook and finished deliveries of it, one a minute. */
async function finished(store: Store, kinds: ('failed' | 'delivered')[]) {
  const team = await addTeam(store);
  const hook = await addWebhook(store, team);
  const held: Held[] = [];
  for (const [at, kind] of kinds.entries()) {
    const one = await publishHeld(store, newEvent(team, { at: startAt + at * minute }));
    await finishOne(store, attemptOf(one, { kind }, startAt + at * minute + 10));
    held.push(one);
  }
  return { team, hook, held, keys: held.map(({ key }) => key) };
}

export function describeReplaying(open: OpenStore): void {
  describe('replaying finished deliveries', () => {
    const shared = sharedStore(open);
    test(
      'those in the states asked for, oldest first, each once, with the same bytes; 2xx makes them delivered',
      onStore(open, async (store) => {
        const { hook, held, keys } = await finished(store, ['failed', 'delivered', 'failed', 'failed']);
        const { id, matched, oldest, newest } = await begin(store, hook);
        assert.deepEqual([matched, oldest, newest], [3, startAt, startAt + 3 * minute]);
        assert.equal(await progress(store, id), 'running 0 of 3');
        const claimed = await makeAll(store, id, 2);
        assert.deepEqual(keysOf(claimed), [keys[0], keys[2], keys[3]]);
        assert.equal(await progress(store, id), 'done 3 of 3');
        assert.equal((await findReplay(store, id, null))?.finished_at, now);
        assert.equal((await store.figures()).pending, 3);
        assert.equal((await store.figures()).held, 3);
        for (const [at, one] of claimed.entries()) {
          assert.deepEqual(
            [one.attempts, one.extra, one.createdAt, one.replay],
            [1, true, now, { at: now, from: 1 }],
          );
          assert.equal(await stateOf(store, one.key), 'failed 1', 'it reads as finished meanwhile');
          const { body } = held[keys.indexOf(one.key)] as Held;
          assert.deepEqual(Buffer.from(one.body), Buffer.from(body));
          const next = at === 0 ? ({ kind: 'failed' } as const) : ({ kind: 'delivered' } as const);
          await finishOne(store, attemptOf(one, next, now + 5));
        }
        assert.deepEqual(await Promise.all(keys.map((key) => stateOf(store, key))), [
          'failed 2',
          'delivered 1',
          'delivered 2',
          'delivered 2',
        ]);
        assert.deepEqual(await store.runningReplays(), []);
        const figures = await store.figures();
        assert.deepEqual([figures.pending, figures.held], [0, 0]);
      }),
    );

    test(
      'has a schedule of its own beside the state, in which attempts go on from their number',
      shared(async (store) => {
        const { hook, keys } = await finished(store, ['failed']);
        const { id } = await begin(store, hook);
        let [one] = await makeAll(store, id);
        for (let number = 2; number <= 4; number++) {
          assert.ok(one !== undefined);
          assert.deepEqual([one.attempts, one.replay], [number - 1, { at: now, from: 1 }]);
          const at = now + number * minute;
          const outcome = await finishOne(store, attemptOf(one, { kind: 'retry', at }, at - minute));
          assert.deepEqual(outcome, { kind: 'written', dueAt: at });
          assert.equal(await stateOf(store, one.key), `failed ${number}`);
          assert.deepEqual(await claimLane(store, hook.tag, at - 1), []);
          [one] = await claimLane(store, hook.tag, at);
        }
        assert.ok(one !== undefined);
        await finishOne(store, attemptOf(one, { kind: 'delivered' }, now + 5 * minute));
        assert.equal(await stateOf(store, keys[0] ?? ''), 'delivered 5');
        const numbers = (await listAttempts(store, keys[0] ?? '')).map(({ number }) => number);
        assert.deepEqual(numbers, [1, 2, 3, 4, 5]);
        assert.deepEqual(await claimLane(store, hook.tag, now + 90 * minute), []);
      }),
    );

    test(
      'a redelivery of one that waits for its retry is now, and the schedule goes on',
      shared(async (store) => {
        const { hook, keys } = await finished(store, ['failed']);
        const [one] = await makeAll(store, (await begin(store, hook)).id);
        const retryAt = now + 10 * minute;
        await finishOne(store, attemptOf(one as Claimed, { kind: 'retry', at: retryAt }, now));
        assert.equal(await store.redeliver(keys[0] ?? '', now + 1, auditStep(store, 'x')), 'queued');
        const [again] = await claimLane(store, hook.tag, now + 1);
        const outcome = await finishOne(
          store,
          attemptOf(again as Claimed, { kind: 'retry', at: retryAt }, now),
        );
        assert.deepEqual(outcome, { kind: 'written', dueAt: retryAt });
        assert.deepEqual(await claimLane(store, hook.tag, retryAt - 1), []);
        const [third] = await claimLane(store, hook.tag, retryAt);
        // Asked for while it is under way, one more follows at once.
        assert.equal(await store.redeliver(keys[0] ?? '', retryAt, auditStep(store, 'x')), 'queued');
        const later = { kind: 'retry', at: retryAt + minute } as const;
        const asked = await finishOne(store, attemptOf(third as Claimed, later, retryAt + 5));
        assert.deepEqual(asked, { kind: 'written', dueAt: retryAt + 5 });
        assert.equal((await claimLane(store, hook.tag, retryAt + 5)).length, 1);
      }),
    );

    test(
      'a delivered one that is replayed in vain stays delivered, since when it was',
      shared(async (store) => {
        const { team, hook, keys } = await finished(store, ['delivered']);
        const { id, matched } = await begin(store, hook, { states: ['delivered'] });
        assert.equal(matched, 1);
        const [one] = await makeAll(store, id);
        await finishOne(store, attemptOf(one as Claimed, { kind: 'failed' }, now));
        assert.equal(await stateOf(store, keys[0] ?? ''), 'delivered 2');
        assert.equal((await findDelivery(store, keys[0] ?? '', team))?.finishedAt, startAt + 10);
      }),
    );

    test(
      'only of the period and the types; both ends belong to it; events marked test do not',
      shared(async (store) => {
        const team = await addTeam(store);
        const hook = await addWebhook(store, team, { types: ['a', 'b'] });
        const keys: string[] = [];
        for (const [at, type] of ['a', 'a', 'b', 'a', 'b'].entries()) {
          const only = at === 2 ? hook.tag : null;
          const one = await publishHeld(store, newEvent(team, { type, at: startAt + at * minute, only }));
          await finishOne(store, attemptOf(one, { kind: 'failed' }));
          keys.push(one.key);
        }
        const made = async (asked: Asked) => {
          const { id, matched } = await begin(store, hook, asked);
          const claimed = await makeAll(store, id);
          assert.equal(claimed.length, matched);
          for (const one of claimed) await finishOne(store, attemptOf(one, { kind: 'failed' }, now));
          return keysOf(claimed).map((key) => keys.indexOf(key));
        };
        assert.deepEqual(await made({}), [0, 1, 3, 4]);
        assert.deepEqual(await made({ since: startAt + minute, until: startAt + 3 * minute }), [1, 3]);
        assert.deepEqual(await made({ since: startAt + 1, until: startAt + minute - 1 }), []);
        assert.deepEqual(await made({ types: ['b'] }), [4]);
        assert.deepEqual(await made({ types: ['b', 'a'], until: startAt + minute }), [0, 1]);
        assert.deepEqual(await made({ states: ['delivered', 'canceled'] }), []);
      }),
    );

    test(
      'what happens after it was asked for does not count',
      shared(async (store) => {
        const { team, hook, keys } = await finished(store, ['failed', 'failed']);
        const late = await publishHeld(store, newEvent(team, { at: startAt + 5 * minute }));
        const { id, matched } = await begin(store, hook);
        assert.equal(matched, 2);
        await finishOne(store, attemptOf(late, { kind: 'failed' }, now + 1));
        assert.deepEqual(keysOf(await makeAll(store, id)), keys);
      }),
    );

    test(
      'one that is to be made again already gets an attempt more, and the schedule then',
      onStore(open, async (store) => {
        const { hook, keys } = await finished(store, ['failed', 'failed']);
        for (const key of keys) await store.redeliver(key, now, auditStep(store, 'x'));
        const [flying] = await claimLane(store, hook.tag, now, 1);
        assert.equal(flying?.key, keys[0]);
        const { id } = await begin(store, hook);
        const made = madeOf(await step(store, await runningOne(store, id)));
        assert.deepEqual([made.claimed, made.due, made.next], [[], true, null]);
        assert.equal(await progress(store, id), 'done 2 of 2');
        await finishOne(store, attemptOf(flying as Claimed, { kind: 'failed' }, now));
        for (const attempt of [1, 2]) {
          for (const one of await claimLane(store, hook.tag, now)) {
            const retries = one.key !== keys[0] && attempt === 1;
            assert.equal(one.replay?.at, now);
            await finishOne(store, attemptOf(one, { kind: 'retry', at: retries ? now : now + minute }, now));
          }
        }
        const later = await claimLane(store, hook.tag, now + minute);
        assert.deepEqual(
          later.map(({ key, attempts, replay }) => [key, attempts, replay?.from]),
          [
            [keys[0], 3, 2],
            [keys[1], 3, 2],
          ],
        );
        assert.equal((await store.figures()).pending, 2);
      }),
    );
  });

  describe('replaying what was missed', () => {
    const shared = sharedStore(open);
    test(
      'events from before the webhook or while it was disabled, that it would get as it is now, each only once',
      onStore(open, async (store) => {
        const team = await addTeam(store);
        const project = await addProject(store, team);
        const missed = [];
        const at = (n: number) => startAt + n * minute;
        missed.push(newEvent(team, { projectId: project, at: at(1) }));
        const others = [
          newEvent(team, { projectId: 'prj_other', at: at(1) }),
          newEvent(team, { type: 'other', projectId: project, at: at(1) }),
          newEvent(await addTeam(store), { projectId: project, at: at(1) }),
        ];
        for (const event of [...missed, ...others]) await store.accept({ events: [event] });
        let hook = await addWebhook(store, team, { projectIds: [project] });
        const born = await publishHeld(store, newEvent(team, { projectId: project, at: at(2) }));
        const done = await publishHeld(store, newEvent(team, { projectId: project, at: at(3) }));
        await finishOne(store, attemptOf(done, { kind: 'failed' }));
        const waits = await publishHeld(store, newEvent(team, { projectId: project, at: at(4) }));
        await store.release([leaseOf(waits)], startAt);
        await publish(store, newEvent(team, { projectId: project, only: hook.tag, at: at(5) }));
        hook = await disable(store, hook, at(6));
        missed.push(newEvent(team, { projectId: project, at: at(7) }));
        missed.push(newEvent(team, { id: 'mine', projectId: project, at: at(8) }));
        for (const event of missed.slice(1)) await store.accept({ events: [event] });
        hook = await enable(store, hook, at(9));
        const keys = missed.map(({ uid }) => uid + hook.tag);

        const both = await Promise.all([
          begin(store, hook, { states: ['missed'] }),
          begin(store, hook, { states: ['missed'] }),
        ]);
        assert.deepEqual(
          both.map(({ matched, oldest, newest }) => [matched, oldest, newest]),
          [
            [3, at(1), at(8)],
            [3, at(1), at(8)],
          ],
        );
        const claimed = await makeAll(store, both[0].id, 2);
        assert.deepEqual(keysOf(claimed), keys);
        assert.deepEqual(await makeAll(store, both[1].id), []);
        assert.equal(await progress(store, both[1].id), 'done 0 of 3');
        for (const one of claimed) {
          assert.deepEqual(
            [one.attempts, one.extra, one.replay, one.createdAt],
            [0, false, { at: now, from: 0 }, now],
          );
          assert.equal(await stateOf(store, one.key), 'pending 0');
          const { body } = missed.find(({ uid }) => one.key.startsWith(uid)) as NewEvent;
          assert.deepEqual(Buffer.from(one.body), Buffer.from(body));
        }
        const [first, second, third] = claimed as [Claimed, Claimed, Claimed];
        await finishOne(store, attemptOf(first, { kind: 'delivered' }, now));
        await finishOne(store, attemptOf(second, { kind: 'retry', at: now + minute }, now));
        await finishOne(store, attemptOf(third, { kind: 'failed' }, now));
        assert.deepEqual(await Promise.all(keys.map((key) => stateOf(store, key))), [
          'delivered 1',
          'pending 1',
          'failed 1',
        ]);
        const [again] = (await claimLane(store, hook.tag, now + minute)).filter(
          ({ key }) => key === second.key,
        );
        assert.deepEqual([again?.attempts, again?.replay], [1, { at: now, from: 0 }]);
        assert.equal((await begin(store, hook, { states: ['missed'] })).matched, 0);
        assert.equal(await stateOf(store, born.key), 'pending 0');
      }),
    );

    test(
      'none of a team on the plan hobby; of a period long ago, nothing younger',
      shared(async (store) => {
        const hobby = await addTeam(store, 'hobby');
        await store.accept({ events: [newEvent(hobby)] });
        const poor = await addWebhook(store, hobby);
        assert.equal((await begin(store, poor, { states: ['missed'] })).matched, 0);
        const team = await addTeam(store);
        const day = 24 * 60 * minute;
        const events = [0, 1, 2, 3, 4, 5].map((n) => newEvent(team, { at: startAt + n * day }));
        await store.accept({ events });
        const hook = await addWebhook(store, team);
        const period = { since: startAt + 3 * day, until: startAt + 4 * day, createdAt: startAt + 9 * day };
        const { id, matched } = await begin(store, hook, { ...period, states: ['missed'] });
        assert.equal(matched, 2);
        assert.deepEqual(
          keysOf(await makeAll(store, id)),
          events.slice(3, 5).map(({ uid }) => uid + hook.tag),
        );
      }),
    );

    test(
      'after failed ones, in the same replay',
      shared(async (store) => {
        const team = await addTeam(store);
        await store.accept({ events: [newEvent(team)] });
        const hook = await addWebhook(store, team);
        const failed = await publishHeld(store, newEvent(team));
        await finishOne(store, attemptOf(failed, { kind: 'failed' }));
        const { id, matched } = await begin(store, hook, { states: ['failed', 'missed'] });
        assert.equal(matched, 2);
        const claimed = await makeAll(store, id, 1);
        assert.deepEqual(
          claimed.map(({ extra }) => extra),
          [true, false],
        );
        assert.equal(claimed[0]?.key, failed.key);
      }),
    );

    test(
      'on an ordered webhook they stand outside the order',
      shared(async (store) => {
        const team = await addTeam(store);
        await store.accept({ events: [newEvent(team)] });
        const hook = await addWebhook(store, team, { ordering: 'all' });
        const { id } = await begin(store, hook, { states: ['missed'] });
        const [one] = await makeAll(store, id);
        await publish(store, newEvent(team, { at: now }));
        const [live] = await claimLane(store, hook.tag, now);
        assert.ok(live !== undefined && live.key !== one?.key, 'the order does not wait for it');
        const retried = await finishOne(
          store,
          attemptOf(one as Claimed, { kind: 'retry', at: now + 5 }, now),
        );
        assert.deepEqual(retried, { kind: 'written', dueAt: now + 5 });
        assert.equal((await claimLane(store, hook.tag, now + 5)).length, 1);
      }),
    );
  });

  describe('the steps of a replay', () => {
    const shared = sharedStore(open);
    test(
      'are no more than asked for, and a step that was read for before another makes nothing',
      shared(async (store) => {
        const { hook, keys } = await finished(store, ['failed', 'failed', 'failed']);
        const { id } = await begin(store, hook);
        const replay = await runningOne(store, id);
        const both = await Promise.all([step(store, replay, 1), step(store, replay, 1)]);
        assert.deepEqual(both.map(({ kind }) => kind).toSorted(), ['made', 'stale']);
        assert.equal(await progress(store, id), 'running 1 of 3');
        assert.equal((await step(store, replay, 1)).kind, 'stale');
        assert.deepEqual(keysOf(await makeAll(store, id)), keys.slice(1));
      }),
    );

    test(
      'survive a crash: what was made is due at once, what was not is made then',
      onStore(open, async (store, { reopen }) => {
        const { hook, keys } = await finished(store, ['failed', 'failed', 'failed', 'failed']);
        const { id } = await begin(store, hook);
        await step(store, await runningOne(store, id), 2);
        const next = await reopen(now);
        assert.equal(await progress(next, id), 'running 2 of 4');
        const { claimed } = await claimOthers(next, now);
        assert.deepEqual(
          claimed.map(({ key, replay }) => [key, replay?.from]),
          keys.slice(0, 2).map((key) => [key, 1]),
        );
        assert.deepEqual(keysOf(await makeAll(next, id)), keys.slice(2));
      }),
    );

    test(
      'end when it is stopped or the webhook removed, and wait while the webhook is disabled',
      onStore(open, async (store) => {
        const { hook, keys } = await finished(store, ['failed', 'failed', 'failed']);
        const [stopped, ended] = [await begin(store, hook), await begin(store, hook)];
        const read = await runningOne(store, stopped.id);
        await step(store, read, 1);
        const moved = await runningOne(store, stopped.id);
        await change(store, { steps: [stopReplays(store, { id: stopped.id }, now)] });
        assert.equal((await step(store, moved)).kind, 'stale');
        assert.equal(await progress(store, stopped.id), 'stopped 1 of 3');
        await change(store, { steps: [stopReplays(store, { id: stopped.id }, now + 9)] });
        assert.equal((await findReplay(store, stopped.id, hook.team_id))?.finished_at, now);

        const other = await runningOne(store, ended.id);
        const disabled = await disable(store, hook, now);
        assert.deepEqual(await store.runningReplays(), []);
        assert.equal((await step(store, other)).kind, 'stale');
        const enabled = await enable(store, disabled, now);
        const again = await runningOne(store, ended.id);
        assert.equal(madeOf(await step(store, again, 1)).kind, 'made');
        const last = await runningOne(store, ended.id);
        await remove(store, enabled, now);
        assert.equal((await step(store, last)).kind, 'stale');
        await change(store, { steps: [stopReplays(store, { tag: hook.tag }, now)] });
        assert.equal(await progress(store, ended.id), 'stopped 1 of 3');
        assert.equal(await stateOf(store, keys[2] ?? ''), 'failed 1');
      }),
    );

    test(
      'leave the lane free: live deliveries are held from birth beside them',
      shared(async (store) => {
        const { team, hook } = await finished(store, ['failed', 'failed']);
        const made = await makeAll(store, (await begin(store, hook)).id);
        const live = await publish(store, newEvent(team, { at: now }));
        assert.deepEqual(
          live.map(({ leased }) => leased),
          [true],
        );
        for (const one of made)
          await finishOne(store, attemptOf(one, { kind: 'retry', at: now + minute }, now));
        assert.equal((await publish(store, newEvent(team, { at: now + 1 })))[0]?.leased, true);
      }),
    );

    test(
      'what is due of them again stands behind all live deliveries, which are held from birth beside it',
      onStore(open, async (store, { reopen }) => {
        const { team, hook, held } = await finished(store, ['failed', 'failed', 'failed', 'failed']);
        const made = await makeAll(store, (await begin(store, hook)).id);
        const [retried, released, ...lost] = made as [Claimed, Claimed, Claimed, Claimed];
        await finishOne(store, attemptOf(retried, { kind: 'retry', at: now + 1 }, now));
        await store.release([leaseOf(released)], now + 2);
        const late = now + minute;
        const { looked } = await claimOthers(store, late, 0);
        assert.deepEqual(looked, [{ tag: hook.tag, more: false, moreReplayed: true }]);
        const live = await publishHeld(store, newEvent(team, { at: late }));
        await finishOne(store, attemptOf(live, { kind: 'retry', at: late + 5 }, late));
        const claim = async (count: number, replayed: number, at = late + 5) => {
          const lanes = [{ tag: hook.tag, count, replayed }];
          const result = await store.claim({ now: at, lanes, others: { lanes: 0, each: 0 } });
          return [keysOf(result.claimed), result.looked[0]?.more, result.looked[0]?.moreReplayed];
        };
        assert.deepEqual(await claim(1, 0), [[live.key], false, true]);
        assert.deepEqual(await claim(5, 1), [[retried.key], false, true]);
        // One that is asked for by hand is no part of the replay's queue.
        assert.equal(await store.redeliver(released.key, late + 6, auditStep(store, 'x')), 'queued');
        assert.deepEqual(await claim(5, 0, late + 6), [[released.key], false, false]);

        const next = await reopen(late + 7);
        const found = await claimOthers(next, late + 8, 1);
        assert.ok(keysOf(found.claimed).includes(live.key), 'also after a crash');
        assert.equal(found.claimed.length, 2);
        assert.deepEqual(found.looked, [{ tag: hook.tag, more: false, moreReplayed: true }]);
        assert.equal((await publish(next, newEvent(team, { at: late + 8 })))[0]?.leased, true);
        await next.sweep(late + 9);
        const rest = (await claimLane(next, hook.tag, late + 9)).map(({ key }) => key);
        assert.equal(new Set([...rest, ...keysOf(found.claimed)]).size, 1 + held.length);
        assert.ok(lost.every(({ key }) => rest.includes(key) || keysOf(found.claimed).includes(key)));
      }),
    );

    test(
      'pass over what is about to be pruned; a replay’s deliveries keep their events',
      onStore(open, async (store) => {
        const team = await addTeam(store);
        const events = [0, 1, 2].map((n) => newEvent(team, { at: startAt + n * minute }));
        for (const event of events) await store.accept({ events: [event] });
        const hook = await addWebhook(store, team);
        const { id } = await begin(store, hook, { states: ['missed'] });
        const claimed = await makeAll(store, id, 10, now, startAt + 1);
        assert.deepEqual(
          keysOf(claimed),
          events.slice(1).map(({ uid }) => uid + hook.tag),
        );
        assert.equal(await progress(store, id), 'done 2 of 3');
        await finishOne(store, attemptOf(claimed[0] as Claimed, { kind: 'failed' }, now));
        while ((await store.prune(now, 100)) > 0);
        assert.equal(await progress(store, id), 'done 2 of 3');
        assert.deepEqual(await Promise.all(keysOf(claimed).map((key) => stateOf(store, key))), [
          'missing',
          'pending 0',
        ]);
        await store.prune(now + 1, 100);
        assert.equal(await progress(store, id), 'missing');
      }),
    );

    test(
      'a removed webhook’s are canceled, where they had no state of their own',
      onStore(open, async (store) => {
        const { team, hook, keys } = await finished(store, ['failed']);
        const disabled = await disable(store, hook, startAt + 2 * minute);
        const missed = newEvent(team, { at: startAt + 3 * minute });
        await store.accept({ events: [missed] });
        const enabled = await enable(store, disabled, startAt + 4 * minute);
        const made = await makeAll(store, (await begin(store, enabled, { states: ['failed', 'missed'] })).id);
        await store.release(made.map(leaseOf), now);
        await remove(store, enabled, now);
        assert.equal(await store.cancelRemoved(10), 2);
        assert.equal(await stateOf(store, keys[0] ?? ''), 'failed 1');
        assert.equal(await stateOf(store, missed.uid + hook.tag), 'canceled 0');
      }),
    );

    test(
      'a list of them is newest first, a page at a time, of one webhook',
      shared(async (store) => {
        const [{ hook }, other] = [await finished(store, ['failed']), await finished(store, [])];
        const ids: string[] = [];
        for (const n of [1, 2, 3]) ids.unshift((await begin(store, hook, { createdAt: now + n })).id);
        await begin(store, other.hook);
        const page = await listReplays(store, hook.tag, null, 2);
        assert.deepEqual(
          page.map(({ id, webhook_id }) => [id, webhook_id]),
          ids.slice(0, 2).map((id) => [id, hook.id]),
        );
        assert.deepEqual(
          (await listReplays(store, hook.tag, ids[1] ?? '', 2)).map(({ id }) => id),
          ids.slice(2),
        );
        assert.equal(await findReplay(store, ids[0] ?? '', other.team), null);
      }),
    );
  });
}
