// What was answered is there: kill -9 at awkward moments, restarts with pending work, and the syncs that make a
// commit durable.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { test } from 'node:test';
import {
  deliveryIn,
  listDeliveries,
  listEventIds,
  makeWebhook,
  newEvent,
  publish,
  publishAll,
  readEvent,
  until,
} from './support/calls.ts';
import {
  inChunks,
  keepDoing,
  quiet,
  startHouse,
  startReceivers,
  tryCall,
  whenSettled,
} from './support/house.ts';
import { startPosthorn } from './support/posthorn.ts';
import { startReceiver } from './support/receiver.ts';

test('kill -9 in a loop while publishing: every answered event is delivered, and nothing is invented', async (t) => {
  const receivers = await startReceivers(t, 2);
  const house = await startHouse(t, quiet);
  const webhooks = [];
  for (const { url } of receivers) webhooks.push(await makeWebhook(house.posthorn, url));

  const attempted = new Set<string>();
  const answered = new Set<string>();
  const publishing = keepDoing(6, async (worker, round) => {
    const id = `w${worker}-${round}`;
    attempted.add(id);
    // Every other worker repeats an id until it is answered, as a careful publisher does.
    for (let calls = 0; calls === 0 || worker % 2 === 0; calls++) {
      const answer = await tryCall(house, 'POST', '/v1/events', newEvent(round, { id }));
      if (answer === null) continue;
      assert.ok(answer.status === 202 || (answer.status === 200 && calls > 0), `${id}: ${answer.status}`);
      answered.add(id);
      return;
    }
  });
  for (const more of [40, 5, 100, 1, 120, 30, 60]) {
    await publishing.whenDone(more);
    assert.equal((await house.restart('SIGKILL')).ended, 'SIGKILL');
  }
  await publishing.whenDone(20);
  await publishing.end();

  const { posthorn } = house;
  await whenSettled(
    posthorn,
    webhooks.map(({ id }) => id),
  );
  const stored = new Set(await listEventIds(posthorn));
  for (const id of answered) assert.ok(stored.has(id), `${id} was answered and is lost`);
  for (const id of stored) assert.ok(attempted.has(id), `${id} was never published`);
  assert.ok(answered.size > 300, `${answered.size} events were answered`);

  const received = receivers.map(({ requests }) => {
    const bodies = new Map<string, Buffer>();
    for (const { headers, body } of requests) {
      const id = String(headers['webhook-id']);
      assert.ok(stored.has(id), `${id} was received and is not stored`);
      const first = bodies.get(id);
      assert.ok(first === undefined || first.equals(body), `${id} came again with another body`);
      bodies.set(id, body);
    }
    return bodies;
  });
  await inChunks(stored, async (id) => {
    const event = await readEvent(posthorn, id);
    assert.deepEqual(
      event.deliveries.map(({ state }) => state),
      ['delivered', 'delivered'],
      id,
    );
    for (const bodies of received) assert.equal(bodies.get(id)?.toString(), event.body, id);
  });
  const sent = receivers.reduce((sum, { requests }) => sum + requests.length, 0);
  t.diagnostic(
    `${answered.size} answered, ${stored.size} stored, ${sent - 2 * stored.size} of ${sent} repeated`,
  );
});

for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
  test(`a restart after ${signal} goes on with what was pending while the receiver was down`, async (t) => {
    const down = await startReceiver();
    await down.close();
    const schedule = Array.from({ length: 90 }, () => '200ms').join(',');
    const env = { ...quiet, POSTHORN_RETRY_SCHEDULE: schedule, POSTHORN_BREAKER_FAILURES: '1000' };
    const house = await startHouse(t, env);
    const { id: webhookId } = await makeWebhook(house.posthorn, `${down.url}/hook`);
    const { posthorn } = house;
    const events = await publishAll(
      posthorn,
      Array.from({ length: 60 }, (_, seq) => newEvent(seq)),
    );
    const haveTried = (times: number) =>
      until(
        () => listDeliveries(house.posthorn, webhookId, '&state=pending'),
        (pending) => pending.length === 60 && pending.every(({ attempts }) => attempts >= times),
      );
    await haveTried(1);
    assert.equal((await house.restart(signal)).ended, signal === 'SIGKILL' ? signal : 0);
    const before = Math.max(...(await haveTried(2)).map(({ attempts }) => attempts));
    await haveTried(before + 1);

    const up = await startReceiver({ port: down.port });
    t.after(() => up.close());
    for (const { id } of events) {
      const { attempts } = await deliveryIn(house.posthorn, 'delivered', id);
      assert.deepEqual(
        attempts.map(({ number }) => number),
        attempts.map((_, index) => index + 1),
        'the log has no gap and no repeat',
      );
      assert.deepEqual(
        attempts.map(({ error }) => error),
        [...attempts.slice(1).map(() => 'connection_refused'), null],
      );
    }
    assert.equal(new Set(up.requests.map(({ headers }) => headers['webhook-id'])).size, 60);
    assert.equal(up.requests.length, 60);
  });
}

test('every answered publish was synced to the disk first', async (t) => {
  const posthorn = await startPosthorn(quiet);
  t.after(() => posthorn.close());
  const trace = spawn(
    'strace',
    ['-f', '-c', '-e', 'trace=fsync,fdatasync', '-p', String(posthorn.process.pid)],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  );
  let said = '';
  const ended = new Promise<void>((resolve) => {
    trace.once('close', () => resolve());
    trace.once('error', (error) => {
      said += error.message;
      resolve();
    });
  });
  const attached = new Promise<void>((resolve) => {
    trace.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      if (said.includes('attached')) resolve();
    });
  });
  await Promise.race([attached, ended]);
  if (!said.includes('attached')) {
    t.skip(`strace can't look: ${said.trim()}`);
    return;
  }
  const count = 50;
  for (let seq = 0; seq < count; seq++) await publish(posthorn, newEvent(seq));
  trace.kill('SIGINT');
  await ended;
  // % time, seconds, µs a call, calls, errors if any, name
  const calls = [...said.matchAll(/^ *[\d.]+ +[\d.]+ +\d+ +(\d+) +(?:\d+ +)?f(?:data)?sync$/gm)].map(
    ([, number]) => Number(number),
  );
  const syncs = calls.reduce((sum, number) => sum + number, 0);
  assert.ok(syncs >= count, `${syncs} syncs for ${count} publishes\n${said}`);
  t.diagnostic(`${syncs} syncs for ${count} publishes`);
});
