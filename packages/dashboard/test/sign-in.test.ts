// Each way to sign in, in a real browser: a password, a real OpenID provider, an invitation. Links are in shell.test.ts.
import assert from 'node:assert/strict';
import { after, before, type TestContext, test } from 'node:test';
import type { Page } from 'playwright-core';
import { startProvider, type TestProvider } from '../../server/test/support/open-id-provider.ts';
import { assertAccessible } from './support/browser.ts';
import { addTeam, type Dashboard, newContext, startDashboard, watchComplaints } from './support/dashboard.ts';

const password = 'correct horse battery';

let provider: TestProvider;
let dashboard: Dashboard;
let teamId: string;
before(async () => {
  provider = await startProvider();
  dashboard = await startDashboard(provider.env);
  provider.admit(dashboard.posthorn.url);
  teamId = (await addTeam(dashboard.posthorn, 'members')).id;
});
after(async () => {
  await dashboard.close();
  await provider.close();
});

async function openPage(t: TestContext, address: string): Promise<Page> {
  const context = await newContext(dashboard.posthorn, dashboard.browser);
  t.after(() => context.close());
  watchComplaints(t, context);
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  await page.goto(address);
  return page;
}

async function invite(email: string, role = 'MEMBER'): Promise<string> {
  const { status, body } = await dashboard.posthorn.call<{ url: string }>(
    'POST',
    `/v1/invitations?teamId=${teamId}`,
    { body: { email, role } },
  );
  assert.equal(status, 201, JSON.stringify(body));
  return body.url;
}

const inside = (page: Page) => page.getByRole('navigation', { name: 'Main' }).waitFor();
const signInAddress = () => `${dashboard.posthorn.url}/app/sign-in`;

test('an invitation makes an account with a password, and the password signs in', async (t) => {
  const page = await openPage(t, await invite('new@example.com'));
  await page.getByRole('heading', { name: 'Join Team members' }).waitFor();
  await page.getByText('new@example.com').waitFor();
  await assertAccessible(page, 'an invitation');
  await page.getByLabel('Your name').fill('A New Person');
  await page.reload();
  assert.equal(await page.getByLabel('Your name').inputValue(), 'A New Person');
  await page.getByLabel('Password').fill('short');
  await page.getByRole('button', { name: 'Accept the invitation' }).click();
  await page.getByRole('alert').filter({ hasText: 'Use at least 12 characters.' }).waitFor();
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Accept the invitation' }).click();
  await inside(page);
  assert.match(page.url(), /\/app\/team\/members/);
  await page.getByRole('button', { name: /A New Person/ }).click();
  await page.getByRole('menuitem', { name: 'Sign out' }).click();
  await page.getByRole('heading', { name: 'Sign in to Posthorn' }).waitFor();

  await page.getByLabel('E-mail').fill('new@example.com');
  await page.getByLabel('Password').fill('not the password');
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await page
    .getByRole('alert')
    .filter({ hasText: /password/i })
    .waitFor();
  assert.equal(await page.getByLabel('E-mail').inputValue(), 'new@example.com', 'what was typed is kept');
  await page.reload();
  assert.equal(await page.getByLabel('E-mail').inputValue(), 'new@example.com', 'through a reload too');
  assert.equal(await page.getByLabel('Password').inputValue(), '');
  await assertAccessible(page, 'signing in');
  await page.getByLabel('Password').fill(password);
  await page.keyboard.press('Enter');
  await inside(page);
});

test('who has an account accepts with its password', async (t) => {
  const first = await openPage(t, await invite('twice@example.com'));
  await first.getByLabel('Password').fill(password);
  await first.getByRole('button', { name: 'Accept the invitation' }).click();
  await inside(first);
  const other = await addTeam(dashboard.posthorn, 'second');
  const { body } = await dashboard.posthorn.call<{ url: string }>(
    'POST',
    `/v1/invitations?teamId=${other.id}`,
    { body: { email: 'twice@example.com', role: 'VIEWER' } },
  );
  const page = await openPage(t, body.url);
  await page.getByText('You have an account already').waitFor();
  assert.equal(await page.getByLabel('Your name').count(), 0);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Accept the invitation' }).click();
  await inside(page);
  assert.match(page.url(), /\/app\/team\/second/);
});

test('an invitation that is gone says so, and what to do', async (t) => {
  const page = await openPage(t, `${dashboard.posthorn.url}/app/invitation#${'x'.repeat(32)}`);
  await page
    .getByRole('alert')
    .filter({ hasText: /invitation/i })
    .waitFor();
  await page.goto(`${dashboard.posthorn.url}/app/sign-in`);
  const half = await openPage(t, `${dashboard.posthorn.url}/app/invitation`);
  await half.getByText('This link is not whole').waitFor();
});

test('the provider lets in whoever was invited, brings them back to where they meant, and nobody else', async (t) => {
  const claims = { email: 'oidc@example.com', email_verified: true, name: 'From Elsewhere' };
  provider.next = { subject: 'sub-page', claims };
  const stranger = await openPage(t, signInAddress());
  await stranger.getByRole('link', { name: /Continue with/ }).click();
  await stranger.getByRole('alert').filter({ hasText: 'Nobody here is known by this identity.' }).waitFor();

  const page = await openPage(t, await invite('oidc@example.com'));
  await page.getByRole('button', { name: /Join with/ }).click();
  await inside(page);
  await page.getByRole('button', { name: /From Elsewhere/ }).waitFor();

  const again = await openPage(t, dashboard.address('settings/webhooks?x=1', 'members'));
  await again.getByRole('link', { name: /Continue with/ }).click();
  await again.getByRole('heading', { level: 1, name: 'Webhooks' }).waitFor();
  assert.equal(again.url(), dashboard.address('settings/webhooks?x=1', 'members'));
});

test('guessing is slowed down, and the page says how it goes on', async (t) => {
  const page = await openPage(t, signInAddress());
  await page.route('**/v1/sign-in', (route) =>
    route.fulfill({
      status: 429,
      headers: { 'retry-after': '3600' },
      body: '{"error":{"code":"rate_limited","message":"Too many tries. Wait an hour."}}',
    }),
  );
  await page.getByLabel('E-mail').fill('new@example.com');
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await page.getByRole('alert').filter({ hasText: 'Too many tries. Wait an hour.' }).waitFor();
});
