// History is pruned while Posthorn runs, and what is unfinished stays; on both stores.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deliveryIn, listEventIds, makeWebhook, newEvent, publish, until } from './support/calls.ts';
import { createDatabase } from './support/postgres.ts';
import { startPosthorn } from './support/posthorn.ts';
import { startReceiver } from './support/receiver.ts';

const settings = { POSTHORN_RETENTION: '3s', POSTHORN_RETRY_SCHEDULE: '1s,1s', POSTHORN_LOG_LEVEL: 'error' };

for (const store of ['SQLite', 'PostgreSQL']) {
  test(`${store}: what is finished leaves after the retention, a delivery that waits keeps its event`, async () => {
    const receiver = await startReceiver();
    const database: Record<string, string> =
      store === 'SQLite' ? {} : { DATABASE_URL: (await createDatabase()).url };
    const posthorn = await startPosthorn({ ...settings, ...database });
    try {
      const fast = await makeWebhook(posthorn, receiver.url);
      for (let n = 0; n < 5; n++) {
        const { id } = await publish(posthorn, newEvent(n, { id: `old-${n}` }));
        await deliveryIn(posthorn, 'delivered', id);
      }
      await posthorn.call('DELETE', `/v1/webhooks/${fast.id}`);
      // One attempt that fails, and then its webhook sleeps: its schedule stands still.
      receiver.script({ status: 500 });
      const slow = await makeWebhook(posthorn, receiver.url);
      const { id } = await publish(posthorn, newEvent(9, { id: 'waits' }));
      await deliveryIn(posthorn, 'pending', id, { attempts: 1 });
      await posthorn.call('PATCH', `/v1/webhooks/${slow.id}`, { body: { enabled: false } });
      await until(
        () => listEventIds(posthorn),
        (ids) => ids.length === 1,
      );
      assert.deepEqual(await listEventIds(posthorn), ['waits']);
      // Its id is free again.
      assert.equal((await publish(posthorn, newEvent(1, { id: 'old-0' }))).deliveries, 0);
      receiver.script({ status: 200 });
      await posthorn.call('PATCH', `/v1/webhooks/${slow.id}`, { body: { enabled: true } });
      await receiver.next(({ headers }) => headers['webhook-id'] === 'waits');
      await until(
        () => listEventIds(posthorn),
        (ids) => !ids.includes('waits'),
      );
      assert.equal((await posthorn.call('GET', '/v1/events/waits')).status, 404);
    } finally {
      await posthorn.close();
      await receiver.close();
    }
  });
}
