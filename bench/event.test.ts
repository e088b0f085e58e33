import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventBytes, prepareBody, prepareRequest, readMark } from './event.ts';

test('a request has a body of exactly 1 KiB, whatever its mark', () => {
  const request = prepareRequest('/v1/events', 4870, 'token');
  request.mark(9_999_999_999, 1_234_567_890_123_456);
  const text = request.bytes.toString();
  const body = text.slice(text.indexOf('\r\n\r\n') + 4);
  assert.equal(Buffer.byteLength(body), eventBytes);
  assert.equal(/content-length: (\d+)/.exec(text)?.[1], String(eventBytes));
  assert.equal(JSON.parse(body).payload.deployment.meta.seq, '9999999999');
});

test('the mark is found again in the envelope that the event is delivered in', () => {
  const request = prepareRequest('/v1/events', 4870, 'token');
  request.mark(42, 987_654_321);
  const text = request.bytes.toString();
  const { type, payload } = JSON.parse(text.slice(text.indexOf('\r\n\r\n') + 4));
  const delivered = Buffer.from(JSON.stringify({ id: 'evt_1', type, createdAt: 1, payload, region: null }));
  assert.deepEqual(readMark(delivered, 0, delivered.length), { seq: 42, intendedUs: 987_654_321 });
});

test('bytes without a mark have none', () => {
  const body = Buffer.from(
    '{"type":"deployment.succeeded","payload":{"deployment":{"meta":{"seq":"none"}}}}',
  );
  assert.equal(readMark(body, 0, body.length), null);
  assert.equal(readMark(prepareBody(), 0, 60), null);
});
