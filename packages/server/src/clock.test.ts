// The real clock: its units, and timers that end or do not.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { sleep, systemClock } from './clock.ts';

test('now is epoch milliseconds, monotonic time does not go back, chance is below one', () => {
  assert.ok(Math.abs(systemClock.now() - Date.now()) < 1_000);
  const before = systemClock.monotonic();
  assert.ok(systemClock.monotonic() >= before);
  for (let i = 0; i < 1_000; i++) {
    const chance = systemClock.random();
    assert.ok(chance >= 0 && chance < 1);
  }
});

test('a timer fires once, after its time', async () => {
  const before = performance.now();
  let fired = 0;
  // The clock's own timers do not keep a process alive.
  const alive = setInterval(() => {}, 1_000);
  await new Promise<void>((resolve) => {
    systemClock.after(20, () => {
      fired += 1;
      resolve();
    });
  });
  assert.ok(performance.now() - before >= 19);
  await sleep(systemClock, 20);
  clearInterval(alive);
  assert.equal(fired, 1);
});

test('a canceled timer does not fire; canceling again, or late, is harmless', async () => {
  const alive = setInterval(() => {}, 1_000);
  let fired = 0;
  const canceled = systemClock.after(1, () => {
    fired += 1;
  });
  canceled.cancel();
  canceled.cancel();
  const late = systemClock.after(1, () => {});
  await sleep(systemClock, 20);
  late.cancel();
  clearInterval(alive);
  assert.equal(fired, 0);
});

test('a wait longer than timers can be does not end at once, and a time in the past does', async () => {
  const alive = setInterval(() => {}, 1_000);
  let fired = 0;
  const month = systemClock.after(40 * 86_400_000, () => {
    fired += 1;
  });
  await new Promise<void>((resolve) => systemClock.after(-5, resolve));
  await sleep(systemClock, 5);
  month.cancel();
  clearInterval(alive);
  assert.equal(fired, 0);
});

test('a waiting timer does not keep the process alive', () => {
  const clock = new URL('./clock.ts', import.meta.url).href;
  const script = `import { systemClock } from ${JSON.stringify(clock)}; systemClock.after(60_000, () => {});`;
  const { status } = spawnSync(process.execPath, ['--input-type=module-typescript', '-e', script], {
    timeout: 20_000,
  });
  assert.equal(status, 0);
});
