import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { readSettings, type Settings, SettingsError, settingsTable } from './config.ts';

const hours = 3_600_000;
const keyA = Buffer.alloc(32, 7);
const keyB = Buffer.alloc(32, 9);

const defaults: Settings = {
  port: 4870,
  host: '127.0.0.1',
  publicUrl: null,
  trustedProxies: ['127.0.0.0/8', '::1/128'],
  oidcIssuer: null,
  oidcClientId: null,
  oidcClientSecret: null,
  oidcName: 'single sign-on',
  dataDir: './data',
  databaseUrl: null,
  databaseConnections: 6,
  retentionMs: 30 * 86_400_000,
  databaseTimeoutMs: 5_000,
  adminToken: null,
  secretKeys: [],
  allowedNetworks: '',
  // 5s 15s 45s 2m 5m 15m 30m 1h 2h 4h 6h 10h
  retryScheduleMs: [5, 15, 45, 120, 300, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 36_000].map(
    (s) => s * 1_000,
  ),
  timeoutMs: 30_000,
  signatureHeader: 'x-vercel-signature',
  roles: { api: true, deliver: true },
  webhooksPerTeam: 20,
  streamsPerTeam: 20,
  maxEventBytes: 1_048_576,
  maxRequestBytes: 16 * 1_048_576,
  maxBatchEvents: 1_000,
  maxJsonDepth: 64,
  createdAtWindowMs: 600_000,
  maxQueuedEvents: 20_000,
  maxQueuedBytes: 64 * 1_048_576,
  teamEventsPerSecond: 0,
  teamBacklog: 0,
  callsPerMinute: 0,
  laneConcurrency: 32,
  maxSockets: 1_024,
  breakerFailures: 10,
  disableAfterMs: 5 * 86_400_000,
  dnsServers: [],
  logLevel: 'info',
  metricsToken: null,
  stopTimeoutMs: 10_000,
};

