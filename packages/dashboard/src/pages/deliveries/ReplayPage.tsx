// Replay: past events of a webhook are delivered again. What it would send is counted and shown before anything is sent.
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { RotateCcw } from 'lucide-react';
import { useState } from 'react';
import { sentenceOf } from '../../api/client.ts';
import type { ListedWebhook, Replay, ReplayCount } from '../../api/types.ts';
import { now } from '../../app/clock.ts';
import { useDraft } from '../../app/drafts.ts';
import { whoMay } from '../../app/permissions.ts';
import { useTeam } from '../../app/session.tsx';
import { useUrlState } from '../../app/url-state.ts';
import { Badge } from '../../kit/Badge.tsx';
import { Button } from '../../kit/Button.tsx';
import { MultiCombobox } from '../../kit/Combobox.tsx';
import { Checkbox, Field, Input, Select } from '../../kit/Field.tsx';
import { countOf, exactTime, formatCount } from '../../kit/format.ts';
import { Card, Empty, Loaded, Notice, PageHeader, SkeletonRows } from '../../kit/Page.tsx';
import { Time } from '../../kit/Time.tsx';
import { useToast } from '../../kit/Toasts.tsx';
import { atOfInput } from './filters.ts';
import '../../kit/lists.css';
import './delivery.css';

const periods = [
  { value: '1h', label: 'Last hour', ms: 3_600_000 },
  { value: '24h', label: 'Last 24 hours', ms: 86_400_000 },
  { value: '7d', label: 'Last 7 days', ms: 604_800_000 },
  { value: '30d', label: 'Last 30 days', ms: 2_592_000_000 },
  { value: 'custom', label: 'From … to …', ms: null },
] as const;

const states = [
  { value: 'failed', label: 'Failed', hint: 'The schedule was used up, or the endpoint answered 410.' },
  {
    value: 'delivered',
    label: 'Delivered',
    hint: 'They arrived, and arrive once more with the same event ID.',
  },
  { value: 'canceled', label: 'Canceled', hint: 'They were given up because the webhook was removed.' },
  {
    value: 'missed',
    label: 'Missed',
    hint: 'Events that match, but came before the webhook existed or while it was disabled.',
  },
] as const;

interface Draft {
  period: string;
  since: string;
  until: string;
  types: string[];
  states: string[];
  rate: string;
}

const initial: Draft = { period: '24h', since: '', until: '', types: [], states: ['failed'], rate: '' };

export default function ReplayPage() {
  const { call, key, href, may } = useTeam();
  const [{ webhookId }, setUrl] = useUrlState(['webhookId']);
  const webhooks = useQuery({
    queryKey: key('webhooks'),
    queryFn: ({ signal }) => call<ListedWebhook[]>('GET', '/v1/webhooks', { signal }),
  });
  const parent = { label: 'Deliveries', href: href('deliveries') };
  return (
    <>
      <PageHeader
        title="Replay"
        description="Delivers past events again, with the same bytes and the same event IDs. Deliveries of new events never wait for it."
        parent={parent}
      />
      {may('webhooks.write') ? (
        <Loaded query={webhooks} skeleton={<SkeletonRows rows={3} />}>
          {(list) =>
            list.length === 0 ? (
              <Card>
                <Empty icon={RotateCcw} title="There is no webhook to replay to">
                  Create one first: then even events from before it can be sent to it.
                </Empty>
              </Card>
            ) : (
              <>
                <Card title="Which webhook">
                  <Field label="Webhook">
                    <Select
                      options={[
                        ...(webhookId === '' ? [{ value: '', label: 'Choose a webhook' }] : []),
                        ...list.map(({ id, url }) => ({ value: id, label: url })),
                      ]}
                      value={webhookId}
                      onChange={(event) => setUrl({ webhookId: event.target.value })}
                    />
                  </Field>
                </Card>
                {list.some(({ id }) => id === webhookId) ? (
                  <ForWebhook key={webhookId} id={webhookId} list={list} />
                ) : null}
              </>
            )
          }
        </Loaded>
      ) : (
        <Notice>{`Your role can’t replay: ask an ${whoMay('webhooks.write')}.`}</Notice>
      )}
    </>
  );
}

