// How an endpoint is judged: states, the time to drain, and that whoever is in trouble gets a sentence.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { advise, drainEta, type Flow, type HealthFacts, judgeState } from './health.ts';

const now = Date.UTC(2026, 0, 15, 12);
const day = 86_400_000;
const of = (attempts: number, attemptsFailed: number) => ({ attempts, attemptsFailed });
const none = of(0, 0);
const well: HealthFacts = {
  now,
  enabled: true,
  disabledByItselfAt: null,
  windows: [of(10, 0), of(10, 0), of(10, 0)],
  breaker: 'closed',
  failingSince: null,
  disableAfterMs: 5 * day,
  backlog: 0,
  drainEtaMs: 0,
  oldestPendingAt: null,
  lastFailure: null,
  limited: false,
  p95Ms: 40,
};
const failing = {
  ...well,
  windows: [of(3, 3), of(9, 4), of(9, 4)],
  failingSince: now - 1_000,
  lastFailure: 'example.com answered 500; look for the error in its log.',
};

const cases: [string, Partial<HealthFacts>, string, RegExp | null][] = [
  ['all is well', {}, 'healthy', null],
  ['nothing was tried', { windows: [none, none, none], p95Ms: null }, 'idle', null],
  ['it is disabled', { enabled: false }, 'disabled', /Enable it/],
  [
    'Posthorn disabled it',
    { enabled: false, disabledByItselfAt: now },
    'disabled',
    /after 5 days .*replayed/,
  ],
  [
    'everything failed lately',
    failing,
    'failing',
    /since 2026-01-15T11:59:59Z\. example\.com answered 500.*2026-01-20T11/,
  ],
  ['nothing is disabled by itself', { ...failing, disableAfterMs: 0 }, 'failing', /in its log\.$/],
  [
    'its breaker is open',
    { ...failing, windows: [of(100, 50)], breaker: 'open' },
    'failing',
    /Every attempt/,
  ],
  ['some failed', { windows: [none, of(20, 5)], lastFailure: 'Because.' }, 'degraded', /^25% .*Because\.$/],
  ['one of a thousand failed', { windows: [of(1_000, 1)] }, 'healthy', null],
  [
    'the backlog does not shrink',
    { backlog: 50, drainEtaMs: null, oldestPendingAt: now - 3_600_000 },
    'healthy',
    /^50 deliveries wait.*answer faster/,
  ],
  [
    'its own limit holds the backlog up',
    { backlog: 50, drainEtaMs: null, oldestPendingAt: now - 3_600_000, limited: true },
    'healthy',
    /ratePerSecond/,
  ],
  [
    'the backlog shrinks',
    { backlog: 50, drainEtaMs: 1_000, oldestPendingAt: now - 3_600_000 },
    'healthy',
    null,
  ],
  ['answers are slow', { p95Ms: 8_000 }, 'healthy', /longer than 8 s/],
];
for (const [when, facts, state, sentence] of cases) {
  test(`${state} when ${when}`, () => {
    const all = { ...well, ...facts };
    assert.equal(judgeState(all), state);
    if (sentence === null) assert.equal(advise(all), null);
    else assert.match(advise(all) ?? '', sentence);
  });
}

const flow: Flow = {
  at: now - 4_000,
  slotMs: 5_000,
  came: 0,
  left: 400,
  cameBefore: 900,
  leftBefore: 0,
  writtenAt: now,
};

test('the time to drain is that of the present rate', () => {
  assert.equal(drainEta(0, null, now), 0);
  assert.equal(drainEta(1_000, null, now), null);
  assert.equal(drainEta(1_000, flow, now), 10_000);
  // Early in a slot the one before counts as well.
  const early = { ...flow, at: now - 1_000, left: 100, cameBefore: 0, leftBefore: 500 };
  assert.equal(drainEta(1_000, early, now), 10_000);
  assert.equal(drainEta(1_000, { ...flow, came: 400 }, now), null, 'as many come as leave');
  assert.equal(drainEta(1_000, flow, now + 11_000), null, 'nothing left since');
});

test('it is never negative, and null or positive where something waits', () => {
  const count = fc.nat(10_000);
  fc.assert(
    fc.property(fc.integer({ min: 1 }), count, count, count, count, fc.nat(20_000), (backlog, ...rest) => {
      const [came, left, cameBefore, leftBefore, ago] = rest;
      const eta = drainEta(backlog, { ...flow, came, left, cameBefore, leftBefore, at: now - ago }, now);
      assert.ok(eta === null || eta > 0);
    }),
  );
});
