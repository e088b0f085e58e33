// Deliveries: all of the team's, newest first, with filters in the address. What comes while somebody reads is counted
// and not put in between; what is on the screen changes in place.
import { ArrowUp, FilterX, RotateCcw, Send, ShieldCheck } from 'lucide-react';
import { type RefObject, useEffect, useLayoutEffect, useRef, useState, useSyncExternalStore } from 'react';
import { Link } from 'wouter';
import { ApiFailure, sentenceOf } from '../../api/client.ts';
import { useLive } from '../../api/live.ts';
import type { Delivery, Page } from '../../api/types.ts';
import { now } from '../../app/clock.ts';
import { type ListPage, type LongList, useLongList } from '../../app/long-list.ts';
import { useTeam } from '../../app/session.tsx';
import { useUrlState } from '../../app/url-state.ts';
import { DeliveryStatus, HttpStatus, Status } from '../../kit/Badge.tsx';
import { Button, ButtonLink } from '../../kit/Button.tsx';
import { Code } from '../../kit/Code.tsx';
import { countOf } from '../../kit/format.ts';
import { Card, Empty, Notice, PageHeader, Skeleton, SkeletonRows } from '../../kit/Page.tsx';
import { PlainLine } from '../../kit/PlainText.tsx';
import { Time } from '../../kit/Time.tsx';
import { FilterBar } from './Filters.tsx';
import { type Filters, filterNames, fits, isFiltered, queryOf } from './filters.ts';
import '../../kit/lists.css';
import './deliveries.css';

const pageSize = 50;

export default function DeliveriesPage() {
  const { href, may } = useTeam();
  const [filters, setFilters] = useUrlState(filterNames);
  return (
    <>
      <PageHeader
        title="Deliveries"
        description="Each event for each webhook that it matched, and what came of it."
        actions={
          <>
            <ButtonLink href={href('signature-check')} icon={ShieldCheck}>
              Check a signature
            </ButtonLink>
            {may('webhooks.write') ? (
              <ButtonLink href={href('replay')} icon={RotateCcw}>
                Replay
              </ButtonLink>
            ) : null}
          </>
        }
      />
      <FilterBar filters={filters} onChange={setFilters} />
      <List filters={filters} onClear={() => setFilters(nothing)} />
    </>
  );
}

const nothing = Object.fromEntries(filterNames.map((name) => [name, ''])) as Filters;

function List({ filters, onClear }: { filters: Filters; onClear(): void }) {
  const { call, team } = useTeam();
  const height = useNarrow() ? foldedHeight : rowHeight;
  const filtersName = JSON.stringify(filters);
  const list = useLongList<Delivery>(
    `${team.id} ${filtersName}`,
    async (cursor, signal): Promise<ListPage<Delivery>> => {
      try {
        const { deliveries, pagination } = await call<{ deliveries: Delivery[]; pagination: Page }>(
          'GET',
          '/v1/deliveries',
          { signal, query: { ...queryOf(filters, now()), limit: pageSize, cursor } },
        );
        return { items: deliveries, next: pagination.next };
      } catch (error) {
        // No event or webhook of that id: nothing fits.
        if (error instanceof ApiFailure && error.status === 404) return { items: [], next: null };
        throw error;
      }
    },
  );
  const [fresh, setFresh] = useState<ReadonlySet<string>>(new Set());
  // biome-ignore lint/correctness/useExhaustiveDependencies: another list has other news
  useEffect(() => setFresh(new Set()), [filtersName]);

  const restart = () => {
    setFresh(new Set());
    list.restart();
    window.scrollTo({ top: 0 });
  };
  const state = useLive({
    delivery(news) {
      // In place where it is shown; else it is new, if it belongs here.
      const isShown = list.replace(news, ({ id }) => id === news.id);
      const newest = list.at(0);
      if (isShown || !fits(news, filters)) return;
      if (newest === undefined) {
        if (list.isComplete) restart();
      } else if (news.createdAt >= newest.createdAt) setFresh((before) => new Set(before).add(news.id));
    },
  });

  if (list.error !== null && list.count === 0) {
    return (
      <Notice
        kind="error"
        title="The deliveries could not be loaded"
        action={
          <Button size="small" onClick={() => list.retry()}>
            Try again
          </Button>
        }
      >
        {sentenceOf(list.error)}
      </Notice>
    );
  }
  return (
    <>
      <div className="list-head">
        <span className="quiet small" role="status">
          {list.isLoading && list.count === 0
            ? 'Looking'
            : `${countOf(list.count, 'delivery', 'deliveries')}${list.isComplete ? '' : ' so far'}`}
        </span>
        <Status tone={state === 'live' ? 'green' : 'gray'}>{state === 'live' ? 'Live' : 'Connecting'}</Status>
      </div>
      {fresh.size === 0 ? null : (
        <div className="fresh">
          <Button kind="primary" size="small" icon={ArrowUp} onClick={restart}>
            {`${fresh.size} new`}
          </Button>
        </div>
      )}
      <Card flush>
        {list.count > 0 ? (
          <Rows key={height} list={list} height={height} />
        ) : (
          <Nothing list={list} filters={filters} onClear={onClear} />
        )}
      </Card>
      {list.count > 0 && list.isPaused ? <Paused onGoOn={() => list.goOn()} /> : null}
      {list.count > 0 && list.error !== null ? (
        <Notice
          kind="error"
          action={
            <Button size="small" onClick={() => list.retry()}>
              Try again
            </Button>
          }
        >
          {sentenceOf(list.error)}
        </Notice>
      ) : null}
    </>
  );
}

