// The benchmark: runs the scenarios, prints a table and writes results.json. README.md says how it measures.
// Exit status 1: a delivery was lost, or one came that nobody published, or the run itself failed.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { fullPlan, type Plan, quickPlan } from './plan.ts';
import { describeMachine, findShortfalls, formatTable, isWhole, type Row } from './results.ts';
import { measureBacklog } from './scenarios/backlog.ts';
import { measureFairness } from './scenarios/fairness.ts';
import { measureHistory } from './scenarios/history.ts';
import { measureLatency } from './scenarios/latency.ts';
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
A run that leaves out anything prints its table and does not write results.json.`;

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
  const { latency, fairness, backlog, recovery, history, replay, endpoints, tls, sustained } = plan;
  const throughput = plan.throughput.filter(({ fanout }) => isChosen(options.fanout, String(fanout)));
  const all: [string, (() => Promise<Row[]>) | null][] = [
    ['throughput', () => measureThroughput(setting, throughput)],
    ['latency', () => measureLatency(setting, latency)],
    ['fairness', fairness.length === 0 ? null : () => measureFairness(setting, fairness)],
    ['backlog', backlog && (() => measureBacklog(setting, backlog))],
    ['recovery', recovery && (() => measureRecovery(setting, recovery))],
    ['history', history && (() => measureHistory(setting, history))],
    ['replay', replay && (() => measureReplay(setting, replay))],
    ['endpoints', endpoints && (() => measureThroughput(setting, endpoints, 'endpoints'))],
    ['tls', tls && (() => measureThroughput(setting, tls, 'tls'))],
    ['sustained', sustained && (() => measureSustained(setting, sustained))],
  ];
  return all.flatMap(([name, measure]) =>
    measure !== null && isChosen(options.scenario, name) ? [[name, measure]] : [],
  );
}

/** Scenarios of `beside` in the results: `rows` has those that targets are set for. */
const besideTheTable = new Set<Row['scenario']>(['endpoints', 'tls', 'sustained']);

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
    for (const [name, measure] of chooseScenarios(plan, setting)) {
      process.stderr.write(`${name} …\n`);
      rows.push(...(await measure()));
    }
    if (rows.length === 0) throw new Error('the options leave nothing to measure');
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }

  const shortfalls = findShortfalls(rows, machine);
  const { scenario, store, fanout, rounds } = options;
  if ([scenario, store, fanout, rounds].every((option) => option === undefined)) {
    const isBeside = ({ scenario: name }: Row) => besideTheTable.has(name);
    const results = {
      machine,
      quick: options.quick,
      rows: rows.filter((row) => !isBeside(row)),
      beside: rows.filter(isBeside),
      shortfalls,
    };
    writeFileSync(new URL('results.json', import.meta.url), `${JSON.stringify(results, null, 2)}\n`);
  }
  const seconds = Math.round((performance.now() - startedAt) / 1000);
  const { cpu, cores, node, platform, fileSystem } = machine;
  process.stdout.write(`${cpu}, ${cores} cores, ${platform}, Node ${node}, ${fileSystem}; ${seconds} s\n\n`);
  process.stdout.write(`${formatTable(rows)}\n\n${shortfalls.map((sentence) => `! ${sentence}\n`).join('')}`);
  if (!isWhole(rows)) {
    process.stdout.write('FAILED: deliveries were lost or invented\n');
    process.exitCode = 1;
  }
}

if (options.help) process.stdout.write(`${usage}\n`);
else await run();
