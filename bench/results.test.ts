import assert from 'node:assert/strict';
import { test } from 'node:test';
import { percentilesOf, spreadOf } from './percentiles.ts';
import {
  findShortfalls,
  formatTable,
  isWhole,
  type Machine,
  mergeResults,
  type Row,
  roundFigure,
} from './results.ts';

const machine: Machine = {
  cpu: 'cpu',
  cores: 2,
  memoryMb: 1,
  node: 'v24',
  platform: 'linux x64',
  fileSystem: 'ext4',
  date: '2026-11-23T00:00:00.000Z',
};

function makeRow(figures: Partial<Row>): Row {
  return {
    scenario: 'throughput',
    store: 'sqlite',
    fanout: 1,
    rounds: 3,
    events: 10,
    deliveriesPerSecond: 100,
    relayRatio: null,
    p50Ms: null,
    p95Ms: null,
    p99Ms: null,
    fsyncP99Ms: null,
    cpuMicrosPerDelivery: null,
    peakRssMb: null,
    lost: 0,
    duplicates: 0,
    invented: 0,
    ...figures,
  };
}

const shortfalls: [name: string, within: Partial<Row>, beyond: Partial<Row>][] = [
  ['the ratio at fan-out 1', { relayRatio: 0.55 }, { relayRatio: 0.54 }],
  ['the ratio at fan-out 10', { fanout: 10, relayRatio: 0.75 }, { fanout: 10, relayRatio: 0.74 }],
  [
    'the harness',
    { store: 'relay', generatorSinkCpuShare: 0.35 },
    { store: 'relay', generatorSinkCpuShare: 0.36 },
  ],
  ['latency', { scenario: 'latency', p99BeyondFsyncMs: 25 }, { scenario: 'latency', p99BeyondFsyncMs: 25.1 }],
  [
    'fairness by ratio',
    { scenario: 'fairness', hostile: 'mixed', p99Ms: 150, aloneP99Ms: 100 },
    { scenario: 'fairness', hostile: 'mixed', p99Ms: 151, aloneP99Ms: 100 },
  ],
  [
    'fairness by time',
    { scenario: 'fairness', hostile: 'mixed', p99Ms: 16, aloneP99Ms: 1 },
    { scenario: 'fairness', hostile: 'mixed', p99Ms: 16.1, aloneP99Ms: 1 },
  ],
  [
    'fairness beside silent endpoints',
    { scenario: 'fairness', hostile: 'silent', p99Ms: 6, aloneP99Ms: 1 },
    { scenario: 'fairness', hostile: 'silent', p99Ms: 6.1, aloneP99Ms: 1 },
  ],
  [
    'a rate that is not kept up',
    { scenario: 'sustained', lastP99Ms: 12, firstP99Ms: 6 },
    { scenario: 'sustained', lastP99Ms: 12.1, firstP99Ms: 6 },
  ],
  ['a slow start', { scenario: 'backlog', readyMs: 3_000 }, { scenario: 'backlog', readyMs: 3_001 }],
  ['memory', { scenario: 'backlog', peakRssMb: 300 }, { scenario: 'backlog', peakRssMb: 301 }],
  ['a slow drain', { scenario: 'backlog', steadyRatio: 0.9 }, { scenario: 'backlog', steadyRatio: 0.89 }],
  [
    'a backlog that others notice',
    { scenario: 'backlog', p99Ms: 20, aloneP99Ms: 10 },
    { scenario: 'backlog', p99Ms: 20.1, aloneP99Ms: 10 },
  ],
  [
    'a claim slowed by history',
    { scenario: 'history', claimP50Ms: 30, emptyClaimP50Ms: 25 },
    { scenario: 'history', claimP50Ms: 30.1, emptyClaimP50Ms: 25 },
  ],
  [
    'replay by ratio',
    { scenario: 'replay', p99Ms: 120, aloneP99Ms: 100 },
    { scenario: 'replay', p99Ms: 121, aloneP99Ms: 100 },
  ],
  [
    'replay by time',
    { scenario: 'replay', p99Ms: 6, aloneP99Ms: 1 },
    { scenario: 'replay', p99Ms: 6.1, aloneP99Ms: 1 },
  ],
  [
    'a limit on requests at once that did not hold',
    { scenario: 'recovery', concurrencyShare: 1, rateShare: 1.1 },
    { scenario: 'recovery', concurrencyShare: 1.25, rateShare: 1.1 },
  ],
  [
    'a rate that did not hold',
    { scenario: 'recovery', concurrencyShare: 1, rateShare: 1.1 },
    { scenario: 'recovery', concurrencyShare: 1, rateShare: 1.11 },
  ],
  [
    'a healthy endpoint beside those that recover',
    { scenario: 'recovery', p99Ms: 13, aloneP99Ms: 8 },
    { scenario: 'recovery', p99Ms: 13.1, aloneP99Ms: 8 },
  ],
  ['duplicates', { duplicates: 0 }, { duplicates: 1 }],
];

