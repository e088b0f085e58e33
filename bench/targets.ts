// What is measured: the relay, and Posthorn on each of its stores. A further store is one more entry of `stores`.
import { startPosthorn } from './posthorn.ts';
import type { Store } from './results.ts';
import { Worker } from './worker.ts';

/** Attempts under way per endpoint: Posthorn's default ceiling, and what the relay is given. */
const inFlightPerEndpoint = 32;

/** No less than a thread of `npm start` has, so that the relay does not collect garbage more often than Posthorn. */
const relayFlags = ['--max-semi-space-size=16'];

/** Something that answers at `POST /v1/events` and sends each event to all its endpoints. */
export interface Running {
  store: Store;
  port: number;
  token: string;
  /** The process that does the work, for its processor time and memory. */
  pid: number;
  /** The first process of its database server, null if it has none. */
  databasePid: number | null;
  /** On the disk that it and its database write to; null if they write nothing. */
  dataPath: string | null;
  /** How many commits its store made so far; null if it has no store. */
  commits: (() => Promise<number>) | null;
  stop(): Promise<void>;
}

export interface Target {
  store: Store;
  /** Starts it with one subscription per endpoint URL, its data in a new folder of `dir`, and `env` in its environment. */
  start(
    endpoints: string[],
    dir: string,
    profileDir: string | null,
    env?: Record<string, string>,
  ): Promise<Running>;
}

/** The settings that put Posthorn on each store. */
export const stores: { store: Store; settings: Record<string, string> }[] = [
  { store: 'sqlite', settings: {} },
  { store: 'postgres', settings: {} },
];

const relay: Target = {
  store: 'relay',
  async start(endpoints, _dir, profileDir, env = {}) {
    const profiling = profileDir === null ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileDir}`];
    const args = [String(inFlightPerEndpoint), ...endpoints];
    const [worker, ports] = await Worker.serve('relay.ts', args, [...relayFlags, ...profiling], env);
    return {
      store: 'relay',
      port: ports[0] ?? 0,
      token: 'none',
      pid: worker.pid,
      databasePid: null,
      dataPath: null,
      commits: null,
      stop: () => worker.stop(),
    };
  },
};

export const targets: Target[] = [
  relay,
  ...stores.map(
    ({ store, settings }): Target => ({
      store,
      async start(endpoints, dir, profileDir, env = {}) {
        const most = { POSTHORN_WEBHOOKS_PER_TEAM: String(Math.max(20, endpoints.length)) };
        const posthorn = await startPosthorn(store, { ...settings, ...most, ...env }, dir, profileDir);
        try {
          for (const url of endpoints) await posthorn.subscribe(url);
          return posthorn;
        } catch (error) {
          await posthorn.stop();
          throw error;
        }
      },
    }),
  ),
];
