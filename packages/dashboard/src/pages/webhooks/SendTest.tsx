// Sends a test event to a webhook and shows what came of it, as it happens.
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Send } from 'lucide-react';
import { useEffect, useState } from 'react';
import { Link } from 'wouter';
import { sentenceOf } from '../../api/client.ts';
import { useLive } from '../../api/live.ts';
import type { Delivery, FullDelivery } from '../../api/types.ts';
import { useTeam } from '../../app/session.tsx';
import { Badge, HttpStatus } from '../../kit/Badge.tsx';
import { Button } from '../../kit/Button.tsx';
import { formatMs } from '../../kit/format.ts';
import { Notice } from '../../kit/Page.tsx';
import { PlainText } from '../../kit/PlainText.tsx';
import { webhookPath } from './queries.ts';

/** The feed usually says it first; this is how often it is looked for besides. */
const lookEveryMs = 1_000;

export function SendTest({ webhookId, type }: { webhookId: string; type: string | undefined }) {
  const { call } = useTeam();
  const [eventId, setEventId] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  const [failure, setFailure] = useState<string | null>(null);
  const send = async () => {
    setBusy(true);
    setFailure(null);
    try {
      const { id } = await call<{ id: string }>('POST', `${webhookPath(webhookId)}/test`, {
        body: type === undefined ? {} : { type },
      });
      setEventId(id);
    } catch (error) {
      setFailure(sentenceOf(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <div className="send-test">
      <div className="row spread">
        <div className="grow">
          <h3>Test it</h3>
          <p className="quiet small">
            Sends{' '}
            {type === undefined ? (
              'a test event'
            ) : (
              <>
                a sample <code>{type}</code>
              </>
            )}{' '}
            to this webhook alone.
          </p>
        </div>
        <Button icon={Send} busy={isBusy} onClick={() => void send()}>
          {eventId === null ? 'Send test event' : 'Send another'}
        </Button>
      </div>
      <div role="status" className="send-result">
        {failure === null ? null : <Notice kind="error">{failure}</Notice>}
        {eventId === null ? null : <TestResult key={eventId} eventId={eventId} webhookId={webhookId} />}
      </div>
    </div>
  );
}

function TestResult({ eventId, webhookId }: { eventId: string; webhookId: string }) {
  const { call, key, href } = useTeam();
  const result = useQuery<FullDelivery | null>({
    queryKey: key('test event', eventId),
    refetchInterval: ({ state }) => (isAnswered(state.data) ? false : lookEveryMs),
    queryFn: async ({ signal }) => {
      const { deliveries } = await call<{ deliveries: Delivery[] }>('GET', `/v1/events/${eventId}`, {
        signal,
      });
      const own = deliveries.find((delivery) => delivery.webhookId === webhookId);
      return own === undefined ? null : call<FullDelivery>('GET', `/v1/deliveries/${own.id}`, { signal });
    },
  });
  useLive({
    attempt: (news) => {
      if (news.eventId === eventId) void result.refetch();
    },
  });
  // What the page around it shows of the webhook has changed too.
  const queries = useQueryClient();
  const isDone = isAnswered(result.data);
  useEffect(() => {
    if (isDone) void queries.invalidateQueries({ queryKey: key('webhooks', webhookId) });
  }, [isDone, queries, key, webhookId]);
  if (result.error !== null) return <Notice kind="error">{sentenceOf(result.error)}</Notice>;
  const attempt = result.data?.attempts.at(-1);
  if (!result.data || attempt === undefined) {
    return (
      <div className="row quiet">
        <span className="spinner" /> Waiting for the answer of your endpoint …
      </div>
    );
  }
  const isDelivered = result.data.state === 'delivered';
  return (
    <div className="test-result" ref={intoView}>
      <div className="row">
        <Badge tone={isDelivered ? 'green' : 'red'}>{isDelivered ? 'Delivered' : 'Not delivered'}</Badge>
        <HttpStatus code={attempt.status} />
        <span className="quiet number">in {formatMs(attempt.durationMs)}</span>
        <span className="grow" />
        <Link className="link small" href={href(`deliveries/${result.data.id}`)}>
          Look at the delivery
        </Link>
      </div>
      {attempt.message === null ? null : (
        <p>
          <PlainText text={attempt.message} />
        </p>
      )}
    </div>
  );
}

/** What just came is not to be looked for below the edge of a dialog. */
const intoView = (element: HTMLElement | null): void => element?.scrollIntoView({ block: 'nearest' });

const isAnswered = (delivery: FullDelivery | null | undefined): boolean =>
  (delivery?.attempts.length ?? 0) > 0;
