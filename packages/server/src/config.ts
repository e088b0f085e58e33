// Every setting, in one table: it makes the parsing, `posthorn start --help`, .env.example and the reference page.
// setting-values.ts reads the texts.
import { formatDuration } from './duration.ts';
import {
  duration,
  durationOrZero,
  readDatabaseUrl,
  readHeaderName,
  readIssuer,
  readKeys,
  readNetworkList,
  readNetworks,
  readOrigin,
  readRoles,
  readSchedule,
  readServers,
  size,
  whole,
} from './setting-values.ts';

/** A setting can't be used; the message is one sentence that names it and says what would be right. */
export class SettingsError extends Error {
  override name = 'SettingsError';
}

export const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

export interface Settings {
  port: number;
  host: string;
  /** The address that people reach this server at, for links; null means where it listens. */
  publicUrl: string | null;
  dataDir: string;
  databaseUrl: string | null;
  databaseConnections: number;
  databaseTimeoutMs: number;
  adminToken: string | null;
  /** 32 bytes each; the first encrypts, all decrypt. Empty when unset. */
  secretKeys: Buffer[];
  allowedNetworks: string;
  retryScheduleMs: number[];
  retentionMs: number;
  timeoutMs: number;
  signatureHeader: string;
  roles: { api: boolean; deliver: boolean };
  webhooksPerTeam: number;
  streamsPerTeam: number;
  maxEventBytes: number;
  maxRequestBytes: number;
  maxBatchEvents: number;
  maxJsonDepth: number;
  /** 0 takes any time. */
  createdAtWindowMs: number;
  maxQueuedEvents: number;
  maxQueuedBytes: number;
  /** 0: any number, for the three. */
  teamEventsPerSecond: number;
  teamBacklog: number;
  callsPerMinute: number;
  laneConcurrency: number;
  maxSockets: number;
  /** Networks. */
  trustedProxies: string[];
  oidcIssuer: string | null;
  oidcClientId: string | null;
  oidcClientSecret: string | null;
  oidcName: string;
  breakerFailures: number;
  /** How long nothing but failures leads to a webhook being disabled; 0: never. */
  disableAfterMs: number;
  dnsServers: string[];
  logLevel: (typeof logLevels)[number];
  metricsToken: string | null;
  stopTimeoutMs: number;
}

export interface Setting<Key extends keyof Settings = keyof Settings> {
  /** The environment variable. */
  name: string;
  key: Key;
  group: 'Where' | 'Secrets' | 'Sign-in' | 'Delivery' | 'Limits' | 'Operating';
  /** What it means, one line. */
  meaning: string;
  /** The default as text that `read` takes; null when there is none. */
  fallback: string | null;
  /** What is said of the default where it is not a value. */
  unset?: string;
  example: string;
  /** What a right value looks like, for the sentence about a wrong one. */
  expected: string;
  /** The value, or undefined when the text is wrong. */
  read(text: string): Settings[Key] | undefined;
}

const define = <Key extends keyof Settings>(setting: Setting<Key>): Setting => setting;

