// Webhooks as Vercel's own clients see them: `@vercel/sdk` against a real process, and what each user agent reads.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Vercel } from '@vercel/sdk';
import {
  type ApiFailure,
  makeWebhook,
  newEvent,
  patchWebhook,
  publish,
  type Webhook,
} from './support/calls.ts';
import { adminToken, type Posthorn, startPosthorn } from './support/posthorn.ts';

const target = 'http://127.0.0.1:9/hook';
const terraform = { 'user-agent': 'terraform-provider-vercel/4.2.0' };
const vercelCli = { 'user-agent': 'vercel 64.0.2 node-v24.0.0 linux (x64)' };

let posthorn: Posthorn;
let sdk: Vercel;
let projects: string[];

before(async () => {
  posthorn = await startPosthorn();
  sdk = new Vercel({ bearerToken: adminToken, serverURL: posthorn.url });
  projects = await Promise.all(['alpha', 'beta', 'gamma'].map(makeProject));
});
after(() => posthorn.close());

async function makeProject(name: string): Promise<string> {
  const made = await posthorn.call<{ id: string }>('POST', '/v1/projects', { body: { name } });
  assert.equal(made.status, 200, JSON.stringify(made.body));
  return made.body.id;
}

async function list(query = '', headers: Record<string, string> = {}): Promise<Webhook[]> {
  const answer = await posthorn.call<Webhook[]>('GET', `/v1/webhooks${query}`, { headers });
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  assert.ok(Array.isArray(answer.body), 'the list is a bare array');
  return answer.body;
}

test('@vercel/sdk creates, lists, gets and deletes a webhook', async () => {
  const startedAt = Date.now();
  const made = await sdk.webhooks.createWebhook({
    requestBody: { url: target, events: ['deployment.created', 'deployment.error'] },
  });
  assert.match(made.secret, /^[A-Za-z0-9]{32}$/);
  assert.equal(made.url, target);
  assert.deepEqual(made.events, ['deployment.created', 'deployment.error']);
  assert.match(made.ownerId, /^team_/);
  assert.ok(made.createdAt >= startedAt - 1 && made.createdAt <= Date.now() + 1, 'createdAt is now, in ms');
  assert.equal(made.updatedAt, made.createdAt);

  const { secret, ...shown } = made;
  const got = await sdk.webhooks.getWebhook({ id: made.id });
  assert.deepEqual(got, shown);
  const listed = await sdk.webhooks.getWebhooks({});
  assert.deepEqual(
    listed.filter(({ id }) => id === made.id).map(({ url, events, ownerId }) => ({ url, events, ownerId })),
    [{ url: made.url, events: made.events, ownerId: made.ownerId }],
  );

  for (const path of ['/v1/webhooks', `/v1/webhooks/${made.id}`]) {
    const answer = await posthorn.call('GET', path);
    const text = JSON.stringify(answer.body);
    assert.ok(!text.includes(secret) && !text.includes('"secret"'), `${path} says nothing of the secret`);
  }
  const patched = await patchWebhook(posthorn, made.id, { url: `${target}2` });
  assert.ok(!('secret' in patched), 'nor does PATCH');
  assert.ok(!posthorn.output().includes(secret), 'nor does the log');

  assert.equal(await sdk.webhooks.deleteWebhook({ id: made.id }), undefined);
  await assert.rejects(sdk.webhooks.getWebhook({ id: made.id }), { statusCode: 404 });
  await assert.rejects(sdk.webhooks.deleteWebhook({ id: made.id }), { statusCode: 404 });
  assert.ok(!(await sdk.webhooks.getWebhooks({})).some(({ id }) => id === made.id));
});

test('the statuses are 200, 200, 200 and an empty 204, and the version prefix is free', async () => {
  const made = await posthorn.call<Webhook>('POST', '/v7/webhooks', {
    body: { url: target, events: ['deployment.created'], something: 'unknown is ignored' },
  });
  assert.equal(made.status, 200);
  assert.equal((await posthorn.call('GET', '/webhooks')).status, 200);
  assert.equal((await posthorn.call('GET', `/v2/webhooks/${made.body.id}`)).status, 200);
  const gone = await posthorn.call('DELETE', `/v1/webhooks/${made.body.id}`);
  assert.equal(gone.status, 204);
  assert.equal(gone.body, '');
  assert.equal(gone.headers.get('content-type'), null);
});

