// Signing in with an OpenID provider, a real one: an identity is somebody only through an invitation for the address
// that the provider vouches for, and nothing that is changed, replayed or another browser's gets anybody in.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Vault } from '../src/vault.ts';
import { addPerson, Browser, signedIn, tokenOf } from './support/browser.ts';
import { until } from './support/calls.ts';
import { type Claims, startProvider, type TestProvider } from './support/open-id-provider.ts';
import { type Posthorn, startPosthorn } from './support/posthorn.ts';

let provider: TestProvider;
let posthorn: Posthorn;
let team: string;

before(async () => {
  provider = await startProvider();
  posthorn = await startPosthorn(provider.env);
  provider.admit(posthorn.url);
  team = (await posthorn.call('POST', '/v1/teams', { body: { slug: 'members' } })).body.id;
});
after(async () => {
  await posthorn.close();
  await provider.close();
});

const startPath = '/app/oidc/start';

async function invite(email: string, role = 'MEMBER'): Promise<string> {
  const made = await posthorn.call('POST', `/v1/invitations?teamId=${team}`, { body: { email, role } });
  assert.equal(made.status, 201, JSON.stringify(made.body));
  return tokenOf(made.body.url);
}

/** Goes from Posthorn to the provider, as far as the address that the provider sends the browser back to. */
async function goThere(browser: Browser, path = startPath): Promise<URL> {
  const began = await browser.call('GET', path);
  assert.equal(began.status, 302);
  const cookies = new Map<string, string>();
  let at = new URL(began.headers.get('location') ?? '', posthorn.url);
  for (let hops = 0; at.origin !== posthorn.url; hops++) {
    assert.ok(hops < 10, `still at ${at.href}`);
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await fetch(at, { redirect: 'manual', headers: { cookie } });
    for (const text of response.headers.getSetCookie()) {
      const [pair = ''] = text.split(';');
      cookies.set(pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1));
    }
    const location = response.headers.get('location');
    assert.ok(location !== null, `${at.href} answers ${response.status} ${await response.text()}`);
    at = new URL(location, at);
  }
  return at;
}

/** Comes back, as the provider's redirect makes the browser do; where it is then. */
async function comeBack(browser: Browser, url: URL): Promise<string> {
  const headers = { 'sec-fetch-site': 'cross-site' };
  const { status, headers: answer } = await browser.call('GET', url.pathname + url.search, { headers });
  assert.equal(status, 302);
  assert.equal(answer.get('cache-control'), 'no-store');
  return answer.get('location') ?? '';
}

/** All the way there and back. */
async function pass(browser: Browser, subject: string, claims: Claims, path = startPath): Promise<string> {
  provider.next = { subject, claims };
  return comeBack(browser, await goThere(browser, path));
}

/** The same with an invitation, which the page gives to the browser first. */
async function passInvited(
  browser: Browser,
  subject: string,
  claims: Claims,
  token: string,
): Promise<string> {
  const { url } = await browser.must('POST', '/v1/invitations/oidc', { token });
  assert.equal(url, startPath);
  return pass(browser, subject, claims, url);
}

const failed = (code: string) => `/app/sign-in?error=${code}`;
const verified = (email: string): Claims => ({ email, email_verified: true, name: 'A Person' });

test('somebody who was invited joins, and comes back from then on', async () => {
  const { oidc } = await new Browser(posthorn).must('GET', '/v1/sign-in-methods');
  assert.deepEqual(oidc, { name: 'Test Login', startUrl: startPath });
  const browser = new Browser(posthorn);
  const token = await invite('Joined@Example.com', 'DEVELOPER');
  assert.equal(await passInvited(browser, 'sub-joined', verified('joined@example.com'), token), '/app/');
  assert.deepEqual([...browser.cookies.keys()], ['posthorn_session'], 'nothing else is left behind');
  const session = await browser.must('GET', '/v1/session');
  assert.deepEqual(
    [session.user.email, session.user.name, session.user.hasPassword, session.teams[0].role],
    ['joined@example.com', 'A Person', false, 'DEVELOPER'],
  );
  const again = new Browser(posthorn);
  // The identity is its issuer and subject: what the provider calls the person may change.
  assert.equal(
    await pass(again, 'sub-joined', { email: 'other@example.com' }, `${startPath}?next=/webhooks`),
    '/app/webhooks',
  );
  assert.equal((await again.must('GET', '/v1/session')).user.id, session.user.id);
  assert.equal((await again.must('GET', '/v1/sessions')).sessions[0].method, 'openid');
});

