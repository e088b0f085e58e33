// One delivery: what came of it, why, what happens next, every attempt, and where else its event went.
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { RotateCw, ShieldCheck } from 'lucide-react';
import { useState } from 'react';
import { Link, useParams } from 'wouter';
import { sentenceOf } from '../../api/client.ts';
import { useLive } from '../../api/live.ts';
import type { Attempt, Delivery, FullDelivery } from '../../api/types.ts';
import { useNow } from '../../app/clock.ts';
import { whoMay } from '../../app/permissions.ts';
import { useTeam } from '../../app/session.tsx';
import { DeliveryStatus, HttpStatus } from '../../kit/Badge.tsx';
import { Button, ButtonLink } from '../../kit/Button.tsx';
import { Copy } from '../../kit/Copy.tsx';
import { countOf, exactTime, formatMs } from '../../kit/format.ts';
import { Card, Loaded, Notice, PageHeader, SkeletonRows } from '../../kit/Page.tsx';
import { PlainLine, PlainText } from '../../kit/PlainText.tsx';
import { Time } from '../../kit/Time.tsx';
import { useToast } from '../../kit/Toasts.tsx';
import { AttemptList } from './AttemptList.tsx';
import '../../kit/lists.css';
import './delivery.css';

export default function DeliveryPage() {
  const { id } = useParams<{ id: string }>();
  const { call, key, href } = useTeam();
  const queries = useQueryClient();
  const queryKey = key('delivery', id);
  /** How many attempts there were when one more was asked for; null while none is awaited. */
  const [awaited, setAwaited] = useState<number | null>(null);
  const delivery = useQuery({
    queryKey,
    queryFn: ({ signal }) =>
      call<FullDelivery>('GET', `/v1/deliveries/${encodeURIComponent(id)}`, { signal }),
    // Somebody asked for an attempt: its end is looked for, feed or no feed.
    refetchInterval: ({ state }) =>
      awaited !== null && (state.data?.attempts.length ?? 0) <= awaited ? 1_000 : false,
  });
  const refresh = () => void queries.invalidateQueries({ queryKey });
  useLive({
    delivery: (news) => news.id === id && refresh(),
    attempt: (news) => news.deliveryId === id && refresh(),
  });
  return (
    <Loaded
      query={delivery}
      skeleton={
        <>
          <PageHeader title="Delivery" parent={{ label: 'Deliveries', href: href('deliveries') }} />
          <Card flush>
            <SkeletonRows rows={6} />
          </Card>
        </>
      }
    >
      {(found) => (
        <Found
          delivery={found}
          isAwaited={awaited !== null && found.attempts.length <= awaited}
          onRedeliver={() => setAwaited(found.attempts.length)}
        />
      )}
    </Loaded>
  );
}

function Found({
  delivery,
  isAwaited,
  onRedeliver,
}: {
  delivery: FullDelivery;
  isAwaited: boolean;
  onRedeliver(): void;
}) {
  const { href } = useTeam();
  const last = delivery.attempts.at(-1);
  return (
    <>
      <PageHeader
        title={<PlainText text={delivery.type} />}
        tab={`${delivery.type} delivery`}
        parent={{ label: 'Deliveries', href: href('deliveries') }}
        actions={
          <>
            <ButtonLink href={`${href('signature-check')}?delivery=${delivery.id}`} icon={ShieldCheck}>
              Check signature
            </ButtonLink>
            <Redeliver delivery={delivery} busy={isAwaited} onDone={onRedeliver} />
          </>
        }
      />
      <div className="stack">
        <Outcome delivery={delivery} last={last} />
        <Facts delivery={delivery} last={last} />
      </div>
      <AttemptList attempts={delivery.attempts} deliveryId={delivery.id} />
      <Siblings delivery={delivery} />
    </>
  );
}

function Redeliver({ delivery, busy, onDone }: { delivery: FullDelivery; busy: boolean; onDone(): void }) {
  const { call, may } = useTeam();
  const toast = useToast();
  const send = async () => {
    try {
      await call('POST', `/v1/deliveries/${encodeURIComponent(delivery.id)}/redeliver`);
      toast('One more attempt is on its way.');
      onDone();
    } catch (error) {
      toast(sentenceOf(error), 'error');
    }
  };
  const why = !may('webhooks.write')
    ? `Your role can’t redeliver: ask an ${whoMay('webhooks.write')}.`
    : delivery.state === 'canceled'
      ? 'Its webhook was removed, so there is nowhere to send it.'
      : null;
  return (
    <Button kind="primary" icon={RotateCw} why={why} busy={busy} onClick={() => void send()}>
      Redeliver
    </Button>
  );
}

