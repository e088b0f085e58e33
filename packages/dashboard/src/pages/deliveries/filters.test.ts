import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Delivery } from '../../api/types.ts';
import { type Filters, filterNames, fits, isStatusFilter, queryOf } from './filters.ts';

const none = Object.fromEntries(filterNames.map((name) => [name, ''])) as Filters;
const delivery: Delivery = {
  id: 'dlv_1',
  eventId: 'evt_1',
  webhookId: 'hook_1',
  type: 'project.created',
  state: 'failed',
  attempts: 2,
  lastStatus: 503,
  lastError: 'status_503',
  lastCause: 'status_503',
  nextAttemptAt: null,
  createdAt: Date.UTC(2026, 0, 2),
  finishedAt: null,
  projectId: 'prj_1',
};

test('a period is counted back from now, times of a custom one are UTC, and nothing else is sent', () => {
  assert.deepEqual(queryOf({ ...none, period: '1h', state: 'failed' }, 10_000_000).since, 6_400_000);
  const custom = queryOf({ ...none, period: 'custom', since: '2026-01-01T10:00', until: 'nonsense' }, 0);
  assert.equal(custom.since, Date.UTC(2026, 0, 1, 10));
  assert.equal(custom.until, null);
  assert.equal(queryOf({ ...none, since: '2026-01-01T10:00' }, 0).since, null);
  assert.ok(!('period' in custom));
});

test('news belong to the list by the same filters as the API’s', () => {
  assert.ok(fits(delivery, none));
  const each: [Partial<Filters>, boolean][] = [
    [{ state: 'failed,pending' }, true],
    [{ state: 'delivered' }, false],
    [{ type: 'project.created' }, true],
    [{ type: 'project.removed' }, false],
    [{ webhookId: 'hook_2' }, false],
    [{ projectId: 'prj_1' }, true],
    [{ projectId: 'prj_2' }, false],
    [{ status: '5xx' }, true],
    [{ status: '404, 503' }, true],
    [{ status: '4xx' }, false],
    [{ cause: 'status_503' }, true],
    [{ cause: 'redirect' }, false],
    [{ eventId: 'evt_2' }, false],
    [{ period: 'custom', until: '2026-01-01T00:00' }, false],
    [{ period: 'custom', until: '2026-01-03T00:00' }, true],
  ];
  for (const [filters, expected] of each) {
    assert.equal(fits(delivery, { ...none, ...filters }), expected, JSON.stringify(filters));
  }
});

test('a status is a code, a kind of code, or several', () => {
  for (const good of ['', '404', '5xx', '404,5XX', '404, 410']) assert.ok(isStatusFilter(good), good);
  for (const bad of ['4', '999', 'abc', '404,', '6xx']) assert.ok(!isStatusFilter(bad), bad);
});
