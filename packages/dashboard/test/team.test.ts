// The pages around deliveries in a real browser: overview, events and publishing by hand, projects and variables, members
// and roles, tokens, the account, the system page.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Page } from 'playwright-core';
import { type Receiver, startReceiver } from '../../server/test/support/receiver.ts';
import { assertAccessible } from './support/browser.ts';
import { type Dashboard, newContext, startDashboard } from './support/dashboard.ts';

let dashboard: Dashboard;
let receiver: Receiver;
let page: Page;

before(async () => {
  [dashboard, receiver] = await Promise.all([startDashboard(), startReceiver()]);
  await dashboard.posthorn.call('POST', '/v1/webhooks', {
    body: { url: `${receiver.url}/hook`, events: ['project.created', 'project.renamed'] },
  });
  page = await dashboard.signIn();
});
after(async () => {
  await dashboard.close();
  await receiver.close();
});

const open = async (path: string, heading: string) => {
  await page.goto(dashboard.address(path));
  await page.getByRole('heading', { level: 1, name: heading }).waitFor();
};

describe('projects', () => {
  test('one is created, renamed and removed, each an event; a sensitive variable is never shown again', async () => {
    await open('projects', 'Projects');
    await page.getByRole('heading', { name: 'No projects yet' }).waitFor();
    await page.getByRole('button', { name: 'Create project' }).click();
    await page.getByLabel('Name').fill('Not A Name!');
    await page.getByRole('button', { name: 'Create', exact: true }).click();
    await page.getByRole('dialog').getByRole('alert').filter({ hasText: /./ }).waitFor();
    await page.reload();
    await page.getByRole('button', { name: 'Create project' }).click();
    assert.equal(await page.getByLabel('Name').inputValue(), 'Not A Name!', 'what was typed is still there');
    await page.getByLabel('Name').fill('storefront');
    await page.getByRole('button', { name: 'Create', exact: true }).click();
    await page.getByRole('heading', { level: 1, name: 'storefront' }).waitFor();
    await receiver.next(({ body }) => body.includes('project.created'));

    await page.getByRole('button', { name: 'Add variable' }).click();
    await page.getByLabel('Key').fill('API_KEY');
    await page.getByLabel('Value').fill('very-secret');
    await page.getByLabel('Kind').selectOption('sensitive');
    await page.getByRole('checkbox', { name: 'development' }).uncheck();
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('API_KEY').waitFor();
    assert.equal(await page.getByRole('button', { name: /Show the value/ }).count(), 0);
    await assertAccessible(page, 'a project');

    await page.getByLabel('Project name').fill('shop');
    await page.getByRole('button', { name: 'Rename' }).click();
    await page.getByRole('heading', { level: 1, name: 'shop' }).waitFor();
    const renamed = await receiver.next(({ body }) => body.includes('project.renamed'));
    assert.match(renamed.body.toString(), /"previousName":"storefront"/);

    await page.getByRole('button', { name: 'Remove', exact: true }).click();
    await page.getByRole('button', { name: 'Remove project' }).click();
    await page.getByRole('heading', { name: 'No projects yet' }).waitFor();
  });
});

