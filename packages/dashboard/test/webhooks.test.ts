// Settings → Webhooks in a real browser: the documentation's own steps, and what goes wrong in between.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { after, before, test } from 'node:test';
import type { Page } from 'playwright-core';
import { makeWebhook, publish, type Webhook } from '../../server/test/support/calls.ts';
import { startReceiver } from '../../server/test/support/receiver.ts';
import { assertAccessible } from './support/browser.ts';
import {
  addMember,
  addTeam,
  type Dashboard,
  phone,
  startDashboard,
  watchComplaints,
} from './support/dashboard.ts';
import { setUpWebhook, watchArrival } from './support/webhook-steps.ts';

let dashboard: Dashboard;
before(async () => {
  // Attempts that fail wait long enough for what is pending to be seen.
  dashboard = await startDashboard({ POSTHORN_RETRY_SCHEDULE: '1h,1h' });
});
after(() => dashboard.close());

const heading = (page: Page, name: string) => page.getByRole('heading', { level: 1, name });
const list = async (teamId?: string) =>
  (
    await dashboard.posthorn.call<Webhook[]>(
      'GET',
      `/v1/webhooks${teamId === undefined ? '' : `?teamId=${teamId}`}`,
    )
  ).body;

test('the documented steps: events, projects, URL, Create Webhook, the secret once, a test event, Done', async (t) => {
  const receiver = await startReceiver();
  t.after(() => receiver.close());
  const { posthorn } = dashboard;
  const { slug, id: teamId } = await addTeam(posthorn, 'steps');
  for (const name of ['shop', 'blog']) {
    await posthorn.call('POST', `/v11/projects?teamId=${teamId}`, { body: { name } });
  }
  const page = await dashboard.signIn();
  t.after(() => page.context().close());
  watchComplaints(t, page.context());

  await page.goto(dashboard.address('settings/webhooks', slug));
  await page.getByRole('heading', { name: 'No webhooks yet' }).waitFor();
  await assertAccessible(page, 'the empty list');
  await page.getByRole('link', { name: 'Create Webhook' }).first().click();
  await heading(page, 'Create Webhook').waitFor();

  // Select events: the documented ones with their labels, others by searching for their type.
  const event = (name: string) => page.getByRole('checkbox', { name, exact: true });
  for (const category of ['Deployment Events', 'Project Events', 'Firewall events']) {
    await page.getByRole('region', { name: category }).waitFor();
  }
  await event('Deployment Created').check();
  await event('Deployment Cancelled').check();
  await event('Project Renamed').check();
  await event('Attack Detected').check();
  await page.getByRole('searchbox', { name: 'Search events' }).fill('edge-config.items');
  await event('Edge Config Items Updated').check();
  await page.getByRole('button', { name: 'Sample payload of edge-config.items.updated' }).click();
  const sample = page.getByRole('dialog', { name: 'Edge Config Items Updated' });
  await sample.getByText('"team"').waitFor();
  await assertAccessible(page, 'a sample payload');
  await page.keyboard.press('Escape');
  await page.getByRole('searchbox', { name: 'Search events' }).fill('');

  // Choose target projects: a selection switches the project-level events off, and says why.
  await page.getByRole('radio', { name: /Selected projects/ }).check();
  assert.equal(await event('Project Renamed').isDisabled(), true);
  await page.getByText('1 selected event is switched off').waitFor();
  await page.getByRole('combobox', { name: 'Projects' }).fill('sho');
  await page.getByRole('option', { name: 'shop' }).click();
  await page.keyboard.press('Escape');

  // Enter the endpoint URL: judged while it is typed.
  await page.getByLabel('Endpoint URL').fill('http://10.1.2.3/hook');
  await page.getByRole('alert').filter({ hasText: 'private address' }).waitFor();
  await page.getByLabel('Endpoint URL').fill(`${receiver.url}/hook`);
  await page.getByText('Can be called').waitFor();
  await assertAccessible(page, 'the steps');

  await page.getByRole('button', { name: 'Create Webhook' }).click();
  const dialog = page.getByRole('dialog', { name: 'Webhook Created' });
  await dialog.waitFor();
  await dialog.getByText('it won’t be shown again').waitFor();
  const secret = (await dialog.locator('.secret-line code').textContent()) ?? '';
  assert.match(secret, /^[A-Za-z0-9]{32}$/);
  await dialog.getByRole('button', { name: 'Copy the secret' }).click();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), secret);
  await dialog.getByRole('tab', { name: 'Hono' }).click();
  await dialog.getByText("import { Hono } from 'hono';").waitFor();
  await assertAccessible(page, 'Webhook Created');
  await page.keyboard.press('Escape');
  assert.ok(await dialog.isVisible(), 'Escape does not lose the secret');

  await dialog.getByRole('button', { name: 'Send test event' }).click();
  await dialog.getByText('Delivered', { exact: true }).waitFor();
  const request = await receiver.next();
  assert.equal(request.url, '/hook');
  assert.equal(
    request.headers['x-vercel-signature'],
    createHmac('sha1', secret).update(request.body).digest('hex'),
  );
  await dialog.getByRole('button', { name: 'Done' }).click();

  await heading(page, 'Webhooks').waitFor();
  await page.getByText('1 of 20').waitFor();
  await page.getByRole('link', { name: `${receiver.url}/hook` }).waitFor();
  await assertAccessible(page, 'the list');
  const [made] = await list(teamId);
  assert.deepEqual(made?.events, [
    'deployment.created',
    'deployment.canceled',
    'firewall.attack',
    'edge-config.items.updated',
  ]);
  assert.equal(made?.projectIds?.length, 1);
  const stored = await page.evaluate(() => JSON.stringify([sessionStorage, localStorage]));
  assert.ok(!stored.includes(secret), 'the secret is kept nowhere');
});

