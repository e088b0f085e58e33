// Signing in by e-mail address and password: what is taken, how guessing is slowed, what a change of it ends.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { addPerson, Browser, signedIn } from './support/browser.ts';
import { startControlPlane } from './support/control.ts';
import { type Posthorn, startPosthorn } from './support/posthorn.ts';

let posthorn: Posthorn;
let team: string;

before(async () => {
  posthorn = await startPosthorn();
  team = (await posthorn.call('POST', '/v1/teams', { body: { slug: 'people' } })).body.id;
});
after(() => posthorn.close());

const good = 'correct horse battery staple';

/** A person with a password, and a browser in which they are signed in. */
async function person(email: string, password = good): Promise<Browser> {
  const browser = await signedIn(posthorn, await addPerson(posthorn, team, email, 'MEMBER'));
  await browser.must('PUT', '/v1/user/password', { password });
  return browser;
}

const signIn = (email: string, password: string, headers: Record<string, string> = {}) =>
  new Browser(posthorn).call('POST', '/v1/sign-in', { body: { email, password }, headers });

/** Calls come from this address, as a proxy on this machine says. */
const from = (address: string) => ({ 'x-forwarded-for': address });

test('a person signs in with the password that they chose', async () => {
  const first = await person('pat@example.com');
  assert.equal((await first.must('GET', '/v1/session')).user.hasPassword, true);
  assert.deepEqual(await first.must('GET', '/v1/sign-in-methods'), { password: true, oidc: null });
  const answer = await signIn('Pat@Example.com', good);
  assert.equal(answer.status, 200);
  assert.equal(answer.body.user.email, 'pat@example.com');
  assert.equal(answer.headers.getSetCookie().length, 1);
  // The same password, typed as other code points.
  await first.must('PUT', '/v1/user/password', { password: 'ﬁne caf\u00e9 of many words', current: good });
  assert.equal((await signIn('pat@example.com', 'fine cafe\u0301 of many words')).status, 200);
});

test('what is wrong is not said: nobody learns who has an account', async () => {
  await person('known@example.com');
  await addPerson(posthorn, team, 'without@example.com', 'OWNER');
  const answers = [
    await signIn('known@example.com', 'wrong horse battery staple'),
    await signIn('unknown@example.com', good),
    await signIn('without@example.com', good),
    await signIn('owner@localhost', good),
  ];
  for (const { status, body, headers } of answers) {
    assert.equal(status, 403);
    assert.deepEqual(body, answers[0]?.body);
    assert.deepEqual(headers.getSetCookie(), []);
  }
});

test('a password that is guessed easily is not taken', async () => {
  const browser = await signedIn(
    posthorn,
    await addPerson(posthorn, team, 'long.address@example.com', 'MEMBER'),
  );
  for (const password of [
    '',
    'short',
    'elevenchars',
    'aaaaaaaaaaaaaaaa',
    'abababababababab',
    'Long.Address@example.com',
    'x'.repeat(257),
    5,
    null,
  ]) {
    const answer = await browser.call('PUT', '/v1/user/password', { body: { password } });
    assert.equal(answer.status, 400, String(password));
  }
  assert.equal((await browser.must('GET', '/v1/session')).user.hasPassword, false);
  for (const body of [
    { email: 'a@b' },
    { password: good },
    { email: 5, password: good },
    { email: 'x', password: good },
    { email: 'a\u0000@b', password: good },
  ]) {
    assert.equal((await browser.call('POST', '/v1/sign-in', { body })).status, 400, JSON.stringify(body));
  }
});

test('changing a password needs the one before, and ends the other sessions', async () => {
  const here = await person('change@example.com');
  const there = new Browser(posthorn);
  await there.must('POST', '/v1/sign-in', { email: 'change@example.com', password: good });
  const change = (body: object) => here.call('PUT', '/v1/user/password', { body });
  const next = 'another horse, another battery';
  assert.equal((await change({ password: next })).status, 400);
  assert.equal((await change({ password: next, current: 'wrong horse battery staple' })).status, 403);
  assert.equal((await there.call('GET', '/v1/session')).status, 200);
  assert.equal((await change({ password: next, current: good })).status, 204);
  assert.equal((await there.call('GET', '/v1/session')).status, 401);
  assert.equal((await here.call('GET', '/v1/session')).status, 200);
  assert.equal((await signIn('change@example.com', good)).status, 403);
  assert.equal((await signIn('change@example.com', next)).status, 200);
  const token = { token: 'Operator0000000000000000', body: { password: next } };
  assert.equal(
    (await posthorn.call('PUT', '/v1/user/password', token)).status,
    403,
    'a token has no password',
  );
});

