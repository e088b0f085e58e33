// A real Posthorn on SQLite and somebody who has signed in to it in a real browser, as browser tests need them.
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { newDataDir, type Posthorn, startPosthorn } from '../../../server/test/support/posthorn.ts';
import { launchBrowser } from './browser.ts';

export interface Dashboard {
  posthorn: Posthorn;
  browser: Browser;
  /** A page in a session of its own, signed in by a one-time link; the operator unless told otherwise. */
  signIn(options?: SignInOptions): Promise<Page>;
  /** The address of a page of the team `default`: `settings/webhooks`. */
  address(path: string, team?: string): string;
  close(): Promise<void>;
}

export interface SignInOptions {
  userId?: string;
  viewport?: { width: number; height: number };
}

export const desktop = { width: 1280, height: 900 };
export const phone = { width: 390, height: 844 };

/** Starts both. Without `dataDir` the server has a new one of its own. */
export async function startDashboard(
  env: Record<string, string> = {},
  dataDir = newDataDir(),
): Promise<Dashboard> {
  const [posthorn, browser] = await Promise.all([
    startPosthorn({ POSTHORN_LOG_LEVEL: 'warn', ...env }, dataDir),
    launchBrowser(),
  ]);
  return {
    posthorn,
    browser,
    signIn: (options = {}) => signIn(posthorn, browser, options),
    address: (path, team = 'default') => `${posthorn.url}/app/team/${team}/${path}`,
    async close() {
      await browser.close();
      await posthorn.close();
    },
  };
}

async function signIn(
  posthorn: Posthorn,
  browser: Browser,
  { userId, viewport = desktop }: SignInOptions,
): Promise<Page> {
  const link = await posthorn.call<{ url: string }>('POST', '/v1/sign-in-links', {
    body: userId === undefined ? {} : { userId },
  });
  assert.equal(link.status, 201, JSON.stringify(link.body));
  const context = await newContext(posthorn, browser, viewport);
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  await page.goto(link.body.url);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page
    .getByRole('navigation', { name: 'Main' })
    .or(page.getByRole('button', { name: 'Menu' }))
    .first()
    .waitFor();
  return page;
}

/** A new team of its own for a test, and its slug. */
export async function addTeam(
  posthorn: Posthorn,
  slug: string,
  plan = 'pro',
): Promise<{ id: string; slug: string }> {
  const made = await posthorn.call<{ id: string; slug: string }>('POST', '/v1/teams', {
    body: { slug, name: `Team ${slug}`, plan },
  });
  assert.equal(made.status, 200, JSON.stringify(made.body));
  return made.body;
}

/** Somebody with a role in a team; their id is for `signIn`. */
export async function addMember(posthorn: Posthorn, role: string, team = 'default'): Promise<string> {
  const added = await posthorn.call<{ uid: string }>('POST', `/v1/teams/${team}/members`, {
    body: { email: `${role.toLowerCase()}-${team}@example.com`, role },
  });
  assert.equal(added.status, 200, JSON.stringify(added.body));
  return added.body.uid;
}

/** A person's own browser. Nothing may break in it: an error of a page, or something the page's policy forbids. */
export async function newContext(
  posthorn: Posthorn,
  browser: Browser,
  viewport = desktop,
): Promise<BrowserContext> {
  const context = await browser.newContext({ viewport, reducedMotion: 'reduce', locale: 'en-US' });
  await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: posthorn.url });
  return context;
}

/** What pages of a context complained about: thrown errors and refusals by the Content-Security-Policy. */
export function watchComplaints(t: TestContext, context: BrowserContext): string[] {
  const complaints: string[] = [];
  context.on('weberror', (error) => complaints.push(String(error.error())));
  context.on('console', (message) => {
    if (/Content.Security.Policy|Refused to/i.test(message.text())) complaints.push(message.text());
  });
  t.after(() => assert.deepEqual(complaints, []));
  return complaints;
}
