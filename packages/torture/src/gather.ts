// What the product says of itself when nothing is under way any more: all events, all deliveries, the attempts of those
// that are not plain, and of one in twenty that are.
import { setTimeout as pause } from 'node:timers/promises';
import { Chance } from './chance.ts';
import type { Driver } from './drivers/driver.ts';
import type { DeliveryView, EventView, JournalEntry, Product } from './judge/history.ts';
import { keyOf, type Request } from './judge/requests.ts';

const atOnce = 12;

/** Acts on every item, some at once. */
async function each<Item>(items: Iterable<Item>, act: (item: Item) => Promise<void>): Promise<void> {
  const left = [...items].values();
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (const item of left) await act(item);
    }),
  );
}

/** All endpoints of the run with the sender's names for them, those that are gone included. */
export async function findEndpoints(
  driver: Driver,
  journal: readonly JournalEntry[],
  urlOf: (hook: string) => string,
): Promise<Map<string, string>> {
  const hooks = new Map<string, string>();
  const asked = new Map<number, string>();
  for (const entry of journal) {
    if (entry.kind === 'call' && entry.what.op === 'create hook') asked.set(entry.call, entry.what.hook);
    const hook = entry.kind === 'answer' ? asked.get(entry.call) : undefined;
    if (entry.kind === 'answer' && hook !== undefined && entry.body?.id !== undefined)
      hooks.set(hook, entry.body.id);
  }
  // Those whose creation was not answered.
  const there = await driver.listEndpoints(0);
  for (const hook of asked.values()) {
    const id = there.get(urlOf(hook));
    if (id !== undefined) hooks.set(hook, id);
  }
  return hooks;
}

/**
 * Waits until nothing is pending for any endpoint, and no replay has anything left.
 * @returns whether that came to pass: false when for `patienceMs` nothing moved
 */
export async function settle(
  driver: Driver,
  hooks: ReadonlyMap<string, string>,
  patienceMs: number,
): Promise<boolean> {
  let before = '';
  let movedAt = performance.now();
  for (;;) {
    const counts: number[] = [];
    for (const id of hooks.values()) {
      const page = await driver.listDeliveries(0, id, 'pending', null);
      counts.push(page.deliveries.length, ...page.deliveries.map(({ attempts }) => attempts));
      if (page.deliveries.length > 0) counts.push(page.next === null ? 0 : 1);
    }
    if (counts.every((count) => count === 0) && !(await isReplaying(driver, hooks))) return true;
    const now = JSON.stringify(counts);
    if (now !== before) movedAt = performance.now();
    before = now;
    if (performance.now() - movedAt > patienceMs) return false;
    await pause(300);
  }
}

/** Whether any replay has something left. */
async function isReplaying(driver: Driver, hooks: ReadonlyMap<string, string>): Promise<boolean> {
  if (!driver.abilities.has('replays')) return false;
  for (const id of hooks.values()) if (await driver.isReplaying(0, id)) return true;
  return false;
}

export async function gather(
  driver: Driver,
  hooks: ReadonlyMap<string, string>,
  requests: ReadonlyMap<string, Request[]>,
  known: ReadonlySet<string>,
  fenced: number,
  seed: number,
): Promise<Product> {
  const chance = new Chance(seed, 'sample');
  const deliveries: DeliveryView[] = [];
  const unread: { delivery: DeliveryView; id: string }[] = [];
  await each(hooks, async ([hook, endpointId]) => {
    let cursor: string | null = null;
    do {
      const page = await driver.listDeliveries(0, endpointId, null, cursor);
      for (const [index, summary] of page.deliveries.entries()) {
        const delivery: DeliveryView = { ...summary, hook, log: null };
        deliveries.push(delivery);
        const came = requests.get(keyOf(hook, summary.event)) ?? [];
        if (!isPlain(delivery, came) || chance.happens(0.05)) {
          unread.push({ delivery, id: page.ids[index] ?? '' });
        }
      }
      cursor = page.next;
    } while (cursor !== null);
  });
  await each(unread, async ({ delivery, id }) => {
    const log = await driver.readAttempts(0, id);
    // With a short retention it may have been pruned since it was listed.
    if (log.length > 0 || driver.terms.retentionMs === null) delivery.log = log;
  });
  const events = await gatherEvents(driver, known);
  return { events, deliveries, readAt: Date.now(), fenced };
}

/** One attempt with success, one request with success: there is nothing more to learn. */
const isPlain = ({ state, attempts, lastStatus }: DeliveryView, requests: readonly Request[]): boolean =>
  state === 'delivered' &&
  attempts === 1 &&
  requests.length === 1 &&
  requests[0]?.success === 'yes' &&
  requests[0].status === lastStatus;

/** All events; the bodies of those that the tester can't make itself. */
async function gatherEvents(driver: Driver, known: ReadonlySet<string>): Promise<EventView[] | null> {
  const events: EventView[] = [];
  if (!driver.abilities.has('history')) return null;
  let cursor: string | null = null;
  do {
    const page: { events: EventView[]; next: string | null } = await driver.listEvents(0, cursor);
    events.push(...page.events);
    cursor = page.next;
  } while (cursor !== null);
  await each(
    events.filter(({ id }) => !known.has(id)),
    async (event) => {
      event.body = await driver.readBody(0, event.id);
    },
  );
  return events;
}
