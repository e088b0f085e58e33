// The pace of publishing: who waits, for what and how long at the most.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { Intake } from './intake.ts';

function setUp() {
  const clock = new FakeClock();
  const load = { waiting: 0, share: 1, busy: () => load.share };
  const intake = new Intake(load, clock);
  /** Names of calls that went on, in their order. */
  const gone: string[] = [];
  const call = (name: string, team = 'team_1') => {
    const pause = intake.enter(team);
    if (pause === null) gone.push(name);
    else void pause.then(() => gone.push(name));
  };
  /** Has a team cause more than it may before its calls wait. */
  const flood = (team = 'team_1') => intake.count(team, 1_000);
  return { clock, load, intake, gone, call, flood };
}

test('nobody waits while few deliveries do, or while the engine has time', () => {
  const { load, gone, call, flood } = setUp();
  flood();
  load.waiting = 500;
  call('few');
  load.waiting = 1_000_000;
  load.share = 0.5;
  call('idle');
  assert.deepEqual(gone, ['few', 'idle']);
});

test('a team that causes much waits until the engine has caught up, and then all go on in their order', async () => {
  const { clock, load, gone, call, flood } = setUp();
  flood();
  load.waiting = 2_000;
  call('a');
  call('b');
  await clock.advance(10);
  assert.deepEqual(gone, []);
  load.waiting = 300;
  call('c');
  await clock.advance(5);
  assert.deepEqual(gone, [], 'there is still enough to do');
  load.waiting = 250;
  await clock.advance(1);
  assert.deepEqual(gone, ['a', 'b', 'c']);
});

test('they go on as well when the engine waits for its endpoints', async () => {
  const { clock, load, gone, call, flood } = setUp();
  flood();
  load.waiting = 2_000;
  call('a');
  load.share = 0.2;
  await clock.advance(11);
  assert.deepEqual(gone, ['a']);
});

test('nobody waits longer than 50 ms', async () => {
  const { clock, load, gone, call, flood } = setUp();
  flood();
  load.waiting = 100_000;
  call('a');
  await clock.advance(30);
  call('b');
  await clock.advance(19);
  assert.deepEqual(gone, []);
  await clock.advance(1);
  assert.deepEqual(gone, ['a']);
  await clock.advance(30);
  assert.deepEqual(gone, ['a', 'b']);
  assert.equal(clock.timers, 0);
});

test('a team that causes little never waits for one that floods', async () => {
  const { clock, load, intake, gone, call, flood } = setUp();
  load.waiting = 100_000;
  flood('loud');
  call('loud', 'loud');
  for (let i = 0; i < 64; i++) {
    call(`quiet ${i}`, 'quiet');
    intake.count('quiet', 1);
  }
  assert.equal(gone.length, 64);
  call('one too many', 'quiet');
  assert.equal(gone.length, 64);
  await clock.advance(50);
  call('later', 'quiet');
  assert.equal(gone.at(-1), 'later', 'what was caused is forgotten after 50 ms');
});
