// Whom an event matches, and how many webhooks there can be to match.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type ApiFailure, makeWebhook, newEvent, patchWebhook, readEvent } from './support/calls.ts';
import { type Posthorn, startPosthorn } from './support/posthorn.ts';
import { send } from './support/publishing.ts';

describe('an event matches', () => {
  let posthorn: Posthorn;
  const target = 'http://127.0.0.1:9/';
  before(async () => {
    posthorn = await startPosthorn({ POSTHORN_LOG_LEVEL: 'warn' });
  });
  after(() => posthorn.close());

  const makeProject = async (name: string, query = ''): Promise<string> => {
    const made = await posthorn.call<{ id: string }>('POST', `/v1/projects${query}`, { body: { name } });
    assert.equal(made.status, 200, JSON.stringify(made.body));
    return made.body.id;
  };
  const makeTeam = async (slug: string, plan: string): Promise<string> => {
    const made = await posthorn.call<{ id: string }>('POST', '/v1/teams', {
      body: { slug, name: slug, plan },
    });
    assert.equal(made.status, 200, JSON.stringify(made.body));
    return made.body.id;
  };

  test('by team, type, project and state, as the table says', async () => {
    const [one, two, gone] = await Promise.all(['one', 'two', 'gone'].map((name) => makeProject(name)));
    assert.ok(one && two && gone);
    const other = await makeTeam('neighbour', 'pro');
    const webhooks = {
      all: await makeWebhook(posthorn, target),
      one: await makeWebhook(posthorn, target, { projectIds: [one] }),
      oneAndTwo: await makeWebhook(posthorn, target, { projectIds: [one, two] }),
      gone: await makeWebhook(posthorn, target, { projectIds: [gone] }),
      goneAndTwo: await makeWebhook(posthorn, target, { projectIds: [gone, two] }),
      disabled: await makeWebhook(posthorn, target, { enabled: false }),
      otherType: await makeWebhook(posthorn, target, { events: ['deployment.error'] }),
      otherTeam: await makeWebhook(posthorn, target, { teamId: other }),
    };
    const removed = await makeWebhook(posthorn, target);
    assert.equal((await posthorn.call('DELETE', `/v1/webhooks/${removed.id}`)).status, 204);
    const nameOf = new Map(Object.entries(webhooks).map(([name, { id }]) => [id, name]));
    const whoGets = async (fields: object, query = ''): Promise<string[]> => {
      const answer = await send(posthorn, newEvent(0, fields), query);
      assert.equal(answer.status, 202, JSON.stringify(answer.body));
      const { deliveries } = await readEvent(posthorn, answer.body.id);
      assert.equal(answer.body.deliveries, deliveries.length);
      return deliveries.map(({ webhookId }) => nameOf.get(webhookId) ?? webhookId).toSorted();
    };

    const type = 'deployment.error';
    const table: [object, string, string[]][] = [
      [{ projectId: one }, '', ['all', 'one', 'oneAndTwo']],
      [{ projectId: two }, '', ['all', 'goneAndTwo', 'oneAndTwo']],
      [{ projectId: gone }, '', ['all', 'gone', 'goneAndTwo']],
      [{ projectId: 'prj_nobody_knows' }, '', ['all']],
      [{}, '', ['all']],
      [{ projectId: null }, '', ['all']],
      [{ type }, '', ['otherType']],
      [{ type, projectId: one }, '', ['otherType']],
      [{ type: 'deployment.canceled' }, '', []],
      [{}, `?teamId=${other}`, ['otherTeam']],
      [{ projectId: one }, `?teamId=${other}`, ['otherTeam']],
      [{ type }, '?slug=neighbour', []],
      // The payload says nothing about the project.
      [{ payload: { ...newEvent().payload, project: { id: one } } }, '', ['all']],
    ];
    for (const [fields, query, expected] of table) {
      assert.deepEqual(await whoGets(fields, query), expected, JSON.stringify([fields, query]));
    }

    assert.equal((await posthorn.call('DELETE', `/v9/projects/${gone}`)).status, 204);
    assert.deepEqual(
      await whoGets({ projectId: gone }),
      ['all'],
      'a removed project’s selection matches nothing',
    );
    assert.deepEqual(await whoGets({}), ['all'], 'and never widens');
    assert.deepEqual(await whoGets({ projectId: two }), ['all', 'goneAndTwo', 'oneAndTwo']);
    await patchWebhook(posthorn, webhooks.disabled.id, { enabled: true });
    await patchWebhook(posthorn, webhooks.all.id, { enabled: false });
    await patchWebhook(posthorn, webhooks.one.id, { events: ['deployment.error'], projectIds: [] });
    assert.deepEqual(await whoGets({ projectId: one }), ['disabled', 'oneAndTwo']);
    assert.deepEqual(await whoGets({ type }), ['one', 'otherType']);
    for (const { id } of Object.values(webhooks)) await posthorn.call('DELETE', `/v1/webhooks/${id}`);
    assert.deepEqual(await whoGets({ projectId: one }), []);
  });

  test('no account webhook of a team on Hobby, and again those of one that went back to Pro', async () => {
    const teamId = await makeTeam('thrifty', 'pro');
    await makeWebhook(posthorn, target, { teamId });
    const deliveries = async () => (await send(posthorn, newEvent(), `?teamId=${teamId}`)).body.deliveries;
    const setPlan = async (plan: string) =>
      assert.equal((await posthorn.call('PATCH', `/v1/teams/${teamId}`, { body: { plan } })).status, 200);
    assert.equal(await deliveries(), 1);
    await setPlan('hobby');
    assert.equal(await deliveries(), 0);
    const refused = await posthorn.call<ApiFailure>('POST', `/v1/webhooks?teamId=${teamId}`, {
      body: { url: target, events: ['deployment.created'] },
    });
    assert.deepEqual([refused.status, refused.body.error.code], [403, 'forbidden']);
    assert.match(refused.body.error.message, /Pro or Enterprise/);
    await setPlan('enterprise');
    assert.equal(await deliveries(), 1);
  });

  test('the same id in two teams as two events', async () => {
    const teamId = await makeTeam('namesake', 'pro');
    const [here, there] = [newEvent(1, { id: 'shared' }), newEvent(2, { id: 'shared' })];
    assert.equal((await send(posthorn, here)).status, 202);
    assert.equal((await send(posthorn, there, `?teamId=${teamId}`)).status, 202);
    assert.equal((await send(posthorn, there, `?teamId=${teamId}`)).status, 200);
    assert.equal((await send(posthorn, there)).status, 409);
  });

  test('the 20 webhooks that a team may have, also when 100 are created at once', async () => {
    const teamId = await makeTeam('crowded', 'pro');
    const create = () =>
      posthorn.call<ApiFailure & { id: string }>('POST', `/v1/webhooks?teamId=${teamId}`, {
        body: { url: target, events: ['deployment.succeeded'] },
      });
    const answers = await Promise.all(Array.from({ length: 100 }, create));
    const made = answers.filter(({ status }) => status === 200);
    assert.equal(made.length, 20);
    for (const { status, body } of answers.filter((answer) => answer.status !== 200)) {
      assert.deepEqual([status, body.error.code], [403, 'webhook_limit']);
      assert.match(body.error.message, /20 webhooks.*POSTHORN_WEBHOOKS_PER_TEAM/);
    }
    const listed = await posthorn.call<unknown[]>('GET', `/v1/webhooks?teamId=${teamId}`);
    assert.equal(listed.body.length, 20);
    assert.equal((await send(posthorn, newEvent(), `?teamId=${teamId}`)).body.deliveries, 20);
    // A place that is given up can be taken again, once.
    assert.equal((await posthorn.call('DELETE', `/v1/webhooks/${made[0]?.body.id}`)).status, 204);
    assert.deepEqual([(await create()).status, (await create()).status], [200, 403]);
  });
});
