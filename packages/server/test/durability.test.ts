// What was answered is there: kill -9 and SIGTERM at awkward moments, restarts with pending work, the syncs that
// make a commit durable, and starts that must refuse.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import {
  deliveryIn,
  listDeliveries,
  makeWebhook,
  newEvent,
  publish,
  publishAll,
  readDelivery,
  readEvent,
  until,
} from './support/calls.ts';
import { newDataDir, type Posthorn, startPosthorn, startRefused } from './support/posthorn.ts';
import { type Receiver, startReceiver } from './support/receiver.ts';

const quiet = { POSTHORN_LOG_LEVEL: 'warn' };

async function startReceivers(context: TestContext, count: number): Promise<Receiver[]> {
  const receivers = await Promise.all(Array.from({ length: count }, () => startReceiver()));
  context.after(() => Promise.all(receivers.map((one) => one.close())));
  return receivers;
}

/** One Posthorn after another on the same data directory; who waits for the next one is told. */
async function startHouse(context: TestContext, env: Record<string, string>) {
  let current = await startPosthorn(env);
  const { dataDir } = current;
  let announce = () => {};
  let up = Promise.resolve();
  context.after(() => current.close());
  return {
    get posthorn() {
      return current;
    },
    /** Resolves when a process runs. */
    whenUp: () => up,
    /** Ends the process, tells how it ended and how long that took, and starts the next one. */
    async restart(signal: NodeJS.Signals) {
      up = new Promise((resolve) => {
        announce = resolve;
      });
      const askedAt = performance.now();
      const ended = await current.end(signal);
      const tookMs = performance.now() - askedAt;
      current = await startPosthorn(env, dataDir);
      announce();
      return { ended, tookMs };
    },
  };
}

type House = Awaited<ReturnType<typeof startHouse>>;

/** Something that happens again and again, until told to end, by `workers` at once. */
function keepDoing(workers: number, act: (worker: number, round: number) => Promise<void>) {
  let ending = false;
  let count = 0;
  const watchers = new Set<() => void>();
  const all = Promise.all(
    Array.from({ length: workers }, async (_, worker) => {
      for (let round = 0; !ending; round++) {
        await act(worker, round);
        count += 1;
        for (const look of watchers) look();
      }
    }),
  );
  // Whoever waits hears of a failure; all others end their rounds.
  all.catch(() => {
    ending = true;
  });
  return {
    /** Resolves when it happened `more` times more; rejects when it failed. */
    whenDone(more: number): Promise<void> {
      const enough = count + more;
      return new Promise((resolve, reject) => {
        all.catch(reject);
        const look = () => {
          if (count < enough) return;
          watchers.delete(look);
          resolve();
        };
        watchers.add(look);
        look();
      });
    },
    async end(): Promise<void> {
      ending = true;
      await all;
    },
  };
}

/** Calls until there is an answer; null when the connection broke, which only a kill may cause. */
async function tryCall(house: House, method: string, path: string, body?: object) {
  await house.whenUp();
  const { process } = house.posthorn;
  try {
    return await house.posthorn.call<{ id: string }>(method, path, body === undefined ? {} : { body });
  } catch (error) {
    // A refused or broken connection; anything else is a fault.
    assert.ok(error instanceof TypeError, String(error));
    await until(
      () => Promise.resolve(process.killed),
      (killed) => killed,
    );
    return null;
  }
}

async function inChunks<Item>(items: Iterable<Item>, act: (item: Item) => Promise<void>): Promise<void> {
  const left = [...items];
  while (left.length > 0) await Promise.all(left.splice(0, 50).map(act));
}

async function listEventIds(posthorn: Posthorn): Promise<string[]> {
  const ids: string[] = [];
  let cursor = '';
  do {
    const { body } = await posthorn.call<{ events: { id: string }[]; pagination: { next: string | null } }>(
      'GET',
      `/v1/events?limit=100${cursor}`,
    );
    ids.push(...body.events.map(({ id }) => id));
    cursor = body.pagination.next === null ? '' : `&cursor=${body.pagination.next}`;
  } while (cursor !== '');
  return ids;
}

/** Waits until nothing is pending for any of the webhooks. */
async function whenSettled(posthorn: Posthorn, webhookIds: string[]): Promise<void> {
  for (const id of webhookIds) {
    await until(
      () => listDeliveries(posthorn, id, '&state=pending'),
      (pending) => pending.length === 0,
    );
  }
}

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
  for (const more of [60, 5, 150, 1, 300, 40, 100]) {
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
  assert.ok(answered.size > 600, `${answered.size} events were answered`);

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

/** One sentence for the operator, on one line, and no stack. */
function assertSentence(refused: { code: unknown; output: string }, sentence: RegExp): void {
  assert.equal(refused.code, 1, refused.output);
  assert.match(refused.output, sentence);
  assert.match(refused.output, /^[A-Z][^\n]*\.\n$/, refused.output);
  assert.ok(!/\n\s+at /.test(refused.output), refused.output);
}

test('a second process on the same data directory stops with a sentence, and the first goes on', async (t) => {
  const first = await startPosthorn(quiet);
  t.after(() => first.close());
  assertSentence(
    await startRefused(quiet, first.dataDir),
    /Another Posthorn is running on .*POSTHORN_DATA_DIR/,
  );
  await publish(first);
  await first.end('SIGKILL');
  // A kill leaves no lock behind.
  const next = await startPosthorn(quiet, first.dataDir);
  assert.equal((await listEventIds(next)).length, 1);
  assert.equal(await next.end('SIGTERM'), 0);
});

test('a damaged database file stops the start with a sentence', async (t) => {
  const posthorn = await startPosthorn(quiet);
  t.after(() => posthorn.close());
  await publish(posthorn);
  assert.equal(await posthorn.end('SIGTERM'), 0);
  assert.ok(!readdirSync(posthorn.dataDir).includes('posthorn.db-wal'), 'a clean stop leaves one whole file');
  const file = join(posthorn.dataDir, 'posthorn.db');
  const good = readFileSync(file);
  const damage: [string, () => void][] = [
    [
      'no database at all',
      () => writeFileSync(file, 'this is no database, whatever its name says\n'.repeat(100)),
    ],
    ['cut off', () => truncateSync(file, 6_000)],
    [
      'its schema overwritten',
      () =>
        writeFileSync(
          file,
          Buffer.concat([good.subarray(0, 100), Buffer.alloc(4_000, 7), good.subarray(4_100)]),
        ),
    ],
  ];
  for (const [what, spoil] of damage) {
    spoil();
    const refused = await startRefused(quiet, posthorn.dataDir);
    t.diagnostic(`${what}: ${refused.output.trim()}`);
    assertSentence(refused, /posthorn\.db is damaged .*(?:backup|POSTHORN_DATA_DIR)/);
    writeFileSync(file, good);
  }
  const repaired = await startPosthorn(quiet, posthorn.dataDir);
  assert.equal((await listEventIds(repaired)).length, 1);
  assert.equal(await repaired.end('SIGTERM'), 0);
});

test('a data directory that can’t be written stops the start with a sentence', async (t) => {
  const folder = newDataDir();
  t.after(() => rmSync(folder, { recursive: true }));
  // A file in its place: nobody can write there, not even root.
  const file = join(folder, 'taken');
  writeFileSync(file, '');
  assertSentence(await startRefused(quiet, file), /data directory .*taken.*POSTHORN_DATA_DIR/);
  assertSentence(await startRefused(quiet, join(file, 'below')), /data directory .*below.*POSTHORN_DATA_DIR/);
  assert.equal(readFileSync(file, 'utf8'), '');
});
