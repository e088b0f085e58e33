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
  | { do: 'redeliver'; delivery: number }
  | { do: 'rotate'; hook: number; overlapMs: number; answered: boolean }
  /** Of everything until now, what failed and what was missed. */
  | { do: 'replay'; hook: number; answered: boolean };

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
  bodyOf: (event, id, createdAt) => JSON.stringify({ id, createdAt, n: event.n, payload: event.payload }),
  isSigned: ({ current, old }, body, { one, all }) => {
    const isBy = (given: string | undefined, secret: string | null) =>
      given !== undefined && (secret === null || given === sign(secret, body));
    const secrets = old === null ? [current] : [current, old.secret];
    const given = all?.split(' ') ?? [];
    return (
      isBy(one, old === null ? current : old.secret) &&
      given.length === secrets.length &&
      secrets.every((secret, at) => isBy(given[at], secret))
    );
  },
  signedAt: ({ second }) => Number(second) * 1_000,
  changeLagMs: 5,
  skewMs: 0,
};
export const sign = (secret: string, body: string) =>
  createHash('sha1').update(secret).update(body).digest('hex');

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
  const secrets = new Map(
    hooks.map((_, hook) => [
      nameOf(hook),
      { current: `secret of ${nameOf(hook)}`, old: null as { secret: string; until: number } | null },
    ]),
  );
  /** What the sender signs with now: as the API says of rotations. */
  function signaturesOf(hook: string, body: string): Record<string, string> {
    const { current = '', old = null } = secrets.get(hook) ?? {};
    const overlapping = old !== null && at < old.until ? old.secret : null;
    const all = overlapping === null ? [current] : [current, overlapping];
    return {
      one: sign(overlapping ?? current, body),
      all: all.map((secret) => sign(secret, body)).join(' '),
      second: String(Math.floor(at / 1_000)),
    };
  }

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
      signatures: signaturesOf(delivery.hook, body),
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

  const bodyOf = (event: PublishedEvent): string =>
    terms.bodyOf?.(event, event.id ?? '', event.createdAt ?? 0) ?? '';
  const published = (): PublishedEvent[] =>
    journal.flatMap((entry) =>
      entry.kind === 'call' && entry.what.op === 'publish' ? entry.what.events : [],
    );

  function rotate(hook: string, overlapMs: number, answered: boolean): void {
    const { current = '' } = secrets.get(hook) ?? {};
    const secret = `secret ${calls} of ${hook}`;
    call({ op: 'rotate secret', hook, overlapMs }, answered ? 200 : null, answered ? { secret } : null);
    // In the middle of the call.
    const old = overlapMs === 0 ? null : { secret: current, until: at - 5 + overlapMs };
    secrets.set(hook, { current: secret, old });
    at += 5;
  }

  function replay(hook: number, answered: boolean): void {
    const config = configs[hook];
    const name = nameOf(hook);
    const until = at;
    at += 5;
    const wish = { since: 0, until, states: ['failed' as const, 'missed' as const], rate: null };
    const isRefused = config?.enabled !== true;
    const id = `replay-${calls}`;
    const status = isRefused ? 409 : answered ? 202 : null;
    call({ op: 'replay', hook: name, ...wish }, status, status === 202 ? { id } : null);
    if (isRefused) return;
    const { deliveries } = history.product;
    for (const event of published()) {
      const delivery = deliveries.find((one) => one.hook === name && one.event === event.id);
      if (delivery?.state === 'failed') {
        attempt(delivery, 'ok', bodyOf(event));
        delivery.state = 'delivered';
      } else if (delivery === undefined && config.types.includes(event.type)) {
        const made = { hook: name, event: event.id ?? '', attempts: 0, lastStatus: null, log: [] };
        const missed: DeliveryView = { ...made, state: 'delivered' };
        deliveries.push(missed);
        attempt(missed, 'ok', bodyOf(event));
      }
    }
    write({ kind: 'replay over', replay: id });
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
    } else if (step.do === 'rotate') {
      rotate(nameOf(step.hook % configs.length), step.overlapMs, step.answered);
    } else if (step.do === 'replay') {
      replay(step.hook % configs.length, step.answered);
    } else {
      const finished = history.product.deliveries.filter(({ state }) => state !== 'pending');
      const delivery = finished[step.delivery % Math.max(1, finished.length)];
      if (delivery === undefined) continue;
      const { hook, event, attempts } = delivery;
      call({ op: 'redeliver', hook, event, attempts }, 202, null);
      const source = published().find(({ id }) => id === event);
      if (source === undefined) continue;
      attempt(delivery, 'ok', bodyOf(source));
      delivery.state = 'delivered';
    }
  }
  return history;
}