function ForWebhook({ id, list }: { id: string; list: ListedWebhook[] }) {
  return (
    <>
      <Ask id={id} types={list.find((one) => one.id === id)?.events ?? []} />
      <Running id={id} />
    </>
  );
}

/** The body of the call, or what is missing, in one sentence. */
function readDraft(draft: Draft): { body: Record<string, unknown> } | { missing: string } {
  const ms = periods.find(({ value }) => value === draft.period)?.ms ?? null;
  const since = ms === null ? atOfInput(draft.since) : now() - ms;
  const until = ms === null ? atOfInput(draft.until) : null;
  if (since === null) return { missing: 'Say from when the events should be.' };
  if (until !== null && until <= since) return { missing: 'The end has to be after the beginning.' };
  if (draft.states.length === 0) return { missing: 'Choose at least one kind of delivery.' };
  const rate = draft.rate.trim() === '' ? null : Number(draft.rate);
  if (rate !== null && !(rate > 0)) return { missing: 'The rate is a number above 0, or empty.' };
  return {
    body: {
      since,
      ...(until === null ? {} : { until }),
      ...(draft.types.length === 0 ? {} : { types: draft.types }),
      states: draft.states,
      ...(rate === null ? {} : { rate }),
    },
  };
}

function Ask({ id, types }: { id: string; types: string[] }) {
  const { call, key } = useTeam();
  const queries = useQueryClient();
  const toast = useToast();
  const [draft, setDraft, forget] = useDraft(`replay ${id}`, initial);
  const [counted, setCounted] = useState<{ body: Record<string, unknown>; count: ReplayCount } | null>(null);
  const [failure, setFailure] = useState<string | null>(null);
  const [busy, setBusy] = useState<'count' | 'start' | null>(null);
  const change = (patch: Partial<Draft>) => {
    setDraft({ ...draft, ...patch });
    // What was counted was something else.
    setCounted(null);
    setFailure(null);
  };
  const post = (body: object) =>
    call<unknown>('POST', `/v1/webhooks/${encodeURIComponent(id)}/replay`, { body });
  const run = async (what: 'count' | 'start', work: () => Promise<void>) => {
    setBusy(what);
    setFailure(null);
    try {
      await work();
    } catch (error) {
      setFailure(sentenceOf(error));
    }
    setBusy(null);
  };
  const count = () =>
    run('count', async () => {
      const read = readDraft(draft);
      if ('missing' in read) setFailure(read.missing);
      else
        setCounted({ body: read.body, count: (await post({ ...read.body, dryRun: true })) as ReplayCount });
    });
  const start = () =>
    run('start', async () => {
      if (counted === null) return;
      const { matched } = (await post(counted.body)) as { matched: number };
      toast(`Replaying ${countOf(matched, 'delivery', 'deliveries')}.`);
      setCounted(null);
      forget();
      await queries.invalidateQueries({ queryKey: key('replays', id) });
    });
  return (
    <Card title="What to replay">
      <form
        className="stack form"
        onSubmit={(event) => {
          event.preventDefault();
          void (counted === null ? count() : start());
        }}
      >
        <div className="pair">
          <Field label="Period">
            <Select
              options={periods}
              value={draft.period}
              onChange={(event) => change({ period: event.target.value })}
            />
          </Field>
          <Field
            label="Rate"
            hint="Deliveries a second, evenly paced. Empty: as fast as the receiver takes them."
          >
            <Input
              inputMode="decimal"
              placeholder="10"
              value={draft.rate}
              onChange={(event) => change({ rate: event.target.value })}
            />
          </Field>
        </div>
        {draft.period === 'custom' ? (
          <div className="pair">
            <Field label="From (UTC)">
              <Input
                type="datetime-local"
                value={draft.since}
                onChange={(event) => change({ since: event.target.value })}
              />
            </Field>
            <Field label="To (UTC)" hint="Empty: until now.">
              <Input
                type="datetime-local"
                value={draft.until}
                onChange={(event) => change({ until: event.target.value })}
              />
            </Field>
          </div>
        ) : null}
        <Field label="Event types" hint="None chosen: all that the webhook listens to.">
          <MultiCombobox
            options={types.map((type) => ({ value: type, label: type }))}
            value={draft.types}
            onChange={(chosen) => change({ types: chosen })}
            placeholder="All of the webhook’s types"
          />
        </Field>
        <fieldset className="stack">
          <legend className="field-legend">Deliveries that are</legend>
          {states.map(({ value, label, hint }) => (
            <Checkbox
              key={value}
              label={label}
              hint={hint}
              checked={draft.states.includes(value)}
              onChange={(event) =>
                change({
                  states: event.target.checked
                    ? [...draft.states, value]
                    : draft.states.filter((one) => one !== value),
                })
              }
            />
          ))}
        </fieldset>
        <div role="alert" className="field-error">
          {failure}
        </div>
        <div role="status">{counted === null ? null : <Counted count={counted.count} />}</div>
        <div className="row">
          {counted === null || counted.count.matched === 0 ? (
            <Button type="submit" kind="primary" busy={busy === 'count'}>
              Count first
            </Button>
          ) : (
            <>
              <Button type="submit" kind="primary" icon={RotateCcw} busy={busy === 'start'}>
                {`Replay ${countOf(counted.count.matched, 'delivery', 'deliveries')}`}
              </Button>
              <Button onClick={() => setCounted(null)}>Back</Button>
            </>
          )}
        </div>
      </form>
    </Card>
  );
}

