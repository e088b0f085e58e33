// SIGTERM: what is under way is finished or given back, in bounded time, and nothing is lost or repeated.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deliveryIn, makeWebhook, newEvent, publishAll, readDelivery } from './support/calls.ts';
import {
  inChunks,
  keepDoing,
  quiet,
  startHouse,
  startReceivers,
  tryCall,
  whenSettled,
} from './support/house.ts';

test('SIGTERM while busy ends with 0 in bounded time, and each event arrives exactly once', async (t) => {
  const [receiver] = await startReceivers(t, 1);
  assert.ok(receiver);
  receiver.script({ status: 200, delayMs: 30 });
  const house = await startHouse(t, quiet);
  const { id: webhookId } = await makeWebhook(house.posthorn, receiver.url);
  const answered: string[] = [];
  const publishing = keepDoing(8, async (worker, round) => {
    const id = `t${worker}-${round}`;
    const answer = await tryCall(house, 'POST', '/v1/events', newEvent(round, { id }));
    if (answer === null || answer.status === 503) return;
    assert.equal(answer.status, 202);
    answered.push(id);
  });
  for (const more of [80, 200, 120]) {
    await publishing.whenDone(more);
    const { ended, tookMs } = await house.restart('SIGTERM');
    assert.equal(ended, 0);
    // The longest wait allowed is 10 s, and nothing here needs it: publishers’ idle connections do not count.
    assert.ok(tookMs < 9_000, `took ${tookMs} ms`);
    t.diagnostic(`stopped in ${Math.round(tookMs)} ms`);
  }
  await publishing.end();
  await whenSettled(house.posthorn, [webhookId]);
  const arrived = receiver.requests.map(({ headers }) => String(headers['webhook-id']));
  assert.equal(new Set(arrived).size, arrived.length, 'what was under way was finished, not repeated');
  for (const id of answered) assert.ok(arrived.includes(id), id);
  await inChunks(answered, async (id) => {
    const { state, attempts } = await readDelivery(house.posthorn, id);
    assert.deepEqual([state, attempts.length], ['delivered', 1], id);
  });
});

test('SIGTERM does not wait for a hanging receiver, and what hung is sent again after the restart', async (t) => {
  const [receiver] = await startReceivers(t, 1);
  assert.ok(receiver);
  receiver.script('hang');
  const house = await startHouse(t, {
    ...quiet,
    POSTHORN_STOP_TIMEOUT: '500ms',
    POSTHORN_RETRY_SCHEDULE: '1h',
  });
  await makeWebhook(house.posthorn, receiver.url);
  const events = await publishAll(
    house.posthorn,
    Array.from({ length: 5 }, (_, seq) => newEvent(seq)),
  );
  await receiver.waitFor(2);
  receiver.script({ status: 200 });
  const { ended, tookMs } = await house.restart('SIGTERM');
  assert.equal(ended, 0);
  assert.ok(tookMs < 10_000, `took ${tookMs} ms; the attempt’s own timeout is 30 s`);
  t.diagnostic(`stopped in ${Math.round(tookMs)} ms`);
  for (const { id } of events) {
    const { attempts } = await deliveryIn(house.posthorn, 'delivered', id);
    assert.deepEqual(
      attempts.map(({ status }) => status),
      [200],
      'an attempt that the stop broke off is no failure of the receiver',
    );
  }
});
