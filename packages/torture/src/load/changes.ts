// What goes on beside the publishing: webhooks come, change, rest and go; projects too; deliveries are looked at and sent
// again; tests are made.
import { setTimeout as pause } from 'node:timers/promises';
import { Chance } from '../chance.ts';
import type { HookConfig } from '../judge/history.ts';
import {
  chooseNode,
  type LiveHook,
  projects,
  projectTypes,
  type Setting,
  seeDeliveries,
  types,
  untilOver,
} from './setting.ts';

/** Those that stay as they are for the whole run, so that there is something certain: two that are good, one rough. */
const steadyHooks: { name: string; config: HookConfig }[] = [
  { name: 'good-all', config: { types: [...types], projects: null, enabled: true } },
  { name: 'good-project', config: { types: [types[1]], projects: [projects[0] as string], enabled: true } },
  { name: 'rough-gamma', config: { types: [types[2]], projects: null, enabled: true } },
];
const platformHook = {
  name: 'good-platform',
  config: { types: projectTypes, projects: null, enabled: true },
};

/** Makes the projects that publishes name, and the webhooks that stay. */
export async function makeSteadyThings(setting: Setting): Promise<void> {
  const { driver, journal } = setting;
  const hasProjects = driver.abilities.has('projects');
  for (const id of hasProjects ? projects : []) {
    const name = id.replaceAll('_', '-');
    const made = await journal.call(0, { op: 'change project', causes: 'project.created', about: name }, () =>
      driver.changeProject(0, 'project.created', id, name),
    );
    if (made?.body?.id !== id) throw new Error(`The project ${id} could not be made.`);
  }
  const wanted = hasProjects ? [...steadyHooks, platformHook] : steadyHooks;
  for (const { name, config } of wanted) {
    const hook = await createHook(setting, 0, name, config);
    if (hook === null) throw new Error(`The webhook ${name} could not be made.`);
  }
}

/** Creates a webhook under a name that is used once; null where that is not certain. */
export async function createHook(
  setting: Setting,
  node: number,
  name: string,
  config: HookConfig,
): Promise<LiveHook | null> {
  const { driver, journal, receiver, hooks } = setting;
  const made = await journal.call(node, { op: 'create hook', hook: name, config }, () =>
    driver.createEndpoint(node, receiver.urlOf(name), config),
  );
  const id = made?.body?.id;
  if (made === null || made.status >= 300 || id === undefined) return null;
  // A copy: what the journal has written stays as it was.
  const hook = { name, id, config: { ...config }, doubtful: false, unknownSecret: false };
  hooks.set(name, hook);
  return hook;
}

const mostPassingHooks = 5;
const hookActs = { create: 4, types: 3, projects: 3, switch: 4, remove: 2 };

/** Creates, changes, disables, enables and removes webhooks, one call after another. */
export async function runHookChanges(setting: Setting, seed: number): Promise<void> {
  const chance = new Chance(seed, 'hook changes');
  const passing = new Map<string, LiveHook>();
  let count = 0;
  await untilOver(setting, 60, async () => {
    const node = await chooseNode(setting, chance);
    const act = chance.weighed(hookActs);
    const certain = [...passing.values()].filter(({ doubtful }) => !doubtful);
    if (act === 'create' || certain.length === 0) {
      if (passing.size >= mostPassingHooks) return;
      const name = `${chance.happens(0.8) ? 'good' : 'rough'}-passing-${count++}`;
      const hook = await createHook(setting, node, name, someConfig(chance));
      if (hook !== null) passing.set(name, hook);
      return;
    }
    const hook = chance.pick(certain);
    if (act === 'remove') {
      // Whether it is gone or not: nobody touches it any more.
      passing.delete(hook.name);
      await removeHook(setting, node, hook);
      return;
    }
    const { types: newTypes, projects: newProjects } = someConfig(chance);
    const patch =
      act === 'types'
        ? { types: newTypes }
        : act === 'projects'
          ? { projects: newProjects }
          : { enabled: !hook.config.enabled };
    await changeHook(setting, node, hook, patch);
  });
}

function someConfig(chance: Chance): HookConfig {
  const chosen = types.slice(0, 2).filter(() => chance.happens(0.6));
  return {
    types: chosen.length > 0 ? chosen : [types[1]],
    projects: chance.happens(0.5)
      ? null
      : [projects[2] as string, ...projects.slice(0, 2).filter(() => chance.happens(0.5))],
    enabled: true,
  };
}

