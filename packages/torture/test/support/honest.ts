// An honest sender and its receiver as a model: from a script of calls, answers and faults it makes the history that a run
// of them would leave, for the judge to find nothing in.
import { createHash } from 'node:crypto';
import type {
  DeliveryView,
  EventView,
  History,
  HookConfig,
  JournalEntry,
  Product,
  PublishedEvent,
  Terms,
} from '../../src/judge/history.ts';

/** How an attempt goes: by a failure, by success, or by a success whose record a crash takes. */
export type Way = 'ok' | 'error500' | 'hang' | 'crash';

export interface ScriptedEvent {
  type: string;
  /** For each hook that it comes to: how its attempts go; after the last one all go well. */
  ways: Way[];
  answered: boolean;
}

export type Step =
  | { do: 'publish'; events: ScriptedEvent[]; array: boolean }
  | { do: 'switch'; hook: number; answered: boolean }
  | { do: 'redeliver'; delivery: number };

/** Its sender lists its events. */
export interface PlayedHistory extends History {
  product: Product & { events: EventView[] };
}

const scheduled = 4;
const terms: Terms = {
  attempts: scheduled,
  timeoutMs: 1_000,
  graceMs: 100,
  retentionMs: null,
  bodyOf: (event, id, createdAt) => JSON.stringify({ id, createdAt, n: event.n }),
  isSigned: (secret, body, signatures) => signatures.signed === sign(secret, body),
};
const sign = (secret: string, body: string) => createHash('sha1').update(secret).update(body).digest('hex');

type Unnumbered<Entry> = Entry extends unknown ? Omit<Entry, 'seq' | 'at'> : never;

/** Plays a script; all of it is done one step after another. */
export function play(steps: readonly Step[], hooks: readonly HookConfig[]): PlayedHistory {
  let at = 1_000_000;
  let calls = 0;
  let faults = 0;
  let requests = 0;
  const journal: JournalEntry[] = [];
  const history: PlayedHistory = {
    journal,
    received: [],
    product: { events: [], deliveries: [], readAt: 0, fenced: 0 },
    terms,
  };
  const configs = hooks.map((config) => ({ ...config }));
  const write = (entry: Unnumbered<JournalEntry>) => {
    at += 10;
    journal.push({ seq: journal.length, at, ...entry });
  };
  const nameOf = (hook: number) => `hook-${hook}`;

  function call(
    what: Extract<JournalEntry, { kind: 'call' }>['what'],
    status: number | null,
    body: object | null,
  ) {
    const number = calls++;
    write({ kind: 'call', call: number, node: 0, what });
    write({ kind: 'answer', call: number, status, body });
  }

  /** One attempt; answers whether it was recorded, and its status. */
  function attempt(delivery: DeliveryView, way: Way, body: string): void {
    const n = requests++;
    const status = { ok: 200, crash: 200, error500: 500, hang: null }[way];
    const success = way === 'ok' || way === 'crash' ? ('yes' as const) : ('no' as const);
    at += 5;
    history.received.push({
      kind: 'got',
      n,
      at,
      hook: delivery.hook,
      event: delivery.event,
      sha256: createHash('sha256').update(body).digest('base64url'),
      marker: null,
      node: 0,
      trace: `trace-${n}`,
      signatures: { signed: sign(`secret of ${delivery.hook}`, body) },
      plan: way,
      status,
      success,
    });
    at += way === 'hang' ? terms.timeoutMs : 5;
    history.received.push({ kind: 'end', n, at, how: way === 'hang' ? 'broken' : 'answered' });
    if (way === 'crash') {
      const fault = { fault: faults++, name: 'kill', nodes: [0], explains: true };
      write({ kind: 'fault', ...fault, phase: 'begin' });
      write({ kind: 'fault', ...fault, phase: 'end' });
    } else {
      const error = way === 'hang' ? 'timeout_waiting_for_response' : status === 500 ? 'status_500' : null;
      delivery.log?.push({
        number: (delivery.log?.length ?? 0) + 1,
        status,
        error,
        durationMs: 10,
        trace: `trace-${n}`,
      });
      delivery.attempts += 1;
      delivery.lastStatus = status;
    }
    // Far enough apart that one crash is no excuse for the next attempt.
    at += 500;
  }

  function deliver(event: PublishedEvent, id: string, createdAt: number, ways: readonly Way[]): void {
    const body = terms.bodyOf?.(event, id, createdAt) ?? '';
    history.product.events.push({
      id,
      type: event.type,
      projectId: null,
      createdAt,
      test: false,
      body: null,
    });
    for (const [hook, config] of configs.entries()) {
      if (!config.enabled || !config.types.includes(event.type)) continue;
      const delivery: DeliveryView = {
        hook: nameOf(hook),
        event: id,
        state: 'pending',
        attempts: 0,
        lastStatus: null,
        log: [],
      };
      history.product.deliveries.push(delivery);
      for (const way of [...ways, ...Array.from({ length: scheduled }, (): Way => 'ok')]) {
        attempt(delivery, way, body);
        if (delivery.lastStatus === 200) delivery.state = 'delivered';
        else if (delivery.attempts === scheduled) delivery.state = 'failed';
        if (delivery.state !== 'pending') break;
      }
      const { state, attempts } = delivery;
      write({ kind: 'seen', hook: delivery.hook, event: id, state, attempts });
    }
  }

  for (const [hook, config] of hooks.entries()) {
    const body = { id: `id-${hook}`, secret: `secret of ${nameOf(hook)}` };
    call({ op: 'create hook', hook: nameOf(hook), config: { ...config } }, 200, body);
  }
  let n = 0;
  for (const step of steps) {
    if (step.do === 'publish') {
      const events = step.events.map(
        ({ type }): PublishedEvent => ({
          n: n++,
          id: `own-${n}`,
          type,
          payload: {},
          projectId: null,
          region: null,
          createdAt: at,
        }),
      );
      const array = step.array || events.length > 1;
      const answered = step.events.every((event) => event.answered);
      const made = events.map(({ id, createdAt }) => ({ id, createdAt, deliveries: 0 }));
      call({ op: 'publish', events, array }, answered ? 202 : null, answered ? { events: made } : null);
      for (const [index, event] of events.entries()) {
        deliver(event, event.id ?? '', event.createdAt ?? 0, step.events[index]?.ways ?? []);
      }
    } else if (step.do === 'switch') {
      const hook = step.hook % configs.length;
      const config = configs[hook];
      if (config === undefined) continue;
      config.enabled = !config.enabled;
      const patch = { enabled: config.enabled };
      call({ op: 'change hook', hook: nameOf(hook), patch }, step.answered ? 200 : null, null);
    } else {
      const finished = history.product.deliveries.filter(({ state }) => state !== 'pending');
      const delivery = finished[step.delivery % Math.max(1, finished.length)];
      if (delivery === undefined) continue;
      const { hook, event, attempts } = delivery;
      call({ op: 'redeliver', hook, event, attempts }, 202, null);
      const published = journal.flatMap((entry) =>
        entry.kind === 'call' && entry.what.op === 'publish' ? entry.what.events : [],
      );
      const source = published.find(({ id }) => id === event);
      if (source === undefined) continue;
      attempt(delivery, 'ok', terms.bodyOf?.(source, event, source.createdAt ?? 0) ?? '');
      delivery.state = 'delivered';
    }
  }
  return history;
}