/** For every variable: texts and what they are read as, and texts that are refused. */
const table: Record<string, { key: keyof Settings; good: [string, unknown][]; bad: string[] }> = {
  POSTHORN_PORT: {
    key: 'port',
    good: [
      ['0', 0],
      ['8080', 8080],
      ['65535', 65_535],
      [' 80 ', 80],
    ],
    bad: ['65536', '-1', '80.5', 'http', '0x50', '8e1'],
  },
  POSTHORN_TRUSTED_PROXIES: {
    key: 'trustedProxies',
    good: [
      ['none', []],
      ['10.0.0.1', ['10.0.0.1']],
      ['10.0.0.0/8, fd00::/8', ['10.0.0.0/8', 'fd00::/8']],
    ],
    bad: ['all', '10.0.0.0/33', 'proxy.example.com', '10.0.0.0/8;::1'],
  },
  // These three go together, see below.
  POSTHORN_OIDC_ISSUER: {
    key: 'oidcIssuer',
    good: [],
    bad: [
      'login.example.com',
      'http://login.example.com',
      'http://127.0.0.1.example.com',
      'https://login.example.com?tenant=1',
      'https://login.example.com#',
      'https://a:hunter2hunter2@login.example.com',
    ],
  },
  POSTHORN_OIDC_CLIENT_ID: { key: 'oidcClientId', good: [], bad: ['post horn', 'x'.repeat(501)] },
  POSTHORN_OIDC_CLIENT_SECRET: { key: 'oidcClientSecret', good: [], bad: ['a b', 'x'.repeat(1_001)] },
  POSTHORN_OIDC_NAME: { key: 'oidcName', good: [['Example Login', 'Example Login']], bad: ['x'.repeat(61)] },
  POSTHORN_HOST: {
    key: 'host',
    good: [
      ['0.0.0.0', '0.0.0.0'],
      ['::1', '::1'],
      ['localhost', 'localhost'],
    ],
    bad: ['a b', 'http://localhost', 'host/path'],
  },
  POSTHORN_PUBLIC_URL: {
    key: 'publicUrl',
    good: [
      ['https://hooks.example.com', 'https://hooks.example.com'],
      ['http://10.0.0.1:8080/', 'http://10.0.0.1:8080'],
    ],
    bad: [
      'hooks.example.com',
      'ftp://example.com',
      'https://example.com/path',
      'https://example.com:port',
      'https://a:hunter2hunter2@example.com',
    ],
  },
  POSTHORN_DATA_DIR: { key: 'dataDir', good: [['/var/lib/posthorn', '/var/lib/posthorn']], bad: [] },
  DATABASE_URL: {
    key: 'databaseUrl',
    good: [['postgres://posthorn:x@db:5432/posthorn', 'postgres://posthorn:x@db:5432/posthorn']],
    bad: ['mysql://posthorn:hunter2hunter2@db/posthorn', 'postgres://db', 'hunter2hunter2'],
  },
  POSTHORN_RETENTION: { key: 'retentionMs', good: [['90d', 90 * 86_400_000]], bad: ['0s', '30', '400d'] },
  POSTHORN_DATABASE_CONNECTIONS: { key: 'databaseConnections', good: [['8', 8]], bad: ['1', '101', 'many'] },
  POSTHORN_DATABASE_TIMEOUT: { key: 'databaseTimeoutMs', good: [['2s', 2_000]], bad: ['1ms', '2', 'ever'] },
  POSTHORN_ADMIN_TOKEN: {
    key: 'adminToken',
    good: [['Operator0000000000000000', 'Operator0000000000000000']],
    bad: ['Operator000000000000000', 'Operator00000000000000000', 'Operator-000000000000000'],
  },
  POSTHORN_SECRET_KEY: {
    key: 'secretKeys',
    good: [
      [keyA.toString('base64'), [keyA]],
      [keyA.toString('base64url'), [keyA]],
      [keyA.toString('hex'), [keyA]],
      [`${keyA.toString('hex').toUpperCase()}, ${keyB.toString('base64')}`, [keyA, keyB]],
    ],
    bad: [
      keyA.subarray(1).toString('base64'),
      `${keyA.toString('base64')},${keyB.toString('hex').slice(2)}`,
      `${keyA.toString('base64')}!!!!`,
      keyA.toString('hex').replace('0', 'x'),
    ],
  },
  POSTHORN_METRICS_TOKEN: {
    key: 'metricsToken',
    good: [['scrape-me-1', 'scrape-me-1']],
    bad: ['short', 'with spaces in it'],
  },
  POSTHORN_ALLOWED_NETWORKS: {
    key: 'allowedNetworks',
    good: [
      ['127.0.0.0/8,::1/128', '127.0.0.0/8,::1/128'],
      ['10.1.2.3', '10.1.2.3'],
    ],
    bad: ['127.0.0.0/33', 'localhost', '10.0.0.0/8;::1'],
  },
  POSTHORN_RETRY_SCHEDULE: {
    key: 'retryScheduleMs',
    good: [
      ['500ms,5s, 1m,2h', [500, 5_000, 60_000, 7_200_000]],
      ['1d', [86_400_000]],
    ],
    bad: ['5', 'soon', '5s,later', Array.from({ length: 101 }, () => '1s').join(',')],
  },
  POSTHORN_TIMEOUT: {
    key: 'timeoutMs',
    good: [
      ['50ms', 50],
      ['10m', 600_000],
    ],
    bad: ['0s', '49ms', '11m', '30'],
  },
  POSTHORN_SIGNATURE_HEADER: {
    key: 'signatureHeader',
    good: [['X-Acme-Signature', 'x-acme-signature']],
    bad: ['x acme', 'x-acme:', 'Content-Type', 'webhook-id', 'host', 'traceparent', 'user-agent'],
  },
  POSTHORN_LANE_CONCURRENCY: { key: 'laneConcurrency', good: [['1', 1]], bad: ['0', '1001', 'many'] },
  POSTHORN_MAX_SOCKETS: { key: 'maxSockets', good: [['2', 2]], bad: ['1', '20001'] },
  POSTHORN_BREAKER_FAILURES: { key: 'breakerFailures', good: [['1', 1]], bad: ['0', '1001'] },
  POSTHORN_DNS_SERVERS: {
    key: 'dnsServers',
    good: [
      ['9.9.9.9', ['9.9.9.9']],
      ['127.0.0.1:5353, [::1]:5353', ['127.0.0.1:5353', '[::1]:5353']],
    ],
    bad: [
      'dns.example.com',
      '9.9.9.9:port',
      '999.1.1.1',
      '9.9.9.9:99999',
      '9.9.9.9:0',
      '[9.9.9.9]:53',
      '::1:port',
    ],
  },
  POSTHORN_DISABLE_AFTER: {
    key: 'disableAfterMs',
    good: [
      ['0', 0],
      ['2d', 2 * 24 * hours],
    ],
    bad: ['5', '10ms', 'never'],
  },
  POSTHORN_ROLES: {
    key: 'roles',
    good: [
      ['api', { api: true, deliver: false }],
      ['deliver', { api: false, deliver: true }],
      ['deliver, api', { api: true, deliver: true }],
    ],
    bad: ['all', 'api,worker', ','],
  },
  POSTHORN_STREAMS_PER_TEAM: { key: 'streamsPerTeam', good: [['0', 0]], bad: ['-1', '10001'] },
  POSTHORN_WEBHOOKS_PER_TEAM: { key: 'webhooksPerTeam', good: [['500', 500]], bad: ['0', '10001'] },
  POSTHORN_MAX_EVENT_BYTES: {
    key: 'maxEventBytes',
    good: [
      ['512KiB', 524_288],
      ['1048576', 1_048_576],
    ],
    bad: ['1023', '17MiB', '1MB'],
  },
  POSTHORN_MAX_REQUEST_BYTES: { key: 'maxRequestBytes', good: [['1MiB', 1_048_576]], bad: ['1KiB', '1GiB'] },
  POSTHORN_MAX_BATCH_EVENTS: { key: 'maxBatchEvents', good: [['1', 1]], bad: ['0', '1001'] },
  POSTHORN_MAX_JSON_DEPTH: { key: 'maxJsonDepth', good: [['8', 8]], bad: ['7', '1001'] },
  POSTHORN_CREATED_AT_WINDOW: {
    key: 'createdAtWindowMs',
    good: [
      ['0', 0],
      ['0s', 0],
      ['30d', 30 * 24 * hours],
    ],
    bad: ['10', 'never'],
  },
  POSTHORN_MAX_QUEUED_EVENTS: { key: 'maxQueuedEvents', good: [['1', 1]], bad: ['0', '1000001'] },
  POSTHORN_MAX_QUEUED_BYTES: { key: 'maxQueuedBytes', good: [['1MiB', 1_048_576]], bad: ['1KiB', '5GiB'] },
  POSTHORN_TEAM_EVENTS_PER_SECOND: {
    key: 'teamEventsPerSecond',
    good: [['500', 500]],
    bad: ['-1', '1000001', 'many'],
  },
  POSTHORN_TEAM_BACKLOG: { key: 'teamBacklog', good: [['1000000', 1_000_000]], bad: ['-1', '1e6'] },
  POSTHORN_API_CALLS_PER_MINUTE: { key: 'callsPerMinute', good: [['600', 600]], bad: ['-1', '1.5'] },
  POSTHORN_LOG_LEVEL: { key: 'logLevel', good: [['silent', 'silent']], bad: ['loud', 'INFO', 'warning'] },
  POSTHORN_STOP_TIMEOUT: {
    key: 'stopTimeoutMs',
    good: [
      ['0s', 0],
      ['10m', 600_000],
    ],
    bad: ['11m', '10'],
  },
};

