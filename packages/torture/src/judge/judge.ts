// The judge: a pure function of the journal, the receiver's record and the product's own account. It goes event by event,
// then delivery by delivery, then request by request, and counts what should not be.
import { type JudgedCall, readCalls } from './calls.ts';
import { judgeDelivery, sha256Of } from './deliveries.ts';
import { type Expected, readChanges, readPublished, readTests } from './expected.ts';
import { Faults } from './faults.ts';
import type { DeliveryView, EventView, History, JournalEntry, Terms } from './history.ts';
import { type Hook, readHooks } from './hooks.ts';
import { keyOf, type Request, readRequests } from './requests.ts';

/** What a run came to. Everything from `lost` to `misrecorded`, and `unexplained`, must be zero. */
export interface Counts {
  /** Events in answers of success, repeated ones included. */
  accepted: number;
  delivered: number;
  failed: number;
  canceled: number;
  /** Accepted and not delivered, not tried to the end of the schedule, or torn apart. */
  lost: number;
  /** Came, or stands in the product, though nobody published it, or though nobody there was subscribed. */
  invented: number;
  /** Stands as delivered though no receiver answered with success. */
  falselyDelivered: number;
  /** Requests whose body or signature is not right to the byte. */
  wrongBytes: number;
  /** Finished deliveries whose state changed without a redelivery. */
  changedBack: number;
  /** Attempts without their request, requests without their attempt, numbers used twice. */
  misrecorded: number;
  /** Requests for a delivery that had been answered with success, and those of them that no fault explains. */
  duplicates: number;
  unexplained: number;
  fenced: number;
  /** Rotations of secrets and replays that were answered with success, and the deliveries that the replays were about. */
  rotations: number;
  replays: number;
  replayed: number;
}

export const noCounts: Readonly<Counts> = {
  accepted: 0,
  delivered: 0,
  failed: 0,
  canceled: 0,
  lost: 0,
  invented: 0,
  falselyDelivered: 0,
  wrongBytes: 0,
  changedBack: 0,
  misrecorded: 0,
  duplicates: 0,
  unexplained: 0,
  fenced: 0,
  rotations: 0,
  replays: 0,
  replayed: 0,
};

/** What must not be. */
type Wrong =
  | 'lost'
  | 'invented'
  | 'falselyDelivered'
  | 'wrongBytes'
  | 'changedBack'
  | 'misrecorded'
  | 'unexplained';

export interface Verdict {
  counts: Counts;
  /** The first of what was found, in words. */
  findings: string[];
  verdict: 'pass' | 'fail';
}

const mostFindings = 60;

type SeenEntry = Extract<JournalEntry, { kind: 'seen' }>;

/** What the judges of single deliveries share. */
export interface Case {
  terms: Terms;
  faults: Faults;
  hooks: Map<string, Hook>;
  /** Redelivery calls by hook and event. */
  redeliveries: Map<string, JudgedCall[]>;
  /** How a delivery was seen before the end, in order, by hook and event. */
  seen: Map<string, SeenEntry[]>;
  count(kind: Wrong, text: string): void;
  countDuplicate(): void;
}

/** Judges a run. Pure. */
export function judge(history: History): Verdict {
  const { journal, product, terms } = history;
  const counts: Counts = { ...noCounts, fenced: product.fenced };
  const findings: string[] = [];
  const count = (kind: Wrong, text: string): void => {
    counts[kind] += 1;
    if (findings.length < mostFindings) findings.push(`${kind}: ${text}`);
  };

  const calls = readCalls(journal);
  const redeliveries = new Map<string, JudgedCall[]>();
  for (const call of calls) {
    if (call.what.op === 'publish' && call.outcome === 'done')
      counts.accepted += call.body?.events?.length ?? 0;
    if (call.what.op === 'rotate secret' && call.outcome === 'done') counts.rotations += 1;
    if (call.what.op === 'replay' && call.outcome === 'done') {
      counts.replays += 1;
      counts.replayed += call.body?.matched ?? 0;
    }
    if (call.what.op !== 'redeliver' || call.outcome === 'refused') continue;
    const key = keyOf(call.what.hook, call.what.event);
    redeliveries.set(key, [...(redeliveries.get(key) ?? []), call]);
  }
  const seen = Map.groupBy(
    journal.filter((entry) => entry.kind === 'seen'),
    ({ hook, event }) => keyOf(hook, event),
  );
  const over = new Map<string, number>();
  for (const entry of journal) if (entry.kind === 'replay over') over.set(entry.replay, entry.seq);
  const shared: Case = {
    terms,
    faults: new Faults(journal),
    hooks: readHooks(calls, over),
    redeliveries,
    seen,
    count,
    countDuplicate() {
      counts.duplicates += 1;
    },
  };

  const productEvents = product.events ?? [];
  const published = readPublished(calls);
  const tests = readTests(calls);
  const changes = readChanges(calls, productEvents);
  const found = [...published.findings, ...(terms.retentionMs === null ? changes.findings : [])];
  for (const { kind, text } of found) count(kind, text);

  const requests = readRequests(history.received);
  const deliveries = new Map(product.deliveries.map((one) => [keyOf(one.hook, one.event), one]));
  const events = new Map(productEvents.map((event) => [event.id, event]));
  for (const { state } of product.deliveries) if (state !== 'pending') counts[state] += 1;

  const expected = nameAll([...published.expected, ...tests.expected, ...changes.expected], history);
  const open = new Set([...requests.keys(), ...deliveries.keys()]);
  for (const event of expected.values())
    judgeEvent(shared, event, {
      listsEvents: product.events !== null,
      readAt: product.readAt,
      events,
      requests,
      deliveries,
      open,
    });
  judgeGroups(shared, expected, events);

  // Whatever is left belongs to no event that anybody caused, or to a hook that may not have had it.
  const unnamed = [...tests.unnamed];
  for (const event of productEvents) {
    if (expected.has(event.id)) continue;
    const mine = [...shared.hooks.keys()].filter((hook) => open.has(keyOf(hook, event.id)));
    const at = event.test ? unnamed.findIndex((name) => fitsTest(name, event, mine)) : -1;
    if (at < 0) count('invented', `event ${event.id} (${event.type}) was caused by nobody`);
    else {
      unnamed.splice(at, 1);
      for (const hook of mine) open.delete(keyOf(hook, event.id));
    }
  }
  for (const key of open) count('invented', `${key} was not to come`);

  const wrong = findings.length > 0;
  return { counts, findings, verdict: wrong ? 'fail' : 'pass' };
}

