// A browser as far as signing in is concerned: it keeps cookies, sends them to whoever set them, and says by which
// site's page a call was made.
import assert from 'node:assert/strict';
import { parseSetCookie } from 'cookie';
import type { Answer, CallOptions, Posthorn } from './posthorn.ts';

// biome-ignore lint/suspicious/noExplicitAny: what an answer holds is what the test asserts
type Json = any; // oxlint-disable-line typescript/no-explicit-any

type Reached = Pick<Posthorn, 'call'>;

export class Browser {
  readonly cookies = new Map<string, string>();
  readonly #posthorn: Reached;

  constructor(posthorn: Reached) {
    this.#posthorn = posthorn;
  }

  /** The same browser with another node. */
  at(posthorn: Reached): Browser {
    const other = new Browser(posthorn);
    for (const [name, value] of this.cookies) other.cookies.set(name, value);
    return other;
  }

  /** A call as Posthorn's own page makes it, unless headers say otherwise. */
  async call<Body = Json>(method: string, path: string, options: CallOptions = {}): Promise<Answer<Body>> {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const headers = {
      'sec-fetch-site': 'same-origin',
      ...(cookie === '' ? {} : { cookie }),
      ...options.headers,
    };
    const answer = await this.#posthorn.call<Body>(method, path, { token: null, ...options, headers });
    for (const text of answer.headers.getSetCookie()) {
      const { name, value = '', maxAge } = parseSetCookie(text);
      if (maxAge === 0) this.cookies.delete(name);
      else this.cookies.set(name, value);
    }
    return answer;
  }

  /** The call, which has to succeed. */
  async must<Body = Json>(method: string, path: string, body?: unknown): Promise<Body> {
    const answer = await this.call<Body>(method, path, body === undefined ? {} : { body });
    assert.ok(answer.status < 300, `${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  }
}

/** The token of a sign-in link or an invitation. */
export const tokenOf = (url: string): string => url.split('#')[1] ?? '';

/** The token of the link that a first start printed. */
export const firstLink = (posthorn: Posthorn): string =>
  /\/app\/sign-in#([A-Za-z0-9]+)/.exec(posthorn.output())?.[1] ?? '';

/** A browser in which a user has signed in by a link. */
export async function signedIn(posthorn: Posthorn, userId?: string): Promise<Browser> {
  const browser = new Browser(posthorn);
  const made = await posthorn.call('POST', '/v1/sign-in-links', {
    body: userId === undefined ? {} : { userId },
  });
  assert.equal(made.status, 201, JSON.stringify(made.body));
  await browser.must('POST', '/v1/sign-in', { token: tokenOf(made.body.url) });
  return browser;
}

/** Adds a person to a team; the user's id. */
export async function addPerson(
  posthorn: Posthorn,
  teamId: string,
  email: string,
  role: string,
): Promise<string> {
  const added = await posthorn.call('POST', `/v1/teams/${teamId}/members`, { body: { email, role } });
  assert.equal(added.status, 200, JSON.stringify(added.body));
  return added.body.uid;
}
