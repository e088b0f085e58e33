// The half of a node on PostgreSQL that sends, in a thread of its own.
import type { MessagePort } from 'node:worker_threads';
import { systemClock as clock, type Timer } from '../../clock.ts';
import { newAlphanumeric } from '../../id.ts';
import type { DeliveryListener, DeliveryStore, News } from '../store.ts';
import { claim, nobody } from './claim.ts';
import { Connections } from './connection.ts';
import { deliverBatch } from './deliver.ts';
import { PostgresDeliveries, type PostgresOptions, warmSessions } from './deliveries.ts';
import { finishBatch } from './finish.ts';
import { SenderHints } from './hints.ts';
import { keepPartitions } from './migrate.ts';
import {
  enterNode,
  ignoreLostHint,
  leaseMs,
  leaveNode,
  newsChannel,
  renewLease,
  renewMs,
  workChannel,
} from './nodes.ts';

const partitionsEveryMs = 3_600_000;
/** A node believes in its lease for so much less than the database does. */
const leaseMarginMs = 1_000;

export interface PostgresAttachment {
  kind: 'postgres';
  port: MessagePort;
  options: PostgresOptions;
  node: string | null;
}

/** The half of a node that sends: renews its lease and takes over what dead nodes held. */
class PostgresSender extends PostgresDeliveries {
  readonly #told: SenderHints;
  #timer: Timer | null = null;
  #partitionsAt = Number.NEGATIVE_INFINITY;
  #closed = false;
  #listener: DeliveryListener | null = null;
  #leaseEndsAt: number;

  constructor(connections: Connections, hints: SenderHints, node: string | null) {
    super(connections, hints, node);
    this.#told = hints;
    // Entered by the other thread a moment ago, and renewed at once.
    this.#leaseEndsAt = node === null ? Number.POSITIVE_INFINITY : clock.monotonic() + leaseMs / 2;
    // One session for both threads of the node.
    this.connections.listen({
      [workChannel]: () => this.#listener?.onWork(),
      [newsChannel]: (news) => hints.tellNews(news as News),
    });
    this.#tick();
  }

  /** See `warmSessions`. */
  warm(): Promise<void> {
    const nothing = { now: clock.now(), lanes: [], others: { lanes: 0, each: 0 } };
    return this.connections.warm(warmSessions, async (run) => {
      await claim(run, nothing, nobody, this.hints);
      await deliverBatch(run, [], nobody, this.hints);
      await finishBatch(run, [], nobody, this.hints);
    });
  }

  override get leaseEndsAt(): number {
    return this.#leaseEndsAt;
  }

  override listen(listener: DeliveryListener): void {
    this.#listener = listener;
  }

  #tick(): void {
    void this.#keep().finally(() => {
      if (!this.#closed) this.#timer = clock.after(renewMs, () => this.#tick());
    });
  }

  /** Renews the lease, takes over, makes partitions. A database that is away is asked again the next time. */
  async #keep(): Promise<void> {
    const askedAt = clock.monotonic();
    try {
      if (this.node !== null) await this.#renew(this.node, askedAt);
      const living = await this.rescuer.afterDeaths(clock.now());
      this.#told.noteLiving(living, this.node !== null);
      if (askedAt - this.#partitionsAt < partitionsEveryMs) return;
      await keepPartitions(this.connections);
      this.#partitionsAt = askedAt;
    } catch (error) {
      ignoreLostHint(error);
    }
  }

  async #renew(node: string, askedAt: number): Promise<void> {
    if (!(await renewLease(this.connections.run, node))) {
      // Others may have taken over what this node held. It goes on under a new name.
      const next = newAlphanumeric(16);
      await enterNode(this.connections.run, next);
      this.node = next;
      this.#told.rename(next);
      this.#listener?.onLeaseLost();
    }
    this.#leaseEndsAt = askedAt + leaseMs - leaseMarginMs;
  }

  override async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    await this.flushFinishes();
    if (this.node !== null) await leaveNode(this.connections.run, this.node).catch(ignoreLostHint);
    await super.close();
    this.#told.close();
  }
}

/** The delivering half of the store, in a thread that was given an attachment by `connect`. */
export async function attachPostgres({ port, options, node }: PostgresAttachment): Promise<DeliveryStore> {
  const sender = new PostgresSender(new Connections(options.connection), new SenderHints(port), node);
  if (node !== null) await sender.warm();
  return sender;
}
