// The property: whatever is done to a store, in whatever order and with crashes between, nothing is lost, nothing is
// held twice, and every delivery's state is the one that the model says.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { listDeliveries } from '../control/delivery-list.ts';
import type { WebhookRow } from '../control/webhooks.ts';
import type { Next, Store } from '../store.ts';
import {
  addTeam,
  addWebhook,
  attemptOf,
  auditStep,
  birthsOf,
  claimLane,
  countRows,
  disable,
  enable,
  finishOne,
  type Held,
  newEvent,
  type OpenedStore,
  type OpenStore,
  remove,
  startAt,
  storedOf,
} from './bed.ts';
import { type Delivery, type Endpoint, Model } from './model.ts';

const orderings = ['none', 'project', 'all'] as const;

/** One thing done. Numbers choose among what there is at that moment. */
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('accept'),
      events: fc.array(fc.nat(1), { minLength: 1, maxLength: 3 }),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('claim'), at: fc.nat(2), count: fc.integer({ min: 1, max: 4 }) }),
  },
  {
    weight: 9,
    arbitrary: fc.record({
      do: fc.constant('finish'),
      at: fc.nat(50),
      kind: fc.constantFrom('delivered', 'failed', 'retry', 'retry'),
      waitMs: fc.constantFrom(0, 1_000, 60_000),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('finish late'), at: fc.nat(50) }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('release'), at: fc.nat(50), waitMs: fc.constantFrom(0, 5_000) }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('redeliver'), at: fc.nat(50) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('remove'), at: fc.nat(2) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('cancel') }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('switch'), at: fc.nat(2) }) },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('wait'), ms: fc.constantFrom(1, 1_000, 30_000, 60_000) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('sweep') }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('crash'), dice: fc.nat(3) }) },
);
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

/** A team of three webhooks on a real store, beside the model of them. */
class Run {
  readonly model = new Model();
  readonly #opened: OpenedStore;
  #store: Store;
  #team = '';
  #hooks: WebhookRow[] = [];
  #now: number;
  #countsLate = false;

  constructor(opened: OpenedStore, store: Store, now: number) {
    this.#opened = opened;
    this.#store = store;
    this.#now = now;
  }

  get store(): Store {
    return this.#store;
  }

  get now(): number {
    return this.#now;
  }

  async setUp(): Promise<void> {
    this.#team = await addTeam(this.#store);
    for (const ordering of orderings) {
      const hook = await addWebhook(this.#store, this.#team, { ordering });
      this.#hooks.push(hook);
      this.model.add(hook.tag, ordering);
    }
  }

  #endpointAt(at: number): { endpoint: Endpoint; hook: WebhookRow; index: number } | null {
    const [endpoint, hook] = [this.model.endpoints[at], this.#hooks[at]];
    return endpoint === undefined || hook === undefined ? null : { endpoint, hook, index: at };
  }

  #pick(at: number, which: (delivery: Delivery) => boolean): Delivery | null {
    const all = [...this.model.deliveries.values()].filter(which);
    return all[at % Math.max(1, all.length)] ?? null;
  }

