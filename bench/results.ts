// What a run found out: the rows of results.json, the machine they hold for, the table for people, and what
// falls short of the figures that Posthorn promises.
import { statfsSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import type { Spread } from './percentiles.ts';

export type Store = 'relay' | 'sqlite' | 'postgres';

/** Figures are medians over the rounds, `…Min` and `…Max` beside them; null where a figure has no meaning. */
export interface Row {
  scenario:
    | 'throughput'
    | 'latency'
    | 'fairness'
    | 'backlog'
    | 'recovery'
    | 'history'
    | 'replay'
    | 'endpoints'
    | 'tls'
    | 'sustained';
  store: Store;
  fanout: number;
  rounds: number;
  /** Events of each round. */
  events: number;
  deliveriesPerSecond: number | null;
  /** Deliveries per second, as a share of the relay's. */
  relayRatio: number | null;
  p50Ms: number | null;
  p95Ms: number | null;
  p99Ms: number | null;
  fsyncP99Ms: number | null;
  cpuMicrosPerDelivery: number | null;
  peakRssMb: number | null;
  lost: number;
  duplicates: number;
  invented: number;
  [figure: string]: string | number | boolean | null;
}

/** results.json: what was measured last of each scenario, all on one machine. */
export interface Results {
  machine: Machine;
  /** Scenarios that targets are set for, and those beside them. Each row says when it was measured and by which plan. */
  rows: Row[];
  beside: Row[];
  shortfalls: string[];
}

const besideTheTable = new Set<Row['scenario']>(['endpoints', 'tls', 'sustained']);
const isSame = (one: Machine, other: Machine): boolean =>
  (['cpu', 'cores', 'memoryMb', 'node', 'platform', 'fileSystem'] as const).every(
    (part) => one[part] === other[part],
  );

/**
 * Puts the rows of whole scenarios in the place of what `before` has of them. What another machine measured goes: figures of two
 * machines are not to be compared.
 */
export function mergeResults(
  before: Results | null,
  measured: Row[],
  machine: Machine,
  quick: boolean,
): Results {
  const scenarios = new Set(measured.map(({ scenario }) => scenario));
  const kept =
    before === null || !isSame(before.machine, machine)
      ? []
      : [...before.rows, ...before.beside].filter(({ scenario }) => !scenarios.has(scenario));
  const all = [...kept, ...measured.map((row) => ({ ...row, quick, date: machine.date }))];
  return {
    machine,
    rows: all.filter(({ scenario }) => !besideTheTable.has(scenario)),
    beside: all.filter(({ scenario }) => besideTheTable.has(scenario)),
    shortfalls: findShortfalls(all, machine),
  };
}

/** The three columns of a figure that was taken once per round; nulls where it could not be taken. */
export function spreadColumns(name: string, { median, min, max }: Spread): Record<string, number | null> {
  return { [name]: roundFigure(median), [`${name}Min`]: roundFigure(min), [`${name}Max`]: roundFigure(max) };
}

/** Four significant digits, whole numbers from 1,000 up; null for NaN. */
export function roundFigure(figure: number): number | null {
  if (!Number.isFinite(figure)) return null;
  return Math.abs(figure) >= 1000 ? Math.round(figure) : Number(figure.toPrecision(4));
}

export interface Machine {
  cpu: string;
  cores: number;
  memoryMb: number;
  node: string;
  platform: string;
  /** Where the data lay: on `tmpfs` an fsync costs nothing and the figures mean nothing. */
  fileSystem: string;
  date: string;
}

const fileSystemNames = new Map([
  [0x01021994, 'tmpfs'],
  [0xef53, 'ext4'],
  [0x58465342, 'xfs'],
  [0x9123683e, 'btrfs'],
  [0x794c7630, 'overlay'],
]);

export function describeMachine(dir: string): Machine {
  const processors = cpus();
  const { type } = statfsSync(dir);
  return {
    cpu: processors[0]?.model ?? 'unknown',
    cores: processors.length,
    memoryMb: Math.round(totalmem() / 1_048_576),
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    fileSystem: fileSystemNames.get(type) ?? `0x${type.toString(16)}`,
    date: new Date().toISOString(),
  };
}

/** The generator's and sink's greatest share of the processor time in a run with the relay. */
const mostHarnessShare = 0.35;
const leastRelayRatio = {
  sqlite: new Map([
    [1, 0.55],
    [10, 0.75],
  ]),
  postgres: new Map([
    [1, 0.3],
    [10, 0.45],
  ]),
};
const mostMsBeyondFsync = 25;
/** How much longer the healthy endpoint's p99 may be beside hostile ones: so many times, or so many ms more. */
const mostFairness = { mixed: { ratio: 1.5, ms: 15 }, silent: { ratio: 1.3, ms: 5 } };
const mostBacklog = { readyMs: 3_000, rssMb: 300, p99Ratio: 2, p99Ms: 5, leastSteadyRatio: 0.9 };
/** Limits hold to within a tenth over any ten seconds; requests at once are never more. */
const mostRecovery = { concurrencyShare: 1, rateShare: 1.1, ratio: 1.2, ms: 5 };
const mostHistory = { ratio: 1.2, ms: 5 };
const mostReplay = { ratio: 1.2, ms: 5 };
/** How much longer the last minute's p99 may be than the first's. */
const mostSustained = { ratio: 2, ms: 5 };

/** One sentence for each figure that falls short of its target, or that the run itself makes doubtful. */
export function findShortfalls(rows: Row[], machine: Machine): string[] {
  const found: string[] = [];
  if (machine.fileSystem === 'tmpfs') found.push('The data lay on tmpfs, where an fsync costs nothing.');
  for (const row of rows) {
    const name = `${row.scenario}, ${row.store}, fan-out ${row.fanout}`;
    const number = (column: string): number => Number(row[column] ?? Number.NaN);
    if (row.duplicates > 0) found.push(`${name}: ${row.duplicates} deliveries came twice.`);
    if (row.store === 'relay') {
      if (row.scenario === 'throughput' && number('generatorSinkCpuShare') > mostHarnessShare) {
        found.push(
          `${name}: generator and sink took ${number('generatorSinkCpuShare')} of the processor time.`,
        );
      }
      continue;
    }
    const leastRatio = leastRelayRatio[row.store].get(row.fanout) ?? 0;
    if (row.scenario === 'throughput' && number('relayRatio') < leastRatio) {
      found.push(`${name}: ${row.relayRatio} of the relay, at least ${leastRatio} is wanted.`);
    }
    if (number('p99BeyondFsyncMs') > mostMsBeyondFsync) {
      found.push(
        `${name}: p99 is ${row.p99BeyondFsyncMs} ms beyond the fsync's, at most ${mostMsBeyondFsync} is wanted.`,
      );
    }
    const isLonger = (column: string, than: string, most: { ratio: number; ms: number }): boolean =>
      number(column) - number(than) > most.ms && number(column) > most.ratio * number(than);
    if (row.scenario === 'fairness') {
      const most = mostFairness[row.hostile === 'silent' ? 'silent' : 'mixed'];
      if (isLonger('p99Ms', 'aloneP99Ms', most)) {
        found.push(
          `${name}: p99 is ${row.p99Ms} ms beside ${row.hostile} endpoints and ${row.aloneP99Ms} ms alone.`,
        );
      }
    }
    if (row.scenario === 'backlog') {
      const spread = `${name}, ${row.teams} teams`;
      if (number('readyMs') > mostBacklog.readyMs) {
        found.push(`${spread}: ready after ${row.readyMs} ms, at most ${mostBacklog.readyMs} is wanted.`);
      }
      if (number('peakRssMb') > mostBacklog.rssMb) {
        found.push(`${spread}: ${row.peakRssMb} MiB of memory, at most ${mostBacklog.rssMb} is wanted.`);
      }
      if (number('steadyRatio') < mostBacklog.leastSteadyRatio) {
        found.push(`${spread}: drained at ${row.steadyRatio} of the steady rate.`);
      }
      if (isLonger('p99Ms', 'aloneP99Ms', { ratio: mostBacklog.p99Ratio, ms: mostBacklog.p99Ms })) {
        found.push(
          `${spread}: another endpoint’s p99 is ${row.p99Ms} ms beside it and ${row.aloneP99Ms} ms alone.`,
        );
      }
    }
    if (row.scenario === 'replay' && isLonger('p99Ms', 'aloneP99Ms', mostReplay)) {
      const pace = row.replayRate === null ? 'at full speed' : `at ${row.replayRate}/s`;
      found.push(`${name}: p99 is ${row.p99Ms} ms beside a replay ${pace} and ${row.aloneP99Ms} ms alone.`);
    }
    if (row.scenario === 'recovery') {
      for (const share of ['concurrencyShare', 'rateShare'] as const) {
        if (number(share) > mostRecovery[share])
          found.push(`${name}: an endpoint got ${row[share]} of its limit (${share}).`);
      }
      if (isLonger('p99Ms', 'aloneP99Ms', mostRecovery)) {
        found.push(
          `${name}: a healthy endpoint’s p99 is ${row.p99Ms} ms beside those that recover and ${row.aloneP99Ms} ms alone.`,
        );
      }
    }
    if (row.scenario === 'sustained' && isLonger('lastP99Ms', 'firstP99Ms', mostSustained)) {
      found.push(`${name}: p99 is ${row.lastP99Ms} ms in the last minute, ${row.firstP99Ms} in the first.`);
    }
    if (row.scenario === 'history') {
      const pairs: [figure: string, than: string][] = [
        ['p50Ms', 'emptyP50Ms'],
        ['p99Ms', 'emptyP99Ms'],
        ['claimP50Ms', 'emptyClaimP50Ms'],
        ['listP50Ms', 'emptyListP50Ms'],
      ];
      for (const [figure, than] of pairs) {
        if (isLonger(figure, than, mostHistory)) {
          found.push(
            `${name}: ${figure} is ${row[figure]} with ${row.attemptsKept} attempts, ${row[than]} without.`,
          );
        }
      }
    }
  }
  return found;
}

/** Whether no delivery is missing and none came that nobody published. */
export function isWhole(rows: Row[]): boolean {
  return rows.every((row) => row.lost === 0 && row.invented === 0);
}

const columns: [heading: string, figure: keyof Row][] = [
  ['scenario', 'scenario'],
  ['store', 'store'],
  ['fan-out', 'fanout'],
  ['events', 'events'],
  ['deliveries/s', 'deliveriesPerSecond'],
  ['min', 'deliveriesPerSecondMin'],
  ['max', 'deliveriesPerSecondMax'],
  ['of relay', 'relayRatio'],
  ['p50 ms', 'p50Ms'],
  ['p95 ms', 'p95Ms'],
  ['p99 ms', 'p99Ms'],
  ['alone p99', 'aloneP99Ms'],
  ['first p99', 'firstP99Ms'],
  ['last p99', 'lastP99Ms'],
  ['worst p99', 'worstP99Ms'],
  ['replay/s', 'replayRate'],
  ['ready ms', 'readyMs'],
  ['of steady', 'steadyRatio'],
  ['kept', 'attemptsKept'],
  ['claim p50', 'claimP50Ms'],
  ['list p50', 'listP50Ms'],
  ['drain s', 'drainSeconds'],
  ['at once of limit', 'concurrencyShare'],
  ['a second of limit', 'rateShare'],
  ['fsync p99', 'fsyncP99Ms'],
  ['µs CPU/delivery', 'cpuMicrosPerDelivery'],
  ['B written/delivery', 'bytesWrittenPerDelivery'],
  ['commits/event', 'commitsPerEvent'],
  ['peak MiB', 'peakRssMb'],
  ['harness CPU', 'generatorSinkCpuShare'],
  ['lost', 'lost'],
  ['twice', 'duplicates'],
];

/** The rows as a table of plain text; columns that no row fills are left out. */
export function formatTable(rows: Row[]): string {
  const used = columns.filter(([, figure]) => rows.some((row) => row[figure] != null));
  const lines = [
    used.map(([heading]) => heading),
    ...rows.map((row) => used.map(([, figure]) => String(row[figure] ?? '–'))),
  ];
  const widths = used.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  return lines
    .map((line) =>
      line
        .map((cell, column) =>
          column < 2 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
        )
        .join('  '),
    )
    .join('\n');
}
