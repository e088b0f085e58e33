// Signing in by a one-time link, and what a session may: the same as a token of that role, in the team that is asked
// for, from Posthorn's own pages, until it ends.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { addPerson, Browser, firstLink, signedIn, tokenOf } from './support/browser.ts';
import { until } from './support/calls.ts';
import { createDatabase } from './support/postgres.ts';
import { type Posthorn, startPosthorn } from './support/posthorn.ts';

let posthorn: Posthorn;
/** The owner that the first start made, in the first browser. */
let owner: Browser;

before(async () => {
  posthorn = await startPosthorn();
  owner = new Browser(posthorn);
});
after(() => posthorn.close());

const newLink = async (userId?: string): Promise<string> => {
  const body = userId === undefined ? {} : { userId };
  return tokenOf((await posthorn.call('POST', '/v1/sign-in-links', { body })).body.url);
};

async function newTeam(slug: string, plan = 'pro'): Promise<string> {
  const made = await posthorn.call('POST', '/v1/teams', { body: { slug, plan } });
  assert.equal(made.status, 200, JSON.stringify(made.body));
  return made.body.id;
}

const webhook = { url: 'http://127.0.0.1:9/', events: ['deployment.succeeded'] };

test('the link of the first start signs its owner in, once', async () => {
  const token = firstLink(posthorn);
  assert.match(token, /^[A-Za-z0-9]{32}$/);
  const page = await owner.call('GET', '/app/sign-in');
  assert.deepEqual(page.headers.getSetCookie(), [], 'looking at the page uses nothing up');

  const answer = await owner.call('POST', '/v1/sign-in', { body: { token } });
  assert.equal(answer.status, 200);
  assert.deepEqual(
    [answer.body.user.email, answer.body.user.username, answer.body.user.name],
    ['owner@localhost', 'owner', 'Owner'],
  );
  const [cookie = ''] = answer.headers.getSetCookie();
  const [value, ...flags] = cookie.split('; ');
  assert.match(value ?? '', /^posthorn_session=[A-Za-z0-9]{32}$/);
  assert.deepEqual(flags.toSorted(), ['HttpOnly', 'Max-Age=2592000', 'Path=/', 'SameSite=Lax']);
  assert.equal(answer.headers.get('cache-control'), 'no-store');

  const session = await owner.call('GET', '/v1/session');
  assert.equal(session.status, 200);
  assert.equal(session.headers.get('cache-control'), 'no-store');
  assert.equal(session.body.operator, true);
  assert.equal(session.body.user.id, answer.body.user.id);
  assert.deepEqual(
    session.body.teams.map(({ slug, plan, role }: Record<string, string>) => [slug, plan, role]),
    [['default', 'pro', 'OWNER']],
  );
  assert.equal((await owner.must('GET', '/v2/user')).user.id, answer.body.user.id);

  const again = await new Browser(posthorn).call('POST', '/v1/sign-in', { body: { token } });
  assert.equal(again.status, 403);
  assert.equal(again.body.error.code, 'forbidden');
  assert.deepEqual(again.headers.getSetCookie(), []);
});

test('of twenty who use a link at once, one signs in', async () => {
  const token = await newLink();
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => new Browser(posthorn).call('POST', '/v1/sign-in', { body: { token } })),
  );
  assert.deepEqual(answers.map(({ status }) => status).toSorted(), [200, ...Array(19).fill(403)]);
});

test('a sign-in that is malformed or unknown is refused', async () => {
  const visitor = new Browser(posthorn);
  for (const body of [{}, { token: 5 }, { token: '' }, { token: 'x'.repeat(201) }, [], null, 'token']) {
    const { status } = await visitor.call('POST', '/v1/sign-in', { body });
    assert.equal(status, 400, JSON.stringify(body));
  }
  const raw = await visitor.call('POST', '/v1/sign-in', {
    raw: 'token=x',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
  });
  assert.equal(raw.status, 415);
  assert.equal((await visitor.call('GET', '/v1/sign-in')).status, 401, 'there is no such page');
  const unknown = await visitor.call('POST', '/v1/sign-in', { body: { token: 'A'.repeat(32) } });
  assert.deepEqual([unknown.status, unknown.body.error.code], [403, 'forbidden']);
});