type DeliveryList = LongList<Delivery>;

const Paused = ({ onGoOn }: { onGoOn(): void }) => (
  <div className="paused">
    <span className="quiet">Nothing more among the deliveries looked at so far.</span>
    <Button size="small" onClick={onGoOn}>
      Look further back
    </Button>
  </div>
);

function Nothing({ list, filters, onClear }: { list: DeliveryList; filters: Filters; onClear(): void }) {
  const { href, may } = useTeam();
  if (list.isPaused) return <Paused onGoOn={() => list.goOn()} />;
  if (!list.isComplete) return <SkeletonRows rows={8} height={rowHeight} />;
  if (isFiltered(filters)) {
    return (
      <Empty
        icon={FilterX}
        title="No delivery fits these filters"
        action={<Button onClick={onClear}>Clear filters</Button>}
      >
        New ones that fit appear here by themselves.
      </Empty>
    );
  }
  return (
    <Empty
      icon={Send}
      title="No deliveries yet"
      action={
        may('webhooks.write') ? (
          <ButtonLink kind="primary" href={href('settings/webhooks')}>
            Go to webhooks
          </ButtonLink>
        ) : undefined
      }
    >
      <p>
        Create a webhook, then send it a test event from its page, or publish one. It appears here at once.
      </p>
      <Code what="the command" text={exampleCommand(location.origin)} />
    </Empty>
  );
}

const exampleCommand = (origin: string): string =>
  `curl ${origin}/v1/events \\
  -H "Authorization: Bearer $POSTHORN_TOKEN" -H "Content-Type: application/json" \\
  -d '{"type":"project.created","payload":{"team":{"id":"team_1"},"user":{"id":null},"project":{"id":"prj_1","name":"hello"}}}'`;

const rowHeight = 56;
const foldedHeight = 104;
const narrow = window.matchMedia('(max-width: 720px)');

function useNarrow(): boolean {
  return useSyncExternalStore(
    (listener) => {
      narrow.addEventListener('change', listener);
      return () => narrow.removeEventListener('change', listener);
    },
    () => narrow.matches,
  );
}

/** Where an element begins on the page; read again when anything above it grows. */
function useTopOf(element: RefObject<HTMLElement | null>): number {
  const [top, setTop] = useState(0);
  useLayoutEffect(() => {
    const measure = () => setTop((element.current?.getBoundingClientRect().top ?? 0) + window.scrollY);
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(document.body);
    return () => observer.disconnect();
  }, [element]);
  return top;
}

/** Rows above and below the screen that are in the page all the same, so that scrolling shows no gap. */
const spare = 10;

/** Which of the rows that begin at `top` are on the screen. All are of one height, so none has to be remembered. */
function useRange(top: number, height: number): { from: number; to: number } {
  const [range, setRange] = useState({ from: 0, to: 2 * spare });
  useEffect(() => {
    const measure = () => {
      const from = Math.max(0, Math.floor((window.scrollY - top) / height) - spare);
      const to = Math.ceil((window.scrollY + window.innerHeight - top) / height) + spare;
      setRange((before) => (before.from === from && before.to === to ? before : { from, to }));
    };
    measure();
    window.addEventListener('scroll', measure, { passive: true });
    window.addEventListener('resize', measure);
    return () => {
      window.removeEventListener('scroll', measure);
      window.removeEventListener('resize', measure);
    };
  }, [top, height]);
  return range;
}

