// Reading what has happened: lists page by key without a gap or a repeat, whatever is finished meanwhile.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { timePrefix, uidLength } from '../../id.ts';
import { type DeliveryFilter, listDeliveries, pickDeliveries } from '../control/delivery-list.ts';
import {
  type DeliveryRow,
  type EventFilter,
  findDelivery,
  findEvents,
  listDeliveriesOfEvent,
  listEvents,
} from '../control/history.ts';
import type { Store } from '../store.ts';
import {
  addTeam,
  addWebhook,
  attemptOf,
  auditStep,
  claimLane,
  finishOne,
  type Held,
  leaseOf,
  newEvent,
  type OpenStore,
  publish,
  publishHeld,
  remove,
  sharedStore,
  startAt,
  usualType,
} from './bed.ts';

const everyDelivery = (tag: string): DeliveryFilter => ({
  scope: { kind: 'webhook', tag },
  states: null,
  types: null,
  projectId: null,
  status: null,
  causes: null,
  fromKey: null,
  belowKey: null,
  limit: 100,
});

const everyEvent = (teamId: string): EventFilter => ({
  teamId,
  type: null,
  projectId: null,
  since: null,
  until: null,
  before: null,
  limit: 100,
});

/** Reads a whole list page by page; `between` runs after each page. */
async function readPages(
  store: Store,
  filter: DeliveryFilter,
  between: (page: DeliveryRow[]) => Promise<unknown>,
): Promise<DeliveryRow[]> {
  const rows: DeliveryRow[] = [];
  let belowKey = filter.belowKey;
  for (;;) {
    const page = await listDeliveries(store, { ...filter, belowKey });
    rows.push(...page.rows);
    if (page.next === null) return rows;
    belowKey = page.next;
    await between(page.rows);
  }
}

const newest = ([first]: { key: string }[]): string => first?.key ?? '';

/** The store, on which `meanwhile` is done between the first query and the second. */
function interrupted(store: Store, meanwhile: () => Promise<unknown>): Store {
  let before: Promise<unknown> | null = null;
  const read: Store['read'] = async (query) => {
    if (before !== null) {
      await before;
      return store.read(query);
    }
    const rows = store.read(query);
    before = rows.then(meanwhile);
    return rows;
  };
  return Object.assign(Object.create(store) as Store, { queries: store.queries, read });
}