test('what changes something by a session comes from Posthorn’s own pages', async () => {
  const team = await newTeam('csrf');
  const user = await addPerson(posthorn, team, 'csrf@example.com', 'OWNER');
  const browser = await signedIn(posthorn, user);
  const { url } = posthorn;
  const { host } = new URL(url);
  const matrix: [headers: Record<string, string>, status: number][] = [
    [{ 'sec-fetch-site': 'same-origin' }, 200],
    [{ 'sec-fetch-site': 'same-origin', origin: url }, 200],
    [{ origin: url }, 200],
    [{ origin: `http://${host.toUpperCase()}` }, 200],
    [{ 'sec-fetch-site': 'cross-site' }, 403],
    [{ 'sec-fetch-site': 'same-site' }, 403],
    [{ 'sec-fetch-site': 'none' }, 403],
    [{ 'sec-fetch-site': 'cross-site', origin: url }, 403],
    [{ origin: 'https://evil.example' }, 403],
    [{ origin: `${url}.evil.example` }, 403],
    [{ origin: 'http://127.0.0.1:1' }, 403],
    [{ origin: 'null' }, 403],
    [{ origin: '' }, 403],
    [{}, 403],
  ];
  const cookie = `posthorn_session=${browser.cookies.get('posthorn_session')}`;
  const as = (method: string, path: string, headers: Record<string, string>, body?: unknown) =>
    posthorn.call(method, path, {
      token: null,
      headers: { cookie, ...headers },
      ...(body === undefined ? {} : { body }),
    });
  for (const [headers, status] of matrix) {
    const created = await as('POST', '/v1/webhooks', headers, webhook);
    assert.equal(created.status, status, JSON.stringify(headers));
    assert.equal((await as('GET', '/v1/webhooks', headers)).status, 200, 'reading is open to all');
  }
  const { id } = (await as('GET', '/v1/webhooks', {})).body[0];
  for (const [method, path] of [
    ['PATCH', `/v1/webhooks/${id}`],
    ['DELETE', `/v1/webhooks/${id}`],
    ['POST', '/v1/sign-out'],
    ['DELETE', '/v1/sessions/ses_1'],
    ['PUT', '/nowhere'],
  ] as const) {
    const answer = await as(
      method,
      path,
      { 'sec-fetch-site': 'cross-site' },
      method === 'PATCH' ? {} : undefined,
    );
    assert.equal(answer.status, 403, `${method} ${path}`);
  }
  const foreign = await as(
    'POST',
    '/v1/sign-in',
    { origin: 'https://evil.example' },
    { token: await newLink() },
  );
  assert.equal(foreign.status, 403, 'nobody is signed in by another site');
  assert.equal((await posthorn.call('GET', `/v1/webhooks/${id}`)).status, 200);
});

test('a request with a token and a cookie is the token’s', async () => {
  const { token } = (await posthorn.call('POST', '/v1/tokens', { body: { name: 'reader', role: 'VIEWER' } }))
    .body;
  const both = { token, headers: { 'sec-fetch-site': 'cross-site' } };
  assert.equal((await owner.call('GET', '/v2/user', both)).body.user.username, 'reader');
  assert.equal((await owner.call('POST', '/v1/webhooks', { ...both, body: webhook })).status, 403);
  assert.equal((await owner.call('GET', '/v2/user', { token: 'Unknown00000000000000000' })).status, 403);
  assert.equal((await owner.call('GET', '/v1/session', { token })).status, 403);
});