test('an event arrives on the webhook’s page while somebody looks at it', async (t) => {
  const live = await startDashboard();
  t.after(() => live.close());
  const receiver = await startReceiver();
  t.after(() => receiver.close());
  const page = await live.signIn();
  await setUpWebhook(page, live.address('settings/webhooks'), receiver);
  await watchArrival(page, live.posthorn, receiver);
});

test('the keyboard alone creates a webhook', async (t) => {
  const receiver = await startReceiver();
  t.after(() => receiver.close());
  const { slug, id: teamId } = await addTeam(dashboard.posthorn, 'keyboard');
  const page = await dashboard.signIn();
  t.after(() => page.context().close());
  await page.goto(dashboard.address('settings/webhooks', slug));
  await page.getByRole('heading', { name: 'No webhooks yet' }).waitFor();
  await page.keyboard.press('c');
  await heading(page, 'Create Webhook').waitFor();
  const tabTo = async (name: RegExp) => {
    for (let presses = 0; presses < 120; presses++) {
      await page.keyboard.press('Tab');
      const label = await page.evaluate(() => {
        const element = document.activeElement as HTMLInputElement | null;
        return (
          element?.labels?.[0]?.textContent ??
          element?.getAttribute('aria-label') ??
          element?.textContent ??
          ''
        );
      });
      if (name.test(label)) return;
    }
    assert.fail(`Tab never came to ${name}`);
  };
  await tabTo(/^Deployment Succeeded/);
  await page.keyboard.press('Space');
  await tabTo(/^All Team Projects/);
  await tabTo(/^Endpoint URL/);
  await page.keyboard.type(`${receiver.url}/keys`);
  await tabTo(/^Create Webhook/);
  await page.keyboard.press('Enter');
  await page.getByRole('dialog', { name: 'Webhook Created' }).waitFor();
  await tabTo(/^Send test event/);
  await page.keyboard.press('Enter');
  await page.getByText('Delivered', { exact: true }).waitFor();
  await tabTo(/^Done/);
  await page.keyboard.press('Enter');
  await page.getByRole('link', { name: `${receiver.url}/keys` }).waitFor();
  assert.equal((await list(teamId)).length, 1);
});

