// Finishing: a result is written once and only by who holds the delivery; giving back, redelivering, canceling.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { findDelivery, listAttempts } from '../control/history.ts';
import type { RedeliverOutcome, Store } from '../store.ts';
import {
  addTeam,
  addWebhook,
  attemptOf,
  auditStep,
  claimLane,
  claimOthers,
  countAudit,
  countRows,
  disable,
  enable,
  finishOne,
  type Held,
  leaseOf,
  newEvent,
  type OpenStore,
  onStore,
  publishHeld,
  remove,
  sharedStore,
  startAt,
  stateOf,
} from './bed.ts';

const minute = 60_000;
const retryAt = startAt + 5 * minute;

async function oneHeld(store: Store) {
  const team = await addTeam(store);
  const hook = await addWebhook(store, team);
  return { team, hook, held: await publishHeld(store, newEvent(team)) };
}

/** Its audit record's action tells the delivery. */
const redeliver = (store: Store, key: string, now = startAt): Promise<RedeliverOutcome> =>
  store.redeliver(key, now, auditStep(store, `redelivered ${key}`));

/** Claims the one delivery that is due. */
async function claimOne(store: Store, tag: string, now: number): Promise<Held> {
  const [held, ...rest] = await claimLane(store, tag, now);
  assert.ok(held !== undefined && rest.length === 0, `${rest.length + (held === undefined ? 0 : 1)} are due`);
  return held;
}

