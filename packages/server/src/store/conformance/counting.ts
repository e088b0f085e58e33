// Counting: figures of endpoints and teams and the backlog of each lane are what was done, and no more; what was taken
// back is not counted; a crash costs figures of the last second and never the backlog.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { percentileOf } from '../../core/latency.ts';
import {
  forgetFailures,
  noWindows,
  readHealth,
  readHours,
  readTeamPoints,
  readWindows,
} from '../control/figures.ts';
import type { Store } from '../store.ts';
import { hourMs, minuteMs, startOf } from '../tally.ts';
import {
  addTeam,
  addWebhook,
  attemptOf,
  auditStep,
  change,
  claimLane,
  finishOne,
  newEvent,
  type OpenStore,
  onStore,
  publish,
  publishHeld,
  remove,
  startAt,
} from './bed.ts';

const day = 24 * hourMs;

async function backlogOf(store: Store, tag: string): Promise<number> {
  const [found] = await store.backlogs([tag]);
  return found?.pending ?? -1;
}

/** The team's figures of the hour in which the tests' time begins. */
async function teamOf(store: Store, team: string) {
  await store.writeFigures();
  const points = await readTeamPoints(store, team, hourMs, 0);
  return points.map(({ at, ...counts }) => [at, ...Object.values(counts)]);
}

