// Replay in a real browser: counted first, then made again, with its progress.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type Receiver, startReceiver } from '../../server/test/support/receiver.ts';
import { assertAccessible } from './support/browser.ts';
import { type Dashboard, startDashboard } from './support/dashboard.ts';

let dashboard: Dashboard;
let receiver: Receiver;
let webhookId: string;

before(async () => {
  [dashboard, receiver] = await Promise.all([startDashboard(), startReceiver()]);
  const { body } = await dashboard.posthorn.call<{ id: string }>('POST', '/v1/webhooks', {
    body: { url: `${receiver.url}/hook`, events: ['project.created', 'project.removed'] },
  });
  webhookId = body.id;
});
after(async () => {
  await dashboard.close();
  await receiver.close();
});

const publish = async (type: string, name: string): Promise<string> => {
  const payload = { team: { id: 'team_1' }, user: { id: null }, project: { id: 'prj_1', name } };
  const { body } = await dashboard.posthorn.call<{ id: string }>('POST', '/v1/events', {
    body: { type, payload },
  });
  return body.id;
};

describe('replay', () => {
  test('counts first, then makes the deliveries again and shows how far it is', async (t) => {
    receiver.script({ status: 410 });
    const eventId = await publish('project.removed', 'gone');
    for (;;) {
      const { body } = await dashboard.posthorn.call<{ deliveries: { state: string }[] }>(
        'GET',
        `/v1/events/${eventId}`,
      );
      if (body.deliveries[0]?.state === 'failed') break;
    }
    receiver.script({ status: 200 });
    const page = await dashboard.signIn();
    t.after(() => page.context().close());
    await page.goto(dashboard.address(`replay?webhookId=${webhookId}`));
    await page.getByRole('button', { name: 'Count first' }).click();
    await page.getByText('1 delivery would be made again; nothing was sent yet').waitFor();
    await assertAccessible(page, 'a replay that was counted');
    await page.reload();
    assert.equal(await page.getByLabel('Period').inputValue(), '24h');
    await page.getByRole('button', { name: 'Count first' }).click();
    await page.getByRole('button', { name: 'Replay 1 delivery' }).click();
    await page.getByText('1 of 1 made').waitFor();
    await receiver.next(({ body }) => body.includes(eventId));
    await page.getByText('Done', { exact: true }).waitFor();
  });
});
