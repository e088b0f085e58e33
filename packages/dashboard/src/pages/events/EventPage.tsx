// One event: its body, the deliveries it made, and for every webhook of the team why it got it or not.
import { useQuery } from '@tanstack/react-query';
import { Check, Minus } from 'lucide-react';
import { useState } from 'react';
import { Link, useParams } from 'wouter';
import { useLive } from '../../api/live.ts';
import type { FullEvent, Matching } from '../../api/types.ts';
import { useTeam } from '../../app/session.tsx';
import { Badge, DeliveryStatus } from '../../kit/Badge.tsx';
import { Copy } from '../../kit/Copy.tsx';
import { countOf, exactTime, formatBytes } from '../../kit/format.ts';
import { JsonView } from '../../kit/Json.tsx';
import { Card, Loaded, PageHeader, SkeletonRows } from '../../kit/Page.tsx';
import { PlainLine, PlainText } from '../../kit/PlainText.tsx';
import { Time } from '../../kit/Time.tsx';
import '../../kit/lists.css';

export default function EventPage() {
  const { id } = useParams<{ id: string }>();
  const { call, key, href } = useTeam();
  const event = useQuery({
    queryKey: key('event', id),
    queryFn: ({ signal }) => call<FullEvent>('GET', `/v1/events/${encodeURIComponent(id)}`, { signal }),
  });
  useLive({
    delivery: (news) => {
      if (news.eventId === id) void event.refetch();
    },
  });
  return (
    <Loaded
      query={event}
      skeleton={
        <>
          <PageHeader title="Event" parent={{ label: 'Events', href: href('events') }} />
          <Card flush>
            <SkeletonRows rows={6} />
          </Card>
        </>
      }
    >
      {(found) => <Found event={found} />}
    </Loaded>
  );
}

function Found({ event }: { event: FullEvent }) {
  const { href } = useTeam();
  return (
    <>
      <PageHeader
        title={
          <>
            <PlainText text={event.type} /> {event.test ? <Badge>Test</Badge> : null}
          </>
        }
        tab={`${event.type} event`}
        parent={{ label: 'Events', href: href('events') }}
      />
      <Card>
        <dl className="facts">
          <div className="fact-wide">
            <dt>ID</dt>
            <dd className="row nowrap">
              <PlainLine text={event.id} mono />
              <Copy text={event.id} what="the event’s ID" />
            </dd>
          </div>
          <div>
            <dt>Created</dt>
            <dd title={exactTime(event.createdAt)}>
              <Time at={event.createdAt} />
            </dd>
          </div>
          <div>
            <dt>Region</dt>
            <dd>{event.region === null ? '–' : <PlainLine text={event.region} mono />}</dd>
          </div>
          {event.projectId === null ? null : (
            <div className="fact-wide">
              <dt>Project</dt>
              <dd>
                <PlainLine text={event.projectId} mono />
              </dd>
            </div>
          )}
        </dl>
      </Card>
      <Card title="Deliveries" flush={event.deliveries.length > 0}>
        {event.deliveries.length === 0 ? (
          <p className="quiet">No webhook matched; the reasons are below.</p>
        ) : (
          <ul className="lines">
            {event.deliveries.map((delivery) => (
              <li key={delivery.id} className="line-row">
                <DeliveryStatus state={delivery.state} />
                <Link href={href(`deliveries/${delivery.id}`)} className="row-link cut grow">
                  <PlainLine text={delivery.webhookUrl ?? delivery.webhookId} mono />
                </Link>
                <span className="quiet small">{countOf(delivery.attempts, 'attempt')}</span>
              </li>
            ))}
          </ul>
        )}
      </Card>
      <WhoGotIt id={event.id} />
      <Body event={event} />
    </>
  );
}

function WhoGotIt({ id }: { id: string }) {
  const { call, key, href } = useTeam();
  const matching = useQuery({
    queryKey: key('matching', id),
    queryFn: ({ signal }) =>
      call<Matching>('GET', `/v1/events/${encodeURIComponent(id)}/matching`, { signal }),
  });
  return (
    <Card title="Which webhooks matched" flush>
      <Loaded query={matching} skeleton={<SkeletonRows rows={3} height={52} />}>
        {({ webhooks }) =>
          webhooks.length === 0 ? (
            <p className="line-row quiet">The team had no webhook when it happened.</p>
          ) : (
            <ul className="lines">
              {webhooks.map((webhook) => (
                <li key={webhook.id} className="line-row">
                  {webhook.matched ? (
                    <Check size={16} aria-label="Matched" className="good" />
                  ) : (
                    <Minus size={16} aria-label="Not matched" className="quiet" />
                  )}
                  <div className="grow">
                    <Link href={href(`settings/webhooks/${webhook.id}`)} className="row-link cut line">
                      <PlainLine text={webhook.url} mono />
                    </Link>
                    <span className="small quiet">
                      <PlainText text={webhook.message} />
                    </span>
                  </div>
                </li>
              ))}
            </ul>
          )
        }
      </Loaded>
    </Card>
  );
}

function Body({ event }: { event: FullEvent }) {
  const [isRaw, setRaw] = useState(false);
  return (
    <Card
      title="Body"
      description={`${formatBytes(new Blob([event.body]).size)}. These bytes are signed and sent.`}
      actions={
        <>
          <button type="button" className="more" aria-pressed={isRaw} onClick={() => setRaw(!isRaw)}>
            {isRaw ? 'Pretty' : 'Raw'}
          </button>
          <Copy text={event.body} what="the body" />
        </>
      }
    >
      {isRaw ? (
        <div className="json raw">
          <PlainText text={event.body} limit={20_000} />
        </div>
      ) : (
        <JsonView value={JSON.parse(event.body)} />
      )}
    </Card>
  );
}
