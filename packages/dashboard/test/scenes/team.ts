// The pages around deliveries, of a team in which something has happened.
import type { Dashboard } from '../support/dashboard.ts';
import { prepareDeliveries } from './deliveries.ts';
import type { Scene } from './scenes.ts';

export const teamScene: Scene = async (dashboard) => {
  const { posthorn } = dashboard;
  await prepareDeliveries(dashboard);
  const { body: project } = await posthorn.call<{ id: string }>('POST', '/v11/projects', {
    body: { name: 'storefront', framework: 'nextjs' },
  });
  for (const key of ['DATABASE_URL', 'STRIPE_KEY']) {
    await posthorn.call('POST', `/v10/projects/${project.id}/env`, {
      body: {
        key,
        value: 'secret',
        type: key === 'STRIPE_KEY' ? 'sensitive' : 'encrypted',
        target: ['production', 'preview'],
      },
    });
  }
  await posthorn.call('POST', '/v1/invitations', { body: { email: 'ada@example.com', role: 'MEMBER' } });
  await posthorn.call('POST', '/v1/tokens', { body: { name: 'CI', role: 'MEMBER' } });
  const { body } = await posthorn.call<{ events: { id: string }[] }>('GET', '/v1/events');
  const open = (path: string) => () => openPage(dashboard, path);
  const openOther = (path: string) => async () => {
    const page = await dashboard.signIn();
    await page.goto(`${posthorn.url}/app/${path}`);
    await page.getByRole('heading', { level: 1 }).waitFor();
    await page.getByText('Loading').waitFor({ state: 'detached' });
    return page;
  };
  return [
    { name: 'overview', open: open('overview?range=hour') },
    { name: 'events', open: open('events') },
    { name: 'event', open: open(`events/${body.events[0]?.id}`) },
    { name: 'publish', open: open('publish') },
    { name: 'projects', open: open('projects') },
    { name: 'project', open: open(`projects/${project.id}`) },
    { name: 'members', open: open('settings/members') },
    { name: 'tokens', open: open('settings/tokens') },
    { name: 'account', open: openOther('account') },
    { name: 'system', open: openOther('system') },
  ];
};

async function openPage(dashboard: Dashboard, path: string) {
  const page = await dashboard.signIn();
  await page.goto(dashboard.address(path));
  await page.getByRole('heading', { level: 1 }).waitFor();
  await page.getByText('Loading').waitFor({ state: 'detached' });
  return page;
}
