// One run: a sender is started, loaded, hurt and left to settle; then everything that is known goes before the judge.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Chance } from './chance.ts';
import type { Driver } from './drivers/driver.ts';
import type { Fault } from './faults/bed.ts';
import { findEndpoints, gather, settle } from './gather.ts';
import { Journal } from './journal.ts';
import type { JournalEntry, ReceiverLine } from './judge/history.ts';
import { judge, type Verdict } from './judge/judge.ts';
import { readRequests } from './judge/requests.ts';
import { readLines } from './lines.ts';
import { replayMissed, replayRefused, rotateSecrets } from './load/again.ts';
import {
  enableAll,
  makeSteadyThings,
  runHookChanges,
  runOperators,
  runProjectChanges,
} from './load/changes.ts';
import { type PublishLoad, runPublishers } from './load/publishers.ts';
import { Progress, type Setting, types, untilOver } from './load/setting.ts';
import { startReceiver } from './receiver/receiver.ts';

export interface RunPlan<Sender extends Driver> {
  seed: number;
  dir: string;
  driver: Sender;
  events: number;
  load: PublishLoad;
  /** In the order in which they happen, spread over the run by chance. */
  faults: Fault<Sender>[];
  /** How long nothing may move until what is pending counts as lost. */
  patienceMs: number;
  say(line: string): void;
}

export interface RunResult extends Verdict {
  kills: number;
}

/** Faults begin after this share of the events, and end before that one: before and after them it is calm. */
const faultsFrom = 0.08;
const faultsTo = 0.85;
/** A fault comes up to this much later than its number of events. */
const mostWaitMs = 600;

export async function run<Sender extends Driver>(plan: RunPlan<Sender>): Promise<RunResult> {
  const { seed, dir, driver, say } = plan;
  mkdirSync(dir, { recursive: true });
  const journalPath = join(dir, 'journal.jsonl');
  const receivedPath = join(dir, 'received.jsonl');
  const receiver = await startReceiver({ seed, path: receivedPath, timeoutMs: driver.terms.timeoutMs });
  const journal = new Journal(journalPath);
  const setting: Setting = {
    driver,
    journal,
    receiver,
    hooks: new Map(),
    progress: new Progress(plan.events),
  };
  let kills = 0;
  try {
    await driver.start(types);
    await makeSteadyThings(setting);
    const fenced = new Map<string, number>();
    const scrape = async () => {
      for (const [life, count] of await driver.readFenced())
        fenced.set(life, Math.max(count, fenced.get(life) ?? 0));
    };
    const hurt = hurtAll(plan, setting, () => {
      kills += 1;
    });
    await Promise.all([
      runPublishers(setting, seed, plan.load),
      hurt,
      ...(driver.abilities.has('changes') ? [runHookChanges(setting, seed)] : []),
      // What a change causes is named by the product, and found in its history.
      ...(driver.abilities.has('projects') && driver.terms.retentionMs === null
        ? [runProjectChanges(setting, seed)]
        : []),
      ...(driver.abilities.has('redeliveries') ? [runOperators(setting, seed)] : []),
      ...(driver.abilities.has('rotations') ? [rotateSecrets(setting, seed)] : []),
      // What is replayed must be there still.
      ...(driver.abilities.has('replays') && driver.terms.retentionMs === null
        ? [replayRefused(setting, seed), replayMissed(setting, seed)]
        : []),
      untilOver(setting, 400, scrape),
    ]);
    say(`${setting.progress.count} events published, ${kills} kills; waiting until nothing is pending`);
    await receiver.behaveRoughly(false);
    if (driver.abilities.has('changes')) await enableAll(setting);
    const hooks = await findEndpoints(driver, journal.entries, receiver.urlOf);
    const settled = await settle(driver, hooks, plan.patienceMs);
    if (!settled) say(`nothing moved for ${plan.patienceMs / 1000} s, and deliveries are pending`);
    await scrape();
    await receiver.stop();
    await journal.close();
    say('reading what the product says of itself');
    // From the disk, as they are there.
    const written = readLines<JournalEntry>(journalPath);
    const received = readLines<ReceiverLine>(receivedPath);
    const refused = [...fenced.values()].reduce((sum, count) => sum + count, 0);
    const product = await gather(driver, hooks, readRequests(received), namedIds(written), refused, seed);
    return { ...judge({ journal: written, received, product, terms: driver.terms }), kills };
  } finally {
    await driver.stop();
  }
}

/** Ids of events whose bodies the tester can make itself. */
function namedIds(journal: readonly JournalEntry[]): Set<string> {
  const ids = new Set<string>();
  const publishing = new Set<number>();
  for (const entry of journal) {
    if (entry.kind === 'call' && entry.what.op === 'publish') {
      publishing.add(entry.call);
      for (const { id } of entry.what.events) if (id !== null) ids.add(id);
    } else if (entry.kind === 'answer' && publishing.has(entry.call)) {
      for (const { id } of entry.body?.events ?? []) ids.add(id);
    }
  }
  return ids;
}

/** Lets the faults happen one after another, each when a chosen number of events has been published. */
async function hurtAll<Sender extends Driver>(
  { seed, driver, events, faults, say }: RunPlan<Sender>,
  setting: Setting,
  countKill: () => void,
): Promise<void> {
  const chance = new Chance(seed, 'faults');
  const width = (faultsTo - faultsFrom) / Math.max(1, faults.length);
  for (const [index, fault] of faults.entries()) {
    const share = faultsFrom + (index + chance.next()) * width;
    await setting.progress.whenAt(Math.floor(share * events));
    await pause(chance.whole(0, mostWaitMs));
    say(`at ${setting.progress.count} events: ${fault.name}`);
    await fault.happen({ setting, sender: driver, chance, countKill });
  }
  setting.progress.endFaults();
}
