// Keeps the catalogue of a node up to date where others share its store: reads what they have written as soon as the store
// tells of it, and every few seconds in case it did not; and whenever a call names a type that is unknown here. All of
// them share their looks, so that calls with unknown types can't become a flood of queries.
import { type Clock, sleep, type Timer } from '../clock.ts';
import { StoreUnavailable } from '../store/errors.ts';
import type { Catalogue } from './catalogue.ts';
import type { Platform } from './platform.ts';

const everyMs = 3_000;
/** So many looks in any second. Whoever asks for more waits for the next one, which all of them share. */
const mostASecond = 10;
/** A call that names an unknown type is not held up for longer by a store that is silent, ms. */
const patienceMs = 1_500;

/** Looks that all who ask share: one at a time, and each begun after those who wait for it had asked. */
class SharedLook {
  readonly #clock: Clock;
  readonly #look: () => Promise<void>;
  /** The look that has not begun yet, if somebody waits for one. */
  #next: Promise<void> | null = null;
  /** Settles when the look under way has ended. */
  #underWay: Promise<unknown> = Promise.resolve();
  /** When the last looks began, monotonic ms, oldest first. */
  readonly #beganMs: number[] = Array.from({ length: mostASecond }, () => Number.NEGATIVE_INFINITY);

  constructor(clock: Clock, look: () => Promise<void>) {
    this.#clock = clock;
    this.#look = look;
  }

  ask(): Promise<void> {
    this.#next ??= this.#lookSoon();
    return this.#next;
  }

  async #lookSoon(): Promise<void> {
    await this.#underWay;
    const waitMs = (this.#beganMs.shift() ?? 0) + 1_000 - this.#clock.monotonic();
    if (waitMs > 0) await sleep(this.#clock, waitMs);
    this.#next = null;
    this.#beganMs.push(this.#clock.monotonic());
    const looking = this.#look();
    this.#underWay = Promise.allSettled([looking]);
    await looking;
  }
}

/**
 * Begins.
 * @param onFault what broke other than the store's being away, which others say
 * @returns ends it after what is under way
 */
export function watchCatalogue(
  {
    store,
    clock,
    catalogue,
  }: Pick<Platform, 'store' | 'clock'> & { catalogue: Pick<Catalogue, 'load' | 'lookBy'> },
  onFault: (error: unknown) => void,
): () => Promise<void> {
  const shared = new SharedLook(clock, () => catalogue.load(store));
  let stopped = false;
  let timer: Timer;
  let running = Promise.resolve();
  const look = async () => {
    try {
      await shared.ask();
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) onFault(error);
    }
  };
  const wait = () => {
    timer = clock.after(everyMs, () => {
      running = look().then(() => {
        if (!stopped) wait();
      });
    });
  };
  catalogue.lookBy(() => Promise.race([shared.ask(), giveUp(clock)]));
  store.onNews((news) => {
    if (news === 'event types' && !stopped) void look();
  });
  wait();
  return () => {
    stopped = true;
    timer.cancel();
    return running;
  };
}

async function giveUp(clock: Clock): Promise<never> {
  await sleep(clock, patienceMs);
  throw new StoreUnavailable('The store does not say which event types there are.');
}
