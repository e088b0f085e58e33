// Publishers: single events and batches, with ids of their own and without, patient ones that repeat an id until it is
// answered, and careless ones that publish one id twice at once.
import { setTimeout as pause } from 'node:timers/promises';
import { Chance } from '../chance.ts';
import type { PublishedEvent } from '../judge/history.ts';
import { chooseNode, projects, type Setting, types } from './setting.ts';

const ways = { one: 50, unnamed: 10, batch: 25, twice: 10, quarrel: 5 };
/** How often the types are published: the one that rough receivers get is the rarest. */
const typeWeights = { [types[0]]: 60, [types[1]]: 30, [types[2]]: 10 } as Record<
  (typeof types)[number],
  number
>;
const mostTries = 20;
/** How often something is published, by all workers together, once the goal is reached. */
const trickleEveryMs = 50;
const padding = 'torture é ✓ "quoted" \\ / ';

export interface PublishLoad {
  workers: number;
  /** Events a second at the most, all workers together. */
  rate: number;
}

/** Publishes until the goal is reached, and goes on slowly until nothing goes wrong any more. */
export async function runPublishers(setting: Setting, seed: number, load: PublishLoad): Promise<void> {
  const startedAt = performance.now();
  let n = 0;
  const publishers = Array.from({ length: load.workers }, async (_, worker) => {
    const chance = new Chance(seed, `publisher ${worker}`);
    const next = (named: boolean) => newEvent(chance, n++, named);
    while (!setting.progress.isOver) {
      setting.progress.add(await publishOnce(setting, chance, next));
      const aheadMs = (n / load.rate) * 1_000 - (performance.now() - startedAt);
      if (setting.progress.hasReached)
        await pause((load.workers * trickleEveryMs * (0.5 + chance.next())) | 0);
      else if (aheadMs > 0) await pause(Math.min(aheadMs, 500));
    }
  });
  await Promise.all(publishers);
}

function newEvent(chance: Chance, n: number, named: boolean): PublishedEvent {
  const type = chance.weighed(typeWeights);
  return {
    n,
    id: named ? `own-${n}` : null,
    type,
    payload: { n, text: padding.repeat(chance.whole(0, 12)), nested: { list: [n, null, true, 0.5] } },
    projectId: chance.happens(0.8) ? chance.pick(projects) : null,
    region: chance.happens(0.3) ? 'fra1' : null,
    createdAt: chance.happens(0.3) ? Date.now() : null,
  };
}

/** One act of a publisher; answers how many events it was about. */
async function publishOnce(
  setting: Setting,
  chance: Chance,
  next: (named: boolean) => PublishedEvent,
): Promise<number> {
  const { abilities, terms } = setting.driver;
  // What is pruned can be named by its publisher alone.
  const unnamed = terms.retentionMs === null;
  const way = chance.weighed(ways);
  if (way === 'batch' && abilities.has('batches')) {
    const named = !unnamed || chance.happens(0.5);
    const events = Array.from({ length: chance.whole(2, 24) }, () => next(named));
    await publish(setting, chance, events, true, named && chance.happens(0.7));
    return events.length;
  }
  if ((way === 'unnamed' && unnamed) || !abilities.has('own ids')) {
    await publish(setting, chance, [next(false)], false, false);
    return 1;
  }
  const event = next(true);
  if (way === 'twice' || way === 'quarrel') {
    const other = way === 'twice' ? event : { ...event, payload: { ...event.payload, other: true } };
    await Promise.all([event, other].map((one) => publish(setting, chance, [one], false, false)));
  } else await publish(setting, chance, [event], false, chance.happens(0.7));
  return 1;
}

/** Publishes, and where it is `patient` again and again until there is an answer. */
async function publish(
  setting: Setting,
  chance: Chance,
  events: PublishedEvent[],
  array: boolean,
  patient: boolean,
): Promise<void> {
  for (let tries = 1; tries <= mostTries; tries++) {
    const node = await chooseNode(setting, chance);
    const answer = await setting.journal.call(node, { op: 'publish', events, array }, () =>
      setting.driver.publish(node, events, array),
    );
    if (!patient || (answer !== null && answer.status < 500 && answer.status !== 429)) return;
    await pause(chance.whole(20, 200));
  }
}
