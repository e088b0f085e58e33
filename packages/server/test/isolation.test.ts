// A token or session of one team reads and touches nothing of another's: every call of the OpenAPI document is made
// with the other team's ids, and with the other team named in the query. Calls without an entry here fail the test.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { addPerson, signedIn } from './support/browser.ts';
import { type Answer, type CallOptions, type Posthorn, startPosthorn } from './support/posthorn.ts';

interface Operation {
  method: string;
  path: string;
  parameters: { name: string; in: string }[];
}

let posthorn: Posthorn;
/** The team whose things are not to be reached, and their ids by the path's segment before the parameter. */
let theirs: { teamId: string; ids: Record<string, string> };
/** Those of another team. */
let thieves: {
  /** What the role may is refused as not found; else it is forbidden. */
  role: 'OWNER' | 'PUBLISHER';
  signedIn: boolean;
  call(method: string, path: string, options: CallOptions): Promise<Answer>;
}[];
let operations: Operation[];

const variable = { key: 'STOLEN', value: 'x', type: 'plain', target: ['production'] };
/** A body that would be taken, were the thing one's own. */
const bodies: Record<string, unknown> = {
  'POST /v1/check-url': { url: 'http://127.0.0.1:9/' },
  'POST /v1/webhooks': { url: 'http://127.0.0.1:9/', events: ['deployment.created'] },
  'PATCH /v1/webhooks/{id}': { events: ['deployment.error'] },
  'POST /v1/webhooks/{id}/test': {},
  'POST /v1/webhooks/{id}/rotate-secret': {},
  'POST /v1/webhooks/{id}/replay': { since: 0, dryRun: true },
  'POST /v1/events': { type: 'test-webhook', payload: {} },
  'POST /v1/event-types': { type: 'a.b', label: 'A', category: 'B', schema: { type: 'object' } },
  'POST /v1/deliveries/{id}/redeliver': undefined,
  'POST /v1/teams': { slug: 'stolen', name: 'Stolen' },
  'PATCH /v1/teams/{idOrSlug}': { name: 'Stolen' },
  'POST /v1/teams/{idOrSlug}/members': { email: 'thief@example.com', role: 'OWNER' },
  'PATCH /v1/teams/{idOrSlug}/members/{uid}': { role: 'VIEWER' },
  'POST /v1/invitations': { email: 'thief@example.com', role: 'OWNER' },
  'POST /v1/tokens': { name: 'stolen', role: 'VIEWER' },
  'POST /v1/sign-in-links': {},
  'POST /v11/projects': { name: 'stolen' },
  'PATCH /v9/projects/{idOrName}': { name: 'stolen' },
  'POST /v10/projects/{idOrName}/env': variable,
  'PATCH /v9/projects/{idOrName}/env/{envId}': { value: 'stolen' },
  'DELETE /v1/projects/{idOrName}/env': { ids: ['stolen'] },
};

/** Calls that tokens may not make at all. */
const forSessions = new Set(['DELETE /v1/sessions/{id}']);

before(async () => {
  posthorn = await startPosthorn();
  const must = async (method: string, path: string, body?: unknown) => {
    const answer = await posthorn.call(method, path, body === undefined ? {} : { body });
    assert.ok(answer.status < 300, `${method} ${path}: ${JSON.stringify(answer.body)}`);
    return answer.body;
  };
  const { id: teamId } = await must('POST', '/v1/teams', { slug: 'victims', name: 'Victims', plan: 'pro' });
  const query = `?teamId=${teamId}`;
  const member = await must('POST', `/v1/teams/${teamId}/members`, {
    email: 'victim@example.com',
    role: 'OWNER',
  });
  const invitation = await must('POST', `/v1/invitations${query}`, {
    email: 'invited@example.com',
    role: 'MEMBER',
  });
  const token = await must('POST', '/v1/tokens', { name: 'victim', role: 'OWNER', teamId });
  const project = await must('POST', `/v11/projects${query}`, { name: 'victim' });
  const env = await must('POST', `/v10/projects/${project.id}/env`, { ...variable, key: 'OWN' });
  const webhook = await must('POST', `/v1/webhooks${query}`, {
    url: 'http://127.0.0.1:9/',
    events: ['project.created'],
  });
  const { sessions } = await (await signedIn(posthorn, member.uid)).must('GET', '/v1/sessions');
  const event = await must('POST', `/v1/webhooks/${webhook.id}/test`, {});
  const replay = await must('POST', `/v1/webhooks/${webhook.id}/replay`, { since: 0 });
  const { deliveries } = await must('GET', `/v1/webhooks/${webhook.id}/deliveries`);
  theirs = {
    teamId,
    ids: {
      teams: teamId,
      members: member.uid,
      invitations: invitation.id,
      tokens: token.id,
      projects: project.id,
      pull: project.id,
      env: env.created.id,
      webhooks: webhook.id,
      replays: replay.id,
      events: event.id,
      deliveries: deliveries[0].id,
      sessions: sessions[0].id,
    },
  };
  const { id: otherId } = await must('POST', '/v1/teams', { slug: 'thieves', name: 'Thieves', plan: 'pro' });
  thieves = [];
  for (const role of ['OWNER', 'PUBLISHER'] as const) {
    const { token: own } = await must('POST', '/v1/tokens', { name: role, role, teamId: otherId });
    thieves.push({
      role,
      signedIn: false,
      call: (method, path, options) => posthorn.call(method, path, { token: own, ...options }),
    });
  }
  const browser = await signedIn(posthorn, await addPerson(posthorn, otherId, 'thief@example.com', 'OWNER'));
  thieves.push({
    role: 'OWNER',
    signedIn: true,
    call: (method, path, options) => browser.call(method, path, options),
  });
  const document = await must('GET', '/openapi.json');
  operations = Object.entries<Record<string, { security?: unknown[]; parameters?: Operation['parameters'] }>>(
    document.paths,
  ).flatMap(([path, methods]) =>
    Object.entries(methods)
      .filter(([, { security }]) => security?.length !== 0)
      .map(([method, { parameters = [] }]) => ({ method: method.toUpperCase(), path, parameters })),
  );
});
after(() => posthorn.close());

