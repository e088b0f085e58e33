// Invitations: one link, one address, one role, one use, and no way to come in as somebody else or as more.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { addPerson, Browser, signedIn, tokenOf } from './support/browser.ts';
import { startControlPlane } from './support/control.ts';
import { type Posthorn, startPosthorn } from './support/posthorn.ts';

let posthorn: Posthorn;
let team: string;
/** An owner of the team, signed in. */
let owner: Browser;
let ownerId: string;

before(async () => {
  posthorn = await startPosthorn();
  team = await newTeam('hosts');
  ownerId = await addPerson(posthorn, team, 'owner@example.com', 'OWNER');
  owner = await signedIn(posthorn, ownerId);
});
after(() => posthorn.close());

const good = 'correct horse battery staple';

async function newTeam(slug: string): Promise<string> {
  return (await posthorn.call('POST', '/v1/teams', { body: { slug, name: `The ${slug}` } })).body.id;
}

interface Invitation {
  id: string;
  token: string;
}

async function invite(
  email: string,
  role = 'MEMBER',
  by: Pick<Browser, 'call'> = owner,
  of = team,
): Promise<Invitation> {
  const made = await by.call('POST', `/v1/invitations?teamId=${of}`, { body: { email, role } });
  assert.equal(made.status, 201, JSON.stringify(made.body));
  assert.match(made.body.url, /^http:\/\/127\.0\.0\.1:\d+\/app\/invitation#[A-Za-z0-9]{32}$/);
  return { id: made.body.id, token: tokenOf(made.body.url) };
}

const accept = (token: string, more: object = {}, browser = new Browser(posthorn)) =>
  browser.call('POST', '/v1/invitations/accept', { body: { token, ...more } });
const preview = (token: string) =>
  new Browser(posthorn).call('POST', '/v1/invitations/preview', { body: { token } });

test('somebody new accepts, has an account from then on, and is signed in', async () => {
  const { id, token } = await invite('New.Person@example.com', 'DEVELOPER');
  const listed = (await owner.must('GET', `/v1/invitations?teamId=${team}`)).invitations;
  assert.deepEqual(
    listed.map((one: Record<string, unknown>) => [one.id, one.email, one.role, one.invitedBy]),
    [[id, 'new.person@example.com', 'DEVELOPER', 'owner']],
  );
  assert.ok(!JSON.stringify(listed).includes(token));
  const shown = await preview(token);
  assert.equal(shown.status, 200);
  const { email, role, team: of, account } = shown.body;
  assert.deepEqual(
    { email, role, of, account },
    {
      email: 'new.person@example.com',
      role: 'DEVELOPER',
      of: { slug: 'hosts', name: 'The hosts' },
      account: false,
    },
  );
  const browser = new Browser(posthorn);
  const answer = await accept(token, { name: 'New Person', password: good }, browser);
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  assert.deepEqual([answer.body.user.email, answer.body.user.name], ['new.person@example.com', 'New Person']);
  const session = await browser.must('GET', '/v1/session');
  assert.deepEqual([session.teams.length, session.teams[0].role, session.operator], [1, 'DEVELOPER', false]);
  const again = await new Browser(posthorn).call('POST', '/v1/sign-in', {
    body: { email: 'new.person@example.com', password: good },
  });
  assert.equal(again.status, 200);
  assert.deepEqual((await owner.must('GET', `/v1/invitations?teamId=${team}`)).invitations, []);
});

test('an invitation is used once, however many come at once', async () => {
  const { token } = await invite('once@example.com');
  const answers = await Promise.all(Array.from({ length: 20 }, () => accept(token)));
  assert.deepEqual(answers.filter(({ status }) => status === 200).length, 1);
  for (const { status } of answers) assert.ok([200, 403, 409].includes(status), String(status));
  assert.equal((await accept(token)).status, 403);
  assert.equal((await preview(token)).status, 404);
  const { members } = (await posthorn.call('GET', `/v3/teams/${team}/members?search=once`)).body;
  assert.equal(members.length, 1);
});

test('an invitation that was taken back or replaced is none', async () => {
  const first = await invite('again@example.com', 'OWNER');
  const second = await invite('Again@example.com', 'VIEWER');
  assert.equal((await accept(first.token)).status, 403);
  assert.equal((await preview(second.token)).body.role, 'VIEWER');
  assert.equal((await owner.call('DELETE', `/v1/invitations/${second.id}?teamId=${team}`)).status, 204);
  assert.equal((await owner.call('DELETE', `/v1/invitations/${second.id}?teamId=${team}`)).status, 404);
  assert.equal((await accept(second.token)).status, 403);
});

test('nobody invites above their own role, or who is there', async () => {
  for (const role of ['MEMBER', 'DEVELOPER', 'VIEWER']) {
    const browser = await signedIn(posthorn, await addPerson(posthorn, team, `${role}@example.com`, role));
    const refused = await browser.call('POST', '/v1/invitations', {
      body: { email: 'x@example.com', role: 'VIEWER' },
    });
    assert.equal(refused.status, 403, role);
    assert.equal((await browser.call('GET', '/v1/invitations')).status, 200);
  }
  for (const role of ['OPERATOR', 'PUBLISHER', 'owner', '', null]) {
    const refused = await owner.call('POST', '/v1/invitations', { body: { email: 'x@example.com', role } });
    assert.equal(refused.status, 400, String(role));
  }
  for (const email of [
    '',
    'x',
    'x@',
    'a b@example.com',
    'x@example.com\n',
    5,
    `${'x'.repeat(250)}@example.com`,
  ]) {
    const refused = await owner.call('POST', '/v1/invitations', { body: { email, role: 'VIEWER' } });
    assert.equal(refused.status, 400, String(email));
  }
  const there = await owner.call('POST', '/v1/invitations', {
    body: { email: 'OWNER@example.com', role: 'VIEWER' },
  });
  assert.equal(there.status, 409);
  const elsewhere = await owner.call('POST', `/v1/invitations?teamId=${await newTeam('elsewhere')}`, {
    body: { email: 'x@example.com', role: 'VIEWER' },
  });
  assert.equal(elsewhere.status, 403);
});

test('an invitation counts no more when its inviter may not give that role any more', async () => {
  const id = await addPerson(posthorn, team, 'leaving@example.com', 'OWNER');
  const leaving = await signedIn(posthorn, id);
  const path = `/v1/teams/${team}/members/${id}`;
  const [asOwner, asViewer] = [
    await invite('friend1@example.com', 'OWNER', leaving),
    await invite('friend2@example.com', 'VIEWER', leaving),
  ];
  assert.equal((await posthorn.call('PATCH', path, { body: { role: 'VIEWER' } })).status, 200);
  assert.equal((await accept(asOwner.token)).status, 403);
  assert.equal((await preview(asOwner.token)).status, 404);
  assert.equal((await preview(asViewer.token)).status, 200, 'what they still may give stays');
  assert.equal((await posthorn.call('DELETE', path)).status, 200);
  assert.equal((await accept(asViewer.token)).status, 403);

  const made = (
    await posthorn.call('POST', '/v1/tokens', { body: { name: 'hr', role: 'OWNER', teamId: team } })
  ).body;
  const program = {
    call: (method: string, at: string, options: object) =>
      posthorn.call(method, at, { token: made.token, ...options }),
  };
  const byToken = await invite('friend3@example.com', 'MEMBER', program);
  assert.equal((await preview(byToken.token)).body.invitedBy, 'hr');
  assert.equal((await posthorn.call('DELETE', `/v1/tokens/${made.id}`)).status, 204);
  assert.equal((await accept(byToken.token)).status, 403);
});

test('who has an account shows that it is theirs', async () => {
  const other = await newTeam('others');
  const host = await signedIn(posthorn, await addPerson(posthorn, other, 'host@example.com', 'OWNER'));
  const browser = new Browser(posthorn);
  await browser.must('POST', '/v1/invitations/accept', {
    token: (await invite('known@example.com')).token,
    password: good,
  });

  const first = await invite('known@example.com', 'OWNER', host, other);
  assert.equal((await preview(first.token)).body.account, true);
  const stranger = await signedIn(
    posthorn,
    await addPerson(posthorn, team, 'stranger@example.com', 'MEMBER'),
  );
  for (const refused of [
    await accept(first.token),
    await accept(first.token, { password: 'wrong horse battery staple' }),
    await accept(first.token, { name: 'Me', password: 'a password of my own' }),
    await accept(first.token, {}, stranger),
  ]) {
    assert.equal(refused.status, 403);
    assert.match(refused.body.error.message, /has an account/);
    assert.deepEqual(refused.headers.getSetCookie(), []);
  }
  const joined = await accept(first.token, {}, browser);
  assert.equal(joined.status, 200, JSON.stringify(joined.body));
  assert.deepEqual(
    (await browser.must('GET', '/v1/session')).teams.map(({ slug, role }: Record<string, string>) => [
      slug,
      role,
    ]),
    [
      ['hosts', 'MEMBER'],
      ['others', 'OWNER'],
    ],
  );
  const third = await newTeam('thirds');
  const byOperator = { call: posthorn.call } as Pick<Browser, 'call'>;
  const second = await invite('known@example.com', 'VIEWER', byOperator, third);
  assert.equal((await accept(second.token, { password: good })).status, 200, 'the password shows it too');

  const direct = await host.call('POST', `/v1/teams/${other}/members`, {
    body: { email: 'stranger@example.com', role: 'VIEWER' },
  });
  assert.equal(direct.status, 409, 'an account is not added unasked by an owner');
  assert.match(direct.body.error.message, /invitations/);
});

test('what is malformed changes nothing', async () => {
  const { token } = await invite('malformed@example.com');
  for (const body of [
    {},
    { token: 5 },
    { token: '' },
    { token, name: 'a\nb' },
    { token, name: '' },
    { token, password: 'short' },
    { token, password: 5 },
    [],
  ]) {
    const { status } = await new Browser(posthorn).call('POST', '/v1/invitations/accept', { body });
    assert.equal(status, 400, JSON.stringify(body));
  }
  const foreign = {
    body: { token },
    headers: { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' },
  };
  assert.equal((await new Browser(posthorn).call('POST', '/v1/invitations/accept', foreign)).status, 403);
  assert.equal((await preview(token)).status, 200);
  assert.equal((await preview('A'.repeat(32))).status, 404);
});

test('invitations run out after a week, and are recorded', async () => {
  const plane = await startControlPlane();
  try {
    const page = { token: null, headers: { 'sec-fetch-site': 'same-origin' } };
    const make = async (email: string) =>
      tokenOf((await plane.call('POST', '/v1/invitations', { body: { email, role: 'MEMBER' } })).body.url);
    const late = await make('late@example.com');
    const token = await make('intime@example.com');
    const use = (one: string) =>
      plane.call('POST', '/v1/invitations/accept', { ...page, body: { token: one } });
    plane.pass(7 * 24 * 3_600_000 - 1_000);
    assert.equal((await use(token)).status, 200);
    plane.pass(1_000);
    assert.equal((await use(late)).status, 403);
    assert.deepEqual((await plane.call('GET', '/v1/invitations')).body.invitations, []);
    // Those of one commit are of one moment, and stand in no order.
    const records = (await plane.audit()).slice(-5);
    assert.deepEqual(records.map(({ action }) => action).toSorted(), [
      'invitation.accepted',
      'invitation.created',
      'invitation.created',
      'invitation.refused',
      'session.started',
    ]);
    const accepted = records.find(({ action }) => action === 'invitation.accepted');
    const detail = JSON.parse(accepted?.detail ?? '');
    assert.deepEqual(
      [detail.email, detail.role, accepted?.actor],
      ['intime@example.com', 'MEMBER', detail.userId],
    );
    assert.ok(!JSON.stringify(records).includes(token));
  } finally {
    await plane.close();
  }
});