/** The sentence with which an environment is refused. */
function refusalOf(env: Record<string, string | undefined>): string {
  try {
    readSettings(env);
  } catch (error) {
    assert.ok(error instanceof SettingsError, String(error));
    return error.message;
  }
  return assert.fail(`accepted: ${JSON.stringify(env)}`);
}

test('an empty environment gives the defaults', () => {
  assert.deepEqual(readSettings({}), defaults);
  assert.deepEqual(readSettings({ PATH: '/bin', HOME: '/root', POSTHORN: 'x' }), defaults);
});

test('the table of this test has every setting', () => {
  assert.deepEqual(Object.keys(table).toSorted(), settingsTable.map(({ name }) => name).toSorted());
  assert.deepEqual(
    settingsTable.map(({ key }) => key).toSorted(),
    Object.keys(defaults).toSorted(),
    'every key of Settings is read from exactly one variable',
  );
});

for (const [name, { key, good, bad }] of Object.entries(table)) {
  if (good.length > 0) {
    test(`${name} is read, alone`, () => {
      for (const [text, value] of good) {
        assert.deepEqual(readSettings({ [name]: text }), { ...defaults, [key]: value }, text);
      }
    });
  }

  test(`${name} left empty counts as unset`, () => {
    for (const text of ['', '  ', undefined]) assert.deepEqual(readSettings({ [name]: text }), defaults);
  });

  if (bad.length > 0) {
    test(`${name} with a value that can't be used is refused in one sentence that names it`, () => {
      for (const text of bad) {
        const sentence = refusalOf({ [name]: text });
        assert.ok(sentence.startsWith(name), sentence);
        assert.match(sentence, /\.$/);
        assert.doesNotMatch(sentence, /\n/);
      }
    });
  }
}

test('the settings of an OpenID provider are read together', () => {
  const provider = {
    POSTHORN_OIDC_ISSUER: 'https://login.example.com/tenant/',
    POSTHORN_OIDC_CLIENT_ID: 'posthorn',
    POSTHORN_OIDC_CLIENT_SECRET: 's3cret/+=',
  };
  assert.deepEqual(readSettings(provider), {
    ...defaults,
    oidcIssuer: 'https://login.example.com/tenant/',
    oidcClientId: 'posthorn',
    oidcClientSecret: 's3cret/+=',
  });
  for (const host of ['localhost:3000', '127.0.0.1:3000', '[::1]:3000']) {
    const read = readSettings({ ...provider, POSTHORN_OIDC_ISSUER: `http://${host}` });
    assert.equal(read.oidcIssuer, `http://${host}`);
  }
  for (const name of Object.keys(provider)) {
    assert.match(refusalOf({ ...provider, [name]: '' }), /go together: set all three, or none\.$/);
  }
});

