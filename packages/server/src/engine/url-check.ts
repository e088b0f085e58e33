// Whether a URL would be taken as a webhook's: the judgement of its creation, and of the addresses that its name has at
// this moment. Names are looked up, nothing is connected to.
import type { Clock } from '../clock.ts';
import { explainCause } from '../core/cause.ts';
import { type GuardOptions, judgeConnection, judgeUrl } from './guard.ts';
import { failureOfLookup } from './network-cause.ts';
import { createResolver, type Lookup, type Resolver } from './resolver.ts';

/** `code` is an error's or a cause's, as an attempt would have it. */
export type UrlCheck = { ok: true } | { ok: false; code: string; message: string };

const lookupMs = 3_000;
/** Names that are looked up at once for all callers together, two queries each. */
const mostQueries = 200;
const mostNames = 1_000;

export class UrlChecker {
  readonly #guard: GuardOptions;
  readonly #resolver: Resolver;

  /** @param servers name servers to ask, the system's if left out */
  constructor(clock: Clock, guard: GuardOptions, servers?: readonly string[]) {
    this.#guard = guard;
    this.#resolver = createResolver({
      clock,
      timeoutMs: lookupMs,
      maxQueries: mostQueries,
      maxNames: mostNames,
      ...(servers === undefined ? {} : { servers }),
    });
  }

  /** Answers within about three seconds. */
  async check(text: string): Promise<UrlCheck> {
    const verdict = judgeUrl(text, this.#guard);
    if (!verdict.ok) return { ok: false, code: verdict.code, message: verdict.sentence };
    if (verdict.literal !== null) return { ok: true };
    const { url } = verdict;
    const host = url.hostname.replace(/\.$/, '');
    const found = await new Promise<Lookup>((done) => {
      this.#resolver.lookup(host, done);
    });
    if (found.kind !== 'addresses') {
      const { reason, detail } = failureOfLookup(found);
      return {
        ok: false,
        code: reason,
        message: explainCause(reason, { host, timeoutMs: lookupMs, detail }),
      };
    }
    const port = url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port);
    const verdicts = found.addresses.map((address) => judgeConnection(host, address, port, this.#guard));
    const refused = verdicts.find((one) => !one.ok);
    // One permitted address is enough: a delivery tries no other.
    if (refused === undefined || refused.ok || verdicts.some(({ ok }) => ok)) return { ok: true };
    return { ok: false, code: 'blocked_address', message: refused.sentence };
  }

  close(): void {
    this.#resolver.close();
  }
}
