// Settings → Webhooks: the list, the steps, Webhook Created, a webhook's own page.
import type { Page } from 'playwright-core';
import { makeWebhook, newEvent, publish, until } from '../../../server/test/support/calls.ts';
import { startReceiver } from '../../../server/test/support/receiver.ts';
import type { Scene } from './scenes.ts';

export const webhooksScene: Scene = async (dashboard) => {
  const { posthorn } = dashboard;
  const receiver = await startReceiver();
  receiver.script({}, {}, {}, { status: 503, body: 'The shop is closed.' }, {});
  const good = await makeWebhook(posthorn, `${receiver.url}/api/webhook`, {
    events: ['deployment.created', 'deployment.succeeded', 'deployment.error'],
  });
  await makeWebhook(posthorn, 'https://hooks.example.com/posthorn/production', {
    events: ['project.created'],
    enabled: false,
  });
  await makeWebhook(posthorn, 'https://example.com/api/firewall', { events: ['firewall.attack'] });
  for (let seq = 0; seq < 12; seq++) await publish(posthorn, newEvent(seq));
  await until(
    () => posthorn.call('GET', `/v1/webhooks/${good.id}/health`),
    ({ body }) => body.windows['1h'].attempts >= 12,
  );
  const open = async (path: string, ready: (page: Page) => Promise<unknown>) => {
    const page = await dashboard.signIn();
    await page.goto(dashboard.address(path));
    await ready(page);
    await page.waitForLoadState('networkidle');
    return page;
  };
  const heading = (page: Page) => page.getByRole('heading', { level: 1 }).waitFor();
  return [
    { name: 'webhooks', open: () => open('settings/webhooks', heading) },
    { name: 'webhook-new', open: () => open('settings/webhooks/new', heading) },
    {
      name: 'webhook-created',
      open: () =>
        open('settings/webhooks/new', async (page) => {
          await page.getByRole('checkbox', { name: 'Deployment Created' }).check();
          await page.getByLabel('Endpoint URL').fill(`${receiver.url}/api/new`);
          await page.getByText('Can be called').waitFor();
          await page.getByRole('button', { name: 'Create Webhook' }).click();
          await page.getByRole('button', { name: 'Send test event' }).click();
          await page.getByText('Delivered', { exact: true }).waitFor();
        }),
    },
    { name: 'webhook-health', open: () => open(`settings/webhooks/${good.id}`, heading) },
    { name: 'webhook-settings', open: () => open(`settings/webhooks/${good.id}?tab=settings`, heading) },
  ];
};