test('a person is in each team what they are there, and nothing in another', async () => {
  const first = await newTeam('first-team');
  const second = await newTeam('second-team');
  const third = await newTeam('third-team');
  const user = await addPerson(posthorn, first, 'pat@example.com', 'VIEWER');
  await addPerson(posthorn, second, 'pat@example.com', 'OWNER');
  const browser = await signedIn(posthorn, user);
  const { teams, operator } = await browser.must('GET', '/v1/session');
  assert.equal(operator, false);
  assert.deepEqual(
    teams.map(({ id, role }: Record<string, string>) => [id, role]),
    [
      [first, 'VIEWER'],
      [second, 'OWNER'],
    ],
  );
  const shown = (await browser.must('GET', '/v2/teams')).teams;
  assert.deepEqual(
    shown.map((team: { id: string; membership: { role: string } }) => [team.id, team.membership.role]),
    [
      [first, 'VIEWER'],
      [second, 'OWNER'],
    ],
  );
  const create = async (query: string) =>
    (await browser.call('POST', `/v1/webhooks${query}`, { body: webhook })).status;
  assert.equal(await create(''), 403, 'a viewer of the team that they joined first');
  assert.equal(await create(`?teamId=${first}`), 403);
  assert.equal(await create(`?teamId=${second}`), 200);
  assert.equal(await create('?slug=second-team'), 200);
  assert.equal(await create(`?teamId=${third}`), 403);
  assert.equal(await create('?slug=nowhere'), 403);
  assert.equal((await browser.call('GET', '/v1/webhooks')).status, 200);
  assert.equal((await browser.call('GET', `/v2/teams/${second}`)).status, 200);
  assert.equal((await browser.call('GET', `/v2/teams/${third}`)).status, 404);
  assert.equal((await browser.call('POST', '/v1/teams', { body: { slug: 'mine' } })).status, 403);
  assert.equal(
    (await browser.call('POST', '/v1/events', { body: { type: 'test-webhook', payload: {} } })).status,
    403,
  );
  const member = (id: string) => `/v1/teams/${id}/members`;
  const ann = { email: 'ann@example.com', role: 'MEMBER' };
  assert.equal((await browser.call('POST', member(first), { body: ann })).status, 403);
  assert.equal((await browser.call('POST', member(second), { body: ann })).status, 200);
});

test('the owner that the first start made is operator, other owners of its team are not', async () => {
  assert.equal((await owner.call('POST', '/v1/teams', { body: { slug: 'by-the-owner' } })).status, 200);
  assert.equal((await owner.call('GET', '/v2/teams/by-the-owner')).status, 200);
  const { teams } = await owner.must('GET', '/v1/session');
  const id = teams.find(({ slug }: { slug: string }) => slug === 'default').id;
  const other = await signedIn(posthorn, await addPerson(posthorn, id, 'second@example.com', 'OWNER'));
  assert.equal((await other.must('GET', '/v1/session')).operator, false);
  assert.equal((await other.call('POST', '/v1/teams', { body: { slug: 'by-another' } })).status, 403);
  assert.equal((await other.call('POST', '/v1/sign-in-links', { body: {} })).status, 403);
});

test('sessions are listed with where they come from, and end', async () => {
  const team = await newTeam('sessions');
  const user = await addPerson(posthorn, team, 'sam@example.com', 'MEMBER');
  const [one, two, stranger] = [
    await signedIn(posthorn, user),
    await signedIn(posthorn, user),
    await signedIn(posthorn, await addPerson(posthorn, team, 'eve@example.com', 'OWNER')),
  ];
  const { sessions } = await one.must('GET', '/v1/sessions');
  assert.equal(sessions.length, 2);
  const mine = sessions.find((session: { current: boolean }) => session.current);
  const his = sessions.find((session: { current: boolean }) => !session.current);
  assert.deepEqual([mine.address, mine.method, typeof mine.userAgent], ['127.0.0.1', 'link', 'string']);
  assert.ok(mine.createdAt <= mine.lastSeenAt && mine.lastSeenAt < mine.expiresAt);

  assert.equal((await stranger.call('DELETE', `/v1/sessions/${his.id}`)).status, 404);
  assert.equal((await one.call('DELETE', `/v1/sessions/${his.id}`)).status, 204);
  assert.equal((await one.call('DELETE', `/v1/sessions/${his.id}`)).status, 404);
  const ended = await two.call('GET', '/v1/webhooks');
  assert.deepEqual([ended.status, ended.body.error.code], [401, 'unauthorized']);
  assert.equal(two.cookies.size, 0, 'the browser is told to forget it');

  const copy = one.at(posthorn);
  assert.equal((await one.call('POST', '/v1/sign-out')).status, 204);
  assert.equal(one.cookies.size, 0);
  assert.equal((await copy.call('GET', '/v1/session')).status, 401);
  assert.equal((await new Browser(posthorn).call('GET', '/v1/session')).status, 401);

  const [former, latter] = [await signedIn(posthorn, user), new Browser(posthorn)];
  for (const [name, value] of former.cookies) latter.cookies.set(name, value);
  await latter.must('POST', '/v1/sign-in', { token: await newLink(user) });
  assert.equal(
    (await former.call('GET', '/v1/session')).status,
    401,
    'a new sign-in takes the old one’s place',
  );
});