test('an identity that nobody invited is nobody, even with a member’s address', async () => {
  await addPerson(posthorn, team, 'member@example.com', 'OWNER');
  for (const [subject, claims] of [
    ['sub-stranger', verified('stranger@example.com')],
    ['sub-impostor', verified('member@example.com')],
    ['sub-owner', verified('owner@localhost')],
  ] as const) {
    const browser = new Browser(posthorn);
    assert.equal(await pass(browser, subject, claims), failed('oidc_unknown'));
    assert.equal(browser.cookies.size, 0);
  }
});

test('an address that the provider does not vouch for, or another one, does not join', async () => {
  const token = await invite('wanted@example.com');
  for (const [claims, code] of [
    [{ email: 'wanted@example.com', email_verified: false }, 'oidc_unverified'],
    [{ email: 'wanted@example.com' }, 'oidc_unverified'],
    [{ email_verified: true }, 'oidc_unverified'],
    [{ email: 'not an address', email_verified: true }, 'oidc_unverified'],
    [verified('unwanted@example.com'), 'invitation_email'],
    [verified('wanted@example.com.evil.example'), 'invitation_email'],
  ] as [Claims, string][]) {
    const browser = new Browser(posthorn);
    assert.equal(
      await passInvited(browser, 'sub-unverified', claims, token),
      failed(code),
      JSON.stringify(claims),
    );
    assert.equal(browser.cookies.size, 0);
  }
  assert.equal(await passInvited(new Browser(posthorn), 'sub-joined', {}, token), failed('invitation_email'));
  assert.equal(
    await passInvited(new Browser(posthorn), 'sub-wanted', verified('wanted@example.com'), token),
    '/app/',
  );
  const used = await new Browser(posthorn).call('POST', '/v1/invitations/oidc', { body: { token } });
  assert.equal(used.status, 404);
});

test('an invitation that is used or taken back on the way lets nobody in', async () => {
  const token = await invite('late@example.com');
  const browser = new Browser(posthorn);
  provider.next = { subject: 'sub-late', claims: verified('late@example.com') };
  await browser.must('POST', '/v1/invitations/oidc', { token });
  const back = await goThere(browser);
  await invite('late@example.com');
  assert.equal(await comeBack(browser, back), failed('invitation_gone'));
});

test('an account that somebody has is not taken over by its address', async () => {
  const email = 'taken@example.com';
  const holder = new Browser(posthorn);
  await holder.must('POST', '/v1/invitations/accept', {
    token: await invite(email),
    password: 'correct horse battery staple',
  });
  const other = (await posthorn.call('POST', '/v1/teams', { body: { slug: 'second' } })).body.id;
  const made = await posthorn.call('POST', `/v1/invitations?teamId=${other}`, {
    body: { email, role: 'OWNER' },
  });
  const token = tokenOf(made.body.url);
  assert.equal(
    await passInvited(new Browser(posthorn), 'sub-taken', verified(email), token),
    failed('sign_in_first'),
  );
  // Signed in as that account, the identity becomes one more way into it.
  assert.equal(await passInvited(holder, 'sub-taken', verified(email), token), '/app/');
  assert.equal((await holder.must('GET', '/v1/session')).teams.length, 2);

  const unclaimed = await addPerson(posthorn, other, 'unclaimed@example.com', 'VIEWER');
  const second = new Browser(posthorn);
  assert.equal(
    await passInvited(
      second,
      'sub-unclaimed',
      verified('unclaimed@example.com'),
      await invite('unclaimed@example.com'),
    ),
    '/app/',
  );
  assert.equal((await second.must('GET', '/v1/session')).user.id, unclaimed, 'nobody had it before');
});

