// Ids: they sort by time, have only letters that every place allows, and do not repeat.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import * as ids from './id.ts';

const anyTime = fc.integer({ min: 0, max: 64 ** 7 - 1 });

test('sortable ids sort by their time, as text and as bytes', () => {
  fc.assert(
    fc.property(fc.array(anyTime, { minLength: 2, maxLength: 30 }), (times) => {
      const sorted = times.toSorted((a, b) => a - b);
      const made = sorted.map((at) => ids.newSortableId(at).slice(0, 7));
      assert.deepEqual(made.toSorted(), made);
      assert.deepEqual(
        made.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
        made,
      );
    }),
  );
});

test('the time comes back out, and is the lower bound of the ids of its millisecond', () => {
  fc.assert(
    fc.property(anyTime, (at) => {
      const id = ids.newSortableId(at);
      assert.equal(ids.timeOfId(id), at);
      assert.ok(ids.timePrefix(at) <= id);
      assert.ok(at === 0 || ids.timePrefix(at - 1) < ids.timePrefix(at));
    }),
  );
});

test('today’s ids last until long after today', () => {
  const far = Date.UTC(2100, 0, 1);
  assert.equal(ids.timeOfId(ids.newSortableId(far)), far);
  assert.ok(ids.newSortableId(Date.UTC(2026, 0, 1)) < ids.newSortableId(far));
});

test('what can’t be an id has no time', () => {
  for (const text of ['', 'abc', 'evt:123456789', 'ä'.repeat(21)]) assert.equal(ids.timeOfId(text), null);
});

test('100,000 ids of one millisecond are all different', () => {
  const made = new Set(Array.from({ length: 100_000 }, () => ids.newSortableId(1_700_000_000_000)));
  assert.equal(made.size, 100_000);
  for (const id of made) assert.match(id, /^[A-Za-z0-9_-]{21}$/);
});

test('every kind of id has its prefix, length and letters', () => {
  const kinds: [() => string, RegExp][] = [
    [ids.newTeamId, /^team_[A-Za-z0-9]{24}$/],
    [ids.newProjectId, /^prj_[A-Za-z0-9]{28}$/],
    [ids.newWebhookId, /^account_hook_[A-Za-z0-9]{24}$/],
    [ids.newUserId, /^[A-Za-z0-9]{24}$/],
    [ids.newVariableId, /^[A-Za-z0-9]{16}$/],
    [ids.newTokenId, /^tok_[A-Za-z0-9]{24}$/],
    [ids.newToken, /^[A-Za-z0-9]{24}$/],
    [ids.newSecret, /^[A-Za-z0-9]{32}$/],
    [ids.newTag, /^[A-Za-z0-9]{8}$/],
  ];
  for (const [make, pattern] of kinds) {
    const made = Array.from({ length: 200 }, make);
    for (const id of made) assert.match(id, pattern);
    assert.equal(new Set(made).size, made.length);
  }
});

test('a secret is also valid base64 of 24 bytes', () => {
  const secret = ids.newSecret();
  const bytes = Buffer.from(secret, 'base64');
  assert.equal(bytes.length, 24);
  assert.equal(bytes.toString('base64'), secret);
});

test('every letter and digit is drawn about as often as every other', () => {
  const counts = new Map<string, number>();
  for (const letter of ids.newAlphanumeric(62_000)) counts.set(letter, (counts.get(letter) ?? 0) + 1);
  assert.equal(counts.size, 62);
  for (const [letter, count] of counts) assert.ok(count > 700 && count < 1_300, `${letter}: ${count}`);
});

test('a delivery’s id holds its key, and nothing else passes for one', () => {
  const key = ids.newSortableId(1_700_000_000_000) + ids.newTag();
  assert.equal(key.length, ids.uidLength + ids.tagLength);
  assert.equal(ids.deliveryKey(ids.deliveryId(key)), key);
  for (const id of [
    '',
    key,
    `dlv_${key}x`,
    `dlv_${key.slice(1)}`,
    `dlv_${key.slice(1)}:`,
    `dlv_${key}\n`,
    `DLV_${key}`,
  ]) {
    assert.equal(ids.deliveryKey(id), null, JSON.stringify(id));
  }
});

test('trace contexts are W3C’s: version, trace, span, not sampled', () => {
  const made = Array.from({ length: 1_000 }, ids.newTraceparent);
  for (const text of made) assert.match(text, /^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
  assert.equal(new Set(made).size, made.length);
});