/** Every setting, in the order in which it is shown. */
export const settingsTable: readonly Setting[] = [
  define({
    name: 'POSTHORN_PORT',
    key: 'port',
    group: 'Where',
    meaning: 'The port to listen on; 0 takes any free one.',
    fallback: '4870',
    example: '4870',
    expected: 'a port from 0 to 65535',
    read: whole(0, 65_535),
  }),
  define({
    name: 'POSTHORN_HOST',
    key: 'host',
    group: 'Where',
    meaning: 'The address to listen on; 0.0.0.0 or :: for all of the machine’s.',
    fallback: '127.0.0.1',
    example: '0.0.0.0',
    expected: 'an address or a host name',
    read: (text) => (/^[A-Za-z0-9.:_-]{1,255}$/.test(text) ? text : undefined),
  }),
  define({
    name: 'POSTHORN_PUBLIC_URL',
    key: 'publicUrl',
    group: 'Where',
    meaning: 'The address that people reach this server at, for the links it makes.',
    fallback: null,
    unset: 'http://<host>:<port>',
    example: 'https://hooks.example.com',
    expected: 'an http or https URL without path, user name and password, like https://hooks.example.com',
    read: readOrigin,
  }),
  define({
    name: 'POSTHORN_DATA_DIR',
    key: 'dataDir',
    group: 'Where',
    meaning: 'Where the database file and the generated keys are kept. One process owns it.',
    fallback: './data',
    example: '/var/lib/posthorn',
    expected: 'the path of a directory',
    read: (text) => text,
  }),
  define({
    name: 'DATABASE_URL',
    key: 'databaseUrl',
    group: 'Where',
    meaning: 'The PostgreSQL (15 or newer) that keeps the store; any number of nodes may share one.',
    fallback: null,
    unset: 'SQLite in the data directory',
    example: 'postgres://posthorn:password@db.example.com:5432/posthorn?sslmode=verify-full',
    expected:
      'a URL like postgres://user:password@host:5432/database, with sslmode and sslrootcert if need be',
    read: readDatabaseUrl,
  }),
  define({
    name: 'POSTHORN_TRUSTED_PROXIES',
    key: 'trustedProxies',
    group: 'Where',
    meaning: 'Networks of proxies whose X-Forwarded-For says where a call came from.',
    fallback: '127.0.0.0/8,::1/128',
    example: '127.0.0.0/8,::1/128,10.0.0.0/24',
    expected: 'addresses or CIDRs with commas between, like 127.0.0.0/8,::1/128; or none',
    read: (text) => (text === 'none' ? [] : readNetworkList(text)),
  }),
  define({
    name: 'POSTHORN_DATABASE_CONNECTIONS',
    key: 'databaseConnections',
    group: 'Operating',
    meaning: 'Sessions with PostgreSQL that each of this node’s two threads may have; one more listens.',
    fallback: '6',
    example: '10',
    expected: 'a whole number from 2 to 100',
    read: whole(2, 100),
  }),
  define({
    name: 'POSTHORN_DATABASE_TIMEOUT',
    key: 'databaseTimeoutMs',
    group: 'Operating',
    meaning: 'How long PostgreSQL may take for a connection or a statement before it counts as away.',
    fallback: '5s',
    example: '10s',
    expected: 'a duration from 500ms to 60s',
    read: duration(500, 60_000),
  }),
  define({
    name: 'POSTHORN_ADMIN_TOKEN',
    key: 'adminToken',
    group: 'Secrets',
    meaning: 'The operator’s token.',
    fallback: null,
    unset: 'generated at the first start into <data dir>/admin-token',
    example: '',
    expected: '24 letters and digits',
    read: (text) => (/^[A-Za-z0-9]{24}$/.test(text) ? text : undefined),
  }),
  define({
    name: 'POSTHORN_SECRET_KEY',
    key: 'secretKeys',
    group: 'Secrets',
    meaning: 'The keys that encrypt secrets at rest, comma separated: the first encrypts, all decrypt.',
    fallback: null,
    unset: 'generated at the first start into <data dir>/secret-key',
    example: '',
    expected: '32 bytes in base64 or hex (openssl rand -base64 32), or several of them with commas between',
    read: readKeys,
  }),
  define({
    name: 'POSTHORN_METRICS_TOKEN',
    key: 'metricsToken',
    group: 'Secrets',
    meaning: 'Asked for by /metrics as a bearer token.',
    fallback: null,
    unset: '/metrics is open',
    example: '',
    expected: '8 to 200 characters without spaces',
    read: (text) => (/^[\x21-\x7e]{8,200}$/.test(text) ? text : undefined),
  }),
  define({
    name: 'POSTHORN_OIDC_ISSUER',
    key: 'oidcIssuer',
    group: 'Sign-in',
    meaning: 'The OpenID Connect provider by which people may sign in, with a client id and secret.',
    fallback: null,
    unset: 'no provider',
    example: 'https://login.example.com',
    expected: 'the https URL of an issuer, or an http one on this machine',
    read: readIssuer,
  }),
  define({
    name: 'POSTHORN_OIDC_CLIENT_ID',
    key: 'oidcClientId',
    group: 'Sign-in',
    meaning: 'What the provider knows this server by; its redirect URI is <public URL>/app/oidc/callback.',
    fallback: null,
    unset: 'no provider',
    example: 'posthorn',
    expected: '1 to 500 characters without spaces',
    read: (text) => (/^[\x21-\x7e]{1,500}$/.test(text) ? text : undefined),
  }),
  define({
    name: 'POSTHORN_OIDC_CLIENT_SECRET',
    key: 'oidcClientSecret',
    group: 'Secrets',
    meaning: 'The secret of the client id at the OpenID Connect provider.',
    fallback: null,
    unset: 'no provider',
    example: 'the-secret-of-the-client',
    expected: '1 to 1000 characters without spaces',
    read: (text) => (/^[\x21-\x7e]{1,1000}$/.test(text) ? text : undefined),
  }),
  define({
    name: 'POSTHORN_OIDC_NAME',
    key: 'oidcName',
    group: 'Sign-in',
    meaning: 'What the sign-in page calls the provider.',
    fallback: 'single sign-on',
    example: 'Example Login',
    expected: '1 to 60 characters',
    read: (text) => (/^[^\p{Cc}]{1,60}$/u.test(text) ? text : undefined),
  }),
  define({
    name: 'POSTHORN_ALLOWED_NETWORKS',
    key: 'allowedNetworks',
    group: 'Delivery',
    meaning: 'Networks that webhooks may reach although they are private.',
    fallback: '',
    example: '127.0.0.0/8,::1/128',
    expected: 'addresses or CIDRs with commas between, like 127.0.0.0/8,::1/128',
    read: readNetworks,
  }),
  define({
    name: 'POSTHORN_RETRY_SCHEDULE',
    key: 'retryScheduleMs',
    group: 'Delivery',
    meaning: 'The waits between the attempts of a delivery, each varied by up to a tenth.',
    fallback: '5s,15s,45s,2m,5m,15m,30m,1h,2h,4h,6h,10h',
    example: '500ms,5s,1m,2h',
    expected: '1 to 100 durations with commas between, like 500ms,5s,1m,2h',
    read: readSchedule,
  }),
  define({
    name: 'POSTHORN_TIMEOUT',
    key: 'timeoutMs',
    group: 'Delivery',
    meaning: 'One attempt: DNS, connect, TLS, request and response together.',
    fallback: '30s',
    example: '10s',
    expected: 'a duration from 50ms to 10m, like 30s',
    read: duration(50, 600_000),
  }),
  define({
    name: 'POSTHORN_SIGNATURE_HEADER',
    key: 'signatureHeader',
    group: 'Delivery',
    meaning: 'The header that carries the hex HMAC-SHA1 of the body.',
    fallback: 'x-vercel-signature',
    example: 'x-acme-signature',
    expected: 'a header name that Posthorn does not send otherwise, like x-acme-signature',
    read: readHeaderName,
  }),
  define({
    name: 'POSTHORN_LANE_CONCURRENCY',
    key: 'laneConcurrency',
    group: 'Delivery',
    meaning:
      'The most requests of each node at once to one endpoint. A lane starts with 2 and grows on success.',
    fallback: '32',
    example: '32',
    expected: 'a number from 1 to 1000',
    read: whole(1, 1_000),
  }),
  define({
    name: 'POSTHORN_MAX_SOCKETS',
    key: 'maxSockets',
    group: 'Delivery',
    meaning: 'The most requests at once over all endpoints; those that just failed share half.',
    fallback: '1024',
    example: '1024',
    expected: 'a number from 2 to 20000',
    read: whole(2, 20_000),
  }),
  define({
    name: 'POSTHORN_BREAKER_FAILURES',
    key: 'breakerFailures',
    group: 'Delivery',
    meaning: 'Failures in a row after which an endpoint rests and is tried with one delivery at a time.',
    fallback: '10',
    example: '10',
    expected: 'a number from 1 to 1000',
    read: whole(1, 1_000),
  }),
  define({
    name: 'POSTHORN_DISABLE_AFTER',
    key: 'disableAfterMs',
    group: 'Delivery',
    meaning: 'A webhook with nothing but failures for so long is disabled; 0 disables none.',
    fallback: '5d',
    example: '5d',
    expected: 'a duration from 1s to 365d, like 5d, or 0 for never',
    read: durationOrZero(1_000, 365 * 86_400_000),
  }),
  define({
    name: 'POSTHORN_DNS_SERVERS',
    key: 'dnsServers',
    group: 'Delivery',
    meaning: 'Name servers to ask.',
    fallback: '',
    unset: 'the system’s',
    example: '9.9.9.9,149.112.112.112',
    expected: 'addresses with commas between, each with :port if it is not 53',
    read: readServers,
  }),
  define({
    name: 'POSTHORN_ROLES',
    key: 'roles',
    group: 'Operating',
    meaning: 'What this node does: take API calls, deliver, or both.',
    fallback: 'api,deliver',
    example: 'api,deliver',
    expected: 'api, deliver or api,deliver',
    read: readRoles,
  }),
  define({
    name: 'POSTHORN_WEBHOOKS_PER_TEAM',
    key: 'webhooksPerTeam',
    group: 'Limits',
    meaning: 'The most account webhooks of one team.',
    fallback: '20',
    example: '20',
    expected: 'a number from 1 to 10000',
    read: whole(1, 10_000),
  }),
  define({
    name: 'POSTHORN_STREAMS_PER_TEAM',
    key: 'streamsPerTeam',
    group: 'Limits',
    meaning: 'The most live feeds that a team may have open on one node.',
    fallback: '20',
    example: '50',
    expected: 'a whole number from 0 to 10000',
    read: whole(0, 10_000),
  }),
  define({
    name: 'POSTHORN_MAX_EVENT_BYTES',
    key: 'maxEventBytes',
    group: 'Limits',
    meaning: 'The largest body of one event as it is sent.',
    fallback: '1MiB',
    example: '512KiB',
    expected: 'a size from 1KiB to 16MiB, like 1MiB',
    read: size(1_024, 16 * 1_048_576),
  }),
  define({
    name: 'POSTHORN_MAX_REQUEST_BYTES',
    key: 'maxRequestBytes',
    group: 'Limits',
    meaning: 'The largest body of one API request.',
    fallback: '16MiB',
    example: '16MiB',
    expected: 'a size from 16KiB to 256MiB, like 16MiB',
    read: size(16 * 1_024, 256 * 1_048_576),
  }),
  define({
    name: 'POSTHORN_MAX_BATCH_EVENTS',
    key: 'maxBatchEvents',
    group: 'Limits',
    meaning: 'The most events in one publish call.',
    fallback: '1000',
    example: '1000',
    expected: 'a number from 1 to 1000',
    read: whole(1, 1_000),
  }),
  define({
    name: 'POSTHORN_MAX_JSON_DEPTH',
    key: 'maxJsonDepth',
    group: 'Limits',
    meaning: 'How deep the JSON of a request may be nested.',
    fallback: '64',
    example: '64',
    expected: 'a number from 8 to 1000',
    read: whole(8, 1_000),
  }),
  define({
    name: 'POSTHORN_CREATED_AT_WINDOW',
    key: 'createdAtWindowMs',
    group: 'Limits',
    meaning: 'How far from now a publisher’s createdAt may be; 0 takes any time.',
    fallback: '10m',
    example: '10m',
    expected: 'a duration, like 10m, or 0 for any time',
    read: durationOrZero(0, Number.POSITIVE_INFINITY),
  }),
  define({
    name: 'POSTHORN_MAX_QUEUED_EVENTS',
    key: 'maxQueuedEvents',
    group: 'Limits',
    meaning: 'Published events that may wait for their commit; beyond that publishing gets 429.',
    fallback: '20000',
    example: '20000',
    expected: 'a number from 1 to 1000000',
    read: whole(1, 1_000_000),
  }),
  define({
    name: 'POSTHORN_MAX_QUEUED_BYTES',
    key: 'maxQueuedBytes',
    group: 'Limits',
    meaning: 'The bytes of such events; beyond that publishing gets 429.',
    fallback: '64MiB',
    example: '64MiB',
    expected: 'a size from 1MiB to 4GiB, like 64MiB',
    read: size(1_048_576, 4 * 1_073_741_824),
  }),
  define({
    name: 'POSTHORN_TEAM_EVENTS_PER_SECOND',
    key: 'teamEventsPerSecond',
    group: 'Limits',
    meaning: 'The most events a second that one team may publish on one node; 0 takes any number.',
    fallback: '0',
    example: '500',
    expected: 'a number from 0 to 1000000',
    read: whole(0, 1_000_000),
  }),
  define({
    name: 'POSTHORN_TEAM_BACKLOG',
    key: 'teamBacklog',
    group: 'Limits',
    meaning:
      'The most pending deliveries of one team; beyond that its publishing gets 429. 0 takes any number.',
    fallback: '0',
    example: '1000000',
    expected: 'a number from 0 to 1000000000',
    read: whole(0, 1_000_000_000),
  }),
  define({
    name: 'POSTHORN_API_CALLS_PER_MINUTE',
    key: 'callsPerMinute',
    group: 'Limits',
    meaning: 'The most API calls a minute of one token on one node, publishing apart; 0 takes any number.',
    fallback: '0',
    example: '600',
    expected: 'a number from 0 to 1000000',
    read: whole(0, 1_000_000),
  }),
  define({
    name: 'POSTHORN_RETENTION',
    key: 'retentionMs',
    group: 'Operating',
    meaning: 'How long events, deliveries and attempts are kept; what is unfinished stays however old it is.',
    fallback: '30d',
    example: '90d',
    expected: 'a duration from 1s to 365d, like 30d, and no shorter than the retry schedule',
    read: duration(1_000, 365 * 86_400_000),
  }),
  define({
    name: 'POSTHORN_LOG_LEVEL',
    key: 'logLevel',
    group: 'Operating',
    meaning: 'The least severe lines to log. Requests and attempts are info.',
    fallback: 'info',
    example: 'warn',
    expected: `one of ${logLevels.join(', ')}`,
    read: (text) => logLevels.find((level) => level === text),
  }),
  define({
    name: 'POSTHORN_STOP_TIMEOUT',
    key: 'stopTimeoutMs',
    group: 'Operating',
    meaning: 'How long SIGTERM waits for what is under way; the rest is taken up at the next start.',
    fallback: '10s',
    example: '30s',
    expected: 'a duration from 0s to 10m, like 10s',
    read: duration(0, 600_000),
  }),
];

