import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Renewals } from './renewals.ts';

test('what is in use is read again from half its second on, once until it has been read', () => {
  const renewals = new Renewals();
  assert.equal(renewals.use('a', 0), null);
  assert.equal(renewals.use('a', 499), null);
  assert.deepEqual(renewals.use('a', 500), ['a']);
  assert.equal(renewals.use('a', 501), null);
  assert.equal(renewals.use('a', 999), null);
  renewals.forget('a');
  assert.equal(renewals.use('a', 0), null);
  assert.deepEqual(renewals.use('a', 600), ['a']);
});

test('what was used since it was read goes with the first whose time it is', () => {
  const renewals = new Renewals();
  assert.equal(renewals.use('used', 10), null);
  assert.deepEqual(renewals.use('due', 500), ['used', 'due']);
  assert.equal(renewals.use('used', 510), null);
  assert.deepEqual(renewals.use('other', 501), ['other']);
});

test('many that are used all the time are read twice a second, all of them at once', () => {
  const renewals = new Renewals();
  const readAt = new Map(Array.from({ length: 40 }, (_, n) => [`k${n}`, n * 10]));
  let statements = 0;
  // Each used every 10 ms, for 10 s.
  for (let now = 400; now < 10_400; now += 10) {
    for (const [key, at] of readAt) {
      const due = renewals.use(key, now - at);
      if (due === null) continue;
      statements += 1;
      for (const one of due) {
        readAt.set(one, now);
        renewals.forget(one);
      }
    }
  }
  assert.ok(statements <= 20, `${statements} statements in 10 s`);
  for (const [key, at] of readAt) assert.ok(10_400 - at <= 510, `${key} was read ${10_400 - at} ms ago`);
});

test('what is known no more is not read again', () => {
  const renewals = new Renewals();
  renewals.use('gone', 300);
  renewals.forget('gone');
  assert.deepEqual(renewals.use('due', 500), ['due']);
});

test('of very many a thousand go in one statement, and the rest in the next', () => {
  const renewals = new Renewals();
  for (let n = 0; n < 1_500; n++) assert.equal(renewals.use(`k${n}`, 400), null);
  const first = renewals.use('k0', 500) ?? [];
  const second = renewals.use('k1499', 500) ?? [];
  assert.deepEqual([first.length, second.length, new Set([...first, ...second]).size], [1_000, 500, 1_500]);
});
