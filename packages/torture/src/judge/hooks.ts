// What a webhook was subscribed to while a publish was under way. A change that was answered before the publish began is
// certain; one that overlaps it, or that nobody answered, may have been before it or after it: either is right.
import type { JudgedCall } from './calls.ts';
import type { Expected } from './expected.ts';
import type { HookConfig } from './history.ts';
import { isAbout, type Replay, readReplay } from './replays.ts';
import { Secrets } from './secrets.ts';

/** Null: there was no such webhook. */
type Config = HookConfig | null;

interface Step {
  from: number;
  to: number;
  apply(config: Config): Config;
}

export interface Subject {
  type: string;
  projectId: string | null;
}

export class Hook {
  readonly name: string;
  readonly secrets = new Secrets();
  readonly replays: Replay[] = [];
  /** Whether somebody asked for its removal, and from when on. */
  removedFrom = Number.POSITIVE_INFINITY;
  readonly #steps: Step[] = [];
  readonly #types = new Set<string>();
  readonly #cache = new Map<string, Config[]>();

  constructor(name: string) {
    this.name = name;
  }

  /** A call about this hook, in the order of the journal; `over` as for `readReplay`. */
  add(call: JudgedCall, over: ReadonlyMap<string, number>): void {
    const { what, from, to, outcome, body } = call;
    if (outcome === 'refused') return;
    const replay = readReplay(call, over);
    if (replay !== null) this.replays.push(replay);
    if (what.op === 'rotate secret') {
      const { overlapMs } = what;
      this.secrets.rotate({ from: call.at, to: call.endAt, secret: body?.secret ?? null, overlapMs });
    }
    if (what.op === 'create hook') {
      this.secrets.begin(body?.secret ?? null);
      for (const type of what.config.types) this.#types.add(type);
      this.#steps.push({ from, to, apply: () => what.config });
    } else if (what.op === 'change hook') {
      for (const type of what.patch.types ?? []) this.#types.add(type);
      this.#steps.push({
        from,
        to,
        apply: (config) => (config === null ? null : { ...config, ...what.patch }),
      });
    } else if (what.op === 'remove hook') {
      this.removedFrom = Math.min(this.removedFrom, from);
      this.#steps.push({ from, to, apply: () => null });
    }
  }

  /** Whether it ever was subscribed to the type. */
  knows(type: string): boolean {
    return this.#types.has(type);
  }

  /**
   * Whether an event accepted at some moment between two places of the journal must, or may, have come here. `subject` is
   * null for a test, which a webhook gets whatever it is subscribed to.
   */
  matches(subject: Subject | null, from: number, to: number): { must: boolean; may: boolean } {
    const fits = this.#possible(from, to).map((config) => fitsConfig(config, subject));
    return { must: fits.every(Boolean), may: fits.some(Boolean) };
  }

  /** Whether a replay of what was missed must, or may, have made a delivery of an event for it. */
  missed(event: Expected, skewMs: number): { must: boolean; may: boolean } {
    const all = this.replays.map((replay) => {
      const about = isAbout(replay, 'missed', event, skewMs);
      if (!about.may) return about;
      // It goes by what the webhook is while it is made.
      const match = this.matches(event, replay.from, replay.overAt);
      return { must: about.must && match.must, may: match.may };
    });
    return { must: all.some(({ must }) => must), may: all.some(({ may }) => may) };
  }

  /** Every configuration that it can have had at some moment between the two places. */
  #possible(from: number, to: number): Config[] {
    // Between the same steps everything is the same.
    const key = this.#steps.map((step) => (step.from > to ? 'x' : step.to < from ? '!' : '?')).join('');
    const known = this.#cache.get(key);
    if (known !== undefined) return known;
    let configs: Config[] = [null];
    const doubts: Step[] = [];
    for (const step of this.#steps) {
      if (step.from > to) break;
      const after = configs.map((config) => step.apply(config));
      if (step.to < from) configs = after;
      else {
        configs = [...configs, ...after];
        doubts.push(step);
      }
      // Something in doubt may still be done after what came later.
      for (const doubt of doubts) configs = distinct([...configs, ...configs.map((one) => doubt.apply(one))]);
    }
    this.#cache.set(key, configs);
    return configs;
  }
}

function distinct(configs: Config[]): Config[] {
  return [...new Map(configs.map((config) => [JSON.stringify(config), config])).values()];
}

function fitsConfig(config: Config, subject: Subject | null): boolean {
  if (config === null || !config.enabled) return false;
  if (subject === null) return true;
  const { type, projectId } = subject;
  if (!config.types.includes(type)) return false;
  return config.projects === null || (projectId !== null && config.projects.includes(projectId));
}

/** All hooks of the journal by name. */
export function readHooks(
  calls: readonly JudgedCall[],
  over: ReadonlyMap<string, number>,
): Map<string, Hook> {
  const hooks = new Map<string, Hook>();
  for (const call of calls) {
    if (!('hook' in call.what)) continue;
    let hook = hooks.get(call.what.hook);
    if (hook === undefined) {
      hook = new Hook(call.what.hook);
      hooks.set(hook.name, hook);
    }
    hook.add(call, over);
  }
  return hooks;
}
