// Names to addresses, without getaddrinfo: its four libuv threads would let four dead names stall every lookup.
// c-ares asks the name servers in parallel; here are what it lacks: the hosts file, one query for all who ask at
// once, a short memory (of failures too), a deadline, and bounds. The addresses are judged by whoever connects.
import { Resolver as NameServers, type RecordWithTtl } from 'node:dns';
import { isIP } from 'node:net';
import { LRUCache } from 'lru-cache';
import type { Clock, Timer } from '../clock.ts';
import { openHostsFile, watchFile } from './hosts-file.ts';

/** What is known of a name. `addresses` holds IPv4 before IPv6 and is never empty. */
export type Lookup =
  | { kind: 'addresses'; addresses: readonly string[] }
  | { kind: 'not_found' }
  | { kind: 'failed'; detail: string }
  | { kind: 'timeout' }
  /** No name server was asked: too much is outstanding, or the resolver is closed. */
  | { kind: 'unavailable'; detail: string };

export interface Resolver {
  /** Calls `done` once, never before `lookup` returned, and at the latest when the lookup's deadline passes. */
  lookup(host: string, done: (found: Lookup) => void): void;
  /** Ends what is outstanding; those who wait are told `unavailable`. */
  close(): void;
}

export interface ResolverOptions {
  clock: Clock;
  /** `address` or `address:port` of name servers; the system's, from `/etc/resolv.conf`, if left out. */
  servers?: readonly string[];
  hostsFile?: string;
  /** One lookup's deadline, ms. */
  timeoutMs?: number;
  /** Names remembered. */
  maxNames?: number;
  /** Queries that may be outstanding at once, two for a name; beyond that a lookup fails at once. */
  maxQueries?: number;
}

const RESOLV_CONF = '/etc/resolv.conf';
const FAILURE_KEPT_MS = 5_000;
const ANSWER_KEPT_MS = { min: 1_000, max: 30_000 };
/** How long one family's addresses wait for the other's, once they are there (RFC 8305 section 3). */
const OTHER_FAMILY_MS = 50;
const MAX_ADDRESSES_PER_FAMILY = 8;
const absent = new Set(['ENOTFOUND', 'ENODATA', 'EBADNAME']);

interface Remembered {
  found: Lookup;
  /** Monotonic, ms. */
  expiresAt: number;
}

/** One name being resolved, for everybody who asked for it meanwhile. */
interface Question {
  name: string;
  waiters: ((found: Lookup) => void)[];
  addresses: { 4: string[]; 6: string[] };
  ttlMs: number;
  failures: string[];
  unanswered: number;
  deadline: Timer | null;
  patience: Timer | null;
}

/** What the answers so far, or their absence at the deadline, amount to. */
function conclude({ addresses, failures, unanswered }: Question): Lookup {
  if (addresses[4].length + addresses[6].length > 0) {
    return { kind: 'addresses', addresses: [...addresses[4], ...addresses[6]] };
  }
  if (failures.includes('ENOTFOUND')) return { kind: 'not_found' };
  if (unanswered > 0 || failures.includes('ETIMEOUT')) return { kind: 'timeout' };
  const detail = failures.find((code) => !absent.has(code));
  return detail === undefined ? { kind: 'not_found' } : { kind: 'failed', detail };
}

/** Creates the resolver of a node. Reads the hosts file and `/etc/resolv.conf` again when they change. */
export function createResolver(options: ResolverOptions): Resolver {
  const { clock, servers, timeoutMs = 5_000, maxNames = 10_000, maxQueries = 20_000 } = options;
  const hosts = openHostsFile(options.hostsFile ?? '/etc/hosts', clock);
  const resolvConfChanged = servers ? () => false : watchFile(RESOLV_CONF, clock);
  const remembered = new LRUCache<string, Remembered>({ max: maxNames });
  const questions = new Map<string, Question>();
  let nameServers: NameServers | null = null;
  let outstanding = 0;
  let closed = false;

  /** The name servers as configured now; a laptop that changes its network must not need a restart. */
  function currentNameServers(): NameServers {
    if (resolvConfChanged() || nameServers === null) {
      nameServers = new NameServers({ timeout: 1_000, tries: 3 });
      if (servers) nameServers.setServers(servers);
    }
    return nameServers;
  }

  /** What is known without asking a name server. */
  function recall(name: string): Lookup | null {
    if (isIP(name) !== 0) return { kind: 'addresses', addresses: [name] };
    const listed = hosts(name);
    if (listed) return { kind: 'addresses', addresses: listed };
    // RFC 6761: these names mean this machine, and no name server is asked for them.
    if (/(?:^|\.)localhost$/.test(name)) return { kind: 'addresses', addresses: ['127.0.0.1', '::1'] };
    const known = remembered.get(name);
    return known && known.expiresAt > clock.monotonic() ? known.found : null;
  }

  function settle(question: Question, found: Lookup): void {
    if (questions.get(question.name) !== question) return;
    questions.delete(question.name);
    question.deadline?.cancel();
    question.patience?.cancel();
    const keptMs =
      found.kind === 'addresses'
        ? Math.min(Math.max(question.ttlMs, ANSWER_KEPT_MS.min), ANSWER_KEPT_MS.max)
        : FAILURE_KEPT_MS;
    remembered.set(question.name, { found, expiresAt: clock.monotonic() + keptMs });
    for (const done of question.waiters) done(found);
  }

  function takeAnswer(
    question: Question,
    family: 4 | 6,
    error: NodeJS.ErrnoException | null,
    records: RecordWithTtl[] | undefined,
  ): void {
    outstanding -= 1;
    question.unanswered -= 1;
    if (error) question.failures.push(error.code ?? error.message);
    for (const record of (records ?? []).slice(0, MAX_ADDRESSES_PER_FAMILY)) {
      question.addresses[family].push(record.address);
      question.ttlMs = Math.min(question.ttlMs, record.ttl * 1_000);
    }
    if (question.unanswered === 0 || error?.code === 'ENOTFOUND') settle(question, conclude(question));
    else if (question.addresses[family].length > 0) {
      question.patience = clock.after(OTHER_FAMILY_MS, () => settle(question, conclude(question)));
    }
  }

  function ask(name: string, waiter: (found: Lookup) => void): void {
    const question: Question = {
      name,
      waiters: [waiter],
      addresses: { 4: [], 6: [] },
      ttlMs: ANSWER_KEPT_MS.max,
      failures: [],
      unanswered: 2,
      deadline: null,
      patience: null,
    };
    questions.set(name, question);
    question.deadline = clock.after(timeoutMs, () => settle(question, conclude(question)));
    outstanding += 2;
    const asked = currentNameServers();
    asked.resolve4(name, { ttl: true }, (error, records) => takeAnswer(question, 4, error, records));
    asked.resolve6(name, { ttl: true }, (error, records) => takeAnswer(question, 6, error, records));
  }

  return {
    lookup(host, done) {
      const name = host.toLowerCase().replace(/\.$/, '');
      const known = closed ? ({ kind: 'unavailable', detail: 'closed' } as const) : recall(name);
      if (known) {
        process.nextTick(done, known);
        return;
      }
      const question = questions.get(name);
      if (question) question.waiters.push(done);
      else if (outstanding >= maxQueries)
        process.nextTick(done, { kind: 'unavailable', detail: 'too many lookups' });
      else ask(name, done);
    },
    close() {
      closed = true;
      for (const question of questions.values()) settle(question, { kind: 'unavailable', detail: 'closed' });
      nameServers?.cancel();
    },
  };
}