export function describeCounting(open: OpenStore): void {
  describe('counting', () => {
    test(
      'events, attempts and ends are counted once, by minute and by hour, with their durations',
      onStore(open, async (store) => {
        const team = await addTeam(store);
        const { tag } = await addWebhook(store, team);
        const held = [];
        for (let i = 0; i < 4; i++) held.push(await publishHeld(store, newEvent(team)));
        const [first, second, third, fourth] = held as [(typeof held)[0], ...typeof held];
        await finishOne(store, attemptOf(first, { kind: 'delivered' }));
        await finishOne(store, attemptOf(second as typeof first, { kind: 'failed' }));
        await finishOne(store, {
          ...attemptOf(third as typeof first, { kind: 'retry', at: startAt + day }),
          durationMs: 3_000,
        });
        // An hour later.
        const late = attemptOf(fourth as typeof first, { kind: 'delivered' }, startAt + hourMs);
        await finishOne(store, late);
        assert.equal((await finishOne(store, late)).kind, 'lost');

        const hour = startOf(startAt, hourMs);
        assert.deepEqual(await teamOf(store, team), [
          [hour, 4, 1, 1, 3, 2],
          [hour + hourMs, 0, 1, 0, 1, 0],
        ]);
        const minutes = await readTeamPoints(store, team, minuteMs, 0);
        assert.equal(minutes.length, 2);
        const read = async (now: number) => (await readWindows(store, [tag], now)).get(tag) ?? noWindows();
        const windows = await read(startAt + 1_000);
        const { latency, ...counts } = windows['5m'];
        assert.deepEqual(counts, { delivered: 2, failed: 1, attempts: 4, attemptsFailed: 2 });
        assert.equal(percentileOf(latency, 1), 5_000);
        const [an, other] = [await read(startAt + hourMs), await read(startAt + hourMs + 30 * minuteMs)];
        assert.deepEqual([an['5m'].attempts, an['1h'].attempts, an['24h'].attempts], [1, 4, 4]);
        assert.deepEqual([other['5m'].attempts, other['1h'].attempts, other['24h'].attempts], [0, 1, 4]);
        const hours = (await readHours(store, [tag], 0)).toSorted((a, b) => a.at - b.at);
        assert.deepEqual(
          hours.map(({ at, delivered, failed }) => [at, delivered, failed]),
          [
            [hour, 1, 1],
            [hour + hourMs, 1, 0],
          ],
        );
        // Written once: asking again changes nothing.
        assert.equal((await teamOf(store, team))[0]?.[1], 4);
      }),
    );

    test(
      'what was refused, or known before, is not counted',
      onStore(open, async (store) => {
        const team = await addTeam(store);
        const { tag } = await addWebhook(store, team);
        await store.accept({ events: [newEvent(team, { id: 'mine' }), newEvent(team)] });
        await store.accept({ events: [newEvent(team, { id: 'mine' })] });
        await store.accept({
          events: [newEvent(team), newEvent(team, { id: 'mine', payload: { other: 1 } })],
        });
        const outcome = await store.change({
          steps: [{ query: store.queries.deleteFrom('teams').where('id', '=', '?').compile(), rows: 1 }],
          events: [newEvent(team)],
          touched: [],
          now: startAt,
        });
        assert.equal(outcome.kind, 'refused');
        assert.deepEqual(await teamOf(store, team), [[startOf(startAt, hourMs), 2, 0, 0, 0, 0]]);
        assert.equal(await backlogOf(store, tag), 2);
        await change(store, { events: [newEvent(team)] });
        assert.equal((await teamOf(store, team))[0]?.[1], 3);
      }),
    );

    test(
      'the backlog of a lane follows every delivery, through retries, redeliveries and a crash',
      onStore(open, async (store, opened) => {
        const team = await addTeam(store);
        const webhook = await addWebhook(store, team);
        const other = await addWebhook(store, await addTeam(store));
        const { tag } = webhook;
        const ended = await publishHeld(store, newEvent(team));
        const retried = await publishHeld(store, newEvent(team, { at: startAt + 1 }));
        await publishHeld(store, newEvent(team, { at: startAt + 2 }));
        const [first] = await store.backlogs([tag]);
        assert.deepEqual(first, { tag, pending: 3, oldestKey: ended.key });
        await finishOne(store, attemptOf(ended, { kind: 'failed' }));
        await finishOne(store, attemptOf(retried, { kind: 'retry', at: startAt + 10 }));
        assert.deepEqual(await store.backlogs([tag, other.tag]), [
          { tag, pending: 2, oldestKey: retried.key },
          { tag: other.tag, pending: 0, oldestKey: null },
        ]);
        await store.redeliver(ended.key, startAt, auditStep(store, 'x'));
        assert.equal(await backlogOf(store, tag), 3);
        assert.equal((await store.figures()).pending, 3);

        const next = await opened.reopen(startAt + 1_000);
        assert.equal(await backlogOf(next, tag), 3);
        for (const claimed of await claimLane(next, tag, startAt + 1_000)) {
          await finishOne(next, attemptOf(claimed, { kind: 'delivered' }));
        }
        assert.deepEqual(await next.backlogs([tag]), [{ tag, pending: 0, oldestKey: null }]);
        await publish(next, newEvent(team, { at: startAt + 2_000 }));
        await remove(next, webhook, startAt + 2_000);
        await next.release([], startAt + 2_000);
        assert.equal((await next.figures()).pending, 1);
      }),
    );

    test(
      'failures count from the first after the last success, and anew where that is asked for',
      onStore(open, async (store) => {
        const team = await addTeam(store);
        const { tag } = await addWebhook(store, team);
        const attempt = async (at: number, kind: 'delivered' | 'failed') => {
          const held = await publishHeld(store, newEvent(team, { at }));
          await finishOne(store, attemptOf(held, { kind }, at));
          await store.writeFigures();
          const row = (await readHealth(store, [tag])).get(tag);
          return [row?.failing_since, row?.last_failure_at, row?.last_success_at, row?.last_end_state];
        };
        assert.deepEqual(await attempt(startAt + 1, 'delivered'), [null, null, startAt + 1, 'delivered']);
        assert.deepEqual(await attempt(startAt + 2, 'failed'), [
          startAt + 2,
          startAt + 2,
          startAt + 1,
          'failed',
        ]);
        assert.deepEqual((await attempt(startAt + day, 'failed')).slice(0, 2), [startAt + 2, startAt + day]);
        const row = (await readHealth(store, [tag])).get(tag);
        assert.deepEqual([row?.last_failure_status, row?.last_failure_cause], [500, 'status_500']);
        await change(store, { steps: [forgetFailures(store, tag)] });
        assert.equal((await readHealth(store, [tag])).get(tag)?.failing_since, null);
        assert.equal((await attempt(startAt + 2 * day, 'failed'))[0], startAt + 2 * day);
        assert.equal((await attempt(startAt + 3 * day, 'delivered'))[0], null);
      }),
    );

    test(
      'until when a lane rests is noted, and that it rests no more',
      onStore(open, async (store) => {
        const team = await addTeam(store);
        const { tag } = await addWebhook(store, team);
        const restOf = async () => {
          await store.writeFigures();
          return (await readHealth(store, [tag])).get(tag)?.rests_until;
        };
        store.setLaneOpen(tag, false);
        await store.holdLane(tag, startAt + 1_000);
        assert.equal(await restOf(), startAt + 1_000);
        store.setLaneOpen(tag, true);
        await store.ping();
        assert.equal(await restOf(), 0);
        // A lane may be held for other reasons.
        await store.holdLane(tag, startAt + 2_000);
        assert.equal(await restOf(), 0);
      }),
    );

    test(
      'figures that are too old leave a few at a time: minutes after two hours, hours after 31 days',
      onStore(open, async (store) => {
        const team = await addTeam(store);
        const { tag } = await addWebhook(store, team);
        for (let minute = 0; minute < 30; minute++) {
          const at = startAt + minute * minuteMs;
          const held = await publishHeld(store, newEvent(team, { at }));
          await finishOne(store, attemptOf(held, { kind: 'delivered' }, at + 10));
        }
        await store.writeFigures();
        const left = async () => [
          (await readTeamPoints(store, team, minuteMs, 0)).length,
          (await readTeamPoints(store, team, hourMs, 0)).length,
          (await readHours(store, [tag], 0)).length,
        ];
        assert.deepEqual(await left(), [30, 1, 1]);
        assert.equal(await store.pruneFigures(startAt + 2 * hourMs, 10), 0);
        const later = startAt + 2 * hourMs + 20 * minuteMs;
        assert.equal(await store.pruneFigures(later, 10), 20);
        assert.deepEqual(await left(), [20, 1, 1]);
        while ((await store.pruneFigures(later, 10)) > 0);
        assert.deepEqual(await left(), [10, 1, 1]);
        while ((await store.pruneFigures(startAt + 32 * day, 10)) > 0);
        assert.deepEqual(await left(), [0, 0, 0]);
      }),
    );

    test(
      'more endpoints than go at once are all written in the end, each whole',
      onStore(open, async (store) => {
        const team = await addTeam(store);
        const tags: string[] = [];
        for (let i = 0; i < 300; i++) tags.push((await addWebhook(store, team)).tag);
        await publish(store, newEvent(team));
        const { claimed } = { claimed: await store.backlogs(tags) };
        assert.ok(claimed.every(({ pending }) => pending === 1));
        await store.writeFigures();
        assert.equal((await readHealth(store, tags)).size, 300);
        assert.equal((await teamOf(store, team))[0]?.[1], 1);
      }),
    );
  });
}
