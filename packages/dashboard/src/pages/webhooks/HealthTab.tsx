// How a webhook is: what to do if something is wrong, rates and latency, the backlog, the last deliveries, a test.
import { useQuery } from '@tanstack/react-query';
import { Send } from 'lucide-react';
import { Link } from 'wouter';
import { useLive } from '../../api/live.ts';
import type { Delivery, Webhook, WebhookHealth, WindowHealth } from '../../api/types.ts';
import { useTeam } from '../../app/session.tsx';
import { DeliveryStatus, HttpStatus, Status, type Tone } from '../../kit/Badge.tsx';
import { countOf, formatCount, formatMs, formatShare } from '../../kit/format.ts';
import { Card, Empty, Loaded, Notice, Skeleton, SkeletonRows } from '../../kit/Page.tsx';
import { PlainText } from '../../kit/PlainText.tsx';
import { Time } from '../../kit/Time.tsx';
import { useHealth, webhookPath } from './queries.ts';
import { SendTest } from './SendTest.tsx';

const states: Record<WebhookHealth['state'], { tone: Tone; label: string }> = {
  healthy: { tone: 'green', label: 'Healthy' },
  degraded: { tone: 'amber', label: 'Degraded' },
  failing: { tone: 'red', label: 'Failing' },
  idle: { tone: 'gray', label: 'Idle' },
  disabled: { tone: 'gray', label: 'Disabled' },
};

export function HealthTab({ webhook }: { webhook: Webhook }) {
  const { may } = useTeam();
  const health = useHealth(webhook.id);
  return (
    <>
      <Card title="Health">
        <Loaded query={health} skeleton={<Skeleton height={190} />}>
          {(data) => <Health health={data} />}
        </Loaded>
      </Card>
      {may('webhooks.write') ? (
        <div className="health-test">
          <SendTest webhookId={webhook.id} type={webhook.events[0]} />
        </div>
      ) : null}
      <Recent webhookId={webhook.id} />
    </>
  );
}

function Health({ health }: { health: WebhookHealth }) {
  const { tone, label } = states[health.state];
  const { backlog, oldestPendingAt, drainEtaMs, breaker, lastFailure, advice } = health;
  return (
    <div className="stack">
      {advice === null ? null : (
        <Notice kind={health.state === 'failing' ? 'error' : 'warning'} title="What to do">
          <PlainText text={advice} limit={600} />
        </Notice>
      )}
      <dl className="facts">
        <div>
          <dt>State</dt>
          <dd>
            <Status tone={tone}>{label}</Status>
          </dd>
        </div>
        <div>
          <dt>Backlog</dt>
          <dd>
            {backlog === 0 ? 'Empty' : countOf(backlog, 'delivery', 'deliveries')}
            {oldestPendingAt === null ? null : (
              <span className="quiet small">
                oldest <Time at={oldestPendingAt} />
              </span>
            )}
          </dd>
        </div>
        <div>
          <dt>Time to drain</dt>
          <dd>
            {backlog === 0
              ? '—'
              : drainEtaMs === null
                ? 'Not getting shorter'
                : `about ${formatMs(drainEtaMs)}`}
          </dd>
        </div>
        <div>
          <dt>Breaker</dt>
          <dd>
            {breaker.state === 'closed'
              ? 'Closed'
              : breaker.state === 'open'
                ? 'Open: resting'
                : 'Trying one delivery'}
            {breaker.until === null ? null : (
              <span className="quiet small">
                next try <Time at={breaker.until} pace="second" />
              </span>
            )}
          </dd>
        </div>
      </dl>
      <div className="table-wrap">
        <table className="table windows">
          <thead>
            <tr>
              <th>Period</th>
              <th>Attempts succeeded</th>
              <th>Delivered</th>
              <th>Failed</th>
              <th>Median</th>
              <th>95%</th>
            </tr>
          </thead>
          <tbody>
            <WindowRow label="5 minutes" figures={health.windows['5m']} />
            <WindowRow label="Hour" figures={health.windows['1h']} />
            <WindowRow label="24 hours" figures={health.windows['24h']} />
          </tbody>
        </table>
      </div>
      {lastFailure === null ? null : (
        <div>
          <h3>
            Last failure <span className="quiet small">· </span>
            <span className="quiet small">
              <Time at={lastFailure.at} />
            </span>
          </h3>
          <p className="last-failure">
            <HttpStatus code={lastFailure.status} /> <PlainText text={lastFailure.message} limit={600} />
          </p>
        </div>
      )}
    </div>
  );
}

function WindowRow({ label, figures }: { label: string; figures: WindowHealth }) {
  const { attempts, successRate, delivered, failed, p50Ms, p95Ms } = figures;
  const latency = (ms: number | null) => (ms === null ? '—' : formatMs(ms));
  return (
    <tr className="number">
      <td>{label}</td>
      <td>
        {successRate === null ? (
          '—'
        ) : (
          <>
            {formatShare(successRate)} <span className="quiet small">of {formatCount(attempts)}</span>
          </>
        )}
      </td>
      <td>{formatCount(delivered)}</td>
      <td>{formatCount(failed)}</td>
      <td>{latency(p50Ms)}</td>
      <td>{latency(p95Ms)}</td>
    </tr>
  );
}

const recentCount = 8;

function Recent({ webhookId }: { webhookId: string }) {
  const { call, key, href } = useTeam();
  const recent = useQuery({
    queryKey: key('webhooks', webhookId, 'recent'),
    queryFn: ({ signal }) =>
      call<{ deliveries: Delivery[] }>('GET', `${webhookPath(webhookId)}/deliveries`, {
        signal,
        query: { limit: recentCount },
      }),
  });
  useLive({
    attempt: (news) => {
      if (news.webhookId === webhookId && !recent.isFetching) void recent.refetch();
    },
  });
  return (
    <Card
      flush
      title="Recent deliveries"
      actions={
        <Link className="link small" href={href(`deliveries?webhookId=${webhookId}`)}>
          All deliveries
        </Link>
      }
    >
      <Loaded query={recent} skeleton={<SkeletonRows rows={3} />}>
        {({ deliveries }) =>
          deliveries.length === 0 ? (
            <Empty icon={Send} title="Nothing was sent yet">
              The first event that fits this webhook appears here. A test event shows whether the endpoint
              answers.
            </Empty>
          ) : (
            <table className="table folds recent">
              <thead>
                <tr>
                  <th>Event</th>
                  <th>State</th>
                  <th>Answer</th>
                  <th>Attempts</th>
                  <th>Created</th>
                </tr>
              </thead>
              <tbody>
                {deliveries.map((delivery) => (
                  <tr key={delivery.id}>
                    <td>
                      <Link className="webhook-link mono cut line" href={href(`deliveries/${delivery.id}`)}>
                        {delivery.type}
                      </Link>
                    </td>
                    <td data-label="State">
                      <DeliveryStatus state={delivery.state} />
                    </td>
                    <td data-label="Answer">
                      {delivery.attempts === 0 ? '—' : <HttpStatus code={delivery.lastStatus} />}
                    </td>
                    <td data-label="Attempts" className="number">
                      {delivery.attempts}
                    </td>
                    <td data-label="Created" className="quiet">
                      <Time at={delivery.createdAt} />
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          )
        }
      </Loaded>
    </Card>
  );
}