test('who leaves their last team is signed out, and comes in no more', async () => {
  const [first, second] = [await newTeam('leaving'), await newTeam('staying')];
  const user = await addPerson(posthorn, first, 'lee@example.com', 'MEMBER');
  await addPerson(posthorn, second, 'lee@example.com', 'VIEWER');
  const browser = await signedIn(posthorn, user);
  const leave = (team: string) => posthorn.call('DELETE', `/v1/teams/${team}/members/${user}`);
  assert.equal((await leave(first)).status, 200);
  assert.equal((await browser.call('GET', `/v1/webhooks?teamId=${first}`)).status, 403);
  assert.equal((await browser.call('GET', `/v1/webhooks?teamId=${second}`)).status, 200);
  assert.equal((await leave(second)).status, 200);
  assert.equal((await browser.call('GET', '/v1/session')).status, 401);
  const answer = await browser.call('POST', '/v1/sign-in', { body: { token: await newLink(user) } });
  assert.equal(answer.status, 403);
  assert.match(answer.body.error.message, /no team/);
});

test('on another node a role and a session count for no longer than a second', async (context) => {
  const { url } = await createDatabase();
  const env = { DATABASE_URL: url, POSTHORN_SECRET_KEY: 'ab'.repeat(32) };
  const one = await startPosthorn(env);
  context.after(() => one.close());
  const two = await startPosthorn(env);
  context.after(() => two.close());
  const made = await one.call('POST', '/v1/teams', { body: { slug: 'nodes' } });
  const user = await addPerson(one, made.body.id, 'pg@example.com', 'OWNER');
  const there = await signedIn(one, user);
  const here = there.at(two);
  assert.equal((await here.must('GET', '/v1/session')).teams[0].role, 'OWNER');

  const everySoOften = 1_500;
  await addPerson(one, made.body.id, 'pg2@example.com', 'OWNER');
  const path = `/v1/teams/${made.body.id}/members/${user}`;
  assert.equal((await one.call('PATCH', path, { body: { role: 'VIEWER' } })).status, 200);
  assert.equal((await there.call('POST', '/v1/webhooks', { body: webhook })).status, 403, 'here at once');
  await until(
    () => here.call('POST', '/v1/webhooks', { body: webhook }),
    ({ status }) => status === 403,
    everySoOften,
  );
  const token = tokenOf((await one.call('POST', '/v1/sign-in-links', { body: { userId: user } })).body.url);
  const tries = [one, two, one, two, one, two].map((node) =>
    new Browser(node).call('POST', '/v1/sign-in', { body: { token } }),
  );
  const statuses = (await Promise.all(tries)).map(({ status }) => status);
  assert.deepEqual(statuses.toSorted(), [200, 403, 403, 403, 403, 403], 'one link, two nodes, one session');

  assert.equal((await here.call('GET', '/v1/session')).status, 200);
  assert.equal((await there.call('POST', '/v1/sign-out')).status, 204);
  await until(
    () => here.call('GET', '/v1/session'),
    ({ status }) => status === 401,
    everySoOften,
  );
});