test('guesses at an account are slowed, wherever they come from, and no other account is', async () => {
  await person('target@example.com');
  await person('neighbour@example.com');
  const guesses = await Promise.all(
    Array.from({ length: 20 }, (_, i) =>
      signIn('target@example.com', `wrong password number ${i}`, from(`192.0.2.${i}`)),
    ),
  );
  const statuses = guesses.map(({ status }) => status).toSorted();
  assert.deepEqual(statuses, [...Array(10).fill(403), ...Array(10).fill(429)]);
  const slowed = guesses.find(({ status }) => status === 429);
  assert.equal(slowed?.body.error.code, 'rate_limited');
  const seconds = Number(slowed?.headers.get('retry-after'));
  assert.ok(seconds >= 1 && seconds <= 60, String(seconds));
  assert.equal((await signIn('TARGET@example.com', good, from('192.0.2.200'))).status, 429);
  assert.equal((await signIn('neighbour@example.com', good, from('192.0.2.1'))).status, 200);
});

test('guesses from an address are slowed over all accounts, and no other address is', async () => {
  await person('crowd@example.com');
  const links = (address: string, count: number) =>
    Promise.all(
      Array.from({ length: count }, () =>
        new Browser(posthorn).call('POST', '/v1/sign-in', {
          body: { token: 'A'.repeat(32) },
          headers: from(address),
        }),
      ),
    );
  const guesses = await links('198.51.100.7', 70);
  assert.equal(guesses.filter(({ status }) => status === 429).length, 10);
  assert.equal((await signIn('crowd@example.com', good, from('198.51.100.7'))).status, 429);
  assert.equal((await signIn('crowd@example.com', good, from('198.51.100.8'))).status, 200);
  await links('2001:db8:1:2::a', 60);
  assert.equal((await signIn('crowd@example.com', good, from('2001:db8:1:2:ffff::b'))).status, 429);
  assert.equal((await signIn('crowd@example.com', good, from('2001:db8:1:3::a'))).status, 200);
});

test('who knows their password may use it as often as they like', async () => {
  await person('often@example.com');
  for (let i = 0; i < 12; i++) {
    assert.equal((await signIn('often@example.com', good, from('203.0.113.5'))).status, 200);
  }
});

test('an address that no trusted proxy gave is not believed', async (context) => {
  const alone = await startPosthorn({ POSTHORN_TRUSTED_PROXIES: 'none' });
  context.after(() => alone.close());
  const listed = async (one: Posthorn, header: string) => {
    const browser = new Browser(one);
    const { url } = (await one.call('POST', '/v1/sign-in-links', { body: {} })).body;
    await browser.call('POST', '/v1/sign-in', { body: { token: url.split('#')[1] }, headers: from(header) });
    const { sessions } = await browser.must('GET', '/v1/sessions');
    return sessions.find(({ current }: { current: boolean }) => current).address;
  };
  assert.equal(await listed(alone, '192.0.2.9'), '127.0.0.1');
  assert.equal(await listed(posthorn, '192.0.2.9'), '192.0.2.9');
  assert.equal(await listed(posthorn, '192.0.2.1, 192.0.2.9'), '192.0.2.9', 'the last that is not trusted');
  assert.equal(await listed(posthorn, '<script>alert(1)</script>'), '127.0.0.1');
});