const fitsTest = (name: string, event: EventView, hooks: string[]): boolean => {
  const [hook, type] = name.split(' ');
  return event.type === type && hooks.every((one) => one === hook);
};

/** All expected events by id. What the publisher could not name is found by the marker in its payload. */
function nameAll(expected: Expected[], { product, received }: History): Map<string, Expected> {
  const byMarker = new Map<number, string>();
  for (const { id, body, test } of product.events ?? []) {
    if (body === null || test) continue;
    const { payload } = JSON.parse(body) as { payload?: { n?: number } };
    if (payload?.n !== undefined) byMarker.set(payload.n, id);
  }
  for (const line of received) {
    if (line.kind === 'got' && line.marker !== null) byMarker.set(line.marker, line.event);
  }
  const named = new Map<string, Expected>();
  for (const one of expected) {
    const id = one.id ?? (one.event === null ? undefined : byMarker.get(one.event.n));
    if (id !== undefined) named.set(id, { ...one, id });
  }
  return named;
}

interface Account {
  /** Whether the product lists its events. */
  listsEvents: boolean;
  readAt: number;
  events: Map<string, EventView>;
  requests: Map<string, Request[]>;
  deliveries: Map<string, DeliveryView>;
  /** Keys of deliveries and requests that no event has been found for yet. */
  open: Set<string>;
}

function judgeEvent(one: Case, expected: Expected, account: Account): void {
  const { terms } = one;
  const id = expected.id ?? '';
  const event = account.events.get(id) ?? null;
  const createdAt = expected.createdAt ?? event?.createdAt ?? null;
  // What nobody can date any more is old.
  const mayBePruned = terms.retentionMs !== null && (createdAt ?? 0) < account.readAt - terms.retentionMs;
  if (account.listsEvents && event === null && expected.accepted && !mayBePruned) {
    one.count('lost', `event ${id} was accepted and is not there`);
  }
  const came = [...one.hooks.values()].flatMap(({ name }) => account.requests.get(keyOf(name, id)) ?? []);
  const bodies = bodiesOf(terms, expected, event, createdAt);
  // Of several that may stand the one that came first, and then nothing else.
  const body = bodies.find((text) => sha256Of(text) === came[0]?.sha256) ?? bodies[0] ?? null;
  for (const hook of one.hooks.values()) {
    const key = keyOf(hook.name, id);
    const delivery = account.deliveries.get(key) ?? null;
    const requests = account.requests.get(key) ?? [];
    const { only, from, to } = expected;
    if (only === null ? !hook.knows(expected.type) : only !== hook.name) continue;
    const match = hook.matches(only === null ? expected : null, from, to);
    const missed = hook.missed(expected, terms.skewMs);
    if (!match.may && !missed.may) continue;
    account.open.delete(key);
    // An event that was not answered is absent or whole.
    const isThere = event !== null || requests.length > 0;
    const must = (match.must || missed.must) && (expected.accepted || isThere);
    judgeDelivery(one, { hook, key, event: expected, delivery, requests, body, must, mayBePruned });
  }
}

function bodiesOf(
  { bodyOf }: Terms,
  expected: Expected,
  event: EventView | null,
  createdAt: number | null,
): string[] {
  const { id, others } = expected;
  if (expected.event === null) return event?.body ? [event.body] : [];
  if (bodyOf === null || id === null || createdAt === null) return [];
  return [expected.event, ...others].map((content) => bodyOf(content, id, createdAt));
}

/** The events of one call that was not answered: all of them are there, or none. */
function judgeGroups(one: Case, expected: Map<string, Expected>, events: Map<string, EventView>): void {
  if (one.terms.retentionMs !== null || events.size === 0) return;
  const groups = Map.groupBy(
    [...expected.values()].filter(({ group }) => group !== null),
    ({ group }) => group,
  );
  for (const group of groups.values()) {
    const there = group.filter(({ id }) => events.has(id ?? '')).length;
    // Those that were accepted are missed one by one.
    if (there === 0 || there === group.length || group.some(({ accepted }) => accepted)) continue;
    one.count('lost', `${there} of the ${group.length} events of one unanswered call are there`);
  }
}
