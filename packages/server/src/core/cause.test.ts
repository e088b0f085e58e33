// Every cause has one sentence that names the host and says what to do.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { brokenCauses, type Cause, causeOfStatus, explainCause } from './cause.ts';

const statuses = Array.from({ length: 900 }, (_, index) => index + 100);
const context = { host: 'hooks.example.com:8443', timeoutMs: 30_000 };

test('every cause has one sentence that names the host and says what to do', () => {
  const fromStatuses = statuses.map(causeOfStatus).filter((cause) => cause !== null);
  const causes = new Set<Cause>([...brokenCauses, ...fromStatuses]);
  assert.equal(causes.size, brokenCauses.length + 1 + 900 - 100 - 99);
  for (const cause of causes) {
    const sentence = explainCause(cause, context);
    // One sentence: one full stop, at its end; a semicolon or colon before the advice.
    assert.match(sentence, /^[A-Za-z].+; .+[^.]\.$/, cause);
    assert.doesNotMatch(sentence, /\.\s|undefined|null|NaN|\(\)/, cause);
    if (cause !== 'invalid_url' && cause !== 'internal_error') {
      assert.ok(sentence.includes(context.host), cause);
    }
  }
});

test('2xx has no cause, 3xx is a redirect, the rest is its status', () => {
  assert.equal(causeOfStatus(200), null);
  assert.equal(causeOfStatus(204), null);
  assert.equal(causeOfStatus(299), null);
  assert.equal(causeOfStatus(301), 'redirect');
  assert.equal(causeOfStatus(308), 'redirect');
  assert.equal(causeOfStatus(304), 'status_304');
  assert.equal(causeOfStatus(410), 'status_410');
  assert.equal(causeOfStatus(500), 'status_500');
});

test('a redirect names its target', () => {
  const sentence = explainCause('redirect', { ...context, location: 'https://www.example.com/hook' });
  assert.match(sentence, /redirect to https:\/\/www\.example\.com\/hook, which is not followed;/);
  assert.match(explainCause('redirect', context), /a redirect, which/);
});

test('a timeout names its limit, in seconds or milliseconds', () => {
  assert.match(explainCause('timeout_connecting', context), /within 30 s;/);
  assert.match(explainCause('timeout_tls', { ...context, timeoutMs: 1_500 }), /within 1\.5 s;/);
  assert.match(explainCause('timeout_sending', { ...context, timeoutMs: 200 }), /within 200 ms;/);
  assert.match(explainCause('dns_timeout', { host: 'a.example' }), /in time;/);
});

test("a refusal's own sentence is used as it is, and technical words stand in brackets", () => {
  const detail = 'The host 10.0.0.1 is a private address, which webhooks may not reach.';
  assert.equal(explainCause('blocked_address', { ...context, detail }), detail);
  assert.match(explainCause('tls_failed', { ...context, detail: 'EPROTO' }), / failed \(EPROTO\); check/);
});

test('statuses that mean something of their own are told apart', () => {
  assert.match(explainCause('status_401', context), /authentication/);
  assert.match(explainCause('status_403', context), /protection/);
  assert.match(explainCause('status_404', context), /path/);
  assert.match(explainCause('status_410', context), /gone/);
  assert.match(explainCause('status_413', context), /too large/);
  assert.match(explainCause('status_429', context), /fewer requests/);
  assert.match(explainCause('status_507', context), /answered 507; it failed while handling/);
  assert.match(explainCause('status_418', context), /answered 418; it refused/);
});
