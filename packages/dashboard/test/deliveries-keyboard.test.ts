// Deliveries with the keyboard alone: a filter, a delivery, its request, redeliver, the signature check, a replay. And a
// payload of a megabyte, which is shown without the page standing still.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Locator, Page } from 'playwright-core';
import { type Receiver, startReceiver } from '../../server/test/support/receiver.ts';
import { assertAccessible } from './support/browser.ts';
import { type Dashboard, startDashboard } from './support/dashboard.ts';

let dashboard: Dashboard;
let receiver: Receiver;
let secret: string;
let webhookId: string;

before(async () => {
  [dashboard, receiver] = await Promise.all([
    startDashboard({ POSTHORN_RETRY_SCHEDULE: '1h', POSTHORN_MAX_EVENT_BYTES: '2000000' }),
    startReceiver(),
  ]);
  const { body } = await dashboard.posthorn.call<{ id: string; secret: string }>('POST', '/v1/webhooks', {
    body: { url: `${receiver.url}/hook`, events: ['project.created'] },
  });
  ({ secret, id: webhookId } = body);
});
after(async () => {
  await dashboard.close();
  await receiver.close();
});

async function deliver(status: number, name: string): Promise<string> {
  receiver.script({ status, body: 'as told' });
  const payload = { team: { id: 'team_1' }, user: { id: null }, project: { id: 'prj_1', name } };
  const { body } = await dashboard.posthorn.call<{ id: string }>('POST', '/v1/events', {
    body: { type: 'project.created', payload },
  });
  for (;;) {
    const answer = await dashboard.posthorn.call<{ deliveries: { id: string; attempts: number }[] }>(
      'GET',
      `/v1/events/${body.id}`,
    );
    const [delivery] = answer.body.deliveries;
    if (delivery !== undefined && delivery.attempts > 0) return delivery.id;
  }
}

/** Presses Tab until the thing has the focus, as somebody without a mouse does. */
async function tabTo(page: Page, target: Locator): Promise<void> {
  for (let presses = 0; presses < 80; presses++) {
    if (await target.evaluate((element) => element === document.activeElement)) return;
    await page.keyboard.press('Tab');
  }
  assert.fail(`Tab never reached ${String(target)}`);
}

test('a failure is found, understood, sent again and checked without a mouse', async (t) => {
  await deliver(503, 'away');
  const page = await dashboard.signIn();
  t.after(() => page.context().close());
  await page.goto(dashboard.address('deliveries'));
  await page.getByRole('row').nth(1).waitFor();
  await tabTo(page, page.getByLabel('HTTP status'));
  await page.keyboard.type('5xx');
  await page.waitForURL(/status=5xx/);
  const row = page.getByRole('row').filter({ hasText: '503' }).getByRole('link');
  await row.waitFor();
  await tabTo(page, row);
  await page.keyboard.press('Enter');
  await page
    .getByText(/answered 503/)
    .first()
    .waitFor();

  await tabTo(page, page.getByRole('tab', { name: 'Response' }));
  await page.keyboard.press('ArrowRight');
  await page.getByText('x-vercel-signature').waitFor();
  receiver.script({ status: 200 });
  await page.keyboard.press('Home');
  await page.evaluate(() => (document.activeElement as HTMLElement).blur());
  await tabTo(page, page.getByRole('button', { name: 'Redeliver' }));
  await page.keyboard.press('Enter');
  await page.getByText('Delivered', { exact: true }).waitFor();

  await page.evaluate(() => (document.activeElement as HTMLElement).blur());
  await tabTo(page, page.getByRole('link', { name: 'Check signature' }));
  await page.keyboard.press('Enter');
  const field = page.getByLabel('Secret');
  await field.waitFor();
  await tabTo(page, field);
  await page.keyboard.type(secret);
  await page.getByText('The signature fits this body and this secret.').waitFor();
});

test('a replay is counted, started and seen through without a mouse', async (t) => {
  await deliver(410, 'gone');
  receiver.script({ status: 200 });
  const page = await dashboard.signIn();
  t.after(() => page.context().close());
  await page.goto(dashboard.address(`replay?webhookId=${webhookId}`));
  const count = page.getByRole('button', { name: 'Count first' });
  await count.waitFor();
  await tabTo(page, page.getByLabel('Rate'));
  await page.keyboard.type('50');
  await tabTo(page, count);
  await page.keyboard.press('Enter');
  const start = page.getByRole('button', { name: /^Replay \d+ deliver/ });
  await start.waitFor();
  await page.evaluate(() => (document.activeElement as HTMLElement).blur());
  await tabTo(page, start);
  await page.keyboard.press('Enter');
  await page.getByText('Done', { exact: true }).waitFor();
});

test('a payload of a megabyte is shown in parts, as its text', async (t) => {
  const id = await deliver(500, `<b>${'x'.repeat(1_000_000)}`);
  const page = await dashboard.signIn();
  t.after(() => page.context().close());
  await page.goto(dashboard.address(`deliveries/${id}`));
  await page.getByRole('tab', { name: 'Request' }).click();
  await page.getByRole('button', { name: /Show all 1,000,\d\d\d characters/ }).waitFor();
  assert.ok((await page.locator('main').textContent())?.includes('<b>xxx'));
  assert.equal(await page.locator('main b').count(), 0);
});

test('axe finds nothing on publishing by hand, the list of projects, and an address that is not there', async (t) => {
  const page = await dashboard.signIn();
  t.after(() => page.context().close());
  for (const path of ['publish', 'projects', 'nothing-here']) {
    await page.goto(dashboard.address(path));
    await page.getByRole('heading', { level: 1 }).waitFor();
    await page.getByText('Loading').waitFor({ state: 'detached' });
    await assertAccessible(page, path);
  }
});