test('a team with a type of the operator’s own can still list its webhooks with the SDK', async () => {
  const type = 'invoice.settled';
  const added = await posthorn.call('POST', '/v1/event-types', {
    body: { type, label: 'Invoice Settled', category: 'Billing', schema: { type: 'object' } },
  });
  assert.equal(added.status, 200, JSON.stringify(added.body));
  const mixed = await makeWebhook(posthorn, target, { events: ['deployment.created', type] });
  const alone = await makeWebhook(posthorn, target, { events: [type] });

  const listed = new Map((await sdk.webhooks.getWebhooks({})).map((one) => [one.id, one.events]));
  assert.deepEqual(listed.get(mixed.id), ['deployment.created']);
  assert.deepEqual(listed.get(alone.id), []);
  assert.deepEqual((await sdk.webhooks.getWebhook({ id: mixed.id })).events, ['deployment.created']);

  // All others read what there is, and events of the type arrive at both.
  for (const headers of [vercelCli, terraform]) {
    const whole = new Map((await list('', headers)).map((one) => [one.id, one.events]));
    assert.deepEqual(whole.get(mixed.id), ['deployment.created', type]);
    assert.deepEqual(whole.get(alone.id), [type]);
  }
  assert.equal((await publish(posthorn, { type, payload: { settled: true } })).deliveries, 2);
  for (const { id } of [mixed, alone]) await sdk.webhooks.deleteWebhook({ id });
});

test('Terraform reads the spelling it sent, everybody else the dotted one', async () => {
  const hyphens = ['domain.auto-renew-changed', 'project.domain-created', 'deployment.created'];
  const dots = ['domain.auto-renew.changed', 'project.domain.created', 'deployment.created'];
  const made = await posthorn.call<Webhook>('POST', '/v1/webhooks', {
    body: { url: target, events: hyphens },
    headers: terraform,
  });
  assert.equal(made.status, 200, JSON.stringify(made.body));
  const { id } = made.body;
  assert.deepEqual(made.body.events, hyphens);
  const read = async (headers: Record<string, string>) =>
    (await posthorn.call<Webhook>('GET', `/v1/webhooks/${id}`, { headers })).body.events;
  assert.deepEqual(await read(terraform), hyphens);
  assert.deepEqual(await read(vercelCli), dots);
  assert.deepEqual((await list('', terraform)).find((one) => one.id === id)?.events, hyphens);
  assert.deepEqual((await sdk.webhooks.getWebhook({ id })).events, dots);
  assert.deepEqual((await sdk.webhooks.getWebhooks({})).find((one) => one.id === id)?.events, dots);
  await sdk.webhooks.deleteWebhook({ id });
});

test('deletes by id without teamId in any team the token reaches, and answers 404 or 403 elsewhere', async () => {
  const teams = await Promise.all(
    ['north', 'south'].map(async (slug) => {
      const team = await posthorn.call<{ id: string }>('POST', '/v1/teams', {
        body: { slug, name: slug, plan: 'pro' },
      });
      assert.equal(team.status, 200, JSON.stringify(team.body));
      const token = await posthorn.call<{ token: string }>('POST', '/v1/tokens', {
        body: { name: slug, teamId: team.body.id, role: 'OWNER' },
      });
      assert.equal(token.status, 201, JSON.stringify(token.body));
      return { id: team.body.id, token: token.body.token };
    }),
  );
  const [north, south] = teams;
  assert.ok(north && south);
  const make = () => makeWebhook(posthorn, target, { teamId: north.id });
  const [byOperator, byOwner, byTeamId] = [await make(), await make(), await make()];
  assert.equal(byOperator.ownerId, north.id);

  const path = `/v1/webhooks/${byOwner.id}`;
  assert.equal((await posthorn.call('DELETE', path, { token: south.token })).status, 404);
  const foreign = await posthorn.call('DELETE', `${path}?teamId=${north.id}`, { token: south.token });
  assert.equal(foreign.status, 403);
  assert.equal((await posthorn.call('GET', path, { token: north.token })).status, 200);

  assert.equal((await posthorn.call('DELETE', `/v1/webhooks/${byOperator.id}`)).status, 204);
  assert.equal((await posthorn.call('DELETE', path, { token: north.token })).status, 204);
  const owner = new Vercel({ bearerToken: north.token, serverURL: posthorn.url });
  assert.deepEqual(
    (await owner.webhooks.getWebhooks({})).map(({ id }) => id),
    [byTeamId.id],
  );
  await owner.webhooks.deleteWebhook({ id: byTeamId.id, teamId: north.id });
  assert.deepEqual(await list(`?teamId=${north.id}`), []);
});

test('?projectId= lists the webhooks that get that project’s events', async () => {
  const [alpha, beta, gamma] = projects as [string, string, string];
  const all = await makeWebhook(posthorn, target);
  const one = await makeWebhook(posthorn, target, { projectIds: [alpha] });
  const two = await makeWebhook(posthorn, target, { projectIds: [alpha, beta] });
  const idsOf = async (projectId: string) =>
    (await sdk.webhooks.getWebhooks({ projectId })).map(({ id }) => id).toSorted();
  assert.deepEqual(await idsOf(alpha), [all.id, one.id, two.id].toSorted());
  assert.deepEqual(await idsOf(beta), [all.id, two.id].toSorted());
  assert.deepEqual(await idsOf(gamma), [all.id]);
  const listed = (await list(`?projectId=${beta}`)) as (Webhook & { projectsMetadata: unknown })[];
  assert.deepEqual(listed.find(({ id }) => id === two.id)?.projectsMetadata, [
    { id: alpha, name: 'alpha', framework: null },
    { id: beta, name: 'beta', framework: null },
  ]);
  for (const { id } of [all, one, two]) await sdk.webhooks.deleteWebhook({ id });
});

