// Teams, members, tokens and sign-in links over the API: who may do what, and what is refused.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, test } from 'node:test';
import { type ControlPlane, publicUrl, startControlPlane } from './support/control.ts';

let plane: ControlPlane;
before(async () => {
  plane = await startControlPlane();
});
after(() => plane.close());

const errorOf = (answer: { body: { error?: { code: string; message: string } } }) => answer.body.error?.code;

test('the operator creates, reads, lists and changes teams', async () => {
  const created = await plane.call('POST', '/v1/teams', {
    body: { slug: 'north', name: 'North', plan: 'hobby' },
  });
  assert.equal(created.status, 200);
  assert.match(created.body.id, /^team_[A-Za-z0-9]{24}$/);
  assert.deepEqual(
    [created.body.slug, created.body.name, created.body.plan, created.body.billing],
    ['north', 'North', 'hobby', { plan: 'hobby' }],
  );
  const { id } = created.body;
  assert.deepEqual((await plane.call('GET', `/v2/teams/${id}`)).body, created.body);
  const patched = await plane.call('PATCH', `/v1/teams/${id}`, { body: { slug: 'south', plan: 'pro' } });
  assert.equal(patched.status, 200);
  assert.equal(patched.body.plan, 'pro');
  assert.deepEqual((await plane.call('GET', '/teams/south')).body, patched.body);
  assert.equal((await plane.call('GET', '/teams/north')).status, 404);
  const { teams } = (await plane.call('GET', '/v2/teams')).body;
  assert.deepEqual(new Set(teams.map((team: { slug: string }) => team.slug)), new Set(['south', 'default']));
});

test('a team keeps the id that the operator chose, and slugs and ids are taken once', async () => {
  const own = { slug: 'chosen', name: 'Chosen', plan: 'pro', id: 'acme-42' };
  assert.equal((await plane.call('POST', '/v1/teams', { body: own })).body.id, 'acme-42');
  for (const body of [
    { ...own, slug: 'other' },
    { ...own, id: 'other' },
  ]) {
    const refused = await plane.call('POST', '/v1/teams', { body });
    assert.deepEqual([refused.status, errorOf(refused)], [409, 'conflict']);
  }
  assert.equal((await plane.call('PATCH', '/v1/teams/acme-42', { body: { slug: 'default' } })).status, 409);
  const kept = await plane.call('PATCH', '/v1/teams/default', { body: { slug: 'elsewhere' } });
  assert.deepEqual([kept.status, errorOf(kept)], [409, 'conflict']);
});

test('teams page by time without losing one, also where several were made at once', async () => {
  await Promise.all(Array.from({ length: 7 }, (_, index) => plane.team(`page-${index}`)));
  const seen: string[] = [];
  let until = '';
  do {
    const { body } = await plane.call('GET', `/v2/teams?limit=2${until}`);
    seen.push(...body.teams.map((team: { slug: string }) => team.slug));
    until = body.pagination.next === null ? '' : `&until=${body.pagination.next}`;
  } while (until !== '');
  assert.equal(new Set(seen).size, seen.length);
  const { teams } = (await plane.call('GET', '/v2/teams?limit=100')).body;
  assert.deepEqual(
    seen,
    teams.map((team: { slug: string }) => team.slug),
  );
});

test('a token sees its own team only', async () => {
  const mine = await plane.team('mine');
  const other = await plane.team('not-mine');
  const token = await plane.token('VIEWER', { teamId: mine.id });
  const { teams } = (await plane.call('GET', '/v2/teams', { token })).body;
  assert.deepEqual(
    teams.map((team: { id: string }) => team.id),
    [mine.id],
  );
  assert.equal((await plane.call('GET', `/teams/${mine.id}?teamId=${mine.id}`, { token })).status, 200);
  assert.equal((await plane.call('GET', `/v2/teams/${other.id}`, { token })).status, 404);
  assert.equal((await plane.call('GET', `/v2/teams/not-mine`, { token })).status, 404);
  assert.equal((await plane.call('GET', `/v3/teams/${other.id}/members`, { token })).status, 404);
  assert.equal((await plane.call('GET', `/v2/teams/${other.id}?teamId=${other.id}`, { token })).status, 403);
  assert.equal(
    (await plane.call('POST', '/v1/teams', { token, body: { slug: 'x', name: 'x' } })).status,
    403,
  );
  assert.equal(
    (await plane.call('PATCH', `/v1/teams/${mine.id}`, { token, body: { plan: 'pro' } })).status,
    403,
  );
});