test('the refused value is shown, so that it can be found', () => {
  assert.equal(
    refusalOf({ POSTHORN_PORT: '48700000' }),
    'POSTHORN_PORT "48700000" is not usable; it takes a port from 0 to 65535.',
  );
});

test('a secret is never repeated, not even a wrong one', () => {
  for (const name of [
    'POSTHORN_ADMIN_TOKEN',
    'POSTHORN_SECRET_KEY',
    'POSTHORN_METRICS_TOKEN',
    'DATABASE_URL',
  ]) {
    for (const text of table[name]?.bad ?? []) {
      assert.ok(!refusalOf({ [name]: text }).includes(text.slice(0, 12)), name);
    }
  }
  assert.doesNotMatch(refusalOf({ POSTHORN_PUBLIC_URL: 'https://a:hunter2@example.com' }), /hunter2/);
});

test('a retention shorter than the retry schedule stops the start, and says by how much', () => {
  const refusal = refusalOf({ POSTHORN_RETENTION: '1h', POSTHORN_RETRY_SCHEDULE: '30m,31m' });
  assert.match(refusal, /POSTHORN_RETENTION is 1h.*\(61m\)/);
  assert.match(refusalOf({ POSTHORN_RETENTION: '12h' }), /shorter than the retry schedule/);
  const fits = { POSTHORN_RETENTION: '1h', POSTHORN_RETRY_SCHEDULE: '30m,30m' };
  assert.equal(readSettings(fits).retentionMs, 3_600_000);
});

test('an unknown POSTHORN_ variable is refused, with the nearest name', () => {
  for (const [wrong, right] of [
    ['POSTHORN_PROT', 'POSTHORN_PORT'],
    ['POSTHORN_ALLOWED_NETWORK', 'POSTHORN_ALLOWED_NETWORKS'],
    ['POSTHORN_RETRIES_SCHEDULE', 'POSTHORN_RETRY_SCHEDULE'],
    ['POSTHORN_SECRETKEY', 'POSTHORN_SECRET_KEY'],
    ['POSTHORN_TIMEOUT_MS', 'POSTHORN_TIMEOUT'],
    ['POSTHORN_Host', 'POSTHORN_HOST'],
    ['POSTHORN_DATABASE_URL', 'DATABASE_URL'],
  ] as const) {
    const sentence = refusalOf({ [wrong]: '1' });
    assert.ok(sentence.includes(`no setting ${wrong};`), sentence);
    assert.ok(sentence.includes(`did you mean ${right}?`), sentence);
  }
  assert.match(refusalOf({ POSTHORN_PROT: '' }), /POSTHORN_PROT/, 'an empty one is a slip too');
});

test('the name itself with one letter changed, dropped or added is what is suggested', () => {
  const names = settingsTable.map(({ name }) => name).filter((name) => name.startsWith('POSTHORN_'));
  fc.assert(
    fc.property(
      fc.constantFrom(...names),
      fc.nat(),
      fc.constantFrom('change', 'drop', 'add'),
      (name, nat, slip) => {
        const at = 'POSTHORN_'.length + (nat % (name.length - 'POSTHORN_'.length));
        const wrong =
          name.slice(0, at) + { change: '7', drop: '', add: `7${name[at]}` }[slip] + name.slice(at + 1);
        assert.ok(refusalOf({ [wrong]: 'x' }).includes(`did you mean ${name}?`), wrong);
      },
    ),
  );
});

test('the command line’s own variables and what Kubernetes injects are ignored', () => {
  assert.deepEqual(
    readSettings({
      POSTHORN_TOKEN: 'Operator0000000000000000',
      POSTHORN_URL: 'http://127.0.0.1:4870',
      POSTHORN_SERVICE_HOST: '10.96.0.10',
      POSTHORN_SERVICE_PORT: '4870',
      POSTHORN_SERVICE_PORT_HTTP: '4870',
      POSTHORN_PORT: 'tcp://10.96.0.10:4870',
      POSTHORN_PORT_4870_TCP: 'tcp://10.96.0.10:4870',
      POSTHORN_PORT_4870_TCP_ADDR: '10.96.0.10',
    }),
    defaults,
  );
});

test('the examples of the table can be used', () => {
  assert.ok(readSettings(Object.fromEntries(settingsTable.map(({ name, example }) => [name, example]))));
});