test('what was changed on the way, replayed, or is another browser’s gets nobody in', async () => {
  const token = await invite('tampered@example.com');
  const joined = { subject: 'sub-joined', claims: {} };
  const there = async (browser: Browser) => {
    provider.next = joined;
    return goThere(browser);
  };
  const changed = async (change: (url: URL, browser: Browser) => void) => {
    const browser = new Browser(posthorn);
    const url = await there(browser);
    change(url, browser);
    const at = await comeBack(browser, url);
    assert.ok(!browser.cookies.has('posthorn_session'));
    return at;
  };
  assert.equal(await changed((url) => url.searchParams.set('state', 'another')), failed('oidc_state'));
  assert.equal(await changed((url) => url.searchParams.delete('state')), failed('oidc_state'));
  assert.equal(await changed((url) => url.searchParams.set('code', 'another')), failed('oidc_failed'));
  assert.equal(await changed((url) => url.searchParams.delete('code')), failed('oidc_failed'));
  assert.equal(
    await changed((url) => url.searchParams.set('iss', 'https://evil.example')),
    failed('oidc_failed'),
  );
  assert.equal(await changed((_, browser) => browser.cookies.clear()), failed('oidc_state'));
  for (const bad of ['', 'x', 'A'.repeat(400)]) {
    assert.equal(
      await changed((_, browser) => browser.cookies.set('posthorn_openid', bad)),
      failed('oidc_state'),
    );
  }
  const flow = (browser: Browser) => browser.cookies.get('posthorn_openid') ?? '';
  assert.equal(
    await changed((_, browser) => {
      const text = flow(browser);
      browser.cookies.set('posthorn_openid', `${text.slice(0, -2)}${text.endsWith('AA') ? 'BB' : 'AA'}`);
    }),
    failed('oidc_state'),
  );

  // The provider's answer to another question: all fits but the nonce in what it signed.
  const key = readFileSync(join(posthorn.dataDir, 'secret-key'), 'utf8').trim();
  const vault = new Vault([Buffer.from(key, 'base64')]);
  const openFlow = (text: string) => JSON.parse(vault.open(Buffer.from(text, 'base64url'), 'openid-flow'));
  const reseal = (change: object) => (_: URL, browser: Browser) => {
    const text = JSON.stringify({ ...openFlow(flow(browser)), ...change });
    browser.cookies.set('posthorn_openid', vault.seal(text, 'openid-flow').toString('base64url'));
  };
  assert.equal(await changed(reseal({ nonce: 'another' })), failed('oidc_failed'));
  assert.equal(await changed(reseal({ verifier: 'a'.repeat(43) })), failed('oidc_failed'));
  assert.equal(await changed(reseal({ startedAt: Date.now() - 600_000 })), failed('oidc_state'));

  // The way back of one browser, brought to another that is on its own way: neither its state nor its nonce fits.
  const [mine, theirs] = [new Browser(posthorn), new Browser(posthorn)];
  const [myBack, theirBack] = [await there(mine), await there(theirs)];
  const mixed = new URL(myBack);
  mixed.searchParams.set('state', theirBack.searchParams.get('state') ?? '');
  assert.equal(await comeBack(theirs.at(posthorn), myBack), failed('oidc_state'));
  assert.equal(
    await comeBack(theirs, mixed),
    failed('oidc_failed'),
    'the code belongs to another verifier and nonce',
  );

  assert.equal(await comeBack(mine, myBack), '/app/', 'the browser that it was for still may');
  const fresh = new Browser(posthorn);
  const back = await there(fresh);
  const replay = fresh.at(posthorn);
  assert.equal(await comeBack(fresh, back), '/app/');
  assert.equal(await comeBack(fresh, back), failed('oidc_state'), 'the way back is gone once');
  assert.equal(await comeBack(replay, back), failed('oidc_failed'), 'and so is the code');
  assert.ok(!replay.cookies.has('posthorn_session'));
  assert.equal(
    (await new Browser(posthorn).call('POST', '/v1/invitations/preview', { body: { token } })).status,
    200,
  );
});

