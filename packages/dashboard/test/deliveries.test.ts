// Deliveries in a real browser: the list with its filters, one delivery understood and repaired, a signature checked.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type Receiver, startReceiver } from '../../server/test/support/receiver.ts';
import { assertAccessible } from './support/browser.ts';
import { type Dashboard, startDashboard } from './support/dashboard.ts';

let dashboard: Dashboard;
let receiver: Receiver;
let secret: string;

const payloadOf = (name: string) => ({
  team: { id: 'team_1' },
  user: { id: null },
  project: { id: 'prj_1', name },
});
const publish = async (type: string, name: string): Promise<string> => {
  const { body, status } = await dashboard.posthorn.call<{ id: string }>('POST', '/v1/events', {
    body: { type, payload: payloadOf(name) },
  });
  assert.equal(status, 202, JSON.stringify(body));
  return body.id;
};

before(async () => {
  [dashboard, receiver] = await Promise.all([
    startDashboard({ POSTHORN_RETRY_SCHEDULE: '1h' }),
    startReceiver(),
  ]);
  const { body } = await dashboard.posthorn.call<{ id: string; secret: string }>('POST', '/v1/webhooks', {
    body: { url: `${receiver.url}/hook`, events: ['project.created', 'project.removed'] },
  });
  secret = body.secret;
});
after(async () => {
  await dashboard.close();
  await receiver.close();
});

/** Publishes an event that is answered in that way, and waits until the attempt is recorded. */
async function deliver(
  status: number,
  name: string,
  type = 'project.created',
  body = '{"received":true}',
): Promise<{ eventId: string; deliveryId: string }> {
  receiver.script({ status, body, headers: { 'content-type': 'application/json' } });
  const eventId = await publish(type, name);
  for (;;) {
    const answer = await dashboard.posthorn.call<{ deliveries: { id: string; attempts: number }[] }>(
      'GET',
      `/v1/events/${eventId}`,
    );
    const [delivery] = answer.body.deliveries;
    if (delivery !== undefined && delivery.attempts > 0) return { eventId, deliveryId: delivery.id };
  }
}

describe('the list', () => {
  test('an empty team is taught the first step', async (t) => {
    await dashboard.posthorn.call('POST', '/v1/teams', {
      body: { slug: 'empty', name: 'Empty', plan: 'pro' },
    });
    const page = await dashboard.signIn();
    t.after(() => page.context().close());
    await page.goto(dashboard.address('deliveries', 'empty'));
    await page.getByRole('heading', { name: 'No deliveries yet' }).waitFor();
    await page.getByText('curl http', { exact: false }).first().waitFor();
    await assertAccessible(page, 'an empty list of deliveries');
  });

  test('filters are in the address, so that a link shows what its sender saw', async (t) => {
    const good = await deliver(200, 'good');
    const bad = await deliver(503, 'bad', 'project.removed');
    const page = await dashboard.signIn();
    t.after(() => page.context().close());
    await page.goto(dashboard.address('deliveries'));
    const row = (eventId: string) => page.getByRole('row').filter({ hasText: eventId });
    await row(good.eventId).waitFor();
    await row(bad.eventId).waitFor();
    await assertAccessible(page, 'the list of deliveries');

    await page.getByLabel('HTTP status').fill('5xx');
    await row(good.eventId).waitFor({ state: 'detached' });
    await row(bad.eventId).waitFor();
    assert.equal(new URL(page.url()).searchParams.get('status'), '5xx');
    await page.getByLabel('State').selectOption('delivered');
    await page.getByRole('heading', { name: 'No delivery fits these filters' }).waitFor();

    const link = page.url();
    const other = await dashboard.signIn();
    t.after(() => other.context().close());
    await other.goto(link);
    await other.getByRole('heading', { name: 'No delivery fits these filters' }).waitFor();
    assert.equal(await other.getByLabel('HTTP status').inputValue(), '5xx');
    await other.getByRole('button', { name: 'Clear filters' }).last().click();
    await other.getByRole('row').filter({ hasText: good.eventId }).waitFor();

    await page.getByLabel('HTTP status').fill('nonsense');
    await page.getByRole('alert').filter({ hasText: 'A code like 404' }).waitFor();
  });
});

