// A webhook's settings: on or off, where it sends what, how fast and in which order, its secret.
import { type FormEvent, useState } from 'react';
import { ApiFailure, sentenceOf } from '../../api/client.ts';
import type { EventType, Ordering, Webhook } from '../../api/types.ts';
import { useDraft } from '../../app/drafts.ts';
import { whoMay } from '../../app/permissions.ts';
import { useTeam } from '../../app/session.tsx';
import { Button } from '../../kit/Button.tsx';
import { Field, Input, RadioCards, Switch } from '../../kit/Field.tsx';
import { countOf } from '../../kit/format.ts';
import { Card, Loaded, Notice, SkeletonRows } from '../../kit/Page.tsx';
import { useToast } from '../../kit/Toasts.tsx';
import { EventPicker } from './EventPicker.tsx';
import { bodyOf, eventsSent, type Faults, faultsOf, formOf, noFaults, partOf } from './form.ts';
import { ProjectChoice } from './ProjectChoice.tsx';
import { useEventTypes, useWebhooksChanged, webhookPath } from './queries.ts';
import { RotateSecret } from './RotateSecret.tsx';
import { UrlField } from './UrlField.tsx';

export function SettingsTab({ webhook }: { webhook: Webhook }) {
  const { may } = useTeam();
  const types = useEventTypes();
  if (!may('webhooks.write')) return <ReadOnly webhook={webhook} />;
  return (
    <>
      <EnabledCard webhook={webhook} />
      <Loaded
        query={types}
        skeleton={
          <Card flush>
            <SkeletonRows rows={8} />
          </Card>
        }
      >
        {(list) => <TargetCard webhook={webhook} types={list} />}
      </Loaded>
      <PaceCard webhook={webhook} />
      <RotateSecret webhook={webhook} />
    </>
  );
}

/** Sends a change, says that it was saved, and makes what is shown be read again. */
function useChange(webhook: Webhook): (patch: object) => Promise<void> {
  const { call } = useTeam();
  const toast = useToast();
  const changed = useWebhooksChanged();
  return async (patch) => {
    await call('PATCH', webhookPath(webhook.id), { body: patch });
    await changed();
    toast('Saved. It holds for every attempt from now on.');
  };
}

function EnabledCard({ webhook }: { webhook: Webhook }) {
  const change = useChange(webhook);
  const toast = useToast();
  // What was just chosen is shown at once; the webhook as it is read again takes over.
  const [wanted, setWanted] = useState<boolean | null>(null);
  const set = async (enabled: boolean) => {
    setWanted(enabled);
    await change({ enabled }).catch((error: unknown) => toast(sentenceOf(error), 'error'));
    setWanted(null);
  };
  return (
    <Card>
      <Switch
        label="Enabled"
        hint="While it is off nothing is sent and no delivery is made for new events; what is pending waits, its schedule standing still."
        checked={wanted ?? webhook.enabled}
        disabled={wanted !== null}
        onChange={(event) => void set(event.target.checked)}
      />
    </Card>
  );
}

function TargetCard({ webhook, types }: { webhook: Webhook; types: readonly EventType[] }) {
  const change = useChange(webhook);
  const present = formOf(webhook);
  const [form, setForm, forget] = useDraft(`webhook.${webhook.id}.target`, present);
  const [faults, setFaults] = useState<Faults>(noFaults);
  const [failure, setFailure] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  const isChanged = JSON.stringify(bodyOf(form, types)) !== JSON.stringify(bodyOf(present, types));
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    const missing = faultsOf(form, types);
    setFaults(missing ?? noFaults);
    setFailure(null);
    if (missing !== null || isBusy) return;
    setBusy(true);
    try {
      await change(bodyOf(form, types));
      forget();
    } catch (error) {
      const part = error instanceof ApiFailure ? partOf(error.code) : null;
      if (part === null) setFailure(sentenceOf(error));
      else setFaults({ ...noFaults, [part]: sentenceOf(error) });
    } finally {
      setBusy(false);
    }
  };
  const off = form.events.length - eventsSent(form, types).length;
  return (
    <form onSubmit={(event) => void submit(event)} noValidate className="settings-form">
      <Card
        title="Endpoint and events"
        footer={
          <>
            <span role="status" className={failure === null ? undefined : 'submit-failure'}>
              {failure ?? (isChanged ? 'There are changes that are not saved.' : 'No changes.')}
            </span>
            <span className="row">
              {isChanged ? (
                <Button
                  size="small"
                  onClick={() => {
                    setForm(present);
                    setFaults(noFaults);
                    forget();
                  }}
                >
                  Discard
                </Button>
              ) : null}
              <Button
                size="small"
                kind="primary"
                type="submit"
                busy={isBusy}
                why={isChanged ? null : 'There is nothing to save.'}
              >
                Save
              </Button>
            </span>
          </>
        }
      >
        <div className="stack target">
          <UrlField
            value={form.url}
            present={webhook.url}
            refusal={faults.url}
            onChange={(url) => {
              setForm((before) => ({ ...before, url }));
              setFaults((before) => ({ ...before, url: null }));
            }}
          />
          <ProjectChoice
            scope={form.scope}
            projectIds={form.projectIds}
            error={faults.projects}
            onChange={(patch) => setForm((before) => ({ ...before, ...patch }))}
          />
          {off > 0 ? (
            <Notice kind="warning">
              {countOf(off, 'selected event')} {off === 1 ? 'is' : 'are'} switched off: Project Events are
              only available with All Team Projects.
            </Notice>
          ) : null}
          <div>
            <h3 className="events-title">Events</h3>
            {faults.events === null ? null : (
              <p role="alert" className="step-fault">
                {faults.events}
              </p>
            )}
            <div className="boxed">
              <EventPicker
                isCompact
                types={types}
                value={form.events}
                isSelective={form.scope === 'selected'}
                onChange={(events) => setForm((before) => ({ ...before, events }))}
              />
            </div>
          </div>
        </div>
      </Card>
    </form>
  );
}