describe('events', () => {
  test('one is published by hand from its sample, checked while typing, and says whom it went to and why not', async () => {
    await dashboard.posthorn.call('POST', '/v1/webhooks', {
      body: { url: `${receiver.url}/other`, events: ['domain.created'] },
    });
    await open('events', 'Events');
    await page.getByRole('link', { name: 'Publish an event' }).click();
    await page.getByLabel('Event type').selectOption('project.created');
    const payload = page.getByLabel('Payload');
    const sample = await payload.inputValue();
    await payload.fill(sample.slice(0, -1));
    await page.getByRole('alert').filter({ hasText: 'This is not JSON yet' }).waitFor();
    await payload.fill(sample.replace(/"name": "[^"]*"/, '"name": 5'));
    await page.getByRole('alert').filter({ hasText: 'payload.project.name' }).waitFor();
    await page.reload();
    assert.match(await payload.inputValue(), /"name": 5/, 'what was typed is still there');
    await payload.fill(sample);
    await page.getByRole('alert').filter({ hasText: /./ }).waitFor({ state: 'detached' });
    await page.getByRole('button', { name: 'Publish', exact: true }).click();
    await page.getByRole('heading', { level: 1, name: 'project.created' }).waitFor();
    await page.getByText('has not selected project.created', { exact: false }).waitFor();
    await page.getByText('Delivered', { exact: true }).waitFor();
    await assertAccessible(page, 'an event');
  });

  test('the overview counts what happened, and the list shows what comes while somebody looks', async () => {
    await open('events', 'Events');
    await page.getByRole('row').filter({ hasText: 'project.renamed' }).first().waitFor();
    await assertAccessible(page, 'the list of events');
    await dashboard.posthorn.call('POST', '/v11/projects', { body: { name: 'another' } });
    await page.getByRole('button', { name: /\d new/ }).click();
    await page.getByRole('button', { name: /\d new/ }).waitFor({ state: 'detached' });

    await open('overview', 'Overview');
    // Figures are written once a second.
    await page
      .getByRole('link', { name: /Events accepted\s*[5-9]/ })
      .or(page.getByRole('link', { name: /Events accepted\s*\d{2}/ }))
      .waitFor({ timeout: 15_000 });
    await page.getByRole('img', { name: /events were accepted/ }).waitFor();
    await assertAccessible(page, 'the overview');
  });
});

describe('members', () => {
  test('one is invited by a link, signs in by it, and sees what the role allows', async () => {
    await open('settings/members', 'Members');
    await page.getByRole('button', { name: 'Invite' }).click();
    await page.getByLabel('E-mail address').fill('ada@example.com');
    await page.getByLabel('Role').selectOption('VIEWER');
    await page.reload();
    await page.getByRole('button', { name: 'Invite' }).click();
    assert.equal(await page.getByLabel('E-mail address').inputValue(), 'ada@example.com');
    await page.getByRole('button', { name: 'Create link' }).click();
    const link = ((await page.getByRole('dialog').locator('pre').textContent()) ?? '').trim();
    assert.match(link, /\/app\/invitation#/);
    await page.getByRole('button', { name: 'Done' }).click();
    await page.getByText('ada@example.com').waitFor();
    await assertAccessible(page, 'members');

    const theirs = await newContext(dashboard.posthorn, dashboard.browser);
    const other = await theirs.newPage();
    await other.goto(link);
    await other.getByText('ada@example.com').first().waitFor();
    const name = other.getByLabel('Name');
    if ((await name.count()) > 0) await name.fill('Ada');
    const password = other.getByLabel(/password/i);
    if ((await password.count()) > 0) await password.first().fill('correct horse battery staple');
    await other.getByRole('main').or(other.locator('body')).first().getByRole('button').last().click();
    await other.getByRole('navigation', { name: 'Main' }).waitFor();
    assert.equal(await other.getByRole('link', { name: 'Tokens' }).count(), 0);
    assert.equal(await other.getByRole('link', { name: 'System' }).count(), 0);
    await other.goto(dashboard.address('deliveries'));
    await other.getByRole('heading', { level: 1, name: 'Deliveries' }).waitFor();
    assert.equal(await other.getByRole('link', { name: 'Replay' }).count(), 0);

    await page.reload();
    await page.getByLabel('Role of ada@example.com').selectOption('MEMBER');
    await page.getByText('Role changed', { exact: false }).waitFor();
    await other.reload();
    await other.getByRole('link', { name: 'Replay' }).waitFor();
    await page.getByRole('button', { name: 'Remove ada@example.com' }).click();
    await page.getByRole('button', { name: 'Remove member' }).click();
    await page.getByLabel('Role of ada@example.com').waitFor({ state: 'detached' });
    await other.goto(dashboard.address('events'));
    await other
      .getByText(/no team yet|There is no such team|Sign in to Posthorn/)
      .first()
      .waitFor();
    await theirs.close();
  });
});

describe('tokens and the account', () => {
  test('a token is shown once, works, and stops working when it is revoked', async () => {
    await open('settings/tokens', 'Tokens');
    await page.getByRole('button', { name: 'Create token' }).click();
    await page.getByLabel('Name').fill('CI');
    await page.reload();
    await page.getByRole('button', { name: 'Create token' }).click();
    assert.equal(await page.getByLabel('Name').inputValue(), 'CI');
    await page.getByRole('button', { name: 'Create', exact: true }).click();
    const token = ((await page.getByRole('dialog').locator('pre').textContent()) ?? '').trim();
    assert.match(token, /^[A-Za-z0-9]{24}$/);
    await page.getByRole('button', { name: 'Done' }).click();
    await page.getByText('CI', { exact: true }).waitFor();
    assert.ok(!(await page.content()).includes(token));
    assert.equal((await dashboard.posthorn.call('GET', '/v1/webhooks', { token })).status, 200);
    await assertAccessible(page, 'tokens');
    await page.getByRole('button', { name: 'Revoke CI' }).click();
    await page.getByRole('button', { name: 'Revoke token' }).click();
    await page.getByRole('heading', { name: 'No tokens yet' }).waitFor();
    assert.equal((await dashboard.posthorn.call('GET', '/v1/webhooks', { token })).status, 403);
  });

  test('a password is set, and signs in; the other session is listed and ended', async () => {
    await page.goto(`${dashboard.posthorn.url}/app/account`);
    await page.getByLabel('New password').fill('correct horse battery staple');
    await page.getByRole('button', { name: 'Set password' }).click();
    await page.getByText('Password saved', { exact: false }).waitFor();
    const context = await newContext(dashboard.posthorn, dashboard.browser);
    const other = await context.newPage();
    await other.goto(`${dashboard.posthorn.url}/app/sign-in`);
    await other.getByLabel('E-mail').fill('owner@localhost');
    await other.getByLabel('Password').fill('correct horse battery staple');
    await other.getByRole('button', { name: 'Sign in', exact: true }).click();
    await other.getByRole('navigation', { name: 'Main' }).waitFor();
    await page.reload();
    await page.getByRole('button', { name: 'Sign out', exact: true }).click();
    await page.getByText('Signed out there.').waitFor();
    assert.equal((await context.request.get(`${dashboard.posthorn.url}/v1/session`)).status(), 401);
    await assertAccessible(page, 'the account');
    await context.close();
  });
});

test('the operator sees the server itself', async () => {
  await page.goto(`${dashboard.posthorn.url}/app/system`);
  await page.getByText('Answers you').waitFor();
  await page.getByText(/SQLite 3/).waitFor();
  await page.getByText('POSTHORN_RETENTION', { exact: true }).waitFor();
  await assertAccessible(page, 'the system page');
});
