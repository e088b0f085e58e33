// The store as a simple list in memory, which the property test holds beside the real one: what is pending, who holds
// it, when it is due. It says what every call must answer; core/delivery.ts draws the states.
import assert from 'node:assert/strict';
import type { DeliveryState } from '../../core/delivery.ts';
import type { Claimed, FinishOutcome, Next, RedeliverOutcome } from '../store.ts';

export type Ordering = 'none' | 'project' | 'all';

export interface Endpoint {
  tag: string;
  ordering: Ordering;
  removed: boolean;
  disabledAt: number | null;
  shiftMs: number;
}

export interface Delivery {
  key: string;
  endpoint: Endpoint;
  state: DeliveryState;
  attempts: number;
  bytes: number;
  /** Whether somebody holds it for an attempt. */
  held: boolean;
  /** When it may be claimed, in the lane's own time; null when nothing is to be done. */
  dueAt: number | null;
  /** Attempts asked for: beside a finished delivery, or while it is held. */
  asked: number;
  /** Its place in the order, null without one. */
  order: { key: string; number: number } | null;
}

export class Model {
  readonly endpoints: Endpoint[] = [];
  readonly deliveries = new Map<string, Delivery>();
  #born = 0;

  add(tag: string, ordering: Ordering): void {
    this.endpoints.push({ tag, ordering, removed: false, disabledAt: null, shiftMs: 0 });
  }

  laneTime(endpoint: Endpoint, at: number, now: number): number {
    return at - endpoint.shiftMs - (endpoint.disabledAt === null ? 0 : now - endpoint.disabledAt);
  }

  /** The endpoints that get a delivery of any event now. */
  matching(): Endpoint[] {
    return this.endpoints.filter(({ removed, disabledAt }) => !removed && disabledAt === null);
  }

  bear(
    key: string,
    endpoint: Endpoint,
    projectId: string,
    now: number,
    leased: boolean,
    bytes: number,
  ): void {
    assert.ok(!leased || endpoint.ordering === 'none', 'an ordered lane was leased at birth');
    const orderKey = endpoint.ordering === 'all' ? '' : projectId;
    this.deliveries.set(key, {
      key,
      endpoint,
      state: 'pending',
      attempts: 0,
      bytes,
      held: leased,
      dueAt: this.laneTime(endpoint, now, now),
      asked: 0,
      order: endpoint.ordering === 'none' ? null : { key: orderKey, number: this.#born },
    });
    this.#born += 1;
  }

  /** What has work to do: pending, or finished with an attempt asked for. */
  #open(): Delivery[] {
    return [...this.deliveries.values()].filter(({ dueAt }) => dueAt !== null);
  }