export function describeFinishing(open: OpenStore): void {
  describe('finishing', () => {
    const shared = sharedStore(open);
    test(
      'delivered and failed leave what is pending, with their attempt',
      onStore(open, async (store) => {
        const team = await addTeam(store);
        await addWebhook(store, team);
        for (const kind of ['delivered', 'failed'] as const) {
          const held = await publishHeld(store, newEvent(team));
          assert.deepEqual(await finishOne(store, attemptOf(held, { kind }, startAt + 40)), {
            kind: 'written',
            dueAt: null,
          });
          assert.equal(await stateOf(store, held.key), `${kind} 1`);
          const row = await findDelivery(store, held.key, team);
          assert.equal(row?.finishedAt, startAt + 40);
          assert.equal(row?.lastStatus, kind === 'delivered' ? 200 : 500);
          assert.equal(row?.lastCause, kind === 'delivered' ? null : 'status_500');
        }
        const figures = await store.figures();
        assert.deepEqual([figures.pending, figures.held, (await countRows(store)).pending], [0, 0, 0]);
      }),
    );

    test(
      'an attempt is kept as it was: times, headers, body',
      shared(async (store) => {
        const { held } = await oneHeld(store);
        const record = { ...attemptOf(held, { kind: 'retry', at: retryAt }), detail: 'why', truncated: true };
        await finishOne(store, record);
        const [attempt, ...rest] = await listAttempts(store, held.key);
        assert.equal(rest.length, 0);
        assert.ok(attempt !== undefined);
        assert.deepEqual(
          { ...attempt, response_body: Buffer.from(attempt.response_body ?? []).toString() },
          {
            delivery_id: held.key,
            number: 1,
            started_at: record.startedAt,
            duration_ms: 10,
            status: 500,
            cause: 'status_500',
            detail: 'why',
            timings: ',,,9',
            url: record.url,
            request_headers: record.requestHeaders,
            response_headers: record.responseHeaders,
            response_body: 'no',
            truncated: 1,
          },
        );
      }),
    );

    test(
      'a second result of the same attempt is lost, and changes nothing',
      onStore(open, async (store) => {
        const { held } = await oneHeld(store);
        const [first, second] = await Promise.all([
          finishOne(store, attemptOf(held, { kind: 'delivered' })),
          finishOne(store, attemptOf(held, { kind: 'failed' })),
        ]);
        assert.deepEqual([first?.kind, second?.kind], ['written', 'lost']);
        assert.equal((await finishOne(store, attemptOf(held, { kind: 'retry', at: retryAt }))).kind, 'lost');
        assert.equal(await stateOf(store, held.key), 'delivered 1');
        assert.equal((await listAttempts(store, held.key)).length, 1);
        assert.deepEqual(await store.figures().then(({ pending, held: count }) => [pending, count]), [0, 0]);
      }),
    );

    test(
      'a result of a delivery that was given back is lost, whoever holds it now',
      shared(async (store) => {
        const { hook, held } = await oneHeld(store);
        await store.release([leaseOf(held)], startAt);
        assert.equal((await finishOne(store, attemptOf(held, { kind: 'delivered' }))).kind, 'lost');
        assert.equal(
          (await finishOne(store, { ...attemptOf(held, { kind: 'delivered' }), extra: true })).kind,
          'lost',
        );
        assert.equal(await stateOf(store, held.key), 'pending 0');
        const again = await claimOne(store, hook.tag, startAt);
        assert.equal((await finishOne(store, attemptOf(again, { kind: 'delivered' }))).kind, 'written');
      }),
    );

    test(
      'attempts are counted over retries, and each has its number',
      shared(async (store) => {
        const { hook, held } = await oneHeld(store);
        let now = startAt;
        let current: Held = held;
        for (let number = 1; number <= 3; number++) {
          await finishOne(store, attemptOf(current, { kind: 'retry', at: now + minute }, now));
          assert.equal(await stateOf(store, held.key), `pending ${number}`);
          now += minute;
          current = await claimOne(store, hook.tag, now);
          assert.equal(current.attempts, number);
        }
        await finishOne(store, attemptOf(current, { kind: 'failed' }, now));
        assert.equal(await stateOf(store, held.key), 'failed 4');
        assert.deepEqual(
          (await listAttempts(store, held.key)).map(({ number }) => number),
          [1, 2, 3, 4],
        );
      }),
    );
  });

  describe('giving back', () => {
    test(
      'what is given back is due at the time named, and no attempt is used up',
      onStore(open, async (store) => {
        const { hook, held } = await oneHeld(store);
        await store.release([leaseOf(held)], startAt + minute);
        assert.equal(await stateOf(store, held.key), 'pending 0');
        assert.deepEqual(await store.figures().then(({ pending, held: count }) => [pending, count]), [1, 0]);
        assert.deepEqual(await claimLane(store, hook.tag, startAt + minute - 1), []);
        const again = await claimOne(store, hook.tag, startAt + minute);
        assert.deepEqual([again.key, again.attempts], [held.key, 0]);
      }),
    );

    test(
      'giving back twice, or what is finished, does nothing',
      onStore(open, async (store) => {
        const { hook, held } = await oneHeld(store);
        await store.release([leaseOf(held), leaseOf(held)], startAt);
        await store.release([leaseOf(held)], startAt - minute);
        assert.equal((await store.figures()).held, 0);
        const again = await claimOne(store, hook.tag, startAt);
        await finishOne(store, attemptOf(again, { kind: 'delivered' }));
        await store.release([leaseOf(held)], startAt);
        assert.equal(await stateOf(store, held.key), 'delivered 1');
        const figures = await store.figures();
        assert.deepEqual([figures.pending, figures.held], [0, 0]);
        assert.deepEqual((await claimOthers(store, startAt + minute)).claimed, []);
      }),
    );
  });

  describe('redelivering', () => {
    const shared = sharedStore(open);
    test(
      'a waiting delivery is due now, and the schedule goes on from that attempt',
      shared(async (store) => {
        const { hook, held } = await oneHeld(store);
        await finishOne(store, attemptOf(held, { kind: 'retry', at: retryAt }));
        assert.equal(await redeliver(store, held.key, startAt + 1), 'queued');
        const again = await claimOne(store, hook.tag, startAt + 1);
        assert.deepEqual([again.extra, again.attempts], [false, 1]);
        const later = retryAt + minute;
        // One call, one attempt: the next one waits its time again.
        const finished = await finishOne(store, attemptOf(again, { kind: 'retry', at: later }, startAt + 50));
        assert.deepEqual(finished, { kind: 'written', dueAt: later });
        assert.deepEqual(await claimLane(store, hook.tag, later - 1), []);
        await claimOne(store, hook.tag, later);
        assert.equal(await countAudit(store, `redelivered ${held.key}`), 1);
      }),
    );

    test(
      'asked for while the attempt is under way, the next one follows at once',
      shared(async (store) => {
        const { hook, held } = await oneHeld(store);
        assert.equal(await redeliver(store, held.key), 'queued');
        assert.deepEqual(await claimLane(store, hook.tag, startAt), [], 'nobody else gets it meanwhile');
        const endedAt = startAt + 70;
        const finished = await finishOne(store, attemptOf(held, { kind: 'retry', at: retryAt }, endedAt));
        assert.deepEqual(finished, { kind: 'written', dueAt: endedAt });
        const again = await claimOne(store, hook.tag, endedAt);
        await finishOne(store, attemptOf(again, { kind: 'retry', at: retryAt }, endedAt + 10));
        assert.deepEqual(await claimLane(store, hook.tag, retryAt - 1), []);
      }),
    );

    test(
      'asked for while the last attempt of the schedule is under way, one more follows outside it',
      shared(async (store) => {
        const { hook, held } = await oneHeld(store);
        await redeliver(store, held.key);
        const finished = await finishOne(store, attemptOf(held, { kind: 'failed' }, startAt + 70));
        assert.deepEqual(finished, { kind: 'written', dueAt: startAt + 70 });
        assert.equal(await stateOf(store, held.key), 'failed 1');
        const extra = await claimOne(store, hook.tag, startAt + 70);
        assert.deepEqual([extra.extra, extra.attempts], [true, 1]);
        await finishOne(store, attemptOf(extra, { kind: 'delivered' }, startAt + 90));
        assert.equal(await stateOf(store, held.key), 'delivered 2');
      }),
    );

    test(
      'a failed delivery gets one attempt outside the schedule: a 2xx makes it delivered, else it stays failed',
      onStore(open, async (store) => {
        const { hook, held } = await oneHeld(store);
        await finishOne(store, attemptOf(held, { kind: 'failed' }, startAt));
        for (const [kind, state] of [
          ['failed', 'failed 2'],
          ['delivered', 'delivered 3'],
          ['failed', 'delivered 4'],
        ] as const) {
          assert.equal(await redeliver(store, held.key), 'queued');
          const before = await stateOf(store, held.key);
          const extra = await claimOne(store, hook.tag, startAt);
          assert.equal(extra.extra, true);
          assert.equal(await stateOf(store, held.key), before, 'it reads as finished meanwhile');
          const finished = await finishOne(store, attemptOf(extra, { kind }, startAt + 5));
          assert.deepEqual(finished, { kind: 'written', dueAt: null });
          assert.equal(await stateOf(store, held.key), state);
          assert.deepEqual(await claimLane(store, hook.tag, startAt + minute), []);
        }
        assert.deepEqual(
          (await listAttempts(store, held.key)).map(({ number }) => number),
          [1, 2, 3, 4],
        );
        assert.equal((await store.figures()).pending, 0);
      }),
    );

    test(
      'a delivered one keeps the time at which it was delivered',
      shared(async (store) => {
        const { team, hook, held } = await oneHeld(store);
        await finishOne(store, attemptOf(held, { kind: 'delivered' }, startAt + 5));
        await redeliver(store, held.key);
        await finishOne(
          store,
          attemptOf(await claimOne(store, hook.tag, startAt), { kind: 'delivered' }, startAt + minute),
        );
        assert.equal((await findDelivery(store, held.key, team))?.finishedAt, startAt + 5);
      }),
    );

    test(
      'calls for a finished delivery are counted: each gets its attempt, one after the other',
      shared(async (store) => {
        const { hook, held } = await oneHeld(store);
        await finishOne(store, attemptOf(held, { kind: 'failed' }, startAt));
        await redeliver(store, held.key);
        await redeliver(store, held.key);
        let extra = await claimOne(store, hook.tag, startAt);
        await redeliver(store, held.key);
        for (const attempts of [2, 3]) {
          await finishOne(store, attemptOf(extra, { kind: 'failed' }, startAt + attempts));
          extra = await claimOne(store, hook.tag, startAt + attempts);
          assert.equal(extra.attempts, attempts);
        }
        await finishOne(store, attemptOf(extra, { kind: 'failed' }, startAt + 4));
        assert.deepEqual(await claimLane(store, hook.tag, startAt + minute), []);
        assert.equal(await stateOf(store, held.key), 'failed 4');
        assert.equal(await countAudit(store, `redelivered ${held.key}`), 3);
      }),
    );

    test(
      'canceled, disabled and missing ones are refused, and leave no audit record',
      onStore(open, async (store) => {
        const { team, hook, held } = await oneHeld(store);
        const finished = await publishHeld(store, newEvent(team));
        await finishOne(store, attemptOf(finished, { kind: 'failed' }));
        assert.equal(await redeliver(store, `${newEvent(team).uid}${hook.tag}`), 'missing');
        assert.equal(await redeliver(store, `${held.key.slice(0, 21)}NoSuchTg`), 'missing');
        const disabled = await disable(store, hook, startAt);
        assert.equal(await redeliver(store, held.key), 'disabled');
        assert.equal(await redeliver(store, finished.key), 'disabled');
        await remove(store, disabled, startAt);
        assert.equal(await redeliver(store, held.key), 'canceled');
        assert.equal(await redeliver(store, finished.key), 'canceled');
        await store.release([leaseOf(held)], startAt);
        assert.equal(await store.cancelRemoved(10), 1);
        assert.equal(await redeliver(store, held.key), 'canceled');
        for (const { key } of [held, finished])
          assert.equal(await countAudit(store, `redelivered ${key}`), 0);
        assert.equal((await store.figures()).pending, 0);
      }),
    );
  });

  describe('removing a webhook', () => {
    const shared = sharedStore(open);
    test(
      'its deliveries read as canceled at once, are written so in batches, and are never claimed',
      onStore(open, async (store) => {
        const team = await addTeam(store);
        const hook = await addWebhook(store, team);
        const other = await addWebhook(store, team);
        const events = Array.from({ length: 25 }, (_, i) => newEvent(team, { at: startAt + i }));
        await store.accept({ events });
        const keys = events.map(({ uid }) => uid + hook.tag);
        const leases = keys.map((key, i) => ({ key, tag: hook.tag, bytes: events[i]?.body.length ?? 0 }));
        await store.release(leases, startAt);
        await remove(store, hook, startAt + 50);
        for (const key of keys) assert.equal(await stateOf(store, key), 'canceled 0');
        assert.deepEqual(await claimLane(store, hook.tag, startAt + minute), []);
        assert.deepEqual(
          (await claimOthers(store, startAt + minute)).claimed.filter(({ tag }) => tag === hook.tag),
          [],
        );
        assert.equal(await store.cancelRemoved(10), 10);
        assert.equal((await store.figures()).pending, 40);
        assert.equal(await store.cancelRemoved(10), 10);
        assert.equal(await store.cancelRemoved(10), 5);
        assert.equal(await store.cancelRemoved(10), 0);
        for (const key of keys) assert.equal(await stateOf(store, key), 'canceled 0');
        const figures = await store.figures();
        assert.deepEqual([figures.pending, figures.held, (await countRows(store)).pending], [25, 25, 25]);
        assert.equal(await stateOf(store, `${events[0]?.uid}${other.tag}`), 'pending 0');
      }),
    );

    test(
      'what is under way ends as it ends; what would be tried again, or comes back, is canceled',
      onStore(open, async (store) => {
        const { team, hook, held: delivered } = await oneHeld(store);
        const [retried, released, failed] = [
          await publishHeld(store, newEvent(team)),
          await publishHeld(store, newEvent(team)),
          await publishHeld(store, newEvent(team)),
        ];
        await redeliver(store, failed.key);
        await remove(store, hook, startAt);
        assert.equal(await store.cancelRemoved(10), 0, 'held ones are not canceled');
        await finishOne(store, attemptOf(delivered, { kind: 'delivered' }));
        const finished = await finishOne(store, attemptOf(retried, { kind: 'retry', at: retryAt }));
        assert.deepEqual(finished, { kind: 'written', dueAt: null });
        assert.deepEqual(await finishOne(store, attemptOf(failed, { kind: 'failed' })), {
          kind: 'written',
          dueAt: null,
        });
        await store.release([leaseOf(released)], startAt);
        assert.equal(await stateOf(store, released.key), 'canceled 0');
        assert.equal(await store.cancelRemoved(10), 1);
        const states = [delivered, retried, released, failed].map(({ key }) => stateOf(store, key));
        assert.deepEqual(await Promise.all(states), ['delivered 1', 'canceled 1', 'canceled 0', 'failed 1']);
        const figures = await store.figures();
        assert.deepEqual([figures.pending, figures.held, (await countRows(store)).pending], [0, 0, 0]);
      }),
    );

    test(
      'a redelivery that was asked for goes with it, and the delivery stays as it was',
      onStore(open, async (store) => {
        const { hook, held } = await oneHeld(store);
        await finishOne(store, attemptOf(held, { kind: 'failed' }));
        await redeliver(store, held.key);
        await remove(store, hook, startAt);
        assert.equal(await store.cancelRemoved(10), 1);
        assert.equal(await stateOf(store, held.key), 'failed 1');
        assert.equal((await store.figures()).pending, 0);
      }),
    );

    test(
      'disabled before it was removed: canceled all the same',
      shared(async (store) => {
        const { hook, held } = await oneHeld(store);
        await store.release([leaseOf(held)], startAt);
        const disabled = await disable(store, hook, startAt);
        await remove(store, await enable(store, disabled, startAt + 1), startAt + 2);
        assert.equal(await store.cancelRemoved(10), 1);
        assert.equal(await stateOf(store, held.key), 'canceled 0');
      }),
    );
  });
}
