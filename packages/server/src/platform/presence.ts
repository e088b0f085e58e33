// Which nodes run, for those who ask. Where nodes share a store each says every few seconds that it is there; a node that
// has been silent for longer than that is not listed.
import { newAlphanumeric } from '../id.ts';
import { deletePresence, listPresence, putPresence } from '../store/control/presence.ts';
import type { Platform } from './platform.ts';

const everyMs = 10_000;
/** A node that is silent for so long is not there. */
const presentMs = 3 * everyMs;

export interface NodeView {
  id: string;
  roles: string[];
  startedAt: number;
  lastSeenAt: number;
  version: string;
  current: boolean;
}

export interface Presence {
  /** The nodes that run, this one first. */
  nodes(): Promise<NodeView[]>;
  /** Ends it; the node is listed no more. */
  stop(): Promise<void>;
}

/**
 * Begins to say that this node is there.
 * @param shared whether other nodes may use the same store
 */
export function startPresence(
  { store, clock, settings }: Pick<Platform, 'store' | 'clock' | 'settings'>,
  node: { version: string; shared: boolean },
  onFault: (error: unknown) => void,
): Presence {
  const roles = Object.entries(settings.roles).flatMap(([role, has]) => (has ? [role] : []));
  const own = { id: `node_${newAlphanumeric(16)}`, roles: roles.join(','), version: node.version };
  const startedAt = clock.now();
  const change = async (steps: Parameters<typeof store.change>[0]['steps']) => {
    await store.change({ steps, events: [], touched: [], now: clock.now() });
  };
  let stopped = false;
  let timer = clock.after(0, () => {});
  let running = Promise.resolve();
  const beat = async () => {
    const seenAt = clock.now();
    try {
      await change(
        putPresence(store, { ...own, started_at: startedAt, seen_at: seenAt }, seenAt - presentMs),
      );
    } catch (error) {
      onFault(error);
    }
    if (!stopped) wait(everyMs);
  };
  const wait = (ms: number) => {
    timer = clock.after(ms, () => {
      running = beat();
    });
  };
  if (node.shared) wait(0);
  return {
    async nodes() {
      const now = clock.now();
      const self = { id: own.id, roles, startedAt, lastSeenAt: now, version: own.version, current: true };
      if (!node.shared) return [self];
      const others = (await listPresence(store, now - presentMs)).filter(({ id }) => id !== own.id);
      return [
        self,
        ...others.map((row) => ({
          id: row.id,
          roles: row.roles.split(','),
          startedAt: row.started_at,
          lastSeenAt: row.seen_at,
          version: row.version,
          current: false,
        })),
      ];
    },
    async stop() {
      stopped = true;
      timer.cancel();
      await running;
      if (node.shared) await change([deletePresence(store, own.id)]).catch(onFault);
    },
  };
}
