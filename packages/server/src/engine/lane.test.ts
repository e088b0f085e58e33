// A lane: its queue, and what may start now.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { signingKey } from '../core/signing.ts';
import type { Task } from './attempt.ts';
import type { Endpoint } from './endpoints.ts';
import { Lane } from './lane.ts';

const endpoint: Endpoint = {
  tag: 'tag00001',
  id: 'account_hook_1',
  teamId: 'team_1',
  version: 1,
  url: 'https://example.com',
  enabled: true,
  removed: false,
  key: signingKey('secret'),
  oldKey: null,
  maxConcurrency: null,
  ratePerSecond: null,
  ordered: false,
};

const task = (key: string): Task => ({
  key,
  tag: endpoint.tag,
  version: 1,
  type: 'x',
  number: 1,
  createdAt: 0,
  extra: false,
  body: Buffer.from('{}'),
});

function laneWith(count: number): Lane {
  const lane = new Lane(endpoint.tag);
  for (let i = 0; i < count; i++) lane.push(task(`${i}`));
  return lane;
}

/** Starts as many as may start at `nowMs`. */
function startAll(lane: Lane, at: Endpoint = endpoint, nowMs = 0): number {
  let started = 0;
  while (lane.readiness(at, nowMs).kind === 'ready') {
    lane.take();
    lane.started(at, nowMs);
    started += 1;
  }
  return started;
}

test('deliveries leave in the order they came, however many', () => {
  const lane = laneWith(500);
  for (let i = 0; i < 300; i++) assert.equal(lane.take()?.key, `${i}`);
  lane.push(task('last'));
  assert.equal(lane.waiting, 201);
  assert.equal(lane.peek()?.key, '300');
  const rest = lane.takeAll().map(({ key }) => key);
  assert.deepEqual([rest.length, rest[0], rest.at(-1)], [201, '300', 'last']);
  assert.deepEqual([lane.waiting, lane.peek(), lane.take()], [0, undefined, undefined]);
});

test('two may start at first, then as many more as have succeeded, up to the ceiling', () => {
  const lane = laneWith(200);
  assert.equal(startAll(lane), 2);
  assert.equal(lane.readiness(endpoint, 0).kind, 'full');
  lane.succeeded(8);
  assert.equal(startAll(lane), 2);
  assert.equal(lane.underWay, 3);
  for (let i = 0; i < 40; i++) {
    lane.succeeded(8);
    startAll(lane);
  }
  assert.deepEqual([lane.underWay, lane.limit], [8, 8]);
});

test('timeouts and answers that ask for less halve the limit, other failures do not', () => {
  const lane = laneWith(200);
  startAll(lane);
  for (let i = 0; i < 14; i++) {
    lane.succeeded(32);
    startAll(lane);
  }
  assert.equal(lane.limit, 16);
  lane.failed(false, 10, 1_000, 5);
  assert.equal(lane.limit, 16);
  lane.failed(true, 10, 1_000, 5);
  assert.equal(lane.limit, 8);
  lane.failed(true, 10, 1_001, 5);
  assert.equal(lane.limit, 8, 'the same round of trouble');
  lane.failed(true, 10, 2_000, 5);
  assert.equal(lane.limit, 4);
});

test('the webhook’s own limit holds, and is looked at each time', () => {
  const lane = laneWith(50);
  assert.equal(startAll(lane, { ...endpoint, maxConcurrency: 1 }), 1);
  for (let i = 0; i < 10; i++) lane.succeeded(32);
  lane.underWay = 0;
  assert.equal(startAll(lane, { ...endpoint, maxConcurrency: 5 }), 5);
  assert.equal(startAll(lane, { ...endpoint, maxConcurrency: 6 }), 1);
  assert.equal(lane.readiness({ ...endpoint, maxConcurrency: 2 }, 0).kind, 'full');
});

test('the rate paces starts evenly, and saves nothing up', () => {
  const paced = { ...endpoint, ratePerSecond: 4 };
  const lane = laneWith(100);
  const starts: number[] = [];
  for (let now = 0; now <= 3_000; now += 10) {
    while (lane.readiness(paced, now).kind === 'ready') {
      lane.take();
      lane.started(paced, now);
      lane.succeeded(32);
      starts.push(now);
    }
  }
  assert.deepEqual(starts, [0, 250, 500, 750, 1_000, 1_250, 1_500, 1_750, 2_000, 2_250, 2_500, 2_750, 3_000]);
  // After a minute's rest it is one at a time again.
  assert.equal(lane.readiness(paced, 63_000).kind, 'ready');
  lane.take();
  lane.started(paced, 63_000);
  assert.deepEqual(lane.readiness(paced, 63_000), { kind: 'paced', waitMs: 250 });
});

test('ten failures in a row and it rests; then one probe at a time, until one succeeds', () => {
  const lane = laneWith(100);
  for (let i = 0; i < 10; i++) {
    assert.equal(lane.readiness(endpoint, 0).kind, 'ready');
    lane.take();
    lane.started(endpoint, 0);
    lane.failed(false, 10, 0, 5);
  }
  assert.deepEqual(lane.readiness(endpoint, 0), { kind: 'resting', waitMs: 1_000 });
  assert.deepEqual(lane.readiness(endpoint, 999), { kind: 'resting', waitMs: 1 });
  assert.equal(startAll(lane, endpoint, 1_000), 1);
  lane.failed(false, 10, 1_000, 5);
  assert.deepEqual(lane.readiness(endpoint, 1_000), { kind: 'resting', waitMs: 2_000 });
  assert.equal(startAll(lane, endpoint, 3_000), 1);
  lane.succeeded(32);
  assert.ok(startAll(lane, endpoint, 3_000) > 1);
});