  #heldOf(delivery: Delivery): Held {
    const { key, attempts, state, bytes, endpoint } = delivery;
    return { key, tag: endpoint.tag, attempts, extra: state !== 'pending', body: new Uint8Array(bytes) };
  }

  async take(action: Step): Promise<void> {
    this.#now += 1;
    switch (action.do) {
      case 'accept':
        return this.#accept(action.events);
      case 'claim': {
        const found = this.#endpointAt(action.at);
        if (found === null) return;
        const claimed = await claimLane(this.#store, found.endpoint.tag, this.#now, action.count);
        this.model.claim(found.endpoint, action.count, this.#now, claimed);
        return;
      }
      case 'finish': {
        const delivery = this.#pick(action.at, ({ held }) => held);
        const { kind } = action;
        const next: Next = kind === 'retry' ? { kind, at: this.#now + action.waitMs } : { kind };
        if (delivery === null) return;
        const last = delivery.state !== 'pending' && kind === 'retry';
        await this.#finish([delivery, last ? { kind: 'failed' } : next]);
        return;
      }
      case 'finish late': {
        const delivery = this.#pick(action.at, ({ held }) => !held);
        if (delivery !== null) await this.#finish([delivery, { kind: 'delivered' }]);
        return;
      }
      case 'release': {
        const delivery = this.#pick(action.at, ({ held }) => held);
        if (delivery === null) return;
        const at = this.#now + action.waitMs;
        const { key, endpoint, bytes } = delivery;
        await this.#store.release([{ key, tag: endpoint.tag, bytes }], at);
        this.model.release(delivery, at);
        return;
      }
      case 'redeliver': {
        const delivery = this.#pick(action.at, () => true);
        if (delivery === null) return;
        const audit = auditStep(this.#store, 'redelivered');
        assert.equal(
          await this.#store.redeliver(delivery.key, this.#now, audit),
          this.model.redeliver(delivery, this.#now),
        );
        return;
      }
      case 'remove': {
        const found = this.#endpointAt(action.at);
        if (found === null || found.endpoint.removed) return;
        this.#hooks[found.index] = await remove(this.#store, found.hook, this.#now);
        found.endpoint.removed = true;
        return;
      }
      case 'cancel': {
        const before = this.model.cancelRemoved();
        // Other runs' webhooks may be among them: at least ours are.
        assert.ok((await this.#store.cancelRemoved(1_000)) >= before);
        return;
      }
      case 'switch':
        return this.#switch(action.at);
      case 'wait':
        this.#now += action.ms;
        return;
      case 'sweep':
        return this.#store.sweep(this.#now);
      case 'crash':
        // It takes as long as everything else of a run.
        if (action.dice !== 0) return;
        this.#store = await this.#opened.reopen(this.#now);
        this.model.crash(this.#now);
        this.#countsLate = this.#opened.countsLateAfterCrash === true;
        return;
    }
  }

  async #accept(projects: number[]): Promise<void> {
    const events = projects.map((n) => newEvent(this.#team, { at: this.#now, projectId: `prj_${n}` }));
    const accepted = storedOf(await this.#store.accept({ events }));
    for (const [i, event] of events.entries()) {
      const births = new Map(birthsOf(accepted[i]).map((birth) => [birth.tag, birth]));
      const matching = this.model.matching();
      assert.deepEqual([...births.keys()].toSorted(), matching.map(({ tag }) => tag).toSorted());
      for (const endpoint of matching) {
        const leased = births.get(endpoint.tag)?.leased === true;
        const key = event.uid + endpoint.tag;
        this.model.bear(key, endpoint, event.projectId ?? '', this.#now, leased, event.body.length);
      }
    }
  }

  async #finish(...ends: [Delivery, Next][]): Promise<void> {
    const records = ends.map(([delivery, next]) => attemptOf(this.#heldOf(delivery), next, this.#now));
    const finishing = records.map((record) => finishOne(this.#store, record));
    // Attempts alone may wait for company; this is company.
    await this.#store.ping();
    const outcomes = await Promise.all(finishing);
    const expected = ends.map(([delivery, next]) => this.model.finish(delivery, next, this.#now));
    assert.deepEqual(outcomes, expected);
  }

  async #switch(at: number): Promise<void> {
    const found = this.#endpointAt(at);
    if (found === null || found.endpoint.removed) return;
    const { endpoint, hook, index } = found;
    if (endpoint.disabledAt === null) {
      this.#hooks[index] = await disable(this.#store, hook, this.#now);
      this.model.disable(endpoint, this.#now);
    } else {
      this.#hooks[index] = await enable(this.#store, hook, this.#now);
      this.model.enable(endpoint, this.#now);
    }
  }

  /** Everything reads as the model says, and the counters are what counting gives. */
  async compare(): Promise<void> {
    for (const { tag } of this.model.endpoints) {
      const scope = { kind: 'webhook', tag } as const;
      const open = { states: null, types: null, projectId: null, status: null, causes: null };
      const filter = { scope, ...open, fromKey: null, belowKey: null, limit: 1_000 };
      const { rows } = await listDeliveries(this.#store, filter);
      const expected = [...this.model.deliveries.values()].filter(({ endpoint }) => endpoint.tag === tag);
      assert.deepEqual(
        new Map(rows.map(({ key, state, attempts }) => [key, `${state} ${attempts}`])),
        new Map(expected.map((delivery) => [delivery.key, this.model.shown(delivery)])),
      );
      for (const row of rows) {
        const delivery = this.model.deliveries.get(row.key);
        // Beyond real times lie what is held and what has its place in an order.
        if (delivery?.state === 'pending' && !delivery.held && delivery.order === null) {
          assert.equal(row.availableAt, delivery.dueAt, 'when it is due');
        }
      }
    }
    await this.#store.writeFigures();
    const { pending, held } = await this.#store.figures();
    const expected = this.model.counts();
    assert.equal(held, expected.held);
    if (!this.#countsLate) assert.equal(pending, expected.pending);
    assert.equal((await countRows(this.#store)).pending, expected.pending);
  }

  /** Works everything off as a node does that knows no lane: in the end nothing may be left. */
  async drain(): Promise<void> {
    for (const [at, { disabledAt }] of this.model.endpoints.entries())
      if (disabledAt !== null) await this.#switch(at);
    const delivered = (delivery: Delivery): [Delivery, Next] => [delivery, { kind: 'delivered' }];
    await this.#finish(...[...this.model.deliveries.values()].filter(({ held }) => held).map(delivered));
    this.#now += 24 * 3_600_000;
    for (;;) {
      this.#now += 6_000;
      const { claimed } = await this.#store.claim({
        now: this.#now,
        lanes: [],
        others: { lanes: 64, each: 8 },
      });
      if (claimed.length === 0) break;
      const taken = claimed.map(({ key }) => {
        const delivery = this.model.deliveries.get(key);
        assert.ok(delivery !== undefined, 'another’s delivery was claimed');
        delivery.held = true;
        return delivery;
      });
      await this.#finish(...taken.map(delivered));
    }
    this.model.cancelRemoved();
    await this.#store.cancelRemoved(1_000);
    await this.compare();
    assert.deepEqual(this.model.counts(), { pending: 0, held: 0 }, 'nothing sleeps for ever');
    for (const { state } of this.model.deliveries.values()) assert.notEqual(state, 'pending');
  }
}

/** How many runs of how many steps at the most; some twelve seconds on two cores. */
const runs = 200;
const steps = 30;

export function describeProperty(open: OpenStore): void {
  describe('whatever is done', () => {
    test('nothing is lost, nothing is held twice, and every state is as drawn', async () => {
      // Runs share a store, each with a team of its own: opening one takes longer than a run.
      let opened = await open({ now: startAt, delivers: true });
      let { store } = opened;
      let now = startAt;
      const property = fc.asyncProperty(
        fc.array(step, { minLength: steps / 2, maxLength: steps, size: 'max' }),
        async (actions) => {
          const run = new Run(opened, store, now);
          try {
            await run.setUp();
            for (const [at, action] of actions.entries()) {
              await run.take(action);
              if (at % 10 === 9) await run.compare();
            }
            await run.compare();
            await run.drain();
            ({ store, now } = run);
          } catch (error) {
            await opened.dispose();
            opened = await open({ now: startAt, delivers: true });
            ({ store } = opened);
            throw error;
          }
        },
      );
      try {
        await fc.assert(property, { numRuns: runs });
      } finally {
        await opened.dispose();
      }
    });
  });
}