const orderings = [
  { value: 'none', label: 'No order', hint: 'Fastest: a delivery that fails holds up no other.' },
  {
    value: 'project',
    label: 'In order within each project',
    hint: 'One at a time for each project; the next one waits until this one is delivered or given up.',
  },
  {
    value: 'all',
    label: 'In order',
    hint: 'One at a time; the next one waits until this one is delivered or given up.',
  },
] as const satisfies readonly { value: Ordering; label: string; hint: string }[];

const paceOf = ({ ordering, maxConcurrency, ratePerSecond }: Webhook) => ({
  ordering,
  maxConcurrency: maxConcurrency === null ? '' : String(maxConcurrency),
  ratePerSecond: ratePerSecond === null ? '' : String(ratePerSecond),
});

function PaceCard({ webhook }: { webhook: Webhook }) {
  const change = useChange(webhook);
  const present = paceOf(webhook);
  const [form, setForm, forget] = useDraft(`webhook.${webhook.id}.pace`, present);
  const [failure, setFailure] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  const isChanged = JSON.stringify(form) !== JSON.stringify(present);
  const concurrency = readNumber(form.maxConcurrency, { least: 1, most: 1_000, whole: true });
  const rate = readNumber(form.ratePerSecond, { least: 0.01, most: 100_000, whole: false });
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setFailure(null);
    if (concurrency.fault !== null || rate.fault !== null || isBusy) return;
    setBusy(true);
    try {
      await change({ ordering: form.ordering, maxConcurrency: concurrency.value, ratePerSecond: rate.value });
      forget();
    } catch (error) {
      setFailure(sentenceOf(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <form onSubmit={(event) => void submit(event)} noValidate className="settings-form">
      <Card
        title="Limits and ordering"
        description="How Posthorn sends to this endpoint. Without limits it finds a pace that the endpoint keeps."
        footer={
          <>
            <span role="status" className={failure === null ? undefined : 'submit-failure'}>
              {failure ?? (isChanged ? 'There are changes that are not saved.' : 'No changes.')}
            </span>
            <Button
              size="small"
              kind="primary"
              type="submit"
              busy={isBusy}
              why={isChanged ? null : 'There is nothing to save.'}
            >
              Save
            </Button>
          </>
        }
      >
        <div className="stack">
          <RadioCards
            legend="Ordering"
            name="ordering"
            choices={orderings}
            value={form.ordering}
            onChange={(ordering) => setForm((before) => ({ ...before, ordering }))}
          />
          <div className="pair">
            <Field
              label="Requests at once"
              error={concurrency.fault}
              hint="The most at the same time; empty for no limit of its own."
            >
              <Input
                inputMode="numeric"
                value={form.maxConcurrency}
                placeholder="No limit"
                onChange={(event) => setForm((before) => ({ ...before, maxConcurrency: event.target.value }))}
              />
            </Field>
            <Field
              label="Requests per second"
              error={rate.fault}
              hint="Evenly spaced; empty for no limit. 0.5 is one every two seconds."
            >
              <Input
                inputMode="decimal"
                value={form.ratePerSecond}
                placeholder="No limit"
                onChange={(event) => setForm((before) => ({ ...before, ratePerSecond: event.target.value }))}
              />
            </Field>
          </div>
        </div>
      </Card>
    </form>
  );
}

function readNumber(
  text: string,
  { least, most, whole }: { least: number; most: number; whole: boolean },
): { value: number | null; fault: string | null } {
  if (text.trim() === '') return { value: null, fault: null };
  const value = Number(text);
  const isRight = value >= least && value <= most && (!whole || Number.isInteger(value));
  return isRight
    ? { value, fault: null }
    : {
        value: null,
        fault: `Enter ${whole ? 'a whole number' : 'a number'} from ${least} to ${most.toLocaleString('en')}, or nothing.`,
      };
}

function ReadOnly({ webhook }: { webhook: Webhook }) {
  const pace = paceOf(webhook);
  return (
    <div className="stack">
      <Notice>
        Your role in this team may look at webhooks; {whoMay('webhooks.write')} may change them.
      </Notice>
      <Card>
        <dl className="facts">
          <div>
            <dt>Events</dt>
            <dd>{webhook.events.join(', ')}</dd>
          </div>
          <div>
            <dt>Projects</dt>
            <dd>{webhook.projectIds === undefined ? 'All Team Projects' : webhook.projectIds.join(', ')}</dd>
          </div>
          <div>
            <dt>Ordering</dt>
            <dd>{orderings.find(({ value }) => value === pace.ordering)?.label}</dd>
          </div>
          <div>
            <dt>Limits</dt>
            <dd>
              {pace.maxConcurrency === '' && pace.ratePerSecond === ''
                ? 'None of its own'
                : [
                    pace.maxConcurrency === '' ? '' : `${pace.maxConcurrency} at once`,
                    pace.ratePerSecond === '' ? '' : `${pace.ratePerSecond} per second`,
                  ]
                    .filter((part) => part !== '')
                    .join(', ')}
            </dd>
          </div>
        </dl>
      </Card>
    </div>
  );
}
