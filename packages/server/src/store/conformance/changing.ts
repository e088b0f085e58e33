// Changes of the control plane: all steps, their events and their audit record, or nothing; and what one broken call
// means for those it shares a commit with.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type CompiledQuery, sql } from 'kysely';
import { listEventTypes, listEventTypeTimes, putEventType } from '../control/event-types.ts';
import { takeWebhookPlace } from '../control/webhooks.ts';
import type { Change, Step, Store } from '../store.ts';
import {
  addTeam,
  addWebhook,
  attemptOf,
  auditStep,
  change,
  claimLane,
  claimOthers,
  countAudit,
  finishOne,
  leaseOf,
  newEvent,
  type OpenStore,
  onStore,
  publish,
  publishHeld,
  startAt,
  stateOf,
  usualType,
} from './bed.ts';

const of = (steps: Step[], parts: Partial<Change> = {}): Change => ({
  steps,
  events: [],
  touched: [],
  now: startAt,
  ...parts,
});

const insertMeta = (store: Store, name: string, value = ''): Step => ({
  query: store.queries.insertInto('meta').values({ name, value }).compile(),
  rows: 1,
});

async function metaNames(store: Store): Promise<string[]> {
  const rows = await store.read(store.queries.selectFrom('meta').select('name').orderBy('name').compile());
  return rows.map(({ name }) => name);
}

/** A statement that no store understands. */
function brokenQuery(store: Store): CompiledQuery {
  return sql`INSERT INTO no_such_table VALUES (1)`.compile(store.queries);
}