test('who names no team that is there hears by what it was looked for', async () => {
  const { slug } = await plane.team('named');
  const asked = async (query: string) => {
    const { status, body } = await plane.call('GET', `/v1/webhooks?${query}`);
    return [status, body.error.message];
  };
  const advice = 'teamId= takes an id and slug= a slug; GET /v2/teams lists both.';
  assert.deepEqual(await asked(`teamId=${slug}`), [404, `There is no team with the id ${slug}. ${advice}`]);
  assert.deepEqual(await asked('slug=nobody'), [404, `There is no team with the slug nobody. ${advice}`]);
});

test('members: an owner adds, changes and removes them; the last owner stays', async () => {
  const team = await plane.team('crew');
  const invite = (email: string, role: string, token?: string) =>
    plane.call('POST', `/v1/teams/${team.id}/members`, {
      body: { email, role },
      ...(token ? { token } : {}),
    });
  const first = await invite('Ann@Example.com', 'OWNER');
  assert.equal(first.status, 200);
  assert.match(first.body.uid, /^[A-Za-z0-9]{24}$/);
  assert.deepEqual(
    [first.body.email, first.body.username, first.body.role],
    ['ann@example.com', 'ann', 'OWNER'],
  );

  const owner = await plane.token('OWNER', { teamId: team.id });
  const second = await invite('bob@example.com', 'DEVELOPER', owner);
  assert.equal(second.status, 200);
  const again = await invite('BOB@example.com', 'VIEWER', owner);
  assert.deepEqual([again.status, errorOf(again)], [409, 'conflict']);
  assert.equal((await invite('cat@example.com', 'PUBLISHER', owner)).status, 400);
  const member = await plane.token('MEMBER', { teamId: team.id });
  assert.equal((await invite('cat@example.com', 'VIEWER', member)).status, 403);

  const list = (await plane.call('GET', `/v3/teams/${team.id}/members`, { token: member })).body;
  assert.deepEqual(
    new Map(list.members.map((one: { email: string; role: string }) => [one.email, one.role])),
    new Map([
      ['ann@example.com', 'OWNER'],
      ['bob@example.com', 'DEVELOPER'],
    ]),
  );
  assert.equal(list.pagination.hasNext, false);
  const owners = (await plane.call('GET', `/v3/teams/${team.id}/members?role=OWNER&search=ANN`)).body.members;
  assert.equal(owners.length, 1);

  const path = (uid: string) => `/v1/teams/${team.id}/members/${uid}`;
  for (const refused of [
    await plane.call('DELETE', path(first.body.uid), { token: owner }),
    await plane.call('PATCH', path(first.body.uid), { token: owner, body: { role: 'MEMBER' } }),
  ]) {
    assert.deepEqual([refused.status, errorOf(refused)], [409, 'conflict']);
    assert.match(refused.body.error.message, /last owner/);
  }
  assert.equal(
    (await plane.call('PATCH', path(second.body.uid), { token: owner, body: { role: 'OWNER' } })).status,
    200,
  );
  assert.equal((await plane.call('DELETE', path(first.body.uid), { token: owner })).status, 200);
  assert.equal((await plane.call('DELETE', path(first.body.uid), { token: owner })).status, 404);
});

test('of two owners who leave at once, one stays', async () => {
  const team = await plane.team('twins');
  const uids = [];
  for (const email of ['one@example.com', 'two@example.com']) {
    const { body } = await plane.call('POST', `/v1/teams/${team.id}/members`, {
      body: { email, role: 'OWNER' },
    });
    uids.push(body.uid);
  }
  const answers = await Promise.all(
    uids.map((uid) => plane.call('DELETE', `/v1/teams/${team.id}/members/${uid}`)),
  );
  assert.deepEqual(
    answers.map(({ status }) => status).toSorted((a, b) => a - b),
    [200, 409],
  );
});

