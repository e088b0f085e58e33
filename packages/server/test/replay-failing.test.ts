// A replay to an endpoint that refuses what is replayed and takes what is live: whatever becomes due again of the replay,
// and however often its attempts fail, live deliveries do not wait for it. On both stores.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { makeWebhook, newEvent, publish, publishAll } from './support/calls.ts';
import { createDatabase } from './support/postgres.ts';
import { newDataDir, type Posthorn, startPosthorn } from './support/posthorn.ts';
import { type Receiver, startReceiver } from './support/receiver.ts';

const replayed = 400;
/** How long an attempt takes that is refused, ms, from the first that has been refused before. */
const refusalMs = 100;
/** A live delivery may take so long from its 202 to its receipt. One after another, what is due again takes 40 s. */
const mostMs = 1_000;

interface Case {
  name: string;
  /** How many attempts of the replay are refused before the first live event. */
  refused: number;
  env: Record<string, string>;
}
const cases: Case[] = [
  // The retries are due all at once, and stay so for as long as the endpoint refuses them.
  { name: 'hundreds of retries are due', refused: replayed + 3, env: { POSTHORN_BREAKER_FAILURES: '1000' } },
  // Live deliveries are rare, so that between two of them the replay's failures make a run.
  { name: 'its attempts fail in a row', refused: 10, env: { POSTHORN_BREAKER_FAILURES: '10' } },
];

for (const kind of ['SQLite', 'PostgreSQL'] as const) {
  for (const { name, refused, env } of cases) {
    describe(`on ${kind} live deliveries do not wait for a replay when ${name}`, () => {
      let posthorn: Posthorn;
      let receiver: Receiver;

      before(async () => {
        const store: Record<string, string> =
          kind === 'PostgreSQL' ? { DATABASE_URL: (await createDatabase()).url } : {};
        posthorn = await startPosthorn(
          {
            POSTHORN_RETRY_SCHEDULE: Array(60).fill('3s').join(),
            POSTHORN_LOG_LEVEL: 'error',
            ...store,
            ...env,
          },
          newDataDir(),
        );
        receiver = await startReceiver();
      });
      after(async () => {
        await posthorn.close();
        await receiver.close();
      });

      test('each arrives in less than a second', async (t) => {
        const since = Date.now();
        const missed = await publishAll(
          posthorn,
          Array.from({ length: replayed }, (_, seq) => newEvent(seq)),
        );
        const old = new Set(missed.map(({ id }) => id));
        const webhook = await makeWebhook(posthorn, receiver.url);
        const seen = new Set<string>();
        receiver.script(({ headers }, response) => {
          const id = String(headers['webhook-id']);
          setTimeout(() => response.writeHead(old.has(id) ? 500 : 200).end(), seen.has(id) ? refusalMs : 0);
          seen.add(id);
        });
        const path = `/v1/webhooks/${webhook.id}/replay`;
        const begun = await posthorn.call('POST', path, { body: { since, states: ['missed'] } });
        assert.deepEqual([begun.status, begun.body.matched], [202, replayed]);
        await receiver.waitFor(refused);
        const took: number[] = [];
        for (let seq = 0; seq < 5; seq++) {
          // The replay goes on meanwhile: that is what this is about.
          await pause(600);
          const { id } = await publish(posthorn, newEvent(10_000 + seq));
          const answeredAt = Date.now();
          const { receivedAt } = await receiver.next(({ headers }) => headers['webhook-id'] === id, 30_000);
          took.push(receivedAt - answeredAt);
        }
        const refusals = receiver.requests.length - took.length;
        t.diagnostic(`${refusals} attempts of the replay beside live ones after ${took.join(', ')} ms`);
        assert.ok(Math.max(...took) < mostMs, took.join());
        assert.ok(refusals > refused, 'the replay went on');
      });
    });
  }
}
