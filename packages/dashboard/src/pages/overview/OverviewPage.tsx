// Overview: what was accepted, delivered and failed, over an hour, a day or 30 days, and the webhooks that need somebody.
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { CircleAlert, CircleCheck, TriangleAlert, Webhook } from 'lucide-react';
import { lazy, Suspense } from 'react';
import { Link } from 'wouter';
import type { Overview } from '../../api/types.ts';
import { useTeam } from '../../app/session.tsx';
import { useUrlState } from '../../app/url-state.ts';
import { ButtonLink } from '../../kit/Button.tsx';
import { formatCount } from '../../kit/format.ts';
import { Card, Empty, Loaded, PageHeader, Skeleton } from '../../kit/Page.tsx';
import { PlainLine, PlainText } from '../../kit/PlainText.tsx';
import { Tabs } from '../../kit/Tabs.tsx';
import './overview.css';

const ranges = [
  { value: 'hour', label: 'Last hour' },
  { value: 'day', label: 'Last day' },
  { value: 'month', label: 'Last 30 days' },
] as const;
type Range = (typeof ranges)[number]['value'];

const refreshMs = 10_000;
const chartHeight = 260;

// A chunk of its own, so that the figures never wait for it, nor fail with it: uPlot refuses to load in a browser whose
// language it does not understand.
const Chart = lazy(() => import('./Chart.tsx').catch(() => ({ default: NoChart })));
const NoChart = () => (
  <p className="quiet">The chart could not be loaded. The figures above are right all the same.</p>
);

export default function OverviewPage() {
  const { call, key } = useTeam();
  const [{ range: asked }, setUrl] = useUrlState(['range']);
  const range: Range = ranges.find(({ value }) => value === asked)?.value ?? 'day';
  const overview = useQuery({
    queryKey: key('overview', range),
    queryFn: ({ signal }) => call<Overview>('GET', '/v1/overview', { signal, query: { range } }),
    placeholderData: keepPreviousData,
    refetchInterval: refreshMs,
  });
  return (
    <>
      <PageHeader title="Overview" description="What happened, what arrived, and what needs you." />
      <Tabs<Range> label="Period" tabs={ranges} value={range} onChange={(next) => setUrl({ range: next })}>
        <div className="overview">
          <Totals totals={overview.data?.totals} />
          <Card title="Deliveries over time">
            <Loaded query={overview} skeleton={<Skeleton height={chartHeight} />}>
              {(data) => (
                <Suspense fallback={<Skeleton height={chartHeight} />}>
                  <Chart overview={data} />
                </Suspense>
              )}
            </Loaded>
          </Card>
          <Loaded query={overview} skeleton={null}>
            {(data) => <Attention attention={data.attention} hasAny={data.totals.accepted > 0} />}
          </Loaded>
        </div>
      </Tabs>
    </>
  );
}

const tiles = [
  { name: 'accepted', label: 'Events accepted', to: 'events' },
  { name: 'delivered', label: 'Delivered', to: 'deliveries?state=delivered' },
  { name: 'failed', label: 'Failed', to: 'deliveries?state=failed' },
  { name: 'pending', label: 'Pending now', to: 'deliveries?state=pending' },
] as const;

function Totals({ totals }: { totals: Overview['totals'] | undefined }) {
  const { href } = useTeam();
  return (
    <ul className="tiles">
      {tiles.map(({ name, label, to }) => (
        <li key={name}>
          <Link href={href(to)} className="tile" data-name={name}>
            <span className="tile-label">{label}</span>
            <span className="tile-figure number">
              {totals === undefined ? <Skeleton width={4} height={28} /> : formatCount(totals[name])}
            </span>
          </Link>
        </li>
      ))}
    </ul>
  );
}

function Attention({ attention, hasAny }: { attention: Overview['attention']; hasAny: boolean }) {
  const { href, may } = useTeam();
  return (
    <Card title="Needs attention" flush>
      {attention.length > 0 ? (
        <ul className="attention">
          {attention.map(({ webhookId, url, message, severity }) => (
            <li key={webhookId} data-severity={severity}>
              {severity === 'error' ? (
                <CircleAlert size={16} aria-label="Error" />
              ) : (
                <TriangleAlert size={16} aria-label="Warning" />
              )}
              <div className="grow">
                <Link href={href(`settings/webhooks/${webhookId}`)} className="link">
                  <PlainLine text={url} mono />
                </Link>
                <div>
                  <PlainText text={message} />
                </div>
              </div>
            </li>
          ))}
        </ul>
      ) : hasAny ? (
        <Empty icon={CircleCheck} title="Every webhook is well">
          Webhooks that fail or fall behind are listed here, each with what to do about it.
        </Empty>
      ) : (
        <Empty
          icon={Webhook}
          title="Nothing has happened yet"
          action={
            may('webhooks.write') ? (
              <ButtonLink kind="primary" href={href('settings/webhooks')}>
                Set up a webhook
              </ButtonLink>
            ) : undefined
          }
        >
          Choose what to listen to and where it should go; the first event shows up here within seconds.
        </Empty>
      )}
    </Card>
  );
}