test('a reload in the middle keeps what was chosen and typed', async (t) => {
  const { slug } = await addTeam(dashboard.posthorn, 'reload');
  const page = await dashboard.signIn();
  t.after(() => page.context().close());
  await page.goto(dashboard.address('settings/webhooks/new', slug));
  await page.getByRole('checkbox', { name: 'Deployment Error' }).check();
  await page.getByRole('radio', { name: /Selected projects/ }).check();
  await page.getByLabel('Endpoint URL').fill('https://example.com/half-typ');
  await page.reload();
  assert.equal(await page.getByLabel('Endpoint URL').inputValue(), 'https://example.com/half-typ');
  assert.ok(await page.getByRole('checkbox', { name: 'Deployment Error' }).isChecked());
  assert.ok(await page.getByRole('radio', { name: /Selected projects/ }).isChecked());
});

test('what is missing is said where it is missing, and nothing is sent', async (t) => {
  const { slug, id: teamId } = await addTeam(dashboard.posthorn, 'missing');
  const page = await dashboard.signIn();
  t.after(() => page.context().close());
  await page.goto(dashboard.address('settings/webhooks/new', slug));
  await page.getByRole('button', { name: 'Create Webhook' }).click();
  await page.getByRole('alert').filter({ hasText: 'Select at least one event.' }).waitFor();
  await page.getByRole('alert').filter({ hasText: 'Enter the URL of your endpoint.' }).waitFor();
  assert.deepEqual(await list(teamId), []);
});

test('a session that ends while a form is filled in loses nothing', async (t) => {
  const { slug, id: teamId } = await addTeam(dashboard.posthorn, 'ended');
  const page = await dashboard.signIn();
  t.after(() => page.context().close());
  await page.goto(dashboard.address('settings/webhooks/new', slug));
  await page.getByRole('checkbox', { name: 'Deployment Error' }).check();
  await page.getByLabel('Endpoint URL').fill('https://example.com/typed');
  const cookies = await page.context().cookies();
  await page.context().clearCookies();
  await page.getByRole('button', { name: 'Create Webhook' }).click();
  await page.getByRole('dialog', { name: 'Sign in again' }).waitFor();
  assert.deepEqual(await list(teamId), []);

  await page.context().addCookies(cookies);
  const tab = await page.context().newPage();
  await tab.goto(`${dashboard.posthorn.url}/app/`);
  await tab.evaluate(() => new BroadcastChannel('posthorn.session').postMessage('in'));
  // The call that met the end of the session is made again by itself.
  await page.getByRole('dialog', { name: 'Webhook Created' }).waitFor();
  assert.deepEqual(
    (await list(teamId)).map(({ url }) => url),
    ['https://example.com/typed'],
  );
});

test('at 20 webhooks the button is off and says why', async (t) => {
  const { slug, id: teamId } = await addTeam(dashboard.posthorn, 'full');
  for (let made = 0; made < 20; made++) {
    await makeWebhook(dashboard.posthorn, `https://example.com/${made}`, { teamId });
  }
  const page = await dashboard.signIn();
  t.after(() => page.context().close());
  await page.goto(dashboard.address('settings/webhooks', slug));
  await page.getByText('20 of 20').waitFor();
  const button = page.getByRole('button', { name: 'Create Webhook' });
  assert.equal(await button.getAttribute('aria-disabled'), 'true');
  await button.focus();
  await page.locator('.tooltip').getByText('which is the most. Remove one first.').waitFor();
  await assertAccessible(page, 'the full list');
  await page.goto(dashboard.address('settings/webhooks/new', slug));
  await page.getByText('which is the most. Remove one first.').waitFor();
});

test('on Hobby the page says that Pro or Enterprise is needed', async (t) => {
  const { slug } = await addTeam(dashboard.posthorn, 'small', 'hobby');
  const page = await dashboard.signIn();
  t.after(() => page.context().close());
  await page.goto(dashboard.address('settings/webhooks', slug));
  await page.getByText('Webhooks need the Pro or Enterprise plan').first().waitFor();
  assert.equal(await page.getByRole('link', { name: 'Create Webhook' }).count(), 0);
  await assertAccessible(page, 'the page of a Hobby team');
});