test('it is idle when nothing waits, nothing is under way and nothing is to be probed', () => {
  const lane = laneWith(1);
  assert.equal(lane.isIdle, false);
  startAll(lane);
  assert.equal(lane.isIdle, false);
  lane.failed(false, 1, 0, 5);
  assert.equal(lane.isIdle, false);
  lane.underWay += 1;
  lane.succeeded(32);
  assert.equal(lane.isIdle, true);
  assert.equal(lane.readiness(endpoint, 0).kind, 'empty');
});

test('it tells how its last attempt ended', () => {
  const lane = laneWith(9);
  assert.equal(lane.standing, 'untried');
  startAll(lane);
  lane.succeeded(32);
  assert.equal(lane.standing, 'proven');
  lane.failed(false, 10, 0, 5);
  assert.equal(lane.standing, 'failed');
});

const replayed = (key: string): Task => ({ ...task(key), replay: { at: 0, from: 0 } });

test('what a replay made goes last, in the order of its times, and has half of the requests', () => {
  const lane = laneWith(0);
  for (let i = 0; i < 40; i++) lane.succeeded(8);
  lane.underWay = 0;
  assert.equal(lane.limit, 8);
  for (const [key, atMs] of Object.entries({ late: 30, early: 10, middle: 20 }))
    lane.push(replayed(key), { replayId: 'a', atMs });
  lane.push(replayed('retry'));
  lane.push(task('live'));
  assert.deepEqual([lane.waiting, lane.waitingLive, lane.waitingReplayed, lane.waitingOf('a')], [5, 1, 4, 3]);
  assert.equal(lane.peek()?.key, 'live');
  assert.equal(lane.take()?.key, 'live');
  assert.equal(lane.readiness(endpoint, 0).kind, 'ready');
  assert.equal(lane.take()?.key, 'retry');
  assert.deepEqual(lane.readiness(endpoint, 4), { kind: 'paced', waitMs: 6 });
  assert.equal(lane.readiness(endpoint, 10).kind, 'ready');
  lane.underWay = 4;
  lane.underWayReplayed = 4;
  assert.equal(lane.readiness(endpoint, 10).kind, 'full');
  lane.push(task('live again'));
  assert.equal(lane.readiness(endpoint, 0).kind, 'ready', 'a live one has room and its own time');
  assert.deepEqual(
    lane.takeAll().map(({ key }) => key),
    ['live again', 'early', 'middle', 'late'],
  );
  assert.equal(lane.waiting, 0);
});

test('a lane with one request at once sends a replay too', () => {
  const lane = laneWith(0);
  lane.push(replayed('one'));
  assert.equal(lane.readiness({ ...endpoint, maxConcurrency: 1 }, 0).kind, 'ready');
});

test('failures of a replay are its own: it rests, and live deliveries go on', () => {
  const lane = laneWith(0);
  for (let n = 0; n < 20; n++) lane.push(replayed(`r${n}`));
  for (let n = 0; n < 10; n++) {
    lane.take();
    lane.started(endpoint, n, true);
    lane.failed(true, 10, n, 5, true);
  }
  assert.deepEqual([lane.breaker.kind, lane.replayBreaker.kind], ['closed', 'open']);
  assert.deepEqual(lane.readiness(endpoint, 500), { kind: 'paced', waitMs: 509 });
  assert.equal(lane.limit, 2, 'nor does a lane have fewer requests at once for it');
  assert.equal(lane.isIdle, false);
  lane.push(task('live'));
  assert.equal(lane.readiness(endpoint, 500).kind, 'ready');
  lane.take();
  lane.started(endpoint, 500);
  lane.succeeded(32);
  assert.equal(lane.replayBreaker.kind, 'open', 'it is not said that replays go through now');
  // Then one of it shows whether they do.
  assert.equal(lane.readiness(endpoint, 1_009).kind, 'ready');
  lane.take();
  lane.started(endpoint, 1_009, true);
  assert.equal(lane.readiness(endpoint, 1_009).kind, 'full');
  lane.succeeded(32, true);
  assert.equal(lane.replayBreaker.kind, 'closed');
  assert.equal(lane.underWayReplayed, 0);
});

test('a live delivery passes attempts of a replay, but not the limit of the endpoint', () => {
  const lane = laneWith(0);
  for (let n = 0; n < 14; n++) lane.failed(true, 100, n * 10_000, 5);
  lane.underWay = 0;
  assert.equal(lane.limit, 1);
  lane.push(replayed('r'));
  lane.take();
  lane.started(endpoint, 0, true);
  lane.push(task('live'));
  lane.push(task('second'));
  assert.equal(lane.readiness({ ...endpoint, maxConcurrency: 1 }, 0).kind, 'full');
  assert.equal(lane.readiness(endpoint, 0).kind, 'ready');
  lane.take();
  lane.started(endpoint, 0);
  assert.equal(lane.readiness(endpoint, 0).kind, 'full', 'one live one at a time, as ever');
});

test('a replay that fails as a lane is tried again rests, and leaves the trial to the next live one', () => {
  const lane = laneWith(1);
  startAll(lane);
  lane.failed(false, 1, 0, 5);
  lane.push(replayed('r'));
  assert.equal(lane.readiness(endpoint, 1_000).kind, 'ready');
  lane.take();
  lane.started(endpoint, 1_000, true);
  lane.failed(false, 1, 1_000, 5, true);
  assert.deepEqual(lane.replayBreaker, { kind: 'open', untilMs: 3_000, restMs: 2_000 });
  lane.push(replayed('next'));
  assert.deepEqual(lane.readiness(endpoint, 1_500), { kind: 'paced', waitMs: 1_500 });
  lane.push(task('live'));
  assert.equal(lane.readiness(endpoint, 1_500).kind, 'ready');
});