  /** Whether an older unfinished delivery of its key stands before it. */
  #waitsForItsTurn(delivery: Delivery): boolean {
    const { order, endpoint } = delivery;
    if (order === null || delivery.state !== 'pending') return false;
    return this.#open().some(
      (other) =>
        other.endpoint === endpoint &&
        other.state === 'pending' &&
        other.order?.key === order.key &&
        other.order.number < order.number,
    );
  }

  due(endpoint: Endpoint, now: number): Delivery[] {
    if (endpoint.removed || endpoint.disabledAt !== null) return [];
    const laneNow = this.laneTime(endpoint, now, now);
    return this.#open().filter(
      (one) =>
        one.endpoint === endpoint && !one.held && (one.dueAt ?? 0) <= laneNow && !this.#waitsForItsTurn(one),
    );
  }

  /** Checks a claim's answer: only what is due, none twice, and as much as was asked for. */
  claim(endpoint: Endpoint, count: number, now: number, claimed: Claimed[]): void {
    const due = new Set(this.due(endpoint, now));
    assert.equal(claimed.length, Math.min(count, due.size), 'as many as are due');
    for (const { key, attempts, extra } of claimed) {
      const delivery = this.deliveries.get(key);
      assert.ok(delivery !== undefined && due.delete(delivery), 'something was claimed that is not due');
      assert.deepEqual(
        { attempts, extra },
        { attempts: delivery.attempts, extra: delivery.state !== 'pending' },
      );
      delivery.held = true;
      if (!extra) delivery.asked = 0;
    }
  }

  finish(delivery: Delivery, next: Next, endedAt: number): FinishOutcome {
    if (!delivery.held) return { kind: 'lost' };
    delivery.held = false;
    delivery.attempts += 1;
    const { endpoint } = delivery;
    const now = this.laneTime(endpoint, endedAt, endedAt);
    if (delivery.state !== 'pending') {
      if (next.kind === 'delivered') delivery.state = 'delivered';
      delivery.asked = endpoint.removed ? 0 : delivery.asked - 1;
      delivery.dueAt = delivery.asked > 0 ? now : null;
      return { kind: 'written', dueAt: delivery.asked > 0 ? endedAt : null };
    }
    if (next.kind === 'retry') {
      const at = delivery.asked > 0 ? endedAt : next.at;
      delivery.dueAt = this.laneTime(endpoint, at, endedAt);
      delivery.asked = 0;
      if (endpoint.removed) Object.assign(delivery, { state: 'canceled', dueAt: null });
      return { kind: 'written', dueAt: endpoint.removed ? null : at };
    }
    delivery.state = next.kind;
    delivery.asked = next.kind === 'failed' && delivery.asked > 0 && !endpoint.removed ? 1 : 0;
    delivery.dueAt = delivery.asked > 0 ? now : null;
    return { kind: 'written', dueAt: delivery.asked > 0 || this.#hasNext(delivery) ? endedAt : null };
  }

  /** Whether another delivery of the same key is pending. */
  #hasNext({ endpoint, order }: Delivery): boolean {
    if (order === null) return false;
    return this.#open().some(
      (other) => other.endpoint === endpoint && other.state === 'pending' && other.order?.key === order.key,
    );
  }

  release(delivery: Delivery, at: number): void {
    if (!delivery.held) return;
    delivery.held = false;
    delivery.dueAt = this.laneTime(delivery.endpoint, at, at);
  }

  redeliver(delivery: Delivery, now: number): RedeliverOutcome {
    const { endpoint } = delivery;
    if (endpoint.removed || delivery.state === 'canceled') return 'canceled';
    if (endpoint.disabledAt !== null) return 'disabled';
    delivery.asked += 1;
    if (!delivery.held) delivery.dueAt = this.laneTime(endpoint, now, now);
    return 'queued';
  }

  /** What is still pending of removed endpoints, except what is held, is canceled; answers how much was cleared away. */
  cancelRemoved(): number {
    let count = 0;
    for (const delivery of this.#open()) {
      if (!delivery.endpoint.removed || delivery.held) continue;
      if (delivery.state === 'pending') delivery.state = 'canceled';
      delivery.dueAt = null;
      delivery.asked = 0;
      count += 1;
    }
    return count;
  }

  disable(endpoint: Endpoint, now: number): void {
    endpoint.disabledAt = now;
  }

  enable(endpoint: Endpoint, now: number): void {
    endpoint.shiftMs += now - (endpoint.disabledAt ?? now);
    endpoint.disabledAt = null;
  }

  /** A crash: whatever was held is due at once. */
  crash(now: number): void {
    for (const delivery of this.deliveries.values()) if (delivery.held) this.release(delivery, now);
  }

  /** What people read: a removed endpoint's pending deliveries are canceled. */
  shown(delivery: Delivery): string {
    const state = delivery.state === 'pending' && delivery.endpoint.removed ? 'canceled' : delivery.state;
    return `${state} ${delivery.attempts}`;
  }

  counts(): { pending: number; held: number } {
    const open = this.#open();
    return { pending: open.length, held: open.filter(({ held }) => held).length };
  }
}
