// A Posthorn that is killed, stopped and started again on one data directory, and work that goes on meanwhile.
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { listDeliveries, until } from './calls.ts';
import { type Posthorn, startPosthorn } from './posthorn.ts';
import { type Receiver, startReceiver } from './receiver.ts';

/** The settings of processes whose every request and attempt need not be logged. */
export const quiet = { POSTHORN_LOG_LEVEL: 'warn' };

/** Receivers that are closed when the test ends. */
export async function startReceivers(context: TestContext, count: number): Promise<Receiver[]> {
  const receivers = await Promise.all(Array.from({ length: count }, () => startReceiver()));
  context.after(() => Promise.all(receivers.map((one) => one.close())));
  return receivers;
}

/** One Posthorn after another on the same data directory; who waits for the next one is told. */
export async function startHouse(context: TestContext, env: Record<string, string>) {
  let current = await startPosthorn(env);
  const { dataDir } = current;
  let announce = () => {};
  let up = Promise.resolve();
  context.after(() => current.close());
  return {
    get posthorn() {
      return current;
    },
    /** Resolves when a process runs. */
    whenUp: () => up,
    /** Ends the process, tells how it ended and how long that took, and starts the next one. */
    async restart(signal: NodeJS.Signals) {
      up = new Promise((resolve) => {
        announce = resolve;
      });
      const askedAt = performance.now();
      const ended = await current.end(signal);
      const tookMs = performance.now() - askedAt;
      current = await startPosthorn(env, dataDir);
      announce();
      return { ended, tookMs };
    },
  };
}

type House = Awaited<ReturnType<typeof startHouse>>;

/** Something that happens again and again, until told to end, by `workers` at once. */
export function keepDoing(workers: number, act: (worker: number, round: number) => Promise<void>) {
  let ending = false;
  let count = 0;
  const watchers = new Set<() => void>();
  const all = Promise.all(
    Array.from({ length: workers }, async (_, worker) => {
      for (let round = 0; !ending; round++) {
        await act(worker, round);
        count += 1;
        for (const look of watchers) look();
      }
    }),
  );
  // Whoever waits hears of a failure; all others end their rounds.
  all.catch(() => {
    ending = true;
  });
  return {
    /** Resolves when it happened `more` times more; rejects when it failed. */
    whenDone(more: number): Promise<void> {
      const enough = count + more;
      return new Promise((resolve, reject) => {
        all.catch(reject);
        const look = () => {
          if (count < enough) return;
          watchers.delete(look);
          resolve();
        };
        watchers.add(look);
        look();
      });
    },
    async end(): Promise<void> {
      ending = true;
      await all;
    },
  };
}

/** Calls until there is an answer; null when the connection broke, which only a kill may cause. */
export async function tryCall(house: House, method: string, path: string, body?: object) {
  await house.whenUp();
  const { process } = house.posthorn;
  try {
    return await house.posthorn.call<{ id: string }>(method, path, body === undefined ? {} : { body });
  } catch (error) {
    // A refused or broken connection; anything else is a fault.
    assert.ok(error instanceof TypeError, String(error));
    await until(
      () => Promise.resolve(process.killed),
      (killed) => killed,
    );
    return null;
  }
}

/** Acts on every item, 50 at once. */
export async function inChunks<Item>(
  items: Iterable<Item>,
  act: (item: Item) => Promise<void>,
): Promise<void> {
  const left = [...items];
  while (left.length > 0) await Promise.all(left.splice(0, 50).map(act));
}

/** Waits until nothing is pending for any of the webhooks. */
export async function whenSettled(posthorn: Posthorn, webhookIds: string[]): Promise<void> {
  for (const id of webhookIds) {
    await until(
      () => listDeliveries(posthorn, id, '&state=pending'),
      (pending) => pending.length === 0,
    );
  }
}
