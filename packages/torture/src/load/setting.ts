// What the parts of the load share: the sender, the journal, the hooks that there are, and how far the run is.
import { setTimeout as pause } from 'node:timers/promises';
import type { Chance } from '../chance.ts';
import { type DeliveryPage, type Driver, Unread } from '../drivers/driver.ts';
import type { Journal } from '../journal.ts';
import type { HookConfig } from '../judge/history.ts';
import type { Receiver } from '../receiver/receiver.ts';

/** Published by the load; whoever tests a sender makes them known to it. */
export const types = ['torture.alpha', 'torture.beta', 'torture.gamma'] as const;
export const projectTypes = ['project.created', 'project.renamed', 'project.removed'];
/** Projects that publishes name; they need not be known. */
export const projects = ['prj_torture_1', 'prj_torture_2', 'prj_torture_3'];

/** A webhook that was made, as the tester believes it to be. */
export interface LiveHook {
  name: string;
  id: string;
  config: HookConfig;
  /** Whether a change of it went without an answer, so that nobody knows what it is. */
  doubtful: boolean;
  /** The same of its secret. */
  unknownSecret: boolean;
}

export interface Setting {
  driver: Driver;
  journal: Journal;
  receiver: Receiver;
  hooks: Map<string, LiveHook>;
  progress: Progress;
}

/** How many events were published so far, answered or not, and who waits for a number. */
export class Progress {
  readonly goal: number;
  #count = 0;
  #faultsOver = false;
  readonly #waiting: { count: number; resolve(): void }[] = [];

  constructor(goal: number) {
    this.goal = goal;
  }

  /** The goal is reached and nothing will go wrong any more. Until then the load goes on, at a trickle. */
  get isOver(): boolean {
    return this.hasReached && this.#faultsOver;
  }

  get hasReached(): boolean {
    return this.#count >= this.goal;
  }

  get count(): number {
    return this.#count;
  }

  add(count: number): void {
    this.#count += count;
    for (const waiting of this.#waiting) if (this.#count >= waiting.count) waiting.resolve();
  }

  endFaults(): void {
    this.#faultsOver = true;
  }

  /** Resolves when so many were published. */
  whenAt(count: number): Promise<void> {
    if (this.#count >= count) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ count, resolve }));
  }
}

export const chooseNode = ({ driver }: Setting, chance: Chance): Promise<number> =>
  driver.anyNode((ready) => chance.pick(ready));

/** Does something again and again until the publishing is over. */
export async function untilOver(setting: Setting, everyMs: number, act: () => Promise<void>): Promise<void> {
  while (!setting.progress.isOver) {
    await act();
    await pause(everyMs);
  }
}

/**
 * Looks at a webhook's finished deliveries in a state and notes the first `most` of them; null where there are none, or the
 * node did not answer, as one that was killed does not, or the webhook is gone.
 */
export async function seeDeliveries(
  { driver, journal }: Setting,
  node: number,
  hook: LiveHook,
  state: 'delivered' | 'failed',
  most: number,
): Promise<DeliveryPage | null> {
  const page = await driver.listDeliveries(node, hook.id, state, null).catch((error: unknown) => {
    if (error instanceof Unread) return null;
    throw error;
  });
  if (page === null || page.deliveries.length === 0) return null;
  for (const { event, attempts } of page.deliveries.slice(0, most)) {
    await journal.seen({ hook: hook.name, event, state, attempts });
  }
  return page;
}