test('the cross removes a webhook after a question that names it and its pending deliveries', async (t) => {
  const receiver = await startReceiver();
  t.after(() => receiver.close());
  receiver.script({ status: 500 });
  const { posthorn } = dashboard;
  const url = `${receiver.url}/gone`;
  const { id } = await makeWebhook(posthorn, url);
  const other = await makeWebhook(posthorn, 'https://example.com/stays', { events: ['project.created'] });
  for (let seq = 0; seq < 3; seq++) await publish(posthorn);
  await receiver.waitFor(1);
  const page = await dashboard.signIn();
  t.after(() => page.context().close());
  await page.goto(dashboard.address('settings/webhooks'));
  const cross = page.getByRole('button', { name: `Remove ${url}` });
  await cross.click();
  const question = page.getByRole('alertdialog', { name: 'Remove this webhook?' });
  await question.getByText(url).waitFor();
  await question.getByText('Its 3 pending deliveries are canceled.').waitFor();
  await assertAccessible(page, 'the question before a removal');
  await question.getByRole('button', { name: 'Cancel' }).click();
  assert.equal((await list()).length, 2);

  await cross.click();
  await question.getByRole('button', { name: 'Remove webhook' }).click();
  await page.getByText('The webhook is removed.').waitFor();
  await cross.waitFor({ state: 'detached' });
  assert.deepEqual(
    (await list()).map((one) => one.id),
    [other.id],
  );
  assert.equal((await posthorn.call('GET', `/v1/webhooks/${id}`)).status, 404);
});

test('a webhook’s page: health, settings that hold, a new secret, on a phone too', async (t) => {
  const receiver = await startReceiver();
  t.after(() => receiver.close());
  const { posthorn } = dashboard;
  const { slug, id: teamId } = await addTeam(posthorn, 'own-page');
  const { id, secret: firstSecret } = await makeWebhook(posthorn, `${receiver.url}/a`, { teamId });
  const page = await dashboard.signIn();
  t.after(() => page.context().close());
  watchComplaints(t, page.context());
  await page.goto(dashboard.address('settings/webhooks', slug));
  await page.getByRole('link', { name: `${receiver.url}/a` }).click();
  await heading(page, `${receiver.url}/a`).waitFor();
  receiver.script({ status: 500, body: '<script>document.title = "owned"</script>' });
  await page.getByRole('button', { name: 'Send test event' }).click();
  await page.getByText('Not delivered').waitFor();
  await page
    .getByText(/127\.0\.0\.1\S* answered 500/)
    .first()
    .waitFor();
  await page.getByRole('row').filter({ hasText: 'deployment.succeeded' }).getByText('500').waitFor();
  await assertAccessible(page, 'a webhook’s health');

  await page.getByRole('tab', { name: 'Settings' }).click();
  assert.match(page.url(), /\?tab=settings$/);
  await page.getByLabel('Endpoint URL').fill(`${receiver.url}/b`);
  await page.getByRole('checkbox', { name: 'Deployment Created' }).check();
  // Not saved yet: a reload keeps it.
  await page.reload();
  assert.equal(await page.getByLabel('Endpoint URL').inputValue(), `${receiver.url}/b`);
  const target = page.locator('form').filter({ hasText: 'Endpoint and events' });
  await target.getByRole('button', { name: 'Save' }).click();
  await target.getByText('No changes.').waitFor();
  const pace = page.locator('form').filter({ hasText: 'Limits and ordering' });
  await pace.getByRole('radio', { name: /In order within each project/ }).check();
  await pace.getByLabel('Requests at once').fill('1.5');
  await pace
    .getByRole('alert')
    .filter({ hasText: 'Enter a whole number from 1 to 1,000, or nothing.' })
    .waitFor();
  await pace.getByLabel('Requests at once').fill('3');
  await pace.getByLabel('Requests per second').fill('0.5');
  await pace.getByRole('button', { name: 'Save' }).click();
  await pace.getByText('No changes.').waitFor();
  await page.getByRole('switch', { name: 'Enabled' }).uncheck();
  await page.getByText('Disabled', { exact: true }).waitFor();
  await assertAccessible(page, 'a webhook’s settings');
  const changed = (await posthorn.call('GET', `/v1/webhooks/${id}`)).body;
  assert.equal(changed.url, `${receiver.url}/b`);
  assert.deepEqual(changed.events, ['deployment.created', 'deployment.succeeded']);
  assert.deepEqual(
    [changed.enabled, changed.ordering, changed.maxConcurrency, changed.ratePerSecond],
    [false, 'project', 3, 0.5],
  );

  await page.getByRole('button', { name: 'Rotate secret' }).click();
  await page.getByRole('dialog', { name: 'Rotate the secret?' }).getByLabel('Overlap').selectOption('1 hour');
  await assertAccessible(page, 'rotating a secret');
  await page.getByRole('dialog').getByRole('button', { name: 'Rotate secret' }).click();
  const shown = page.getByRole('dialog', { name: 'New secret' });
  const secret = (await shown.locator('.secret-line code').textContent()) ?? '';
  assert.match(secret, /^[A-Za-z0-9]{32}$/);
  assert.notEqual(secret, firstSecret);
  await shown.getByRole('button', { name: 'Done' }).click();

  await page.setViewportSize(phone);
  for (const tab of ['Health', 'Settings']) {
    await page.getByRole('tab', { name: tab }).click();
    assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= phone.width, tab);
  }
});

