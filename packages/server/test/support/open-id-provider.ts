// A real OpenID provider for tests (oidc-provider), which signs in whoever the test says, without asking anybody.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { Provider } from 'oidc-provider';

export interface Claims {
  email?: string;
  email_verified?: boolean;
  name?: string;
}

export interface TestProvider {
  /** The settings of a Posthorn that uses it. */
  env: Record<string, string>;
  /** Who signs in next: a subject, and what the provider says of them; null says no. */
  next: { subject: string; claims: Claims } | null;
  /** Lets a Posthorn come back to its address. */
  admit(url: string): void;
  close(): Promise<void>;
}

const client = { id: 'posthorn', secret: 'the secret of the client' };

export async function startProvider(): Promise<TestProvider> {
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const bound = server.address();
  const issuer = `http://127.0.0.1:${typeof bound === 'object' && bound !== null ? bound.port : 0}`;
  const people = new Map<string, Claims>();
  const redirectUris: string[] = ['http://127.0.0.1:1/app/oidc/callback'];
  const clientSecret = client.secret.replaceAll(' ', '-');
  let handle: (request: IncomingMessage, response: ServerResponse) => Promise<void>;
  const build = () => {
    const provider = new Provider(issuer, {
      clients: [{ client_id: client.id, client_secret: clientSecret, redirect_uris: redirectUris }],
      pkce: { required: () => true },
      claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
      cookies: { keys: ['only for tests'] },
      features: { devInteractions: { enabled: false } },
      interactions: { url: (_context, { uid }) => `/interaction/${uid}` },
      findAccount: (_context, accountId) => ({
        accountId,
        claims: () => Promise.resolve({ sub: accountId, ...people.get(accountId) }),
      }),
      async loadExistingGrant(context) {
        const { session, client: asking, params } = context.oidc;
        const grant = new provider.Grant({
          ...(asking === undefined ? {} : { clientId: asking.clientId }),
          ...(session?.accountId === undefined ? {} : { accountId: session.accountId }),
        });
        grant.addOIDCScope(String(params?.scope));
        await grant.save();
        return grant;
      },
    });
    const answer = provider.callback();
    handle = async (request, response) => {
      if (request.url?.startsWith('/interaction/') !== true) {
        await answer(request, response);
        return;
      }
      const { next } = running;
      if (next !== null) people.set(next.subject, next.claims);
      const result =
        next === null
          ? { error: 'access_denied', error_description: 'The person said no.' }
          : { login: { accountId: next.subject } };
      await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
    };
  };
  build();
  server.on('request', (request, response) => {
    handle(request, response).catch((error: unknown) => {
      response.writeHead(500).end(String(error));
    });
  });
  const running: TestProvider = {
    env: {
      POSTHORN_OIDC_ISSUER: issuer,
      POSTHORN_OIDC_CLIENT_ID: client.id,
      POSTHORN_OIDC_CLIENT_SECRET: clientSecret,
      POSTHORN_OIDC_NAME: 'Test Login',
    },
    next: null,
    admit(url) {
      redirectUris.push(`${url}/app/oidc/callback`);
      build();
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return running;
}