test('a person’s tokens go with the person, and down with the role', async () => {
  const team = await plane.team('leavers');
  const add = async (email: string, role: string): Promise<string> =>
    (await plane.call('POST', `/v1/teams/${team.id}/members`, { body: { email, role } })).body.uid;
  const uid = await add('dan@example.com', 'MEMBER');
  const writer = await plane.token('MEMBER', { teamId: team.id, userId: uid });
  const reader = await plane.token('VIEWER', { teamId: team.id, userId: uid });
  const whoIs = (token: string) => plane.call('GET', '/v2/user', { token });
  assert.deepEqual((await whoIs(writer)).body.user.id, uid);
  assert.equal((await whoIs(writer)).body.user.email, 'dan@example.com');

  const above = await plane.call('POST', '/v1/tokens', {
    body: { name: 'x', role: 'OWNER', teamId: team.id, userId: uid },
  });
  assert.equal(above.status, 400);
  const stranger = await plane.call('POST', '/v1/tokens', {
    body: { name: 'x', role: 'VIEWER', teamId: (await plane.team('strangers')).id, userId: uid },
  });
  assert.equal(stranger.status, 400);

  await plane.call('PATCH', `/v1/teams/${team.id}/members/${uid}`, { body: { role: 'VIEWER' } });
  assert.equal((await whoIs(writer)).status, 403);
  assert.equal((await whoIs(reader)).status, 200);
  await plane.call('DELETE', `/v1/teams/${team.id}/members/${uid}`);
  assert.equal((await whoIs(reader)).status, 403);
});

test('tokens: shown once, listed without secrets, revoked at once', async () => {
  const team = await plane.team('tokens');
  const created = await plane.call('POST', '/v1/tokens', {
    body: { name: 'ci', role: 'OWNER', teamId: team.id },
  });
  assert.equal(created.status, 201);
  const { token, ...shown } = created.body;
  assert.match(token, /^[A-Za-z0-9]{24}$/);
  assert.deepEqual([shown.name, shown.role, shown.teamId, shown.expiresAt], ['ci', 'OWNER', team.id, null]);

  const user = (await plane.call('GET', '/v2/user', { token })).body.user;
  assert.match(user.id, /^[A-Za-z0-9]{24}$/);
  assert.deepEqual([user.username, user.defaultTeamId], ['ci', team.id]);

  const list = await plane.call('GET', '/v1/tokens', { token });
  assert.deepEqual(
    list.body.tokens.map((one: { id: string }) => one.id),
    [shown.id],
  );
  assert.equal(typeof list.body.tokens[0].lastUsedAt, 'number');
  const hash = createHash('sha256').update(token).digest('hex');
  for (const secret of [token, hash]) assert.ok(!JSON.stringify(list.body).includes(secret));
  const rows = await plane.store.read(plane.store.queries.selectFrom('tokens').selectAll().compile());
  assert.ok(rows.some((row) => row.hash === hash));
  assert.ok(!JSON.stringify([rows, await plane.audit()]).includes(token));

  assert.equal((await plane.call('DELETE', `/v1/tokens/${shown.id}`)).status, 204);
  assert.equal((await plane.call('GET', '/v2/user', { token })).status, 403);
  assert.equal((await plane.call('DELETE', `/v1/tokens/${shown.id}`)).status, 404);
});