test('a role that may only look is offered nothing else', async (t) => {
  const { posthorn } = dashboard;
  const { slug, id: teamId } = await addTeam(posthorn, 'lookers');
  const { id } = await makeWebhook(posthorn, 'https://example.com/look', { teamId });
  const page = await dashboard.signIn({ userId: await addMember(posthorn, 'VIEWER', slug) });
  t.after(() => page.context().close());
  await page.goto(dashboard.address('settings/webhooks', slug));
  await page.getByRole('link', { name: 'https://example.com/look' }).waitFor();
  await page.getByText('Owner or Member may change them').waitFor();
  assert.equal(await page.getByRole('link', { name: 'Create Webhook' }).count(), 0);
  assert.equal(await page.getByRole('button', { name: /^Remove/ }).count(), 0);
  await page.goto(dashboard.address(`settings/webhooks/${id}?tab=settings`, slug));
  await page.getByText('Owner or Member may change them').waitFor();
  assert.equal(await page.getByRole('button', { name: 'Save' }).count(), 0);
  assert.equal(await page.getByRole('link', { name: 'Replay' }).count(), 0);
  // And the API refuses it, whatever is offered.
  const refused = await page.request.delete(`${posthorn.url}/v1/webhooks/${id}?teamId=${teamId}`, {
    headers: { origin: posthorn.url },
  });
  assert.equal(refused.status(), 403);
});

test('markup and hidden characters in a URL, a label and an answer are text', async (t) => {
  const { posthorn } = dashboard;
  const { slug, id: teamId } = await addTeam(posthorn, 'markup');
  const label = '<img src=x onerror="document.title=1">\u202Eevil';
  await posthorn.call('POST', '/v1/event-types', {
    body: { type: 'own.markup', label, category: label, description: label, schema: { type: 'object' } },
  });
  await makeWebhook(posthorn, `https://example.com/?q=<script>alert(1)</script>${'x'.repeat(600)}`, {
    teamId,
    events: ['own.markup'],
  });
  const page = await dashboard.signIn();
  t.after(() => page.context().close());
  watchComplaints(t, page.context());
  await page.goto(dashboard.address('settings/webhooks', slug));
  await page.getByText('U+202E').first().waitFor();
  await page.getByRole('link', { name: /example\.com/ }).click();
  await page.getByRole('button', { name: /Show all \d+ characters/ }).waitFor();
  assert.equal(await page.locator('main img, main script').count(), 0);
  assert.match(await page.title(), /Posthorn$/);
});