test('a no of the provider, a provider that is away, and none at all are told apart', async (context) => {
  provider.next = null;
  const browser = new Browser(posthorn);
  assert.equal(await comeBack(browser, await goThere(browser)), failed('access_denied'));

  const away = await startPosthorn({ ...provider.env, POSTHORN_OIDC_ISSUER: 'http://127.0.0.1:1' });
  context.after(() => away.close());
  const lost = await new Browser(away).call('GET', `${startPath}?next=/events`);
  assert.equal(lost.headers.get('location'), `${failed('oidc_failed')}&next=%2Fevents`);
  await until(
    () => Promise.resolve(away.output()),
    (output) => output.includes('OpenID provider could not be used'),
  );

  const without = await startPosthorn();
  context.after(() => without.close());
  assert.equal((await new Browser(without).must('GET', '/v1/sign-in-methods')).oidc, null);
  for (const path of [startPath, '/app/oidc/callback?code=x&state=y']) {
    const answer = await new Browser(without).call('GET', path);
    assert.equal(answer.headers.get('location'), failed('oidc_off'));
  }
});

test('the way back leads nowhere but to the dashboard', async () => {
  for (const next of [
    '//evil.example',
    '/\\evil.example',
    'https://evil.example',
    'evil',
    '/a b',
    '/a\r\nx: y',
  ]) {
    const path = `${startPath}?next=${encodeURIComponent(next)}`;
    assert.equal(await pass(new Browser(posthorn), 'sub-joined', {}, path), '/app/', next);
  }
  assert.equal(
    await pass(
      new Browser(posthorn),
      'sub-joined',
      {},
      `${startPath}?next=${encodeURIComponent('/t/x?state=failed')}`,
    ),
    '/app/t/x?state=failed',
  );
});

test('cookies of the way are for its paths alone, and no secret is logged', async () => {
  const browser = new Browser(posthorn);
  const token = await invite('cookies@example.com');
  const kept = await browser.call('POST', '/v1/invitations/oidc', { body: { token } });
  const began = await browser.call('GET', startPath);
  for (const cookie of [...kept.headers.getSetCookie(), ...began.headers.getSetCookie()]) {
    assert.match(cookie, /; Path=\/app\/oidc(;|$)/);
    assert.match(cookie, /; HttpOnly/);
    assert.match(cookie, /; SameSite=Lax/);
  }
  const there = new URL(began.headers.get('location') ?? '');
  assert.equal(there.searchParams.get('code_challenge_method'), 'S256');
  for (const name of ['state', 'nonce', 'code_challenge']) {
    assert.match(there.searchParams.get(name) ?? '', /^[\w-]{43}$/, name);
  }
  assert.equal(there.searchParams.get('redirect_uri'), `${posthorn.url}/app/oidc/callback`);
  assert.ok(!there.href.includes(token), 'the provider does not learn of the invitation');
  const foreign = { body: { token }, headers: { 'sec-fetch-site': 'cross-site' } };
  assert.equal((await new Browser(posthorn).call('POST', '/v1/invitations/oidc', foreign)).status, 403);
  const output = posthorn.output();
  for (const secret of [token, provider.env.POSTHORN_OIDC_CLIENT_SECRET ?? '?', 'code=']) {
    assert.ok(!output.includes(secret), secret);
  }
});

test('who lost their last team is told so', async () => {
  const browser = new Browser(posthorn);
  await passInvited(browser, 'sub-gone', verified('gone@example.com'), await invite('gone@example.com'));
  const { user } = await browser.must('GET', '/v1/session');
  assert.equal((await posthorn.call('DELETE', `/v1/teams/${team}/members/${user.id}`)).status, 200);
  assert.equal(await pass(new Browser(posthorn), 'sub-gone', {}), failed('no_team'));
  assert.equal((await signedIn(posthorn)).cookies.size, 1);
});
