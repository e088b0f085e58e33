// System: nodes, store, backlog and settings of this Posthorn.
import { useQuery } from '@tanstack/react-query';
import { call } from '../../api/client.ts';
import type { SystemState } from '../../api/types.ts';
import { Badge } from '../../kit/Badge.tsx';
import { formatBytes, formatCount, formatMs } from '../../kit/format.ts';
import { Card, Loaded, PageHeader, SkeletonRows } from '../../kit/Page.tsx';
import { PlainLine, PlainText } from '../../kit/PlainText.tsx';
import { Time } from '../../kit/Time.tsx';
import '../../kit/table.css';
import '../../kit/lists.css';

const refreshMs = 5_000;

export default function SystemPage() {
  const system = useQuery({
    queryKey: ['system'],
    queryFn: ({ signal }) => call<SystemState>('GET', '/v1/system', { signal }),
    refetchInterval: refreshMs,
  });
  return (
    <>
      <PageHeader
        title="System"
        description="This Posthorn: its nodes, its store, what waits, how it is set."
      />
      <Loaded
        query={system}
        skeleton={
          <Card flush>
            <SkeletonRows rows={6} />
          </Card>
        }
      >
        {(state) => (
          <>
            <Figures state={state} />
            <Nodes nodes={state.nodes} />
            <Settings settings={state.settings} />
          </>
        )}
      </Loaded>
    </>
  );
}

function Figures({ state: { version, store, backlog, lanes, retentionMs } }: { state: SystemState }) {
  const facts: [label: string, value: React.ReactNode][] = [
    ['Version', version],
    ['Store', `${store.kind === 'sqlite' ? 'SQLite' : 'PostgreSQL'} ${store.version}`],
    ['Size', store.sizeBytes === null ? '–' : formatBytes(store.sizeBytes)],
    ['History is kept for', formatMs(retentionMs)],
    ['Pending deliveries', formatCount(backlog.pending)],
    ['Of these held by nodes', formatCount(backlog.held)],
    ['Oldest pending', backlog.oldestAt === null ? '–' : <Time key="oldest" at={backlog.oldestAt} />],
    ['Lanes', `${formatCount(lanes.active)} active, ${formatCount(lanes.waiting)} waiting`],
    ['Open breakers', formatCount(lanes.openBreakers)],
  ];
  return (
    <Card>
      <dl className="facts">
        {facts.map(([label, value]) => (
          <div key={label}>
            <dt>{label}</dt>
            <dd className="number">{value}</dd>
          </div>
        ))}
      </dl>
    </Card>
  );
}

function Nodes({ nodes }: { nodes: SystemState['nodes'] }) {
  return (
    <Card title="Nodes" flush>
      <table className="table folds">
        <thead>
          <tr>
            <th style={{ width: '40%' }}>Node</th>
            <th>Does</th>
            <th>Version</th>
            <th>Started</th>
            <th>Last seen</th>
          </tr>
        </thead>
        <tbody>
          {nodes.map((node) => (
            <tr key={node.id}>
              <td>
                <span className="row nowrap">
                  <PlainLine text={node.id} mono />
                  {node.current ? <Badge tone="green">Answers you</Badge> : null}
                </span>
              </td>
              <td data-label="Does">{node.roles === null ? '–' : node.roles.join(', ')}</td>
              <td data-label="Version">{node.version ?? '–'}</td>
              <td data-label="Started">
                <Time at={node.startedAt} />
              </td>
              <td data-label="Last seen">
                <Time at={node.lastSeenAt} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Card>
  );
}

const sources: Record<string, string> = { environment: 'environment', default: 'default', file: 'file' };

function Settings({ settings }: { settings: SystemState['settings'] }) {
  return (
    <Card
      title="Settings"
      description="Set by environment variables when a node starts. Secrets are not shown."
      flush
    >
      <dl>
        {settings.map(({ name, value, source }) => (
          <div key={name} className="line-row setting">
            <dt className="mono">{name}</dt>
            <dd className="mono">{value === null ? '–' : <PlainText text={value} limit={120} />}</dd>
            <dd className="quiet small">{sources[source] ?? source}</dd>
          </div>
        ))}
      </dl>
    </Card>
  );
}
