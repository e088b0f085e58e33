// Guessing is slow: tries at signing in are counted by account and by address, over all nodes, before anything is
// looked at. It is always on. A right guess gives its try back, so people who know their password never meet it.
import { hash } from 'node:crypto';
import ipaddr from 'ipaddr.js';
import { ApiError } from '../errors.ts';
import {
  forgetTries,
  giveTryBack,
  type TryLimit,
  takeTry,
  waitForTry,
} from '../store/control/sign-in-tries.ts';
import type { Step, Store } from '../store/store.ts';
import type { Platform } from './platform.ts';

/** Ten guesses at once at an account, and one more each minute. */
const perAccount: TryLimit = { burst: 10, everyMs: 60_000 };
/** Many people may share an address. */
const perAddress: TryLimit = { burst: 60, everyMs: 10_000 };

/** Who tries: an account by its e-mail address, if it is about one, and the network address it comes from. */
export interface Try {
  account: string | null;
  address: string | null;
}

interface Counted {
  subject: string;
  limit: TryLimit;
}

/** What was typed is not stored: it may be a password in the wrong field. */
function countedOf({ account, address }: Try): Counted[] {
  const counted: Counted[] = [];
  if (account !== null)
    counted.push({ subject: `account ${hash('sha256', account.toLowerCase(), 'hex')}`, limit: perAccount });
  if (address !== null) counted.push({ subject: `address ${networkOf(address)}`, limit: perAddress });
  return counted;
}

/** An IPv6 address is one of a network’s 2^64, all of which one person has: they count together. */
function networkOf(address: string): string {
  if (!ipaddr.isValid(address)) return address;
  const parsed = ipaddr.process(address);
  return parsed instanceof ipaddr.IPv6
    ? `${parsed.parts
        .slice(0, 4)
        .map((part) => part.toString(16))
        .join(':')}::/64`
    : parsed.toString();
}

/**
 * Counts a try before it is judged.
 * @throws ApiError rate_limited with `Retry-After` when there is no room for it
 */
export async function demandTry(
  { store, clock }: Pick<Platform, 'store' | 'clock'>,
  one: Try,
): Promise<void> {
  const now = clock.now();
  const counted = countedOf(one);
  const steps = counted.map(({ subject, limit }) => takeTry(store, subject, limit, now));
  const outcome = await store.change({ steps, events: [], touched: [], now });
  if (outcome.kind === 'done') return;
  const waits = await Promise.all(
    counted.map(({ subject, limit }) => waitForTry(store, subject, limit, now)),
  );
  const seconds = Math.max(1, Math.ceil(Math.max(...waits) / 1000));
  throw new ApiError(
    'rate_limited',
    `There were too many tries. Wait ${seconds} seconds, or ask the operator for a sign-in link.`,
    { headers: { 'retry-after': String(seconds) } },
  );
}

/** The steps that make a right try count no more, nor the wrong ones before it at the same account. */
export function pardon(store: Store, one: Try): Step[] {
  return countedOf(one).map(({ subject, limit }) =>
    limit === perAccount ? forgetTries(store, subject) : giveTryBack(store, subject, limit),
  );
}
