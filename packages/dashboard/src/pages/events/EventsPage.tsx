// Events: what happened in the team, newest first.
import { useInfiniteQuery, useQuery, useQueryClient } from '@tanstack/react-query';
import { ArrowUp, Radio, Send } from 'lucide-react';
import { useState } from 'react';
import { Link } from 'wouter';
import { useLive } from '../../api/live.ts';
import type { EventSummary, EventType, Page } from '../../api/types.ts';
import { useTeam } from '../../app/session.tsx';
import { useUrlState } from '../../app/url-state.ts';
import { Badge } from '../../kit/Badge.tsx';
import { Button, ButtonLink } from '../../kit/Button.tsx';
import { Code } from '../../kit/Code.tsx';
import { Field, Select } from '../../kit/Field.tsx';
import { countOf } from '../../kit/format.ts';
import { Card, Empty, Loaded, PageHeader, SkeletonRows } from '../../kit/Page.tsx';
import { PlainLine } from '../../kit/PlainText.tsx';
import { Time } from '../../kit/Time.tsx';
import '../../kit/table.css';
import '../../kit/lists.css';

interface EventList {
  events: EventSummary[];
  pagination: Page;
}

export default function EventsPage() {
  const { call, key, href, may } = useTeam();
  const queries = useQueryClient();
  const [{ type }, setUrl] = useUrlState(['type']);
  const [fresh, setFresh] = useState(0);
  const queryKey = key('events', type);
  const events = useInfiniteQuery({
    queryKey,
    initialPageParam: null as string | null,
    queryFn: ({ signal, pageParam }) =>
      call<EventList>('GET', '/v1/events', { signal, query: { type, limit: 50, cursor: pageParam } }),
    getNextPageParam: ({ pagination }) => pagination.next,
  });
  const types = useQuery({
    queryKey: ['event types'],
    staleTime: 300_000,
    queryFn: ({ signal }) => call<{ eventTypes: EventType[] }>('GET', '/v1/event-types', { signal }),
  });
  const restart = () => {
    setFresh(0);
    void queries.resetQueries({ queryKey });
  };
  const rows = events.data?.pages.flatMap((page) => page.events) ?? [];
  useLive({
    event(news) {
      if (type !== '' && news.type !== type) return;
      if (rows.length === 0) restart();
      else setFresh((before) => before + 1);
    },
  });
  return (
    <>
      <PageHeader
        title="Events"
        description="Everything that was accepted for this team. An event never changes."
        actions={
          may('events.publish') ? (
            <ButtonLink kind="primary" icon={Send} href={href('publish')}>
              Publish an event
            </ButtonLink>
          ) : undefined
        }
      />
      <search className="filters" aria-label="Filters">
        <Field label="Event type">
          <Select
            options={[
              { value: '', label: 'Any type' },
              ...(types.data?.eventTypes ?? []).map((one) => ({ value: one.type, label: one.type })),
              ...(type !== '' && types.data?.eventTypes.every((one) => one.type !== type) === true
                ? [{ value: type, label: type }]
                : []),
            ]}
            value={type}
            onChange={(event) => {
              setFresh(0);
              setUrl({ type: event.target.value });
            }}
          />
        </Field>
      </search>
      {fresh === 0 ? null : (
        <div className="fresh">
          <Button kind="primary" size="small" icon={ArrowUp} onClick={restart}>
            {`${fresh} new`}
          </Button>
        </div>
      )}
      <Card flush>
        <Loaded query={events} skeleton={<SkeletonRows rows={8} />}>
          {() =>
            rows.length === 0 && !events.hasNextPage ? (
              <Empty icon={Radio} title={type === '' ? 'No events yet' : 'No event of this type'}>
                <p>Events come from your platform, over the API. Each one appears here at once.</p>
                <Code
                  what="the command"
                  text={`curl ${location.origin}/v1/events \\
  -H "Authorization: Bearer $POSTHORN_TOKEN" -H "Content-Type: application/json" \\
  -d '{"type":"project.created","payload":{"team":{"id":"team_1"},"user":{"id":null},"project":{"id":"prj_1","name":"hello"}}}'`}
                />
              </Empty>
            ) : (
              <table className="table folds">
                <thead>
                  <tr>
                    <th>Type</th>
                    <th>ID</th>
                    <th style={{ width: 130 }}>Deliveries</th>
                    <th style={{ width: 110 }}>Created</th>
                  </tr>
                </thead>
                <tbody>
                  {rows.map((event) => (
                    <tr key={event.id}>
                      <td>
                        <span className="row nowrap">
                          <Link href={href(`events/${event.id}`)} className="link cut">
                            <PlainLine text={event.type} />
                          </Link>
                          {event.test ? <Badge>Test</Badge> : null}
                        </span>
                      </td>
                      <td data-label="ID">
                        <PlainLine text={event.id} mono />
                      </td>
                      <td data-label="Deliveries" className="number">
                        {countOf(event.deliveries, 'delivery', 'deliveries')}
                      </td>
                      <td className="quiet">
                        <Time at={event.createdAt} />
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
            )
          }
        </Loaded>
      </Card>
      {events.hasNextPage ? (
        <div className="paused">
          <Button busy={events.isFetchingNextPage} onClick={() => void events.fetchNextPage()}>
            Show older events
          </Button>
        </div>
      ) : null}
    </>
  );
}