for (const [name, within, beyond] of shortfalls) {
  test(`a shortfall of ${name} is told, and nothing is told within its bound`, () => {
    assert.deepEqual(findShortfalls([makeRow(within)], machine), []);
    assert.equal(findShortfalls([makeRow(beyond)], machine).length, 1);
  });
}

test('a run is whole only without a lost and without an invented delivery', () => {
  assert.equal(isWhole([makeRow({}), makeRow({ duplicates: 3 })]), true);
  assert.equal(isWhole([makeRow({}), makeRow({ lost: 1 })]), false);
  assert.equal(isWhole([makeRow({ invented: 1 })]), false);
});

test('the table leaves out columns that no row fills', () => {
  const table = formatTable([makeRow({ p99Ms: 2.5 }), makeRow({ store: 'relay' })]);
  assert.match(table, /p99 ms/);
  assert.doesNotMatch(table, /fsync/);
  assert.equal(new Set(table.split('\n').map((line) => line.length)).size, 1);
});

test('percentiles are nearest-rank and a spread has the middle, the least and the greatest', () => {
  const samples = Array.from({ length: 200 }, (_, at) => 200 - at);
  assert.deepEqual(percentilesOf(samples), { p50Ms: 100, p95Ms: 190, p99Ms: 198, maxMs: 200 });
  assert.deepEqual(spreadOf([30, 10, 20]), { median: 20, min: 10, max: 30 });
  assert.deepEqual(spreadOf([4, 1, 2, 3]), { median: 2.5, min: 1, max: 4 });
  assert.ok(Number.isNaN(percentilesOf([]).p50Ms));
  assert.deepEqual(
    [roundFigure(12_345.6), roundFigure(1.23456), roundFigure(Number.NaN)],
    [12_346, 1.235, null],
  );
});

test('a scenario that is measured again stands in the place of its former rows, and the others stay', () => {
  const first = mergeResults(
    null,
    [makeRow({}), makeRow({ scenario: 'latency' }), makeRow({ scenario: 'tls' })],
    machine,
    true,
  );
  const later = { ...machine, date: '2026-11-24T00:00:00.000Z' };
  const slow = [makeRow({ relayRatio: 0.1 }), makeRow({ relayRatio: 0.9, fanout: 10 })];
  const { rows, beside, shortfalls: found } = mergeResults(first, slow, later, false);
  const told = rows.map(({ scenario, fanout, quick, date }) => [scenario, fanout, quick, date]);
  assert.deepEqual(told, [
    ['latency', 1, true, machine.date],
    ['throughput', 1, false, later.date],
    ['throughput', 10, false, later.date],
  ]);
  assert.deepEqual(
    beside.map(({ scenario }) => scenario),
    ['tls'],
  );
  assert.equal(found.length, 1);
});

test('figures of another machine do not stay beside new ones', () => {
  const first = mergeResults(null, [makeRow({ scenario: 'latency' })], machine, false);
  const { rows } = mergeResults(first, [makeRow({})], { ...machine, cores: 4 }, false);
  assert.deepEqual(
    rows.map(({ scenario }) => scenario),
    ['throughput'],
  );
});
