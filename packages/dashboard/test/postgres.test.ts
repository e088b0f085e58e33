// Setting up a webhook and seeing an event arrive, on PostgreSQL: the same as on SQLite (webhooks.test.ts).
import { test } from 'node:test';
import { createDatabase } from '../../server/test/support/postgres.ts';
import { startReceiver } from '../../server/test/support/receiver.ts';
import { startDashboard } from './support/dashboard.ts';
import { setUpWebhook, watchArrival } from './support/webhook-steps.ts';

test('a webhook is set up step by step and an event arrives live', async (t) => {
  const { url } = await createDatabase();
  const dashboard = await startDashboard({ DATABASE_URL: url });
  t.after(() => dashboard.close());
  const receiver = await startReceiver();
  t.after(() => receiver.close());
  const page = await dashboard.signIn();
  await setUpWebhook(page, dashboard.address('settings/webhooks'), receiver);
  await watchArrival(page, dashboard.posthorn, receiver);
});
