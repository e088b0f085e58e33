// The documentation's own steps of setting up a webhook, as a person takes them in the browser; and the arrival of an
// event on its page, live. Both are walked on SQLite and on PostgreSQL.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import type { Page } from 'playwright-core';
import { newEvent, publish } from '../../../server/test/support/calls.ts';
import type { Posthorn } from '../../../server/test/support/posthorn.ts';
import type { Receiver } from '../../../server/test/support/receiver.ts';

/** Selects an event, takes all projects, enters the URL, creates the webhook and sends a test event to it. */
export async function setUpWebhook(page: Page, address: string, receiver: Receiver): Promise<void> {
  await page.goto(address);
  await page.getByRole('link', { name: 'Create Webhook' }).first().click();
  await page.getByRole('checkbox', { name: 'Deployment Succeeded' }).check();
  await page.getByRole('radio', { name: /All Team Projects/ }).check();
  await page.getByLabel('Endpoint URL').fill(`${receiver.url}/steps`);
  await page.getByRole('button', { name: 'Create Webhook' }).click();
  const dialog = page.getByRole('dialog', { name: 'Webhook Created' });
  const secret = (await dialog.locator('.secret-line code').textContent()) ?? '';
  await dialog.getByRole('button', { name: 'Send test event' }).click();
  const request = await receiver.next();
  assert.equal(
    request.headers['x-vercel-signature'],
    createHmac('sha1', secret).update(request.body).digest('hex'),
  );
  await dialog.getByText('Delivered', { exact: true }).waitFor();
  await dialog.getByRole('button', { name: 'Done' }).click();
  await page.getByRole('link', { name: `${receiver.url}/steps` }).waitFor();
}

/** Opens the webhook's page; an event that is published then is there without anybody doing anything. */
export async function watchArrival(page: Page, posthorn: Posthorn, receiver: Receiver): Promise<void> {
  const feed = page.waitForResponse((response) => response.url().includes('/v1/stream') && response.ok());
  await page.getByRole('link', { name: `${receiver.url}/steps` }).click();
  await feed;
  const rows = page.getByRole('table').last().getByRole('row').filter({ hasText: 'Delivered' });
  await rows.nth(0).waitFor();
  assert.equal(await rows.count(), 1, 'the test event');
  await publish(posthorn, newEvent(1));
  await rows.nth(1).waitFor();
}
