// The door to the server itself, for its operator: version, store, nodes, backlog, settings without secrets.
import Type from 'typebox';
import { timeOfId } from '../id.ts';
import type { NodeView } from '../platform/presence.ts';
import type { Door } from './app.ts';
import { NullableNumber, NullableText } from './fields.ts';

export interface ServerSources {
  nodes(): Promise<NodeView[]>;
  /** Lanes that this node has in memory. */
  lanes(): Promise<{ lanes: number; openBreakers: number }>;
  /** The settings that hold; those that are secret say only whether they are set. */
  settings: readonly { name: string; value: string | null; source: string }[];
}

const System = Type.Object({
  version: Type.String(),
  store: Type.Object({ kind: Type.String(), version: Type.String(), sizeBytes: Type.Number() }),
  nodes: Type.Array(
    Type.Object({
      id: Type.String(),
      roles: Type.Array(Type.String()),
      startedAt: Type.Number(),
      lastSeenAt: Type.Number(),
      version: Type.String(),
      current: Type.Boolean(),
    }),
  ),
  backlog: Type.Object({ pending: Type.Number(), held: Type.Number(), oldestAt: NullableNumber }),
  lanes: Type.Object({ active: Type.Number(), waiting: Type.Number(), openBreakers: Type.Number() }),
  retentionMs: Type.Number(),
  settings: Type.Array(Type.Object({ name: Type.String(), value: NullableText, source: Type.String() })),
});

export function serverDoor(sources: ServerSources): Door {
  return (app, house) => {
    const { platform } = house;
    app.get(
      '/system',
      {
        config: { access: 'operate' },
        schema: {
          tags: ['system'],
          summary: 'The server: version, store, nodes, backlog, settings',
          response: { 200: System },
        },
      },
      async () => {
        const { store, settings } = platform;
        const [description, nodes, figures, lanes] = await Promise.all([
          store.describe(),
          sources.nodes(),
          store.figures(),
          sources.lanes(),
        ]);
        const { pending, held, oldestKey, waitingLanes } = figures;
        return {
          version: house.version,
          store: description,
          nodes,
          backlog: { pending, held, oldestAt: oldestKey === null ? null : timeOfId(oldestKey) },
          lanes: { active: lanes.lanes, waiting: waitingLanes, openBreakers: lanes.openBreakers },
          retentionMs: settings.retentionMs,
          settings: sources.settings,
        };
      },
    );
  };
}
