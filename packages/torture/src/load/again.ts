// What is sent again and signed anew beside the load: replays of what a webhook refused, and of what it missed while it was
// disabled; and secrets that are rotated, with an overlap and without.
import { setTimeout as pause } from 'node:timers/promises';
import { Chance } from '../chance.ts';
import type { HookConfig, ReplayState } from '../judge/history.ts';
import { changeHook, createHook } from './changes.ts';
import { chooseNode, type LiveHook, type Setting, seeDeliveries, types, untilOver } from './setting.ts';

const ofType = (type: string): HookConfig => ({ types: [type], projects: null, enabled: true });

/** Some of them slow, so that faults come in their middle. */
const rates = [null, 30, 120];
/** How far back a replay goes at the most, and how many refusals are looked at before it, ms and deliveries. */
const mostBackMs = 15_000;
const mostSeen = 40;
/** How long a replay is waited for. One that is not over by then goes on by itself. */
const patienceMs = 25_000;

/** Replays, again and again, what a webhook has refused. */
export async function replayRefused(setting: Setting, seed: number): Promise<void> {
  const chance = new Chance(seed, 'replays of refusals');
  const hook = await createHook(setting, 0, 'refusing-gamma', ofType(types[2]));
  if (hook === null) throw new Error('The webhook to replay to could not be made.');
  await untilOver(setting, 300, async () => {
    const node = await chooseNode(setting, chance);
    if ((await seeDeliveries(setting, node, hook, 'failed', mostSeen)) === null) return;
    await replay(setting, chance, hook, Date.now() - chance.whole(mostBackMs / 3, mostBackMs), ['failed']);
  });
}

/** Disables a webhook for a moment, enables it, and replays what it has missed; again and again. */
export async function replayMissed(setting: Setting, seed: number): Promise<void> {
  const chance = new Chance(seed, 'replays of what was missed');
  const hook = await createHook(setting, 0, 'good-resting', ofType(types[1]));
  if (hook === null) throw new Error('The webhook to disable could not be made.');
  await untilOver(setting, 600, async () => {
    const restsFrom = Date.now();
    await changeHook(setting, await chooseNode(setting, chance), hook, { enabled: false });
    await pause(chance.whole(300, 1_500));
    for (;;) {
      const status = await changeHook(setting, await chooseNode(setting, chance), hook, { enabled: true });
      if (status !== null && status < 500) break;
      await pause(200);
    }
    await replay(setting, chance, hook, restsFrom - 500, chance.pick([['missed'], ['failed', 'missed']]));
  });
}

/** Begins a replay up to the present and waits until it is over. */
async function replay(
  setting: Setting,
  chance: Chance,
  hook: LiveHook,
  since: number,
  states: ReplayState[],
): Promise<void> {
  const { driver, journal } = setting;
  const wish = { since, until: Date.now(), states, rate: chance.pick(rates) };
  const node = await chooseNode(setting, chance);
  const begun = await journal.call(node, { op: 'replay', hook: hook.name, ...wish }, () =>
    driver.replay(node, hook.id, wish),
  );
  const id = begun?.body?.id;
  if (id === undefined) return;
  for (const givenUpAt = performance.now() + patienceMs; performance.now() < givenUpAt; ) {
    if (await driver.isReplayOver(await chooseNode(setting, chance), id)) {
      await journal.replayOver(id);
      return;
    }
    await pause(150);
  }
}

/**
 * Gives webhooks new secrets: one that is there for it, and those that come and go. One whose new secret nobody was told
 * is left alone, and another takes its place.
 */
export async function rotateSecrets(setting: Setting, seed: number): Promise<void> {
  const { driver, journal, hooks } = setting;
  const chance = new Chance(seed, 'rotations');
  let count = 0;
  let own = await createHook(setting, 0, 'good-rotating', ofType(types[1]));
  await untilOver(setting, 500, async () => {
    const node = await chooseNode(setting, chance);
    if (own === null || own.unknownSecret) {
      own = await createHook(setting, node, `good-rotating-${++count}`, ofType(types[1]));
      return;
    }
    const passing = [...hooks.values()].filter(
      ({ name, doubtful, unknownSecret }) => name.includes('passing') && !doubtful && !unknownSecret,
    );
    const hook = passing.length > 0 && chance.happens(0.3) ? chance.pick(passing) : own;
    const overlapMs = chance.pick([0, 1_000, 3_000]);
    const made = await journal.call(node, { op: 'rotate secret', hook: hook.name, overlapMs }, () =>
      driver.rotateSecret(node, hook.id, overlapMs),
    );
    if (made === null || made.status >= 500) hook.unknownSecret = true;
  });
}
