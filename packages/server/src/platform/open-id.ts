// OpenID Connect: the way to the provider and back, with PKCE, state and nonce (openid-client does the protocol). What
// the way back needs travels sealed in the browser's own cookie, so any node can finish what another began.
import {
  allowInsecureRequests,
  authorizationCodeGrant,
  buildAuthorizationUrl,
  type Configuration,
  calculatePKCECodeChallenge,
  discovery,
  fetchUserInfo,
  randomNonce,
  randomPKCECodeVerifier,
  randomState,
} from 'openid-client';
import type { Clock } from '../clock.ts';
import type { Settings } from '../config.ts';
import { type Vault, VaultError } from '../vault.ts';

/** A person has this long to come back from the provider. */
export const flowMs = 10 * 60_000;
/** What the provider publishes about itself is read anew after this long. */
const discoverEveryMs = 60 * 60_000;
const timeoutSeconds = 10;
const place = 'openid-flow';
const mostName = 100;

/** Who somebody is, as the provider says. */
export interface Identity {
  issuer: string;
  subject: string;
  email: string | null;
  /** Whether the provider vouches for the address. */
  emailVerified: boolean;
  name: string | null;
}

/** What the way back needs to know. */
export interface Flow {
  state: string;
  nonce: string;
  verifier: string;
  /** The token of an invitation that is to be accepted. */
  invitation: string | null;
  /** The path below /app to come back to. */
  next: string | null;
  startedAt: number;
}

interface OpenIdSettings {
  name: string;
  issuer: string;
  clientId: string;
  clientSecret: string;
}

/** The provider that the settings name, null where they name none. */
export function openIdOf(settings: Settings, clock: Clock, vault: Vault): OpenId | null {
  const {
    oidcIssuer: issuer,
    oidcClientId: clientId,
    oidcClientSecret: clientSecret,
    oidcName: name,
  } = settings;
  if (issuer === null || clientId === null || clientSecret === null) return null;
  return new OpenId({ name, issuer, clientId, clientSecret }, clock, vault);
}

export class OpenId {
  readonly name: string;
  readonly #settings: OpenIdSettings;
  readonly #clock: Clock;
  readonly #vault: Vault;
  #known: { configuration: Promise<Configuration>; at: number } | null = null;

  constructor(settings: OpenIdSettings, clock: Clock, vault: Vault) {
    this.name = settings.name;
    this.#settings = settings;
    this.#clock = clock;
    this.#vault = vault;
  }

  /** What the provider publishes about itself; one that does not answer is asked again the next time. */
  #configuration(): Promise<Configuration> {
    const now = this.#clock.monotonic();
    if (this.#known !== null && now - this.#known.at < discoverEveryMs) return this.#known.configuration;
    const { clientId, clientSecret } = this.#settings;
    const issuer = new URL(this.#settings.issuer);
    // The setting takes plain http on this machine only.
    const execute = issuer.protocol === 'http:' ? [allowInsecureRequests] : [];
    const configuration = discovery(issuer, clientId, clientSecret, undefined, {
      execute,
      timeout: timeoutSeconds,
    });
    const known = { configuration, at: now };
    this.#known = known;
    configuration.catch(() => {
      if (this.#known === known) this.#known = null;
    });
    return configuration;
  }

  /**
   * Begins: where to send the browser, and what it has to bring back, sealed.
   * @throws Error when the provider does not answer
   */
  async begin(
    redirectUri: string,
    { invitation, next }: Pick<Flow, 'invitation' | 'next'>,
  ): Promise<{ url: string; flow: string }> {
    const configuration = await this.#configuration();
    const flow: Flow = {
      state: randomState(),
      nonce: randomNonce(),
      verifier: randomPKCECodeVerifier(),
      invitation,
      next,
      startedAt: this.#clock.now(),
    };
    const url = buildAuthorizationUrl(configuration, {
      redirect_uri: redirectUri,
      scope: 'openid email profile',
      state: flow.state,
      nonce: flow.nonce,
      code_challenge: await calculatePKCECodeChallenge(flow.verifier),
      code_challenge_method: 'S256',
    });
    return { url: url.href, flow: this.#vault.seal(JSON.stringify(flow), place).toString('base64url') };
  }

  /** What the browser brought back, null if it is none of ours, or too late. */
  readFlow(sealed: string | null): Flow | null {
    if (sealed === null) return null;
    try {
      const flow = JSON.parse(this.#vault.open(Buffer.from(sealed, 'base64url'), place)) as Flow;
      const age = this.#clock.now() - flow.startedAt;
      return age < flowMs ? flow : null;
    } catch (error) {
      if (error instanceof VaultError) return null;
      throw error;
    }
  }

  /**
   * Ends: exchanges the code and reads who it is.
   * @param url the whole address that the provider sent the browser back to
   * @throws what openid-client throws when anything does not fit
   */
  async finish(flow: Flow, url: URL): Promise<Identity> {
    const configuration = await this.#configuration();
    const tokens = await authorizationCodeGrant(configuration, url, {
      pkceCodeVerifier: flow.verifier,
      expectedState: flow.state,
      expectedNonce: flow.nonce,
      idTokenExpected: true,
    });
    const claims = tokens.claims();
    if (claims === undefined) throw new Error('The provider sent no ID token.');
    // Many providers put the address there only.
    const more =
      claims.email === undefined && configuration.serverMetadata().userinfo_endpoint !== undefined
        ? await fetchUserInfo(configuration, tokens.access_token, claims.sub)
        : {};
    return readIdentity({ ...more, ...claims });
  }
}

/** Claims are the provider's text: what is not as it should be is not taken. */
function readIdentity(claims: Record<string, unknown>): Identity {
  const { iss, sub, email, email_verified: verified, name } = claims;
  if (typeof iss !== 'string' || typeof sub !== 'string' || !/^[\x20-\x7e]{1,255}$/.test(sub))
    throw new Error('The provider’s subject is not 1 to 255 characters of ASCII.');
  const isAddress =
    typeof email === 'string' && email.length <= 254 && /^[^\s@\p{Cc}]+@[^\s@\p{Cc}]+$/u.test(email);
  const isName = typeof name === 'string' && /^[^\p{Cc}]+$/u.test(name) && name.length <= mostName;
  return {
    issuer: iss,
    subject: sub,
    email: isAddress ? email.toLowerCase() : null,
    emailVerified: verified === true,
    name: isName ? name : null,
  };
}
