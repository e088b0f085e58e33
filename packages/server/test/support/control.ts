// The control plane in one process, without a socket: a real store in a folder of its own, the real doors, and a
// clock that stands where a test puts it. What would be sent is only noted.
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FastifyInstance, HTTPMethods } from 'fastify';
import pino from 'pino';
import { type Clock, systemClock } from '../../src/clock.ts';
import { readSettings } from '../../src/config.ts';
import { parseNetworks } from '../../src/engine/guard.ts';
import { Intake, idleLoad } from '../../src/engine/intake.ts';
import { createPublisher } from '../../src/engine/publish.ts';
import { UrlChecker } from '../../src/engine/url-check.ts';
import { setUp } from '../../src/first-start.ts';
import { buildApp } from '../../src/http/app.ts';
import { doors } from '../../src/http/doors.ts';
import type { Pages } from '../../src/http/pages.ts';
import { Catalogue } from '../../src/platform/catalogue.ts';
import type { Platform } from '../../src/platform/platform.ts';
import { Quotas } from '../../src/platform/quotas.ts';
import { SessionBook } from '../../src/platform/sessions.ts';
import { TeamBook } from '../../src/platform/teams.ts';
import { TokenBook } from '../../src/platform/tokens.ts';
import type { Row } from '../../src/store/control/tables.ts';
import { openSqliteStore } from '../../src/store/sqlite/client.ts';
import type { Store } from '../../src/store/store.ts';
import { Vault } from '../../src/vault.ts';

const operatorToken = 'Operator0000000000000000';
export const publicUrl = 'https://posthorn.test';

export interface Answer {
  status: number;
  headers: Record<string, unknown>;
  // biome-ignore lint/suspicious/noExplicitAny: what an answer holds is what the test asserts
  body: any; // oxlint-disable-line typescript/no-explicit-any
}

export interface ControlPlane {
  app: FastifyInstance;
  store: Store;
  platform: Platform;
  /** Tags of endpoints that changes touched, in order. */
  touched: string[];
  call(method: HTTPMethods, path: string, options?: CallOptions): Promise<Answer>;
  /** A new token, through the API. */
  token(role: string, more?: { teamId?: string; userId?: string; expiresAt?: number }): Promise<string>;
  /** A new team, through the API. */
  team(slug: string, plan?: string): Promise<{ id: string; slug: string }>;
  /** Every event in the store, oldest first, with its body parsed. */
  events(): Promise<
    { type: string; teamId: string; projectId: string | null; payload: Record<string, unknown> }[]
  >;
  audit(): Promise<Row<'audit'>[]>;
  /** Moves wall time and the monotonic clock forward. */
  pass(ms: number): void;
  /** The keys that seal from now on, newest first. */
  useKeys(keys: readonly Buffer[]): void;
  readonly keys: readonly Buffer[];
  close(): Promise<void>;
}

export interface CallOptions {
  token?: string | null;
  body?: object;
  headers?: Record<string, string>;
}

export async function startControlPlane(pages: Pages | null = null): Promise<ControlPlane> {
  const folder = mkdtempSync(join(tmpdir(), 'posthorn-control-'));
  let aheadMs = 0;
  const clock: Clock = {
    ...systemClock,
    now: () => systemClock.now() + aheadMs,
    monotonic: () => systemClock.monotonic() + aheadMs,
  };
  const settings = readSettings({ POSTHORN_ALLOWED_NETWORKS: '127.0.0.0/8' });
  const store = await openSqliteStore({
    path: join(folder, 'posthorn.db'),
    now: clock.now(),
    delivers: false,
  });
  let keys: readonly Buffer[] = [randomBytes(32)];
  const catalogue = new Catalogue();
  await catalogue.load(store);
  const touched: string[] = [];
  const publisher = createPublisher({
    store,
    clock,
    types: catalogue,
    births: { take() {}, noteBehind() {}, noteChange: (tag) => touched.push(tag) },
    limits: settings,
    intake: new Intake(idleLoad, clock),
    onAccepted() {},
  });
  const platform = {
    store,
    publisher,
    clock,
    vault: new Vault([...keys]),
    settings,
    catalogue,
    settleFigures: () => store.writeFigures(),
  };
  await setUp({ store, clock, vault: platform.vault });
  const guard = { allowed: parseNetworks('127.0.0.0/8'), own: null };
  const app = await buildApp({
    house: {
      platform,
      teams: new TeamBook(store, clock, (error) => {
        throw error;
      }),
      tokens: new TokenBook(store, clock, operatorToken),
      sessions: new SessionBook(store, clock),
      openId: null,
      quotas: new Quotas(store, clock, settings),
      version: '0.0.0',
      publicUrl: () => publicUrl,
    },
    logger: pino({ level: 'silent' }),
    version: '0.0.0',
    doors: doors({
      logger: pino({ level: 'silent' }),
      pages,
      guard,
      urlChecker: new UrlChecker(clock, guard),
      server: {
        nodes: () => Promise.resolve([]),
        lanes: () => Promise.resolve({ lanes: 0, openBreakers: 0 }),
        settings: [],
      },
      system: {
        metrics: () => Promise.resolve({ contentType: 'text/plain', text: '' }),
        unready: () => Promise.resolve(null),
        metricsToken: null,
      },
    }),
    onResponse() {},
  });

  const call: ControlPlane['call'] = async (method, path, options = {}) => {
    const { token = operatorToken, body, headers = {} } = options;
    const answer = await app.inject({
      method,
      url: path,
      headers: { ...(token === null ? {} : { authorization: `Bearer ${token}` }), ...headers },
      ...(body === undefined ? {} : { payload: body }),
    });
    return {
      status: answer.statusCode,
      headers: answer.headers,
      body: answer.body === '' ? null : JSON.parse(answer.body),
    };
  };
  return {
    app,
    store,
    platform,
    touched,
    call,
    async token(role, more = {}) {
      const { status, body } = await call('POST', '/v1/tokens', {
        body: { name: `a ${role}`, role, ...more },
      });
      if (status !== 201) throw new Error(`No token: ${JSON.stringify(body)}`);
      return body.token;
    },
    async team(slug, plan = 'pro') {
      const { status, body } = await call('POST', '/v1/teams', { body: { slug, name: slug, plan } });
      if (status !== 200) throw new Error(`No team: ${JSON.stringify(body)}`);
      return body;
    },
    async events() {
      const rows = await store.read(store.queries.selectFrom('events').selectAll().orderBy('seq').compile());
      return rows.map((row) => ({
        type: row.type,
        teamId: row.team_id,
        projectId: row.project_id,
        payload: JSON.parse(Buffer.from(row.body).toString('utf8')).payload,
      }));
    },
    audit: () => store.read(store.queries.selectFrom('audit').selectAll().orderBy('id').compile()),
    pass(ms) {
      aheadMs += ms;
    },
    useKeys(next) {
      keys = next;
      platform.vault = new Vault([...next]);
    },
    get keys() {
      return keys;
    },
    async close() {
      await app.close();
      await store.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
