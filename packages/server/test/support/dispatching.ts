// A dispatcher with a clock that stands still, a sender that sends nothing and a store that fails on demand.
import { serialiseEvent } from '../../src/core/envelope.ts';
import { Dispatcher, type DispatcherSettings } from '../../src/engine/dispatcher.ts';
import { EndpointBook } from '../../src/engine/endpoints.ts';
import type { Claimed, EndpointRow } from '../../src/store/store.ts';
import { FakeClock, settle } from './fake-clock.ts';
import { endpointRow, FakeDeliveries } from './fake-deliveries.ts';
import { FakeSender, type Reply } from './fake-sender.ts';

const urlOf = (tag: string) => endpointRow(tag).url;

export class DispatcherBed {
  readonly clock = new FakeClock();
  readonly sender = new FakeSender();
  readonly store = new FakeDeliveries();
  readonly faults: string[] = [];
  /** What was told of each attempt: its event's id and what came next. */
  readonly news: string[] = [];
  readonly spans: (number | string | null)[] = [];
  readonly dispatcher: Dispatcher;
  /** How many were said to wait last. */
  waiting = 0;
  #born = 0;

  constructor(settings: Partial<DispatcherSettings> = {}) {
    const { clock, sender, store } = this;
    this.dispatcher = new Dispatcher({
      store,
      sender,
      clock,
      endpoints: new EndpointBook(store, clock, (sealed) => {
        const secret = Buffer.from(sealed).toString();
        if (secret === 'broken') throw new Error('It does not open.');
        return secret;
      }),
      settings: {
        scheduleMs: [5_000, 60_000],
        timeoutMs: 30_000,
        signatureHeader: 'x-vercel-signature',
        userAgent: 'Posthorn/test',
        laneConcurrency: 32,
        maxSockets: 1_024,
        breakerFailures: 10,
        ...settings,
      },
      startSpan: () => ({
        traceparent: '00-trace',
        end: (status, cause) => {
          this.spans.push(cause ?? status);
        },
      }),
      onWaiting: (count) => {
        this.waiting = count;
      },
      onAttempt: ({ task, next }) => this.news.push(`${JSON.parse(task.body.toString()).id} ${next}`),
      onFault: (error, doing) => this.faults.push(`${doing}: ${(error as Error).message}`),
    });
  }

  endpoint(tag: string, changes: Partial<EndpointRow> = {}): string {
    const before = this.store.endpointRows.get(tag);
    const version = (before?.version ?? 0) + 1;
    this.store.endpointRows.set(tag, endpointRow(tag, { ...before, version, ...changes }));
    return tag;
  }

  #delivery(tag: string): Claimed {
    const id = `evt_${++this.#born}`;
    const body = serialiseEvent({ id, type: 'x', createdAt: 1, payload: {}, region: null }, null);
    return {
      key: `${id} ${tag}`,
      tag,
      version: 1,
      type: 'x',
      attempts: 0,
      createdAt: this.clock.now(),
      extra: false,
      body,
    };
  }

  /** Deliveries that were held at birth. */
  bear(tag: string, count = 1): string[] {
    return Array.from({ length: count }, () => {
      const { attempts, body, ...rest } = this.#delivery(tag);
      this.store.putHeld({ ...rest, attempts, body });
      this.dispatcher.take({ ...rest, number: attempts + 1, body: Buffer.from(body) });
      return rest.key;
    });
  }

  /** Deliveries that wait in the store. */
  put(tag: string, count = 1, changes: Partial<Claimed> = {}, dueAt = this.clock.now()): string[] {
    return Array.from({ length: count }, () => {
      const delivery = { ...this.#delivery(tag), ...changes };
      this.store.put(delivery, dueAt);
      return delivery.key;
    });
  }

  /** Answers everything for `rounds` rounds. */
  async work(reply: Reply, rounds = 1): Promise<void> {
    for (let i = 0; i < rounds; i++) {
      this.sender.answerAll(reply);
      await settle();
    }
  }

  /** Requests under way to a lane. */
  to(tag: string) {
    return [...this.sender.underWay].filter(({ request }) => request.url === urlOf(tag));
  }

  /** How many requests to a lane there were. */
  sentTo(tag: string): number {
    return this.sender.to(urlOf(tag)).length;
  }

  /** Makes a lane proven, with as much concurrency as `successes` give it. */
  async prove(tag: string, successes = 1): Promise<void> {
    const before = this.sender.rule;
    this.sender.rule = ({ request }) => (request.url === urlOf(tag) ? 200 : null);
    this.bear(tag, successes);
    await settle();
    this.sender.rule = before;
  }
}
