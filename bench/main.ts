// The benchmark: runs the scenarios, prints a table and keeps the rows in results.json. README.md says how it measures.
// Exit status 1: a delivery was lost, or one came that nobody published, or the run itself failed.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { fullPlan, type Plan, quickPlan } from './plan.ts';
import {
  describeMachine,
  findShortfalls,
  formatTable,
  isWhole,
  type Machine,
  mergeResults,
  type Results,
  type Row,
} from './results.ts';
import { measureBacklog } from './scenarios/backlog.ts';
import { measureFairness } from './scenarios/fairness.ts';
import { measureHistory } from './scenarios/history.ts';
import { measureLatency } from './scenarios/latency.ts';
import { lookAtPlans } from './scenarios/plans.ts';
import { measureRecovery } from './scenarios/recovery.ts';
import { measureReplay } from './scenarios/replay.ts';
import type { Setting } from './scenarios/rounds.ts';
import { measureSustained } from './scenarios/sustained.ts';
import { measureThroughput } from './scenarios/throughput.ts';
import { targets } from './targets.ts';

const usage = `npm run bench -- [options]
  --quick            throughput and latency only, short, median of 3
  --scenario NAME    only this scenario; may be repeated, as --store and --fanout may
  --store NAME       only this target: ${targets.map(({ store }) => store).join(', ')}
  --fanout N         only this fan-out of the throughput scenario
  --rounds N         so many rounds
  --dir PATH         keep the data under PATH (default: the system's folder for temporary files)
  --profile PATH     write V8 processor profiles of relay and server to PATH
A scenario's rows in results.json are those of its last run that left nothing else out and took no profiles.`;

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    scenario: { type: 'string', multiple: true },
    store: { type: 'string', multiple: true },
    fanout: { type: 'string', multiple: true },
    rounds: { type: 'string' },
    dir: { type: 'string', default: tmpdir() },
    profile: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

/** The scenarios that the plan has and the options ask for, each ready to run. */
function chooseScenarios(plan: Plan, setting: Setting): [name: string, measure: () => Promise<Row[]>][] {
  const { latency, fairness, backlog, recovery, history, plans, replay, endpoints, tls, sustained } = plan;
  const throughput = plan.throughput.filter(({ fanout }) => isChosen(options.fanout, String(fanout)));
  const all: [string, (() => Promise<Row[]>) | null][] = [
    ['throughput', () => measureThroughput(setting, throughput)],
    ['latency', () => measureLatency(setting, latency)],
    ['fairness', fairness.length === 0 ? null : () => measureFairness(setting, fairness)],
    ['backlog', backlog && (() => measureBacklog(setting, backlog))],
    ['recovery', recovery && (() => measureRecovery(setting, recovery))],
    ['history', history && (() => measureHistory(setting, history))],
    ['plans', plans && (() => lookAtPlans(setting, plans))],
    ['replay', replay && (() => measureReplay(setting, replay))],
    ['endpoints', endpoints && (() => measureThroughput(setting, endpoints, 'endpoints'))],
    ['tls', tls && (() => measureThroughput(setting, tls, 'tls'))],
    ['sustained', sustained && (() => measureSustained(setting, sustained))],
  ];
  return all.flatMap(([name, measure]) =>
    measure !== null && isChosen(options.scenario, name) ? [[name, measure]] : [],
  );
}

function isChosen(chosen: string[] | undefined, name: string): boolean {
  return chosen === undefined || chosen.includes(name);
}

async function run(): Promise<void> {
  const plan = options.quick ? quickPlan : fullPlan;
  const dir = mkdtempSync(join(options.dir, 'posthorn-bench-'));
  const machine = describeMachine(dir);
  const setting: Setting = {
    dir,
    profileDir: options.profile ?? null,
    targets: targets.filter(({ store }) => isChosen(options.store, store)),
    rounds: Number(options.rounds ?? plan.rounds),
  };
  const startedAt = performance.now();
  const rows: Row[] = [];
  try {
    const scenarios = chooseScenarios(plan, setting);
    if (scenarios.length === 0) throw new Error('the options leave nothing to measure');
    for (const [name, measure] of scenarios) {
      process.stderr.write(`${name} …\n`);
      const measured = await measure();
      rows.push(...measured);
      // At once: what a later scenario does must not cost what an hour has measured.
      if (isWholeScenario && measured.length > 0) keep(measured, machine);
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
    const seconds = Math.round((performance.now() - startedAt) / 1000);
    if (rows.length > 0) report(rows, machine, seconds);
  }
}

/** Whether nothing of the chosen scenarios is left out, so that their rows may stand in results.json. */
const isWholeScenario = [options.store, options.fanout, options.rounds, options.profile].every(
  (option) => option === undefined,
);

function keep(measured: Row[], machine: Machine): void {
  const file = new URL('results.json', import.meta.url);
  const before = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Results) : null;
  const results = mergeResults(before, measured, machine, options.quick);
  writeFileSync(file, `${JSON.stringify(results, null, 2)}\n`);
}

function report(rows: Row[], machine: Machine, seconds: number): void {
  const { cpu, cores, node, platform, fileSystem } = machine;
  const shortfalls = findShortfalls(rows, machine).map((sentence) => `! ${sentence}\n`);
  process.stdout.write(`${cpu}, ${cores} cores, ${platform}, Node ${node}, ${fileSystem}; ${seconds} s\n\n`);
  process.stdout.write(`${formatTable(rows)}\n\n${shortfalls.join('')}`);
  if (!isWhole(rows)) {
    process.stdout.write('FAILED: deliveries were lost or invented\n');
    process.exitCode = 1;
  }
}

if (options.help) process.stdout.write(`${usage}\n`);
else await run();