export function describeChanging(open: OpenStore): void {
  describe('changes', () => {
    test(
      'all steps are made, in order, and answer their rows',
      onStore(open, async (store) => {
        const renamed = store.queries
          .updateTable('meta')
          .set({ value: '2' })
          .where('name', '=', 'a')
          .returningAll();
        const outcome = await store.change(
          of([insertMeta(store, 'a', '1'), { query: renamed.compile(), rows: 1 }]),
        );
        assert.equal(outcome.kind, 'done');
        assert.deepEqual(
          outcome.kind === 'done' && outcome.rows.map((rows) => rows.map((row) => ({ ...row }))),
          [[], [{ name: 'a', value: '2' }]],
        );
        assert.deepEqual(await metaNames(store), ['a']);
      }),
    );

    test(
      'an event type that is written again is later than before, also where a clock has gone back',
      onStore(open, async (store) => {
        const put = async (label: string, at: number) => {
          const text = { type: 'acme.a', label, category: 'c', description: '', schema: '{}', sample: '{}' };
          const outcome = await store.change(
            of([putEventType(store, { ...text, created_at: at, updated_at: at })]),
          );
          return outcome.kind === 'done' && outcome.rows[0]?.map((row) => ({ ...row }));
        };
        assert.deepEqual(await put('first', startAt), [{ updated_at: startAt }]);
        assert.deepEqual(await put('second', startAt - 60_000), [{ updated_at: startAt + 1 }]);
        assert.deepEqual(await put('third', startAt + 9), [{ updated_at: startAt + 9 }]);
        const [row] = await listEventTypes(store, ['acme.a', 'acme.b']);
        assert.deepEqual([row?.label, row?.created_at], ['third', startAt]);
        assert.deepEqual(
          (await listEventTypeTimes(store)).map((read) => ({ ...read })),
          [{ type: 'acme.a', updated_at: startAt + 9 }],
        );
      }),
    );

    test(
      'a step that affects other than its rows takes everything back, and says which it was',
      onStore(open, async (store) => {
        const update = (name: string) =>
          store.queries.updateTable('meta').set({ value: 'x' }).where('name', '=', name);
        const refused = await store.change(
          of([
            insertMeta(store, 'a'),
            { query: update('none').compile() },
            { query: update('none').compile(), rows: 1, otherwise: 'gone' },
            insertMeta(store, 'b'),
          ]),
        );
        assert.deepEqual(refused, { kind: 'refused', step: 2, reason: 'gone' });
        assert.deepEqual(await metaNames(store), []);
      }),
    );

    test(
      'a unique key that is taken is the reason that the step names',
      onStore(open, async (store) => {
        await change(store, { steps: [insertMeta(store, 'a')] });
        const refused = await store.change(
          of([
            insertMeta(store, 'b'),
            { ...insertMeta(store, 'a'), otherwise: 'name' },
            auditStep(store, 'tried'),
          ]),
        );
        assert.deepEqual(refused, { kind: 'refused', step: 1, reason: 'name' });
        assert.deepEqual(await metaNames(store), ['a']);
        assert.equal(await countAudit(store, 'tried'), 0);
      }),
    );

    test(
      'the events it causes are matched with its own rows, and share its fate',
      onStore(open, async (store, { reopen }) => {
        const team = await addTeam(store);
        const hook = await addWebhook(store, team, { types: ['project.created'] });
        const subscribe: Step = {
          query: store.queries
            .insertInto('subscriptions')
            .values({ team_id: team, type: usualType, tag: hook.tag })
            .compile(),
        };
        const caused = [newEvent(team), newEvent(team, { type: 'project.removed' })];
        const clash = { ...insertMeta(store, 'a'), rows: 2, otherwise: 'never' };
        const refused = await store.change(of([subscribe, clash], { events: caused }));
        assert.equal(refused.kind, 'refused');
        assert.equal((await store.figures()).pending, 0);
        assert.deepEqual(await publish(store, newEvent(team)), [], 'the subscription was taken back too');

        const done = await change(store, { steps: [subscribe], events: caused, touched: [hook.tag] });
        assert.deepEqual(done.births, [[{ tag: hook.tag, version: 1, leased: true }], []]);
        const again = await reopen(startAt + 1);
        assert.equal(await stateOf(again, `${caused[0]?.uid}${hook.tag}`), 'pending 0');
      }),
    );

    test(
      'a change that touches a webhook has its lane looked at',
      onStore(open, async (store) => {
        const team = await addTeam(store);
        const { tag } = await addWebhook(store, team);
        const held = await publishHeld(store, newEvent(team));
        await finishOne(store, attemptOf(held, { kind: 'retry', at: startAt + 900_000 }));
        await claimOthers(store, startAt);
        await change(store, { steps: [], touched: [tag], now: startAt + 1 });
        const { looked } = await claimOthers(store, startAt + 1);
        assert.deepEqual(looked, [{ tag, more: false, moreReplayed: false }]);
      }),
    );

    test(
      'a limit holds under 100 changes at once',
      onStore(open, async (store) => {
        const team = await addTeam(store);
        const outcomes = await Promise.all(
          Array.from({ length: 100 }, (_, i) =>
            store.change(of([takeWebhookPlace(store, team, 20), insertMeta(store, `place-${i}`)])),
          ),
        );
        assert.equal(outcomes.filter(({ kind }) => kind === 'done').length, 20);
        for (const outcome of outcomes) {
          if (outcome.kind === 'refused')
            assert.deepEqual(outcome, { kind: 'refused', step: 0, reason: 'limit' });
        }
        assert.equal((await metaNames(store)).length, 20);
        const count = store.queries.selectFrom('teams').select('webhook_count').where('id', '=', team);
        assert.deepEqual(
          (await store.read(count.compile())).map((row) => row.webhook_count),
          [20],
        );
      }),
    );

    test(
      'what was answered is read by the very next query',
      onStore(open, async (store) => {
        for (let i = 0; i < 50; i++) {
          await change(store, { steps: [insertMeta(store, `n-${i}`)] });
          assert.equal((await metaNames(store)).length, i + 1);
        }
      }),
    );
  });

  describe('neighbours', () => {
    test(
      'a broken call fails alone: what shares its commit is done, once each',
      onStore(open, async (store) => {
        const team = await addTeam(store);
        const { tag } = await addWebhook(store, team);
        const [finished, released] = [
          await publishHeld(store, newEvent(team)),
          await publishHeld(store, newEvent(team)),
        ];
        const event = newEvent(team, { id: 'neighbour' });
        const [broken, ...rest] = await Promise.allSettled([
          store.change(
            of([insertMeta(store, 'half'), { query: brokenQuery(store) }], { events: [newEvent(team)] }),
          ),
          store.change(of([insertMeta(store, 'whole')])),
          finishOne(store, attemptOf(finished, { kind: 'delivered' })),
          store.accept({ events: [event] }),
          store.release([leaseOf(released)], startAt),
          store.accept({ events: [newEvent(team, { id: 'neighbour', payload: { other: true } })] }),
        ]);
        assert.equal(broken?.status, 'rejected');
        assert.deepEqual(
          rest.map((one) => one.status),
          rest.map(() => 'fulfilled'),
        );
        assert.deepEqual(await metaNames(store), ['whole']);
        assert.equal(await stateOf(store, finished.key), 'delivered 1');
        const { pending, held } = await store.figures();
        // Whether the new one is held depends on which was first: it, or what was given back.
        assert.deepEqual([pending, held <= 1], [2, true]);
        const claimed = (await claimLane(store, tag, startAt)).map(({ key }) => key);
        assert.deepEqual([claimed.length, claimed.includes(released.key)], [2 - held, true]);
      }),
    );

    test(
      'a broken query is its caller’s alone',
      onStore(open, async (store) => {
        const query = sql<{ n: number }>`SELECT n FROM no_such_table`.compile(store.queries);
        await assert.rejects(store.read(query), /no_such_table/);
        assert.deepEqual(await metaNames(store), []);
      }),
    );
  });

  describe('closing', () => {
    test(
      'what was asked for before the close is done, and what comes after is refused',
      onStore(open, async (store, { reopen }) => {
        const team = await addTeam(store);
        const { tag } = await addWebhook(store, team);
        const held = await publishHeld(store, newEvent(team));
        const events = Array.from({ length: 50 }, () => newEvent(team));
        const calls = Promise.all([
          ...events.map((event) => store.accept({ events: [event] })),
          finishOne(store, attemptOf(held, { kind: 'delivered' })),
          store.change(of([insertMeta(store, 'a')])),
          store.read(store.queries.selectFrom('meta').selectAll().compile()),
        ]);
        await Promise.all([store.close(), calls]);
        await assert.rejects(store.accept({ events: [newEvent(team)] }));
        await assert.rejects(store.read(store.queries.selectFrom('meta').selectAll().compile()));
        const again = await reopen(startAt + 1);
        assert.equal(await stateOf(again, held.key), 'delivered 1');
        for (const { uid } of events) assert.equal(await stateOf(again, uid + tag), 'pending 0');
        assert.deepEqual(await metaNames(again), ['a']);
      }),
    );

    test(
      'closing twice is closing once',
      onStore(open, async (store) => {
        await Promise.all([store.close(), store.close()]);
        await store.close();
      }),
    );
  });
}
