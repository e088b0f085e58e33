import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { ApiError } from '../errors.ts';
import { Throttle } from './throttle.ts';

const refused = (seconds: string) => (error: unknown) => {
  assert.ok(error instanceof ApiError);
  assert.deepEqual([error.code, error.headers['retry-after']], ['rate_limited', seconds]);
  return true;
};

test('a burst, then one for each interval; what is refused does not count', async () => {
  const clock = new FakeClock();
  const throttle = new Throttle(clock, { burst: 3, everyMs: 2_000 });
  for (let i = 0; i < 3; i++) throttle.take('a');
  for (let i = 0; i < 5; i++) assert.throws(() => throttle.take('a'), refused('2'));
  await clock.advance(1_000);
  assert.throws(() => throttle.take('a'), refused('1'));
  await clock.advance(1_000);
  throttle.take('a');
  assert.throws(() => throttle.take('a'), refused('2'));
  await clock.advance(60_000);
  for (let i = 0; i < 3; i++) throttle.take('a');
  assert.throws(() => throttle.take('a'), refused('2'));
});

test('one does not use up another’s', () => {
  const throttle = new Throttle(new FakeClock(), { burst: 1, everyMs: 1_000 });
  throttle.take('a');
  throttle.take('b');
  assert.throws(() => throttle.take('a'), refused('1'));
});
