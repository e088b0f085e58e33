// The server: puts the parts together, starts them in order and stops them in reverse.
import { createRequire } from 'node:module';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { systemClock } from './clock.ts';
import { describeSettings, readSettings, type Settings } from './config.ts';
import { startEngine } from './engine/engine.ts';
import { type OwnAddress, parseNetworks } from './engine/guard.ts';
import { Intake } from './engine/intake.ts';
import { createPublisher } from './engine/publish.ts';
import { UrlChecker } from './engine/url-check.ts';
import { databaseFile, prepareDataDir, setUp } from './first-start.ts';
import { buildApp } from './http/app.ts';
import type { House } from './http/context.ts';
import { doors } from './http/doors.ts';
import { readPages } from './http/pages.ts';
import { Catalogue } from './platform/catalogue.ts';
import { watchCatalogue } from './platform/catalogue-watch.ts';
import { startExpiry } from './platform/expiry.ts';
import { startFailingWatch } from './platform/failing.ts';
import { openIdOf } from './platform/open-id.ts';
import type { Platform } from './platform/platform.ts';
import { startPresence } from './platform/presence.ts';
import { Quotas } from './platform/quotas.ts';
import { SessionBook } from './platform/sessions.ts';
import { signInUrl } from './platform/sign-in-links.ts';
import { TeamBook } from './platform/teams.ts';
import { TokenBook } from './platform/tokens.ts';
import { openStore } from './store/open.ts';
import { createLog, logRequest, Metrics } from './telemetry.ts';
import { Vault } from './vault.ts';

export { backUpStore, migrateStore, restoreStore } from './commands.ts';
export { describeFallback, SettingsError, settingsTable } from './config.ts';
export { StartError } from './first-start.ts';
export { StoreError } from './store/errors.ts';

const manifest = createRequire(import.meta.url)('../package.json') as { version: string };

/** Where the dashboard's build is, if there is one. */
const dashboardFolder = fileURLToPath(new URL('../../dashboard/dist/', import.meta.url));

/** This version of Posthorn, as `package.json` has it. */
export const { version } = manifest;

export interface RunningServer {
  /** Where it listens: `http://host:port`. */
  address: string;
  /** What only a first start has to say; nulls on a store that was set up before. */
  firstStart: { adminToken: string | null; adminTokenFile: string; signInUrl: string | null };
  /** Finishes or gives back what is under way. Idempotent; bounded by `POSTHORN_STOP_TIMEOUT`. */
  stop(): Promise<void>;
}

/**
 * Starts a node.
 * @param env the environment's variables
 * @throws SettingsError, StartError, StoreError with one sentence for the operator
 */