function Counted({ count: { matched, oldest, newest } }: { count: ReplayCount }) {
  if (matched === 0) return <Notice title="Nothing matches">Widen the period, or choose more kinds.</Notice>;
  return (
    <Notice title={`${countOf(matched, 'delivery', 'deliveries')} would be made again; nothing was sent yet`}>
      {oldest === null || newest === null ? null : (
        <>
          Oldest: <span className="number">{exactTime(oldest)}</span>. Newest:{' '}
          <span className="number">{exactTime(newest)}</span>.
        </>
      )}
    </Notice>
  );
}

/** Replays of the webhook, with their progress. */
function Running({ id }: { id: string }) {
  const { call, key } = useTeam();
  const queries = useQueryClient();
  const toast = useToast();
  const replays = useQuery({
    queryKey: key('replays', id),
    queryFn: ({ signal }) =>
      call<{ replays: Replay[] }>('GET', `/v1/webhooks/${encodeURIComponent(id)}/replays`, { signal }),
    refetchInterval: ({ state }) =>
      state.data?.replays.some((replay) => replay.state === 'running') === true ? 1_000 : false,
  });
  const stop = async (replay: Replay) => {
    try {
      await call('DELETE', `/v1/replays/${encodeURIComponent(replay.id)}`);
      toast('The replay was stopped.');
    } catch (error) {
      toast(sentenceOf(error), 'error');
    }
    await queries.invalidateQueries({ queryKey: key('replays', id) });
  };
  return (
    <Card title="Replays of this webhook" flush>
      <Loaded query={replays} skeleton={<SkeletonRows rows={2} />}>
        {({ replays: list }) =>
          list.length === 0 ? (
            <Empty icon={RotateCcw} title="None yet">
              Those that you start are listed here with their progress.
            </Empty>
          ) : (
            <ul className="lines">
              {list.map((replay) => (
                <li key={replay.id} className="line-row">
                  <Badge tone={tones[replay.state]}>{labels[replay.state]}</Badge>
                  <div className="grow">
                    <progress max={Math.max(1, replay.matched)} value={replay.made} aria-label="Progress" />
                    <span className="quiet small number">
                      {`${formatCount(replay.made)} of ${formatCount(replay.matched)} made`}
                    </span>
                  </div>
                  <span className="quiet small">
                    <Time at={replay.createdAt} />
                  </span>
                  {replay.state === 'running' ? (
                    <Button size="small" onClick={() => void stop(replay)}>
                      Stop
                    </Button>
                  ) : null}
                </li>
              ))}
            </ul>
          )
        }
      </Loaded>
    </Card>
  );
}

const tones = { running: 'blue', done: 'green', stopped: 'gray' } as const;
const labels = { running: 'Running', done: 'Done', stopped: 'Stopped' };
