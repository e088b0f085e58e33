// Which events there must be, and which there may be: by what was published, tested and changed, and how it was answered.
import { callsOf, type JudgedCall } from './calls.ts';
import type { EventView, PublishedEvent } from './history.ts';

/** An event that somebody caused. */
export interface Expected {
  /** Null where Posthorn was to make the id and did not answer. */
  id: string | null;
  type: string;
  projectId: string | null;
  /** It was accepted at some moment between these places of the journal, if it was. */
  from: number;
  to: number;
  /** The same in epoch ms. */
  fromAt: number;
  toAt: number;
  accepted: boolean;
  /** Only this hook gets it, subscribed or not: a test event. */
  only: string | null;
  /** What the body is made of; null where it is the product's own making. */
  event: PublishedEvent | null;
  /** Other contents under the same id that may be the ones that stand: where nobody was told which. */
  others: PublishedEvent[];
  createdAt: number | null;
  /** Events of one call, which are accepted together or not at all; null where another call may have had a part of it. */
  group: number | null;
}

export interface Finding {
  kind: 'lost' | 'invented';
  text: string;
}

const contentOf = ({ type, payload, projectId, region }: PublishedEvent): string =>
  JSON.stringify([type, payload, projectId, region]);

/** What publish calls were to make, one for each id (or each marker, where the publisher gave no id). */
export function readPublished(calls: readonly JudgedCall[]): { expected: Expected[]; findings: Finding[] } {
  const byKey = new Map<string, Expected & { wins: Set<string> }>();
  const findings: Finding[] = [];
  for (const [number, call] of callsOf(calls, 'publish').entries()) {
    for (const [index, event] of call.what.events.entries()) {
      if (call.outcome === 'refused' && call.status !== 409) continue;
      const answer = call.outcome === 'done' ? (call.body?.events?.[index] ?? null) : null;
      const key = event.id ?? `#${event.n}`;
      const known = byKey.get(key);
      const group = call.what.array ? number : null;
      const base = { id: event.id ?? answer?.id ?? null, type: event.type, projectId: event.projectId };
      const one = known ?? {
        ...base,
        from: call.from,
        to: Number.POSITIVE_INFINITY,
        fromAt: call.at,
        toAt: Number.POSITIVE_INFINITY,
        accepted: false,
        only: null,
        event,
        others: [],
        createdAt: event.createdAt,
        group,
        wins: new Set<string>(),
      };
      if (known === undefined) byKey.set(key, one);
      else {
        one.from = Math.min(one.from, call.from);
        one.fromAt = Math.min(one.fromAt, call.at);
        if (one.group !== group) one.group = null;
        if (!one.accepted) one.others.push(event);
      }
      if (answer === null) continue;
      // Of several calls with one id the content of the one that was answered stands.
      one.wins.add(contentOf(event));
      if (!one.accepted) Object.assign(one, base, { event, others: [], createdAt: answer.createdAt });
      one.accepted = true;
      one.to = Math.min(one.to, call.to);
      one.toAt = Math.min(one.toAt, call.endAt);
      if (answer.createdAt !== one.createdAt || answer.id !== one.id) {
        findings.push({ kind: 'invented', text: `${key} was answered in two ways` });
      }
      if (one.wins.size === 2) {
        findings.push({ kind: 'invented', text: `${key} was accepted with two contents` });
      }
    }
  }
  return { expected: [...byKey.values()], findings };
}

/** What test calls were to make. One that was not answered may have made an event that nobody can name. */
export function readTests(calls: readonly JudgedCall[]): { expected: Expected[]; unnamed: string[] } {
  const expected: Expected[] = [];
  const unnamed: string[] = [];
  for (const { what, outcome, body, from, to, at, endAt } of callsOf(calls, 'test hook')) {
    if (outcome === 'doubtful') unnamed.push(`${what.hook} ${what.type}`);
    if (outcome !== 'done') continue;
    const id = body?.id ?? null;
    expected.push({
      id,
      type: what.type,
      projectId: null,
      from,
      to,
      fromAt: at,
      toAt: endAt,
      accepted: true,
      only: what.hook,
      event: null,
      others: [],
      createdAt: null,
      group: null,
    });
  }
  return { expected, unnamed };
}

/** The project's name in the body of an event that a project change caused. */
function nameIn(body: string | null): string | null {
  if (body === null) return null;
  const { payload } = JSON.parse(body) as { payload?: { project?: { name?: string } } };
  return payload?.project?.name ?? null;
}

/** Binds each event of a project change to the change: one for each that was answered, none or one for the others. */
export function readChanges(
  calls: readonly JudgedCall[],
  events: readonly EventView[],
): { expected: Expected[]; findings: Finding[] } {
  const expected: Expected[] = [];
  const findings: Finding[] = [];
  const caused = new Map<string, EventView[]>();
  for (const event of events) {
    if (event.test || !event.type.startsWith('project.')) continue;
    const key = `${event.type} ${nameIn(event.body)}`;
    caused.set(key, [...(caused.get(key) ?? []), event]);
  }
  const done = callsOf(calls, 'change project').filter(({ outcome }) => outcome !== 'refused');
  const byKey = Map.groupBy(done, ({ what }) => `${what.causes} ${what.about}`);
  for (const [key, changes] of byKey) {
    const found = caused.get(key) ?? [];
    const answered = changes.filter(({ outcome }) => outcome === 'done');
    if (found.length < answered.length) findings.push({ kind: 'lost', text: `no event for ${key}` });
    if (found.length > changes.length)
      findings.push({ kind: 'invented', text: `${found.length} events for ${key}` });
    for (const event of found) {
      expected.push({
        id: event.id,
        type: event.type,
        projectId: event.projectId,
        from: Math.min(...changes.map(({ from }) => from)),
        to: answered.length === 0 ? Number.POSITIVE_INFINITY : Math.max(...answered.map(({ to }) => to)),
        fromAt: Math.min(...changes.map(({ at }) => at)),
        toAt:
          answered.length === 0 ? Number.POSITIVE_INFINITY : Math.max(...answered.map(({ endAt }) => endAt)),
        accepted: answered.length > 0,
        only: null,
        event: null,
        others: [],
        createdAt: event.createdAt,
        group: null,
      });
    }
  }
  return { expected, findings };
}