test('projectIds absent, null or empty mean all projects and are left out of answers', async () => {
  const [alpha] = projects as [string, string, string];
  for (const projectIds of [undefined, null, []]) {
    const made = await makeWebhook(posthorn, target, projectIds === undefined ? {} : { projectIds });
    assert.ok(!('projectIds' in made), `created with ${JSON.stringify(projectIds)}`);
    const { body } = await posthorn.call<Webhook>('GET', `/v1/webhooks/${made.id}`);
    assert.ok(!('projectIds' in body));
    assert.ok(!('projectIds' in ((await list()).find(({ id }) => id === made.id) ?? { projectIds: 1 })));
    assert.equal((await sdk.webhooks.getWebhook({ id: made.id })).projectIds, undefined);
    assert.equal((await publish(posthorn, newEvent(0, { projectId: alpha }))).deliveries, 1);
    assert.equal((await publish(posthorn, newEvent(0))).deliveries, 1);

    // A selection, and back to all.
    assert.deepEqual((await patchWebhook(posthorn, made.id, { projectIds: [alpha] })).projectIds, [alpha]);
    assert.equal((await publish(posthorn, newEvent(0))).deliveries, 0);
    const back = await patchWebhook(posthorn, made.id, { projectIds: projectIds ?? null });
    assert.ok(!('projectIds' in back));
    assert.equal((await publish(posthorn, newEvent(0))).deliveries, 1);
    await sdk.webhooks.deleteWebhook({ id: made.id });
  }
});

test('a selection stays a selection when its project is removed, and then matches nothing', async () => {
  const doomed = await makeProject('doomed');
  const made = await makeWebhook(posthorn, target, { projectIds: [doomed] });
  assert.deepEqual(made.projectIds, [doomed]);
  assert.equal((await publish(posthorn, newEvent(0, { projectId: doomed }))).deliveries, 1);
  assert.equal((await posthorn.call('DELETE', `/v9/projects/${doomed}`)).status, 204);

  assert.deepEqual((await sdk.webhooks.getWebhook({ id: made.id })).projectIds, [doomed]);
  assert.deepEqual((await list()).find(({ id }) => id === made.id)?.projectIds, [doomed]);
  assert.equal((await publish(posthorn, newEvent(0, { projectId: doomed }))).deliveries, 0);
  assert.equal((await publish(posthorn, newEvent(0))).deliveries, 0);
  const renamed = await patchWebhook(posthorn, made.id, { url: `${target}/other` });
  assert.deepEqual(renamed.projectIds, [doomed], 'a change of something else keeps it');
  assert.equal((await publish(posthorn, newEvent(0, { projectId: doomed }))).deliveries, 0);
  await sdk.webhooks.deleteWebhook({ id: made.id });
});

test('two webhooks may have the same URL and events; what cannot be is refused with its own code', async () => {
  const [alpha] = projects as [string, string, string];
  const twins = [await makeWebhook(posthorn, target), await makeWebhook(posthorn, target)];
  assert.notEqual(twins[0]?.secret, twins[1]?.secret);
  for (const { id } of twins) await sdk.webhooks.deleteWebhook({ id });

  const refused: [string, object, string, RegExp][] = [
    ['an unknown project', { projectIds: ['prj_unknown'] }, 'invalid_project', /GET \/v9\/projects/],
    [
      '51 projects',
      { projectIds: Array.from({ length: 51 }, (_, i) => `prj_${i}`) },
      'invalid_project',
      /50/,
    ],
    ['an unknown event', { events: ['deployment.imagined'] }, 'invalid_event', /deployment\.imagined/],
    ['no event', { events: [] }, 'invalid_event', /at least one/],
    [
      'a project’s own event for a selection',
      { events: ['project.created'], projectIds: [alpha] },
      'invalid_event',
      /All Team Projects/,
    ],
    ['another scheme', { url: 'ftp://example.com/' }, 'invalid_url', /http/],
    ['a private host', { url: 'http://10.0.0.1/' }, 'blocked_address', /POSTHORN_ALLOWED_NETWORKS/],
  ];
  for (const [what, fields, code, sentence] of refused) {
    const answer = await posthorn.call<ApiFailure>('POST', '/v1/webhooks', {
      body: { url: target, events: ['deployment.created'], ...fields },
    });
    assert.equal(answer.status, 400, what);
    assert.equal(answer.body.error.code, code, what);
    assert.match(answer.body.error.message, sentence, what);
  }
  assert.deepEqual(await list(), []);
});