test('tokens: an owner makes none above itself, none for others, none for publishing', async () => {
  const team = await plane.team('makers');
  const other = await plane.team('other-makers');
  const owner = await plane.token('OWNER', { teamId: team.id });
  const make = (body: object, token = owner) =>
    plane.call('POST', '/v1/tokens', { token, body: { name: 'x', ...body } });
  assert.equal((await make({ role: 'OWNER' })).body.teamId, team.id);
  assert.equal((await make({ role: 'VIEWER', teamId: team.id })).status, 201);
  assert.equal((await make({ role: 'VIEWER', teamId: other.id })).status, 403);
  assert.equal((await make({ role: 'PUBLISHER' })).status, 403);
  assert.equal((await make({ role: 'OPERATOR' })).status, 400);
  assert.equal((await make({ role: 'VIEWER', userId: 'somebody' })).status, 403);
  assert.equal(
    (await make({ role: 'VIEWER' }, await plane.token('MEMBER', { teamId: team.id }))).status,
    403,
  );
  assert.equal((await make({ role: 'VIEWER', expiresAt: 1 })).status, 400);

  const theirs = await plane.call('POST', '/v1/tokens', {
    body: { name: 'x', role: 'VIEWER', teamId: other.id },
  });
  assert.equal((await plane.call('DELETE', `/v1/tokens/${theirs.body.id}`, { token: owner })).status, 404);
  const everywhere = await plane.call('POST', '/v1/tokens', { body: { name: 'x', role: 'PUBLISHER' } });
  assert.equal(everywhere.body.teamId, null);
  assert.equal(
    (await plane.call('DELETE', `/v1/tokens/${everywhere.body.id}`, { token: owner })).status,
    404,
  );
  const ofTeam = await plane.call('POST', '/v1/tokens', {
    body: { name: 'x', role: 'PUBLISHER', teamId: team.id },
  });
  assert.equal(ofTeam.body.teamId, team.id);
  const all = (await plane.call('GET', '/v1/tokens?limit=100')).body.tokens.map(
    (one: { id: string }) => one.id,
  );
  assert.ok(all.includes(everywhere.body.id));
  const own = (await plane.call('GET', '/v1/tokens?limit=100', { token: owner })).body.tokens;
  assert.ok(!own.some((one: { id: string }) => one.id === everywhere.body.id));
});

test('a token works until it expires', async () => {
  const token = await plane.token('VIEWER', { expiresAt: Date.now() + 3_600_000 });
  assert.equal((await plane.call('GET', '/v2/user', { token })).status, 200);
  plane.pass(2 * 3_600_000);
  const refused = await plane.call('GET', '/v2/user', { token });
  assert.deepEqual([refused.status, errorOf(refused)], [403, 'forbidden']);
});

test('a sign-in link is for the operator to make; its token is stored hashed', async () => {
  const made = await plane.call('POST', '/v1/sign-in-links');
  assert.equal(made.status, 201);
  const [address, token] = made.body.url.split('#');
  assert.equal(address, `${publicUrl}/app/sign-in`);
  assert.match(token, /^[A-Za-z0-9]{32}$/);
  const links = await plane.store.read(plane.store.queries.selectFrom('sign_in_links').selectAll().compile());
  const link = links.find(({ hash }) => hash === createHash('sha256').update(token).digest('hex'));
  assert.equal(link?.expires_at, made.body.expiresAt);
  assert.equal(made.body.expiresAt - (link?.created_at ?? 0), 15 * 60_000);
  assert.equal((await plane.call('POST', '/v1/sign-in-links', { body: { userId: 'nobody' } })).status, 404);
  const owner = await plane.token('OWNER');
  assert.equal((await plane.call('POST', '/v1/sign-in-links', { token: owner })).status, 403);
});

test('every change has an audit record that says who, what and from where', async () => {
  const team = await plane.team('audited');
  const owner = await plane.token('OWNER', { teamId: team.id });
  const added = await plane.call('POST', `/v1/teams/${team.id}/members`, {
    token: owner,
    body: { email: 'eve@example.com', role: 'VIEWER' },
  });
  const records = (await plane.audit()).filter((record) => record.team_id === team.id);
  assert.deepEqual(
    records.map(({ action, subject }) => [action, subject]),
    [
      ['team.created', team.id],
      ['token.created', records[1]?.subject],
      ['member.added', added.body.uid],
    ],
  );
  assert.deepEqual([records[0]?.actor, records[2]?.actor], ['operator', records[1]?.subject]);
  assert.equal(records[2]?.address, '127.0.0.1');
});