test('passwords and tokens are stored hashed, and no log or record has them', async () => {
  const plane = await startControlPlane();
  try {
    const made = (await plane.call('POST', '/v1/sign-in-links', { body: {} })).body;
    const token = made.url.split('#')[1];
    const page = { token: null, headers: { 'sec-fetch-site': 'same-origin' } };
    const answer = await plane.call('POST', '/v1/sign-in', { ...page, body: { token } });
    const cookie = String(answer.headers['set-cookie']).split(';')[0] ?? '';
    assert.match(String(answer.headers['set-cookie']), /; Secure/, 'the public URL is https');
    const signed = { token: null, headers: { 'sec-fetch-site': 'same-origin', cookie } };
    assert.equal(
      (await plane.call('PUT', '/v1/user/password', { ...signed, body: { password: good } })).status,
      204,
    );
    const typo = { email: 'nobody@example.com', password: 'typed my secret here' };
    assert.equal((await plane.call('POST', '/v1/sign-in', { ...page, body: typo })).status, 403);
    const { queries } = plane.store;
    const everything = JSON.stringify([
      await plane.store.read(queries.selectFrom('audit').selectAll().compile()),
      await plane.store.read(queries.selectFrom('sessions').selectAll().compile()),
      await plane.store.read(queries.selectFrom('passwords').selectAll().compile()),
      await plane.store.read(queries.selectFrom('sign_in_links').selectAll().compile()),
      await plane.store.read(queries.selectFrom('sign_in_tries').selectAll().compile()),
    ]);
    for (const secret of [
      good,
      token,
      cookie.split('=')[1] ?? '?',
      'typed my secret',
      'nobody@example.com',
    ]) {
      assert.ok(!everything.includes(secret), secret);
    }
    assert.match(everything, /\$argon2id\$v=19\$m=65536,t=3,p=4\$/);
    const actions = (await plane.audit()).map(({ action, actor, subject, detail, address }) => [
      action,
      actor === 'visitor' || actor === 'operator' ? actor : 'user',
      subject === 'unknown' ? subject : 'known',
      detail,
      address,
    ]);
    assert.deepEqual(actions.slice(-4), [
      ['sign-in-link.created', 'operator', 'known', '{}', '127.0.0.1'],
      ['session.started', 'user', 'known', '{"method":"link"}', '127.0.0.1'],
      ['password.set', 'user', 'known', '{}', '127.0.0.1'],
      ['sign-in.refused', 'visitor', 'unknown', '{"method":"password"}', '127.0.0.1'],
    ]);
  } finally {
    await plane.close();
  }
  for (const secret of [good, 'wrong password number']) assert.ok(!posthorn.output().includes(secret));
});

test('time: links, sessions and tries run out', async () => {
  const plane = await startControlPlane();
  const hour = 3_600_000;
  try {
    const page = { token: null, headers: { 'sec-fetch-site': 'same-origin' } };
    const link = async () => {
      const { url, expiresAt } = (await plane.call('POST', '/v1/sign-in-links', { body: {} })).body;
      return { token: url.split('#')[1], expiresAt };
    };
    const use = (token: string) => plane.call('POST', '/v1/sign-in', { ...page, body: { token } });
    const late = await link();
    plane.pass(15 * 60_000);
    assert.equal((await use(late.token)).status, 403, 'a link lives for 15 minutes');
    const { token } = await link();
    plane.pass(14 * 60_000);
    const answer = await use(token);
    assert.equal(answer.status, 200);
    const cookie = String(answer.headers['set-cookie']).split(';')[0] ?? '';
    const look = async () =>
      (await plane.call('GET', '/v1/session', { token: null, headers: { cookie } })).status;
    for (let day = 0; day < 29; day++) {
      plane.pass(24 * hour);
      assert.equal(await look(), 200, `used daily, day ${day}`);
    }
    plane.pass(25 * hour);
    assert.equal(await look(), 401, 'thirty days are the most');

    const again = String((await use((await link()).token)).headers['set-cookie']).split(';')[0] ?? '';
    const lookAgain = async () =>
      (await plane.call('GET', '/v1/session', { token: null, headers: { cookie: again } })).status;
    plane.pass(6 * 24 * hour);
    assert.equal(await lookAgain(), 200);
    plane.pass(7 * 24 * hour);
    assert.equal(await lookAgain(), 401, 'a week without use ends it');

    const guess = () => plane.call('POST', '/v1/sign-in', { ...page, body: { token: 'A'.repeat(32) } });
    for (let i = 0; i < 60; i++) assert.equal((await guess()).status, 403);
    assert.equal((await guess()).status, 429);
    plane.pass(10_000);
    assert.equal((await guess()).status, 403);
  } finally {
    await plane.close();
  }
});
