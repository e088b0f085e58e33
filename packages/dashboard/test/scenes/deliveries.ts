// Deliveries of every kind: a receiver that answers, one that fails in ways that are told apart, and one that is away.
import { startReceiver } from '../../../server/test/support/receiver.ts';
import type { Dashboard } from '../support/dashboard.ts';
import type { Scene } from './scenes.ts';

export const deliveriesScene: Scene = async (dashboard) => {
  const { good } = await prepareDeliveries(dashboard);
  const open = async (path: string) => {
    const page = await dashboard.signIn();
    await page.goto(dashboard.address(path));
    await page.getByRole('heading', { level: 1 }).waitFor();
    await page.waitForLoadState('load');
    await page.getByText('Loading').waitFor({ state: 'detached' });
    return page;
  };
  const failed = await firstOf(dashboard, 'state=pending');
  const delivered = await firstOf(dashboard, 'state=delivered');
  return [
    { name: 'deliveries', open: () => open('deliveries') },
    { name: 'deliveries-none', open: () => open('deliveries?status=418') },
    { name: 'delivery-pending', open: () => open(`deliveries/${failed}`) },
    { name: 'delivery-delivered', open: () => open(`deliveries/${delivered}`) },
    { name: 'signature-check', open: () => open(`signature-check?delivery=${delivered}`) },
    { name: 'replay', open: () => open(`replay?webhookId=${good}`) },
  ];
};

async function firstOf({ posthorn }: Dashboard, query: string): Promise<string> {
  const { body } = await posthorn.call<{ deliveries: { id: string; attempts: number }[] }>(
    'GET',
    `/v1/deliveries?${query}`,
  );
  return body.deliveries.find(({ attempts }) => attempts > 0)?.id ?? '';
}

/** Webhooks with deliveries behind them; resolves when the receiver that answers has had them all. */
export async function prepareDeliveries({ posthorn }: Dashboard): Promise<{ good: string }> {
  const receiver = await startReceiver();
  const failing = await startReceiver();
  failing.script(
    { status: 500, body: '{"error":"boom"}', headers: { 'content-type': 'application/json' } },
    { status: 404, body: '<h1>Not here</h1>', headers: { 'content-type': 'text/html' } },
    { status: 503, body: 'away' },
  );
  const create = async (url: string) => {
    const { body } = await posthorn.call<{ id: string }>('POST', '/v1/webhooks', {
      body: { url, events: ['project.created', 'project.removed'] },
    });
    return body.id;
  };
  const good = await create(`${receiver.url}/hooks/posthorn?source=dashboard`);
  await create(`${failing.url}/api/webhooks`);
  await create('http://127.0.0.1:1/refused');
  for (let at = 0; at < 12; at++) {
    await posthorn.call('POST', '/v1/events', {
      body: {
        type: at % 3 === 0 ? 'project.removed' : 'project.created',
        payload: {
          team: { id: 'team_1' },
          user: { id: null },
          project: { id: `prj_${at}`, name: `storefront ${at}` },
        },
      },
    });
  }
  await receiver.waitFor(12);
  await failing.waitFor(2);
  return { good };
}
