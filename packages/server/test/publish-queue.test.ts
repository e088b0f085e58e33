// More events than the server takes at once: refused at once, and nothing that was taken is lost.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { deliveryIn, makeWebhook, newEvent, until } from './support/calls.ts';
import { type Answer, type Posthorn, startPosthorn } from './support/posthorn.ts';
import { countEvents, holdCommits, type Results, send } from './support/publishing.ts';
import { type Receiver, startReceiver } from './support/receiver.ts';

describe('a full queue', () => {
  let posthorn: Posthorn;
  let receiver: Receiver;
  const limit = 20;
  before(async () => {
    [posthorn, receiver] = await Promise.all([
      startPosthorn({ POSTHORN_MAX_QUEUED_EVENTS: String(limit), POSTHORN_LOG_LEVEL: 'warn' }),
      startReceiver(),
    ]);
    await makeWebhook(posthorn, receiver.url);
  });
  after(() => Promise.all([posthorn.close(), receiver.close()]));

  test('answers 429 with Retry-After at once, and loses nothing that it took', async () => {
    const letGo = holdCommits(posthorn);
    const refused: Answer<Results>[] = [];
    let calls: Promise<Answer<Results>>[] = [];
    try {
      calls = Array.from({ length: 3 * limit }, async (_, seq) => {
        const answer = await send(posthorn, newEvent(seq, { id: `queued-${seq}` }));
        if (answer.status === 429) refused.push(answer);
        return answer;
      });
      // Those beyond the limit are answered although nothing can be committed.
      await until(
        () => Promise.resolve(refused.length),
        (count) => count === 2 * limit,
      );
      const batch = await send(posthorn, [newEvent(0, { id: 'queued-batch' })]);
      assert.equal(batch.status, 429);
    } finally {
      letGo();
    }
    for (const { headers, body } of refused) {
      assert.match(headers.get('retry-after') ?? '', /^[1-9]\d*$/);
      assert.equal(body.error.code, 'rate_limited');
      assert.match(body.error.message, /Try again/);
    }
    const answers = await Promise.all(calls);
    const taken = answers.flatMap(({ status, body }) => (status === 202 ? [body.id] : []));
    assert.equal(taken.length, limit);
    for (const id of taken) await deliveryIn(posthorn, 'delivered', id);
    assert.deepEqual(
      receiver.requests.map(({ headers }) => headers['webhook-id']).toSorted(),
      taken.toSorted(),
    );
    assert.equal(await countEvents(posthorn), limit);
    // There is room again, and what was refused can be repeated.
    const repeated = await send(posthorn, newEvent(59, { id: 'queued-59' }));
    assert.ok(repeated.status === 202 || repeated.status === 200);
    const tooMany = await send(
      posthorn,
      Array.from({ length: limit + 1 }, (_, seq) => newEvent(seq)),
    );
    assert.equal(tooMany.status, 429);
  });
});