/** The path with the other team's ids in place of its parameters. */
function aim(path: string): string {
  const parts = path.split('/');
  return parts
    .map((part, index) => {
      if (!part.startsWith('{')) return part;
      if (part === '{target}') return 'production';
      const id = theirs.ids[parts[index - 1] ?? ''];
      assert.ok(id !== undefined, `the test has no id for ${part} of ${path}`);
      return id;
    })
    .join('/');
}

async function snapshot(): Promise<string> {
  const { teamId, ids } = theirs;
  const paths = [
    `/v2/teams/${teamId}`,
    `/v3/teams/${teamId}/members`,
    `/v1/invitations?teamId=${teamId}`,
    `/v9/projects/${ids.projects}`,
    `/v10/projects/${ids.projects}/env?decrypt=true`,
    `/v1/webhooks?teamId=${teamId}`,
    `/v1/events?teamId=${teamId}`,
  ];
  const answers = await Promise.all(paths.map((path) => posthorn.call('GET', path)));
  return JSON.stringify(answers.map(({ status, body }) => ({ status, body })));
}

test('asked for by id, another team’s things are not there', async () => {
  const untouched = await snapshot();
  let walked = 0;
  for (const { method, path } of operations) {
    if (!path.includes('{')) continue;
    walked += 1;
    const call = `${method} ${path}`;
    assert.ok(method === 'GET' || method === 'DELETE' || call in bodies, `the test has no body for ${call}`);
    for (const thief of thieves) {
      const body = bodies[call];
      const { status } = await thief.call(method, aim(path), body === undefined ? {} : { body });
      // What the role may not do at all is refused before anything is looked for.
      assert.ok(status === 404 || status === 403, `${call} answers ${status}`);
      const isOwners = call !== 'PATCH /v1/teams/{idOrSlug}' && (thief.signedIn || !forSessions.has(call));
      if (thief.role === 'OWNER' && isOwners) assert.equal(status, 404, `${call} answers ${status}`);
    }
  }
  assert.ok(walked > 15, `only ${walked} calls`);
  assert.equal(await snapshot(), untouched);
});

test('another team that is named in the query is refused', async () => {
  const untouched = await snapshot();
  let walked = 0;
  for (const { method, path, parameters } of operations) {
    if (!parameters.some((parameter) => parameter.in === 'query' && parameter.name === 'teamId')) continue;
    walked += 1;
    const call = `${method} ${path}`;
    for (const thief of thieves) {
      const body = bodies[call];
      for (const query of [`teamId=${theirs.teamId}`, 'slug=victims']) {
        const options = body === undefined ? {} : { body };
        const { status, body: answer } = await thief.call(method, `${aim(path)}?${query}`, options);
        assert.equal(status, 403, `${call}?${query} answers ${status} ${JSON.stringify(answer)}`);
      }
    }
  }
  assert.ok(walked > 20, `only ${walked} calls`);
  assert.equal(await snapshot(), untouched);
});

test('every call needs a token that is known', async () => {
  for (const { method, path } of operations) {
    const none = await posthorn.call(method, aim(path), { token: null });
    assert.equal(none.status, 401, `${method} ${path} answers ${none.status} without a token`);
    const unknown = await posthorn.call(method, aim(path), { token: 'UnknownToken000000000000' });
    assert.equal(unknown.status, 403, `${method} ${path} answers ${unknown.status} to an unknown token`);
  }
});