/** What the command line reads itself, and what Kubernetes injects for a service named posthorn. */
const ignored = /^POSTHORN_(?:TOKEN|URL|SERVICE_.*|PORT_.*)$/;

/**
 * Reads the settings from the environment. Empty values count as unset.
 * @throws SettingsError naming the first variable that is unknown or wrong
 */
export function readSettings(env: Record<string, string | undefined>): Settings {
  const names = new Set(settingsTable.map(({ name }) => name));
  for (const name of Object.keys(env)) {
    if (!name.startsWith('POSTHORN_') || names.has(name) || ignored.test(name)) continue;
    throw new SettingsError(`There is no setting ${name}; did you mean ${nearest(name, [...names])}?`);
  }
  const settings: Partial<Record<keyof Settings, unknown>> = {};
  for (const setting of settingsTable) {
    const injected = setting.name === 'POSTHORN_PORT' && env[setting.name]?.startsWith('tcp://');
    const given = injected ? '' : (env[setting.name]?.trim() ?? '');
    settings[setting.key] = given === '' ? fallbackOf(setting) : readGiven(setting, given);
  }
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- config.test.ts: the table has every key once
  const read = settings as Settings;
  const provider = [read.oidcIssuer, read.oidcClientId, read.oidcClientSecret];
  if (provider.includes(null) && provider.some((value) => value !== null)) {
    throw new SettingsError(
      'POSTHORN_OIDC_ISSUER, POSTHORN_OIDC_CLIENT_ID and POSTHORN_OIDC_CLIENT_SECRET go together: set all three, or none.',
    );
  }
  const scheduleMs = read.retryScheduleMs.reduce((sum, wait) => sum + wait, 0);
  if (read.retentionMs < scheduleMs) {
    throw new SettingsError(
      `POSTHORN_RETENTION is ${formatDuration(read.retentionMs)}, which is shorter than the retry schedule takes (${formatDuration(scheduleMs)}). Make it longer, or POSTHORN_RETRY_SCHEDULE shorter.`,
    );
  }
  return read;
}