/** Only the rows on the screen and a few around them are in the page. */
function Rows({ list, height }: { list: DeliveryList; height: number }) {
  const frame = useRef<HTMLDivElement>(null);
  const top = useTopOf(frame);
  const { from, to } = useRange(top, height);
  const { count } = list;
  useEffect(() => list.look(from, to), [list, from, to]);
  const rows = Array.from({ length: Math.max(0, Math.min(to, count) - from) }, (_, at) => from + at);
  return (
    // biome-ignore lint/a11y/useSemanticElements: rows that are placed one by one can’t be those of a <table>
    <div
      className="deliveries"
      role="table"
      aria-label="Deliveries"
      aria-rowcount={list.isComplete ? list.count + 1 : -1}
    >
      {/* biome-ignore lint/a11y/useSemanticElements: the same */}
      {/* biome-ignore lint/a11y/useFocusableInteractive: the same */}
      <div role="row" className="delivery-row delivery-labels" aria-rowindex={1}>
        {['State', 'Event', 'Webhook', 'Answer', 'Attempts', 'Created'].map((label) => (
          // biome-ignore lint/a11y/useSemanticElements: the same
          // biome-ignore lint/a11y/useFocusableInteractive: the same
          <div role="columnheader" key={label}>
            {label}
          </div>
        ))}
      </div>
      {/* biome-ignore lint/a11y/useSemanticElements: the same */}
      <div role="rowgroup" ref={frame} className="delivery-rows" style={{ height: count * height }}>
        {rows.map((index) => (
          <Row key={index} delivery={list.at(index)} index={index} offset={index * height} height={height} />
        ))}
      </div>
    </div>
  );
}

function Row({
  delivery,
  index,
  offset,
  height,
}: {
  delivery: Delivery | undefined;
  index: number;
  offset: number;
  height: number;
}) {
  const { href } = useTeam();
  return (
    // biome-ignore lint/a11y/useSemanticElements: see Rows
    // biome-ignore lint/a11y/useFocusableInteractive: its link has the focus
    <div
      role="row"
      className="delivery-row"
      aria-rowindex={index + 2}
      style={{ transform: `translateY(${offset}px)`, height }}
    >
      {delivery === undefined ? (
        // biome-ignore lint/a11y/useSemanticElements: see Rows
        <div role="cell">
          <Skeleton width={20} />
        </div>
      ) : (
        <>
          {/* biome-ignore lint/a11y/useSemanticElements: see Rows */}
          <div role="cell">
            <DeliveryStatus state={delivery.state} />
          </div>
          {/* biome-ignore lint/a11y/useSemanticElements: see Rows */}
          <div role="cell" className="delivery-event">
            <Link href={href(`deliveries/${delivery.id}`)} className="row-link">
              <PlainLine text={delivery.type} />
            </Link>
            <span className="small quiet">
              <PlainLine text={delivery.eventId} mono />
            </span>
          </div>
          {/* biome-ignore lint/a11y/useSemanticElements: see Rows */}
          <div role="cell" className="delivery-url">
            <PlainLine text={delivery.webhookUrl ?? delivery.webhookId} mono />
          </div>
          {/* biome-ignore lint/a11y/useSemanticElements: see Rows */}
          <div role="cell" className="cut">
            <Answer delivery={delivery} />
          </div>
          {/* biome-ignore lint/a11y/useSemanticElements: see Rows */}
          <div role="cell" className="number delivery-attempts">
            {delivery.attempts}
          </div>
          {/* biome-ignore lint/a11y/useSemanticElements: see Rows */}
          <div role="cell" className="quiet">
            <Time at={delivery.createdAt} />
          </div>
        </>
      )}
    </div>
  );
}

/** What the last attempt brought: a status, the cause where no answer came, a dash before the first. */
function Answer({ delivery: { attempts, lastStatus, lastCause = null } }: { delivery: Delivery }) {
  if (attempts === 0) return <span className="quiet">–</span>;
  if (lastStatus !== null) return <HttpStatus code={lastStatus} />;
  return <PlainLine text={lastCause ?? 'no answer'} mono />;
}