export function describeReading(open: OpenStore): void {
  describe('lists of deliveries', () => {
    const shared = sharedStore(open);
    test(
      'pages have no gap and no repeat while deliveries are finished, tried again and made',
      shared(async (store) => {
        const team = await addTeam(store);
        const { tag } = await addWebhook(store, team);
        const held: Held[] = [];
        for (let i = 0; i < 60; i++) held.push(await publishHeld(store, newEvent(team, { at: startAt + i })));
        const expected = held.map(({ key }) => key).toReversed();
        let at = 0;
        const rows = await readPages(store, { ...everyDelivery(tag), limit: 7 }, async () => {
          for (const kind of ['delivered', 'failed'] as const) {
            const next = held[at++ * 5 + 3];
            if (next !== undefined) await finishOne(store, attemptOf(next, { kind }));
          }
          await publishHeld(store, newEvent(team, { at: startAt + 1_000 + at }));
        });
        assert.deepEqual(
          rows.map(({ key }) => key),
          expected,
        );
      }),
    );

    test(
      'a delivery that is finished between the two looks of one read is there once, as it is now',
      shared(async (store) => {
        const looks: ((through: Store, row: DeliveryRow) => Promise<(DeliveryRow | null)[]>)[] = [
          async (through, { tag }) => (await listDeliveries(through, everyDelivery(tag))).rows,
          async (through, { webhookTeamId }) => {
            const scope = { kind: 'team', teamId: webhookTeamId, removedSince: 0 } as const;
            return (await listDeliveries(through, { ...everyDelivery(''), scope })).rows;
          },
          async (through, { key, eventTeamId }) => [await findDelivery(through, key, eventTeamId)],
          async (through, { eventId, eventTeamId }) => {
            const [event] = await findEvents(store, eventId, eventTeamId);
            return event === undefined ? [] : listDeliveriesOfEvent(through, event);
          },
        ];
        for (const look of looks) {
          const team = await addTeam(store);
          await addWebhook(store, team);
          const held = await publishHeld(store, newEvent(team));
          const row = await findDelivery(store, held.key, team);
          assert.ok(row !== null);
          const finish = () => finishOne(store, attemptOf(held, { kind: 'failed' }));
          const rows = await look(interrupted(store, finish), row);
          assert.deepEqual(
            rows.map((found) => `${found?.state} ${found?.attempts}`),
            ['failed 1'],
          );
        }
      }),
    );

    test(
      'filters: state, type and time, each with pages of its own',
      shared(async (store) => {
        const team = await addTeam(store);
        const hook = await addWebhook(store, team, { types: [usualType, 'project.created'] });
        const { tag } = hook;
        const kinds = ['pending', 'delivered', 'failed'] as const;
        const wanted = new Map<string, string[]>(kinds.map((kind) => [kind, []]));
        const byType: string[] = [];
        for (let i = 0; i < 30; i++) {
          const type = i % 5 === 0 ? 'project.created' : usualType;
          const held = await publishHeld(store, newEvent(team, { at: startAt + i, type }));
          const kind = kinds[i % 3] ?? 'pending';
          if (kind !== 'pending') await finishOne(store, attemptOf(held, { kind }));
          wanted.get(kind)?.unshift(held.key);
          if (type === 'project.created') byType.unshift(held.key);
        }
        const read = async (filter: Partial<DeliveryFilter>) => {
          const rows = await readPages(store, { ...everyDelivery(tag), limit: 4, ...filter }, () =>
            Promise.resolve(),
          );
          return rows.map(({ key }) => key);
        };
        for (const kind of kinds) assert.deepEqual(await read({ states: [kind] }), wanted.get(kind), kind);
        assert.deepEqual(await read({ states: ['canceled'] }), []);
        assert.deepEqual(await read({ types: ['project.created'] }), byType);
        assert.deepEqual(
          await read({ states: ['pending', 'failed'] }),
          [...(wanted.get('pending') ?? []), ...(wanted.get('failed') ?? [])].toSorted().toReversed(),
        );
        const all = await read({});
        assert.equal(all.length, 30);
        // Since the tenth, before the twentieth: the newest is first.
        const [fromKey, belowKey] = [timePrefix(startAt + 10), timePrefix(startAt + 20)];
        assert.deepEqual(await read({ fromKey }), all.slice(0, 20));
        assert.deepEqual(await read({ belowKey }), all.slice(10));
        assert.deepEqual(await read({ fromKey, belowKey }), all.slice(10, 20));
        assert.deepEqual(
          await read({ fromKey, belowKey, states: ['failed'], types: [usualType] }),
          all.slice(10, 20).filter((key) => wanted.get('failed')?.includes(key) && !byType.includes(key)),
        );
      }),
    );

    test(
      'a team’s list merges its webhooks’, removed ones included, by key; another team’s is not in it',
      shared(async (store) => {
        const [team, other] = [await addTeam(store), await addTeam(store)];
        const hooks = [await addWebhook(store, team), await addWebhook(store, team)];
        const gone = await addWebhook(store, team);
        await addWebhook(store, other);
        const ends = [
          { next: { kind: 'delivered' }, status: 204, cause: null },
          { next: { kind: 'failed' }, status: 503, cause: 'status_503' },
          { next: { kind: 'failed' }, status: null, cause: 'dns_not_found' },
        ] as const;
        const all: { key: string; tag: string; end: number; projectId: string | null }[] = [];
        for (let i = 0; i < 12; i++) {
          const projectId = i % 4 === 0 ? 'prj_1' : null;
          const event = newEvent(team, { at: startAt + i, projectId });
          await publish(store, event);
          await publish(store, newEvent(other, { at: startAt + i, projectId }));
          for (const { tag } of [...hooks, gone]) {
            const end = tag === gone.tag ? 3 : (i + hooks.findIndex((hook) => hook.tag === tag)) % 3;
            const held = { key: event.uid + tag, tag, attempts: 0, extra: false, body: event.body };
            const how = ends[end];
            if (how !== undefined) await finishOne(store, { ...attemptOf(held, how.next), ...how });
            all.push({ key: held.key, tag, end, projectId });
          }
        }
        await remove(store, gone, startAt + 100);
        all.sort((a, b) => (a.key < b.key ? 1 : -1));
        const scope = { kind: 'team', teamId: team, removedSince: 0 } as const;
        const read = async (of: Partial<DeliveryFilter>) => {
          const filter = { ...everyDelivery(''), scope, limit: 5, ...of };
          return (await readPages(store, filter, () => Promise.resolve())).map(({ key }) => key);
        };
        const where = (holds: (one: (typeof all)[number]) => boolean) =>
          all.filter(holds).map(({ key }) => key);
        assert.deepEqual(
          await read({}),
          where(() => true),
        );
        const isServerError = (status: number | null) => status !== null && status >= 500;
        const expected: [Partial<DeliveryFilter>, string[]][] = [
          [{ states: ['failed'] }, where(({ end }) => end === 1 || end === 2)],
          [{ states: ['canceled'] }, where(({ end }) => end === 3)],
          [{ states: ['failed', 'canceled'] }, where(({ end }) => end > 0)],
          [{ status: isServerError }, where(({ end }) => end === 1)],
          [{ causes: ['dns_not_found', 'status_404'] }, where(({ end }) => end === 2)],
          [{ projectId: 'prj_1' }, where((one) => one.projectId === 'prj_1')],
          [
            { states: ['delivered'], projectId: 'prj_1' },
            where((one) => one.end === 0 && one.projectId !== null),
          ],
          [{ scope: { ...scope, removedSince: startAt + 101 } }, where(({ tag }) => tag !== gone.tag)],
          [{ scope: { ...scope, teamId: 'team_none' } }, []],
        ];
        for (const [of, keys] of expected) assert.deepEqual(await read(of), keys, JSON.stringify(of));
        const [event] = await findEvents(store, newest(all).slice(0, uidLength), team);
        assert.ok(event !== undefined);
        const picked = pickDeliveries(await listDeliveriesOfEvent(store, event), {
          ...everyDelivery(''),
          scope,
          limit: 2,
        });
        assert.deepEqual(
          [picked.rows.map(({ key }) => key), picked.next],
          [all.slice(0, 2).map(({ key }) => key), all[1]?.key],
        );
      }),
    );

    test(
      'a removed webhook’s pending ones are in the list of canceled ones at once, and afterwards',
      shared(async (store) => {
        const team = await addTeam(store);
        const hook = await addWebhook(store, team);
        const held: Held[] = [];
        for (let i = 0; i < 5; i++) held.push(await publishHeld(store, newEvent(team, { at: startAt + i })));
        const [first, ...rest] = held;
        assert.ok(first !== undefined);
        await finishOne(store, attemptOf(first, { kind: 'delivered' }));
        await store.release(rest.map(leaseOf), startAt);
        await remove(store, hook, startAt + 10);
        const expected = rest.map(({ key }) => key).toReversed();
        const canceled = async () => {
          const { rows } = await listDeliveries(store, { ...everyDelivery(hook.tag), states: ['canceled'] });
          assert.ok(
            rows.every(({ state, finishedAt }) => state === 'canceled' && finishedAt === startAt + 10),
          );
          return rows.map(({ key }) => key);
        };
        assert.deepEqual(await canceled(), expected);
        const pending = { ...everyDelivery(hook.tag), states: ['pending' as const] };
        assert.deepEqual((await listDeliveries(store, pending)).rows, []);
        await store.cancelRemoved(2);
        assert.deepEqual(await canceled(), expected, 'half of them written');
        await store.cancelRemoved(10);
        assert.deepEqual(await canceled(), expected);
      }),
    );

    test(
      'a redelivery of a finished delivery is no second row',
      shared(async (store) => {
        const team = await addTeam(store);
        const { tag } = await addWebhook(store, team);
        const held = await publishHeld(store, newEvent(team));
        await finishOne(store, attemptOf(held, { kind: 'failed' }));
        await store.redeliver(held.key, startAt, auditStep(store, 'x'));
        const states = async (of: DeliveryFilter['states']) =>
          (await listDeliveries(store, { ...everyDelivery(tag), states: of })).rows.map((row) => row.state);
        assert.deepEqual(
          [await states(null), await states(['pending']), await states(['failed'])],
          [['failed'], [], ['failed']],
        );
      }),
    );

    test(
      'an event’s deliveries are those of its team’s webhooks, removed ones included',
      shared(async (store) => {
        const [team, other] = [await addTeam(store), await addTeam(store)];
        const hooks = [
          await addWebhook(store, team),
          await addWebhook(store, team),
          await addWebhook(store, team),
        ];
        await addWebhook(store, other);
        const event = newEvent(team, { id: 'mine' });
        await publish(store, event);
        await publish(store, newEvent(other, { id: 'mine' }));
        const [gone, done] = hooks;
        assert.ok(gone !== undefined && done !== undefined);
        await remove(store, gone, startAt);
        const held = {
          key: event.uid + done.tag,
          tag: done.tag,
          attempts: 0,
          extra: false,
          body: event.body,
        };
        await finishOne(store, attemptOf(held, { kind: 'delivered' }));
        const [row] = await findEvents(store, 'mine', team);
        assert.ok(row !== undefined);
        const deliveries = await listDeliveriesOfEvent(store, row);
        assert.deepEqual(
          new Map(deliveries.map(({ tag, state, eventId }) => [tag, `${state} of ${eventId}`])),
          new Map(
            hooks.map(({ tag }) => {
              const state = tag === gone.tag ? 'canceled' : tag === done.tag ? 'delivered' : 'pending';
              return [tag, `${state} of mine`];
            }),
          ),
        );
      }),
    );

    test(
      'a delivery is found by its key, within its team or in all',
      shared(async (store) => {
        const [team, other] = [await addTeam(store), await addTeam(store)];
        const hook = await addWebhook(store, team);
        const held = await publishHeld(store, newEvent(team));
        const found = await findDelivery(store, held.key, team);
        assert.deepEqual([found?.webhookId, found?.eventTeamId, found?.state], [hook.id, team, 'pending']);
        assert.equal((await findDelivery(store, held.key, null))?.key, held.key);
        assert.equal(await findDelivery(store, held.key, other), null);
        await finishOne(store, attemptOf(held, { kind: 'delivered' }));
        assert.equal((await findDelivery(store, held.key, team))?.state, 'delivered');
        assert.equal(await findDelivery(store, held.key, other), null);
        assert.deepEqual(await claimLane(store, hook.tag, startAt), []);
      }),
    );
  });

  describe('lists of events', () => {
    const shared = sharedStore(open);
    test(
      'newest first, by pages and filters, each team its own',
      shared(async (store) => {
        const [team, other] = [await addTeam(store), await addTeam(store)];
        const ids: string[] = [];
        for (let i = 0; i < 20; i++) {
          const type = i % 2 ? 'project.created' : usualType;
          const event = newEvent(team, { at: startAt + i, type, projectId: i % 3 ? null : 'prj_1' });
          ids.unshift(event.id);
          await store.accept({ events: [event, newEvent(other)] });
        }
        const read = async (filter: Partial<EventFilter>) => {
          const found: string[] = [];
          let before: number | null = null;
          for (;;) {
            const page = await listEvents(store, { ...everyEvent(team), limit: 3, ...filter, before });
            found.push(...page.rows.map(({ id }) => id));
            if (page.next === null) return found;
            before = page.next;
          }
        };
        assert.deepEqual(await read({}), ids);
        // Index i of `ids` is event 19 - i.
        const where = (holds: (i: number) => boolean) => ids.filter((_, at) => holds(19 - at));
        assert.deepEqual(
          await read({ type: usualType }),
          where((i) => i % 2 === 0),
        );
        assert.deepEqual(
          await read({ projectId: 'prj_1' }),
          where((i) => i % 3 === 0),
        );
        assert.deepEqual(
          await read({ since: startAt + 5, until: startAt + 10 }),
          where((i) => i >= 5 && i <= 10),
        );
        assert.deepEqual(
          await read({ since: startAt + 5, type: usualType, projectId: 'prj_1' }),
          where((i) => i >= 5 && i % 6 === 0),
        );
      }),
    );

    test(
      'an id is found within its team, and once for each team that has it',
      shared(async (store) => {
        const [team, other] = [await addTeam(store), await addTeam(store)];
        const event = newEvent(team, { id: 'x', payload: { n: 1 } });
        await publish(store, event);
        await publish(store, newEvent(other, { id: 'x', payload: { n: 2 } }));
        const [found, ...rest] = await findEvents(store, 'x', team);
        assert.equal(rest.length, 0);
        assert.deepEqual(Buffer.from(found?.body ?? []), event.body);
        assert.equal((await findEvents(store, 'x', null)).length, 2);
        assert.deepEqual(await findEvents(store, 'y', null), []);
      }),
    );
  });
}