function fallbackOf(setting: Setting): unknown {
  if (setting.fallback !== null) return setting.read(setting.fallback);
  return setting.key === 'secretKeys' ? [] : null;
}

/** Secrets are never repeated, not even wrong ones or those in a URL. */
function readGiven(setting: Setting, given: string): unknown {
  const value = setting.read(given);
  if (value !== undefined) return value;
  const isSecret = setting.group === 'Secrets' || setting.key === 'databaseUrl' || given.includes('@');
  const shown = isSecret ? '' : ` "${given.slice(0, 80)}"`;
  throw new SettingsError(`${setting.name}${shown} is not usable; it takes ${setting.expected}.`);
}

/** Every setting with the value that holds, as text, and where it is from. Secrets, and URLs with them, only say `set`. */
export function describeSettings(env: Record<string, string | undefined>) {
  return settingsTable.map((setting) => {
    const given = env[setting.name]?.trim() ?? '';
    const isSecret = setting.group === 'Secrets' || setting.key === 'databaseUrl';
    const value = given === '' ? setting.fallback : isSecret || given.includes('@') ? 'set' : given;
    return { name: setting.name, value, source: given === '' ? 'default' : 'environment' };
  });
}

/** The default as people read it. */
export function describeFallback(setting: Setting): string {
  if (setting.unset !== undefined) return setting.unset;
  return setting.fallback === '' || setting.fallback === null ? 'empty' : setting.fallback;
}

/** What all names share would count as likeness. */
const withoutPrefix = (name: string): string => name.replace(/^POSTHORN_/, '');

function nearest(name: string, names: string[]): string {
  const scored = names.map((known) => ({
    known,
    distance: editDistance(withoutPrefix(name), withoutPrefix(known)),
  }));
  return scored.toSorted((a, b) => a.distance - b.distance)[0]?.known ?? 'POSTHORN_PORT';
}

/** Levenshtein's distance between two short texts. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  const at = (index: number) => row[index] ?? 0;
  for (let i = 1; i <= a.length; i++) {
    let left = i;
    const next = [left];
    for (let j = 1; j <= b.length; j++) {
      left = Math.min(at(j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1), at(j) + 1, left + 1);
      next.push(left);
    }
    row = next;
  }
  return at(b.length);
}

/** The retry schedule as text, for pages that state it. */
export const describeSchedule = (scheduleMs: readonly number[]): string =>
  scheduleMs.map(formatDuration).join(', ');