/** One sentence that says where the delivery stands, and what went wrong last. */
function Outcome({ delivery, last }: { delivery: FullDelivery; last: Attempt | undefined }) {
  const { state, nextAttemptAt } = delivery;
  const sentence = last?.message ?? null;
  if (state === 'canceled') {
    return <Notice title="Canceled">Its webhook was removed before it was delivered.</Notice>;
  }
  if (state === 'failed') {
    return (
      <Notice kind="error" title="Failed: no more attempts are made by themselves">
        {sentence === null ? null : <PlainText text={sentence} />} Repair the receiver, then redeliver.
      </Notice>
    );
  }
  if (state === 'pending' && sentence !== null) {
    return (
      <Notice kind="warning" title={<Countdown at={nextAttemptAt} />}>
        <PlainText text={sentence} />
      </Notice>
    );
  }
  if (state === 'delivered' && last?.error !== null && sentence !== null) {
    return (
      <Notice kind="warning" title="Delivered before; the last attempt, made by hand, failed">
        <PlainText text={sentence} />
      </Notice>
    );
  }
  return null;
}

function Countdown({ at }: { at: number | null }) {
  const nowAt = useNow('second');
  if (at === null) return 'The next attempt is waiting for its turn, or on its way';
  const leftMs = at - nowAt;
  return leftMs <= 0 ? (
    'The next attempt is due now'
  ) : (
    <span className="number">Next attempt in {formatMs(Math.ceil(leftMs / 1_000) * 1_000)}</span>
  );
}

function Facts({ delivery, last }: { delivery: FullDelivery; last: Attempt | undefined }) {
  const { href } = useTeam();
  return (
    <Card>
      <dl className="facts">
        <div>
          <dt>State</dt>
          <dd>
            <DeliveryStatus state={delivery.state} />
          </dd>
        </div>
        <div>
          <dt>Last answer</dt>
          <dd>{last === undefined ? '–' : <HttpStatus code={last.status} />}</dd>
        </div>
        <div>
          <dt>Attempts</dt>
          <dd className="number">{delivery.attempts.length}</dd>
        </div>
        <div>
          <dt>Created</dt>
          <dd>
            <Time at={delivery.createdAt} />
          </dd>
        </div>
        <div className="fact-wide">
          <dt>Webhook</dt>
          <dd>
            <Link href={href(`settings/webhooks/${delivery.webhookId}`)} className="link">
              <PlainLine text={delivery.webhookUrl ?? delivery.webhookId} mono />
            </Link>
          </dd>
        </div>
        <div className="fact-wide">
          <dt>Event</dt>
          <dd className="row nowrap">
            <Link href={href(`events/${delivery.eventId}`)} className="link cut">
              <PlainLine text={delivery.eventId} mono />
            </Link>
            <Copy text={delivery.eventId} what="the event’s ID" />
          </dd>
        </div>
        <div className="fact-wide">
          <dt>Delivery</dt>
          <dd className="row nowrap">
            <PlainLine text={delivery.id} mono />
            <Copy text={delivery.id} what="the delivery’s ID" />
          </dd>
        </div>
        {delivery.projectId === null || delivery.projectId === undefined ? null : (
          <div className="fact-wide">
            <dt>Project</dt>
            <dd>
              <PlainLine text={delivery.projectId} mono />
            </dd>
          </div>
        )}
      </dl>
    </Card>
  );
}

/** Where else the event went. */
function Siblings({ delivery }: { delivery: FullDelivery }) {
  const { call, key, href } = useTeam();
  const event = useQuery({
    queryKey: key('event', delivery.eventId),
    queryFn: ({ signal }) =>
      call<{ deliveries: Delivery[] }>('GET', `/v1/events/${encodeURIComponent(delivery.eventId)}`, {
        signal,
      }),
  });
  const others = event.data?.deliveries.filter(({ id }) => id !== delivery.id) ?? [];
  if (others.length === 0) return null;
  return (
    <Card
      title="The same event elsewhere"
      description={`${countOf(others.length, 'other webhook')} of the team got it too.`}
      flush
    >
      <ul className="lines">
        {others.map((other) => (
          <li key={other.id} className="line-row">
            <DeliveryStatus state={other.state} />
            <Link href={href(`deliveries/${other.id}`)} className="row-link cut grow">
              <PlainLine text={other.webhookUrl ?? other.webhookId} mono />
            </Link>
            <span className="quiet small" title={exactTime(other.createdAt)}>
              {countOf(other.attempts, 'attempt')}
            </span>
          </li>
        ))}
      </ul>
    </Card>
  );
}