/** Changes a hook; answers the status, null where there was none. */
export async function changeHook(
  setting: Setting,
  node: number,
  hook: LiveHook,
  patch: Partial<HookConfig>,
): Promise<number | null> {
  const { driver, journal } = setting;
  const made = await journal.call(node, { op: 'change hook', hook: hook.name, patch }, () =>
    driver.changeEndpoint(node, hook.id, patch),
  );
  if (isDoubtful(made)) hook.doubtful = true;
  else if ((made?.status ?? 0) < 300) Object.assign(hook.config, patch);
  return made?.status ?? null;
}

const isDoubtful = (made: { status: number } | null): boolean => made === null || made.status >= 500;

async function removeHook(setting: Setting, node: number, hook: LiveHook): Promise<void> {
  const { driver, journal, hooks } = setting;
  const made = await journal.call(node, { op: 'remove hook', hook: hook.name }, () =>
    driver.removeEndpoint(node, hook.id),
  );
  if (isDoubtful(made)) hook.doubtful = true;
  else hooks.delete(hook.name);
}

/** Whatever rests is woken, so that everything pending can end; what is gone after all says so. */
export async function enableAll(setting: Setting): Promise<void> {
  const chance = new Chance(0, 'enabling');
  for (const hook of setting.hooks.values()) {
    if (hook.config.enabled && !hook.doubtful) continue;
    for (let tries = 0; tries < 40; tries++) {
      const node = await chooseNode(setting, chance);
      const status = await changeHook(setting, node, hook, { enabled: true });
      if (status !== null && status < 500) break;
      await pause(250);
    }
  }
}

/** Creates, renames and removes projects, each under names that are used once. */
export async function runProjectChanges(setting: Setting, seed: number): Promise<void> {
  const { driver, journal } = setting;
  const chance = new Chance(seed, 'project changes');
  const live: { id: string; name: string }[] = [];
  let count = 0;
  await untilOver(setting, 120, async () => {
    const node = await chooseNode(setting, chance);
    const change = (causes: string, id: string | null, name: string) =>
      journal.call(node, { op: 'change project', causes, about: name }, () =>
        driver.changeProject(node, causes, id, name),
      );
    const [first] = live;
    if (first === undefined || live.length < 3 || chance.happens(0.3)) {
      const name = `torture-${count++}`;
      const made = await change('project.created', null, name);
      if (made?.body?.id !== undefined) live.push({ id: made.body.id, name });
    } else if (chance.happens(0.6)) {
      const name = `torture-${count++}`;
      const made = await change('project.renamed', first.id, name);
      // Without an answer nobody knows its name, and it is left alone.
      if (made !== null && made.status < 300) first.name = name;
      else live.shift();
    } else {
      live.shift();
      await change('project.removed', first.id, first.name);
    }
  });
}

/** Looks at finished deliveries, sends some of them again, and makes tests. */
export async function runOperators(setting: Setting, seed: number): Promise<void> {
  const { driver, journal, hooks } = setting;
  const chance = new Chance(seed, 'operators');
  const keepsHistory = driver.terms.retentionMs === null;
  const redelivered = new Set<string>();
  await untilOver(setting, 150, async () => {
    const hook = chance.pick([...hooks.values()]);
    const node = await chooseNode(setting, chance);
    if (keepsHistory && chance.happens(0.25)) {
      const type = chance.pick(types);
      await journal.call(node, { op: 'test hook', hook: hook.name, type }, () =>
        driver.testEndpoint(node, hook.id, type),
      );
      return;
    }
    const state = chance.happens(0.7) ? 'delivered' : 'failed';
    const page = await seeDeliveries(setting, node, hook, state, 10);
    if (page === null) return;
    const at = chance.whole(0, page.deliveries.length - 1);
    const [delivery, id] = [page.deliveries[at], page.ids[at]];
    if (delivery === undefined || id === undefined || redelivered.has(id)) return;
    redelivered.add(id);
    const { event, attempts } = delivery;
    await journal.call(node, { op: 'redeliver', hook: hook.name, event, attempts }, () =>
      driver.redeliver(node, id),
    );
  });
}