export async function startServer(env: Record<string, string | undefined>): Promise<RunningServer> {
  const given = readSettings(env);
  const { settings, adminToken, adminTokenFile } = prepareDataDir(given);
  const clock = systemClock;
  const log = createLog(settings.logLevel, clock);
  const { logger, flush } = log;
  const vault = new Vault(settings.secretKeys);
  const store = await openStore({
    path: join(settings.dataDir, databaseFile),
    databaseUrl: settings.databaseUrl,
    databaseConnections: settings.databaseConnections,
    databaseTimeoutMs: settings.databaseTimeoutMs,
    now: clock.now(),
    delivers: settings.roles.deliver,
  });
  try {
    return await run();
  } catch (error) {
    await store.close();
    throw error;
  }

  async function run(): Promise<RunningServer> {
    // Before anybody can call: a key that does not fit must not serve a single request.
    const { signInToken } = await setUp({ store, clock, vault });
    const catalogue = new Catalogue();
    await catalogue.load(store);

    const allowed = parseNetworks(settings.allowedNetworks);
    const addresses = Object.values(networkInterfaces()).flatMap((list) =>
      (list ?? []).map(({ address }) => address),
    );
    const own: OwnAddress = { host: settings.host, port: settings.port, addresses };
    const engine = startEngine(
      {
        settings: {
          ...settings,
          adminToken: null,
          secretKeys: [],
          databaseUrl: null,
          oidcClientSecret: null,
        },
        secretKeys: settings.secretKeys,
        userAgent: `Posthorn/${version}`,
        store: store.connect(),
      },
      (error) => {
        throw error;
      },
    );
    const quotas = new Quotas(store, clock, settings);
    const metrics = new Metrics({
      store: () => store.figures(),
      engine: () => engine.figures(),
      now: () => clock.now(),
      refused: () => quotas.refused,
    });
    const publisher = createPublisher({
      store,
      clock,
      types: catalogue,
      births: engine,
      limits: settings,
      intake: new Intake(engine.load, clock),
      onAccepted: (events) => metrics.countAccepted(events),
    });

    const platform: Platform = {
      store,
      publisher,
      clock,
      vault,
      settings,
      catalogue,
      async settleFigures() {
        await Promise.all([store.writeFigures(), engine.writeFigures()]);
      },
    };
    const shared = settings.databaseUrl !== null;
    const stopWatch = shared
      ? watchCatalogue(platform, (error) => logger.error({ err: error }, 'event types were not read'))
      : () => Promise.resolve();
    const presence = startPresence(platform, { version, shared }, (error) =>
      logger.error({ err: error }, 'this node could not say that it is there'),
    );
    const house: House = {
      platform,
      teams: new TeamBook(store, clock, (error) => logger.error({ err: error }, 'teams were not read')),
      tokens: new TokenBook(store, clock, adminToken),
      sessions: new SessionBook(store, clock),
      openId: openIdOf(settings, clock, vault),
      quotas,
      version,
      publicUrl: () => publicUrl,
    };
    const urlChecker = new UrlChecker(clock, { allowed, own });
    let draining = false;
    const app = await buildApp({
      house,
      logger,
      version,
      onResponse(news) {
        metrics.observeRequest(news.method, news.route, news.status, news.ms / 1000);
        logRequest(log, news, clock.now());
      },
      doors: doors({
        logger,
        guard: { allowed, own },
        pages: readPages(dashboardFolder),
        urlChecker,
        server: {
          nodes: () => presence.nodes(),
          lanes: () => engine.figures(),
          settings: describeSettings(env),
        },
        system: {
          metricsToken: settings.metricsToken,
          metrics: async () => ({ contentType: metrics.contentType, text: await metrics.scrape() }),
          async unready() {
            if (draining) return 'This node is stopping.';
            return store.ping().then(
              () => null,
              () => 'The store does not answer.',
            );
          },
        },
      }),
    });
    await app.listen({ port: settings.port, host: settings.host });
    const bound = app.server.address();
    own.port = typeof bound === 'object' && bound !== null ? bound.port : settings.port;
    const address = addressOf(own.port, settings);
    const publicUrl = settings.publicUrl ?? address;
    engine.start(own);
    const stopExpiry = startExpiry(platform, (error) => logger.error({ err: error }, 'expired rows stayed'));
    const stopFailingWatch = startFailingWatch(platform, (error) =>
      logger.error({ err: error }, 'failing webhooks were not looked for'),
    );
    logger.info({ address, version, roles: settings.roles }, 'started');

    let stopping: Promise<void> | null = null;
    const stop = async () => {
      draining = true;
      logger.info('stopping');
      await Promise.race([
        app.close(),
        new Promise<void>((resolve) => clock.after(settings.stopTimeoutMs, resolve)),
      ]);
      await stopExpiry();
      await stopFailingWatch();
      await stopWatch();
      urlChecker.close();
      await presence.stop();
      await engine.stop(settings.stopTimeoutMs);
      await store.close();
      logger.info('stopped');
      flush();
    };
    return {
      address,
      firstStart: {
        // On the start that sets the store up, even if one before it made the token and then failed.
        adminToken: signInToken !== null && given.adminToken === null ? adminToken : null,
        adminTokenFile,
        signInUrl: signInToken === null ? null : signInUrl(publicUrl, signInToken),
      },
      stop: () => {
        stopping ??= stop();
        return stopping;
      },
    };
  }
}

function addressOf(port: number, settings: Settings): string {
  const host = settings.host.includes(':') ? `[${settings.host}]` : settings.host;
  return `http://${host}:${port}`;
}
