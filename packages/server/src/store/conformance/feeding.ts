// The feed: what became visible is read once and in order, from any place that was given before, by its team alone.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { FeedResult, FeedRow, Store } from '../store.ts';
import {
  addTeam,
  addWebhook,
  attemptOf,
  finishOne,
  leaseOf,
  newEvent,
  type OpenStore,
  publish,
  publishHeld,
  remove,
  sharedStore,
  startAt,
} from './bed.ts';

const tell = (row: FeedRow): string => {
  if (row.kind === 'event') return `event ${row.id}`;
  return row.kind === 'attempt' ? `attempt ${row.number} of ${row.key}` : `canceled ${row.key}`;
};

/** Everything from a place on, a few rows at a time. */
async function readAll(
  store: Store,
  teamIds: string[],
  from: string,
  limit = 1_000,
  until: string | null = null,
) {
  const rows: FeedRow[] = [];
  let position = from;
  for (;;) {
    const read: FeedResult = await store.readFeed({ teamIds, from: position, until, limit });
    assert.equal(read.lost, false);
    rows.push(...read.rows);
    position = read.position;
    if (!read.more) return { rows, told: rows.map(tell), position };
  }
}

export function describeFeeding(open: OpenStore): void {
  describe('the feed', () => {
    const shared = sharedStore(open);

    test(
      'events, attempts and cancellations of a team, each once and in order; another team’s are not in it',
      shared(async (store) => {
        const [team, other] = [await addTeam(store), await addTeam(store)];
        const [hook, gone] = [await addWebhook(store, team), await addWebhook(store, team)];
        await addWebhook(store, other);
        await publish(store, newEvent(team));
        const from = await store.feedPosition();
        assert.deepEqual((await readAll(store, [team], from)).rows, [], 'nothing since');
        const first = newEvent(team, { projectId: 'prj_1' });
        await publish(store, first);
        await publish(store, newEvent(other));
        const held = {
          key: first.uid + hook.tag,
          tag: hook.tag,
          attempts: 0,
          extra: false,
          body: first.body,
        };
        const attempt = {
          ...attemptOf(held, { kind: 'retry', at: startAt + 5_000 }),
          status: 503,
          cause: 'status_503',
        };
        await finishOne(store, attempt);
        const lost = { ...held, key: first.uid + gone.tag, tag: gone.tag };
        await store.release([leaseOf(lost)], startAt);
        await remove(store, gone, startAt + 10);
        assert.equal(await store.cancelRemoved(10), 1);
        const { rows, position } = await readAll(store, [team], from);
        assert.deepEqual(rows.map(tell), [
          `event ${first.id}`,
          `attempt 1 of ${held.key}`,
          `canceled ${lost.key}`,
        ]);
        assert.ok(rows.every(({ teamId }) => teamId === team));
        const [event, made] = rows;
        assert.ok(event?.kind === 'event' && made?.kind === 'attempt');
        assert.deepEqual(
          [event.uid, event.type, event.projectId, event.createdAt, event.deliveries],
          [first.uid, first.type, 'prj_1', first.createdAt, 2],
        );
        const { number, startedAt, durationMs, status, cause } = made;
        assert.deepEqual(
          [number, startedAt, durationMs, status, cause],
          [1, attempt.startedAt, attempt.durationMs, 503, 'status_503'],
        );
        assert.deepEqual((await readAll(store, [team], position)).rows, []);
        assert.deepEqual((await readAll(store, [team, other], from)).rows.length, 4);
        assert.deepEqual((await readAll(store, ['team_none'], from)).rows, []);
      }),
    );

    test(
      'read a few at a time, up to a place, and from the place of any row: nothing is missing and nothing twice',
      shared(async (store) => {
        const team = await addTeam(store);
        const { tag } = await addWebhook(store, team);
        const from = await store.feedPosition();
        for (let i = 0; i < 12; i++) {
          const held = await publishHeld(store, newEvent(team));
          if (i % 2 === 0) await finishOne(store, attemptOf(held, { kind: 'delivered' }));
          if (i % 3 === 0) await store.accept({ events: [newEvent(team), newEvent(team)] });
        }
        const whole = await readAll(store, [team], from);
        assert.equal(whole.told.length, 12 + 6 + 8);
        for (const limit of [1, 2, 5]) {
          const { told } = await readAll(store, [team], from, limit);
          assert.deepEqual(told.toSorted(), whole.told.toSorted(), `limit ${limit}`);
        }
        const until = await store.feedPosition();
        await publishHeld(store, newEvent(team));
        assert.deepEqual(
          (await readAll(store, [team], from, 3, until)).told.toSorted(),
          whole.told.toSorted(),
        );
        assert.equal((await readAll(store, [team], until)).told.length, 1);
        for (const [index, row] of whole.rows.entries()) {
          const rest = (await readAll(store, [team], row.position, 1_000, until)).told;
          // Rows of one commit may share a place; from there the rest of that commit comes again.
          const expected = whole.told.slice(index + 1);
          assert.deepEqual(rest.slice(rest.length - expected.length), expected, tell(row));
          assert.ok(rest.length - expected.length <= 2, 'no more than the rest of its commit');
        }
        assert.equal(tag.length, 8);
      }),
    );

    test(
      'a place that is none of this store’s is told, and where the feed goes on',
      shared(async (store) => {
        const team = await addTeam(store);
        for (const from of ['', 'x', 's9007199254740000.1.1', 'p9007199254740000:', 'p1:x', 's1.1']) {
          const read = await store.readFeed({ teamIds: [team], from, until: null, limit: 10 });
          assert.deepEqual([read.lost, read.rows], [true, []], from);
          const next = await store.readFeed({ teamIds: [team], from: read.position, until: null, limit: 10 });
          assert.equal(next.lost, false);
        }
      }),
    );
  });
}
