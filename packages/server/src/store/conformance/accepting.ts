// Accepting: who gets a delivery, which ids are known, and that a group is stored as a whole or not at all.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { NewEvent, Store } from '../store.ts';
import {
  addProject,
  addTeam,
  addWebhook,
  birthsOf,
  change,
  countRows,
  disable,
  enable,
  newEvent,
  type OpenStore,
  onStore,
  publish,
  remove,
  sharedStore,
  startAt,
  stateOf,
  storedOf,
  usualType,
} from './bed.ts';

const tagsOf = async (store: Store, event: NewEvent) =>
  (await publish(store, event)).map(({ tag }) => tag).toSorted();

/** How many events a team has in the store. */
async function countEvents(store: Store, teamId: string): Promise<number> {
  const query = store.queries.selectFrom('events').select('seq').where('team_id', '=', teamId);
  return (await store.read(query.compile())).length;
}

export function describeAccepting(open: OpenStore): void {
  describe('matching', () => {
    const shared = sharedStore(open);
    test(
      'a webhook gets the events of its team and types, whatever others are subscribed to',
      shared(async (store) => {
        const [ours, theirs] = [await addTeam(store), await addTeam(store)];
        const one = await addWebhook(store, ours);
        const both = await addWebhook(store, ours, { types: [usualType, 'project.created'] });
        const foreign = await addWebhook(store, theirs);
        assert.deepEqual(await tagsOf(store, newEvent(ours)), [one.tag, both.tag].toSorted());
        assert.deepEqual(await tagsOf(store, newEvent(ours, { type: 'project.created' })), [both.tag]);
        assert.deepEqual(await tagsOf(store, newEvent(ours, { type: 'project.removed' })), []);
        assert.deepEqual(await tagsOf(store, newEvent(theirs)), [foreign.tag]);
      }),
    );

    test(
      'a selection of projects gets the events of those projects only, and never widens',
      shared(async (store) => {
        const team = await addTeam(store);
        const [site, shop] = [await addProject(store, team), await addProject(store, team)];
        const all = await addWebhook(store, team);
        const selective = await addWebhook(store, team, { projectIds: [site] });
        const both = [all.tag, selective.tag].toSorted();
        assert.deepEqual(await tagsOf(store, newEvent(team, { projectId: site })), both);
        assert.deepEqual(await tagsOf(store, newEvent(team, { projectId: shop })), [all.tag]);
        assert.deepEqual(await tagsOf(store, newEvent(team, { projectId: 'prj_unknown' })), [all.tag]);
        assert.deepEqual(await tagsOf(store, newEvent(team)), [all.tag]);

        const removal = store.queries.deleteFrom('endpoint_projects').where('project_id', '=', site);
        await change(store, { steps: [{ query: removal.compile() }], touched: [selective.tag] });
        assert.deepEqual(await tagsOf(store, newEvent(team, { projectId: site })), [all.tag]);
        assert.deepEqual(await tagsOf(store, newEvent(team)), [all.tag]);
      }),
    );

    test(
      'account webhooks get nothing on the hobby plan, from the very next event on',
      shared(async (store) => {
        const team = await addTeam(store, 'pro');
        const { tag } = await addWebhook(store, team);
        const setPlan = (plan: 'hobby' | 'enterprise') =>
          change(store, {
            steps: [
              { query: store.queries.updateTable('teams').set({ plan }).where('id', '=', team).compile() },
            ],
          });
        assert.deepEqual(await tagsOf(store, newEvent(team)), [tag]);
        await setPlan('hobby');
        assert.deepEqual(await tagsOf(store, newEvent(team)), []);
        await setPlan('enterprise');
        assert.deepEqual(await tagsOf(store, newEvent(team)), [tag]);
      }),
    );

    test(
      'a disabled webhook gets no delivery, an enabled one again, a removed one never',
      shared(async (store) => {
        const team = await addTeam(store);
        let hook = await addWebhook(store, team);
        assert.deepEqual(await tagsOf(store, newEvent(team)), [hook.tag]);
        hook = await disable(store, hook, startAt);
        assert.deepEqual(await tagsOf(store, newEvent(team)), []);
        hook = await enable(store, hook, startAt + 1);
        assert.deepEqual(await tagsOf(store, newEvent(team)), [hook.tag]);
        await remove(store, hook, startAt + 2);
        assert.deepEqual(await tagsOf(store, newEvent(team)), []);
      }),
    );

    test(
      'a test event is for its one webhook, subscribed or not, and for no other team’s',
      shared(async (store) => {
        const [team, other] = [await addTeam(store), await addTeam(store)];
        let hook = await addWebhook(store, team, { types: ['project.created'] });
        await addWebhook(store, team);
        const foreign = await addWebhook(store, other);
        assert.deepEqual(await tagsOf(store, newEvent(team, { only: hook.tag })), [hook.tag]);
        assert.deepEqual(await tagsOf(store, newEvent(team, { only: foreign.tag })), []);
        const marked = store.queries
          .selectFrom('events')
          .select('test')
          .where('team_id', '=', team)
          .orderBy('seq');
        assert.deepEqual(
          (await store.read(marked.compile())).map((row) => row.test),
          [1, 1],
        );
        hook = await disable(store, hook, startAt);
        assert.deepEqual(await tagsOf(store, newEvent(team, { only: hook.tag })), []);
      }),
    );

    test(
      'births carry the version that the webhook has',
      shared(async (store) => {
        const team = await addTeam(store);
        const hook = await addWebhook(store, team);
        const [before] = await publish(store, newEvent(team));
        await enable(store, await disable(store, hook, startAt), startAt);
        const [after] = await publish(store, newEvent(team));
        assert.deepEqual([before?.version, after?.version], [1, 3]);
      }),
    );
  });

  describe('ids', () => {
    const shared = sharedStore(open);
    test(
      'the same id with the same content is known: key order does not count, and nothing is made again',
      onStore(open, async (store) => {
        const team = await addTeam(store);
        await addWebhook(store, team);
        await addWebhook(store, team);
        const first = newEvent(team, { id: 'order-1', payload: { a: 1, b: { c: 2, d: [1, 2] } } });
        const again = newEvent(team, {
          id: 'order-1',
          payload: { b: { d: [1, 2], c: 2 }, a: 1 },
          at: startAt + 500,
        });
        assert.equal((await publish(store, first)).length, 2);
        const expected = [{ kind: 'known', createdAt: first.createdAt, deliveries: 2 }];
        assert.deepEqual(storedOf(await store.accept({ events: [again] })), expected);
        assert.equal(await countEvents(store, team), 1);
        assert.equal((await store.figures()).pending, 2);
      }),
    );

    test(
      'the same id with other content is a conflict: payload, type, projectId, region',
      shared(async (store) => {
        const team = await addTeam(store);
        const base = { id: 'order-1', payload: { a: [1, 2] }, projectId: 'prj_1', region: 'fra1' };
        await publish(store, newEvent(team, base));
        const others = [
          { ...base, payload: { a: [2, 1] } },
          { ...base, payload: { a: ['1', 2] } },
          { ...base, payload: { a: [1, 2], b: null } },
          { ...base, type: 'project.created' },
          { ...base, projectId: 'prj_2' },
          { ...base, projectId: null },
          { ...base, region: null },
        ];
        for (const options of others) {
          const outcome = await store.accept({ events: [newEvent(team, options)] });
          assert.deepEqual(outcome, { kind: 'conflict', index: 0 }, JSON.stringify(options));
        }
        assert.equal(await countEvents(store, team), 1);
      }),
    );

    test(
      'createdAt is content only where both publishers gave it',
      shared(async (store) => {
        const team = await addTeam(store);
        const accept = async (id: string, createdAt?: number) => {
          const event = newEvent(team, {
            id,
            at: startAt + 9,
            ...(createdAt === undefined ? {} : { createdAt }),
          });
          const outcome = await store.accept({ events: [event] });
          return outcome.kind === 'conflict' ? 'conflict' : outcome.events[0]?.kind;
        };
        assert.equal(await accept('given', startAt), 'stored');
        assert.equal(await accept('given', startAt), 'known');
        assert.equal(await accept('given', startAt + 1), 'conflict');
        assert.equal(await accept('given'), 'known');
        assert.equal(await accept('left-out'), 'stored');
        assert.equal(await accept('left-out', startAt - 5_000), 'known');
      }),
    );

    test(
      'an id belongs to its team, and an id that the store’s side made can be used again too',
      shared(async (store) => {
        const [team, other] = [await addTeam(store), await addTeam(store)];
        await publish(store, newEvent(team, { id: 'same' }));
        await publish(store, newEvent(other, { id: 'same', payload: { else: true } }));
        const made = newEvent(team, { payload: { n: 1 } });
        await publish(store, made);
        const same = newEvent(team, { id: made.id, payload: { n: 1 } });
        const different = newEvent(team, { id: made.id, payload: { n: 2 } });
        assert.equal(storedOf(await store.accept({ events: [same] }))[0]?.kind, 'known');
        assert.deepEqual(await store.accept({ events: [different] }), { kind: 'conflict', index: 0 });
      }),
    );

    test(
      'one id twice in a group: the same content once, other content a conflict for all',
      onStore(open, async (store) => {
        const team = await addTeam(store);
        await addWebhook(store, team);
        const twice = [newEvent(team, { id: 'a' }), newEvent(team), newEvent(team, { id: 'a' })];
        const kinds = storedOf(await store.accept({ events: twice })).map(({ kind }) => kind);
        assert.deepEqual(kinds, ['stored', 'stored', 'known']);
        const clash = [
          newEvent(team, { id: 'b' }),
          newEvent(team, { id: 'b', payload: { x: 1 } }),
          newEvent(team),
        ];
        assert.deepEqual(await store.accept({ events: clash }), { kind: 'conflict', index: 1 });
        assert.equal(await countEvents(store, team), 2);
        assert.deepEqual(await store.figures().then(({ pending, held }) => [pending, held]), [2, 2]);
      }),
    );

    test(
      '50 publishes of one id at once: one is stored and every other is told of it',
      shared(async (store) => {
        const team = await addTeam(store);
        await addWebhook(store, team);
        const outcomes = await Promise.all(
          Array.from({ length: 50 }, (_, i) =>
            store.accept({ events: [newEvent(team, { id: 'one', at: startAt + i })] }),
          ),
        );
        const accepted = outcomes.map((outcome) => storedOf(outcome)[0]);
        assert.equal(accepted.filter((one) => one?.kind === 'stored').length, 1);
        const known = accepted.filter((one) => one?.kind === 'known');
        assert.equal(known.length, 49);
        assert.equal(new Set(known.map((one) => one?.kind === 'known' && one.createdAt)).size, 1);
        assert.ok(known.every((one) => one?.kind === 'known' && one.deliveries === 1));
        assert.equal(await countEvents(store, team), 1);
      }),
    );
  });

  describe('groups', () => {
    const shared = sharedStore(open);
    test(
      'a conflict takes its whole group back and leaves the others of the commit alone',
      onStore(open, async (store) => {
        const team = await addTeam(store);
        const hook = await addWebhook(store, team);
        await publish(store, newEvent(team, { id: 'taken' }));
        const clash = [
          newEvent(team),
          newEvent(team, { id: 'fresh' }),
          newEvent(team, { id: 'taken', payload: { x: 1 } }),
        ];
        const [before, refused, after] = await Promise.all([
          store.accept({ events: [newEvent(team)] }),
          store.accept({ events: clash }),
          store.accept({ events: [newEvent(team, { id: 'fresh', payload: { y: 1 } }), newEvent(team)] }),
        ]);
        assert.deepEqual(refused, { kind: 'conflict', index: 2 });
        const births = [...storedOf(before), ...storedOf(after)].map((one) => birthsOf(one).length);
        assert.deepEqual(births, [1, 1, 1]);
        assert.equal(await countEvents(store, team), 4);
        const figures = await store.figures();
        assert.deepEqual([figures.pending, figures.held], [4, 4]);
        assert.equal((await countRows(store)).pending, 4);
        assert.equal(await stateOf(store, `${clash[0]?.uid}${hook.tag}`), 'missing');
      }),
    );

    test(
      'groups of one commit keep their own answers, in order',
      shared(async (store) => {
        const team = await addTeam(store);
        await addWebhook(store, team);
        const sizes = [3, 1, 0, 40, 2];
        const groups = sizes.map((size, at) =>
          Array.from({ length: size }, (_, i) =>
            newEvent(team, { id: `${at}-${i}`, type: i % 2 ? 'x.y' : usualType }),
          ),
        );
        const outcomes = await Promise.all(groups.map((events) => store.accept({ events })));
        const births = outcomes.map((outcome) => storedOf(outcome).map((one) => birthsOf(one).length));
        assert.deepEqual(
          births,
          sizes.map((size) => Array.from({ length: size }, (_, i) => (i % 2 ? 0 : 1))),
        );
      }),
    );

    test(
      'bodies come back byte for byte',
      onStore(open, async (store, { reopen }) => {
        const team = await addTeam(store);
        const { tag } = await addWebhook(store, team);
        const payloads = [{ text: '…\u0000\ud83d\ude00\u2028"\\' }, {}, { long: 'x'.repeat(200_000) }];
        const events = payloads.map((payload, i) => newEvent(team, { payload, at: startAt + i }));
        await store.accept({ events });
        const again = await reopen(startAt + 10);
        const { claimed } = await again.claim({
          now: startAt + 10,
          lanes: [{ tag, count: 10, replayed: 0 }],
          others: { lanes: 0, each: 0 },
        });
        const bodies = new Map(claimed.map(({ key, body }) => [key.slice(0, 21), Buffer.from(body)]));
        for (const event of events) assert.deepEqual(bodies.get(event.uid), event.body);
      }),
    );
  });
}