describe('a delivery', () => {
  test('says in one sentence why it failed, shows what was sent and came back, and is sent again', async (t) => {
    const { deliveryId } = await deliver(404, 'lost');
    const page = await dashboard.signIn();
    t.after(() => page.context().close());
    await page.goto(dashboard.address('deliveries'));
    await page.getByRole('row').filter({ hasText: '404' }).getByRole('link').click();
    await page.waitForURL((url) => url.pathname.endsWith(deliveryId));
    await page
      .getByText(/answered 404/)
      .first()
      .waitFor();
    await page.getByText(/Next attempt in \d+[mh]/).waitFor();
    await page.getByText('"received"').waitFor();
    await assertAccessible(page, 'a delivery');

    await page.getByRole('tab', { name: 'Request' }).click();
    await page.getByText('x-vercel-signature').waitFor();
    await page.getByRole('button', { name: 'Copy as cURL' }).click();
    const command = await page.evaluate(() => navigator.clipboard.readText());
    assert.match(command, /^curl -i -X POST 'http:\/\/127\.0\.0\.1:\d+\/hook'/);

    receiver.script({ status: 200, body: 'thanks' });
    await page.getByRole('button', { name: 'Redeliver' }).click();
    await page.getByText('Attempt 2').waitFor();
    await page.getByText('Delivered', { exact: true }).waitFor();
  });

  test('markup and hidden characters in what came back are shown as text', async (t) => {
    const evil = '<img src=x onerror="document.title=1">\u202e<script>document.title=2</script>';
    const { deliveryId } = await deliver(500, '<b>bold</b>\u200b', 'project.created', evil);
    const page = await dashboard.signIn();
    t.after(() => page.context().close());
    await page.goto(dashboard.address(`deliveries/${deliveryId}`));
    await page.getByText('<img src=x', { exact: false }).first().waitFor();
    await page.getByText('U+202E').waitFor();
    assert.equal(await page.locator('main img').count(), 0);
    await page.getByRole('tab', { name: 'Request' }).click();
    await page.getByText('U+200B').waitFor();
    assert.match(await page.title(), /Posthorn$/);
  });

  test('one that is not there says so', async (t) => {
    const page = await dashboard.signIn();
    t.after(() => page.context().close());
    await page.goto(dashboard.address('deliveries/dlv_nothing'));
    await page.getByRole('alert').filter({ hasText: 'There is no delivery dlv_nothing.' }).waitFor();
  });
});

describe('the signature check', () => {
  test('takes body and header from a delivery, and names the mistake of what is pasted', async (t) => {
    const { deliveryId } = await deliver(200, 'signed');
    const page = await dashboard.signIn();
    t.after(() => page.context().close());
    const sent: string[] = [];
    page.on('request', (request) => sent.push(`${request.url()} ${request.postData() ?? ''}`));
    await page.goto(dashboard.address(`deliveries/${deliveryId}`));
    await page.getByRole('link', { name: 'Check signature' }).click();
    await page.getByLabel('Secret').fill(secret);
    await page.getByText('The signature fits this body and this secret.').waitFor();

    const body = await page.getByLabel('Body').inputValue();
    await page.getByLabel('Body').fill(JSON.stringify(JSON.parse(body), null, 2));
    await page.getByText(/parsed and serialised again/).waitFor();
    await assertAccessible(page, 'the signature check');
    await page.getByLabel('Secret').fill('x'.repeat(32));
    await page.getByText('None of the usual mistakes', { exact: false }).waitFor();
    assert.ok(!sent.some((request) => request.includes(secret)), 'the secret left the browser');
    assert.ok(!(await page.evaluate(() => JSON.stringify(sessionStorage))).includes(secret));
  });
});
