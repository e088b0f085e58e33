// The documented steps: select events, choose target projects, enter the endpoint URL, Create Webhook.
import { type FormEvent, useEffect, useRef, useState } from 'react';
import { useLocation } from 'wouter';
import { ApiFailure, sentenceOf } from '../../api/client.ts';
import type { CreatedWebhook, EventType } from '../../api/types.ts';
import { useDraft } from '../../app/drafts.ts';
import { useTeam } from '../../app/session.tsx';
import { Button, ButtonLink } from '../../kit/Button.tsx';
import { countOf } from '../../kit/format.ts';
import { Card, Loaded, Notice, PageHeader, SkeletonRows } from '../../kit/Page.tsx';
import { CreatedDialog } from './CreatedDialog.tsx';
import { EventPicker } from './EventPicker.tsx';
import { bodyOf, emptyForm, eventsSent, type Faults, faultsOf, noFaults, partOf } from './form.ts';
import { useWhyNoMore, usualLimit } from './limits.ts';
import { ProjectChoice } from './ProjectChoice.tsx';
import { useActivity, useEventTypes, useWebhooksChanged } from './queries.ts';
import { UrlField } from './UrlField.tsx';
import './webhooks.css';

export default function NewWebhookPage() {
  const { href, may } = useTeam();
  const types = useEventTypes();
  const activity = useActivity();
  const why = useWhyNoMore(activity.data ?? { limit: usualLimit, used: 0 });
  const header = (
    <PageHeader
      title="Create Webhook"
      parent={{ label: 'Webhooks', href: href('settings/webhooks') }}
      description="Select the events to listen to, choose your target projects, and enter your endpoint URL."
    />
  );
  const refusal = may('webhooks.write')
    ? why
    : 'Your role in this team may look at webhooks, but not create them.';
  if (refusal !== null) {
    return (
      <>
        {header}
        <Notice
          kind="warning"
          action={<ButtonLink href={href('settings/webhooks')}>Back to Webhooks</ButtonLink>}
        >
          {refusal}
        </Notice>
      </>
    );
  }
  return (
    <>
      {header}
      <Loaded
        query={types}
        skeleton={
          <Card flush>
            <SkeletonRows rows={9} height={52} />
          </Card>
        }
      >
        {(list) => <NewWebhook types={list} />}
      </Loaded>
    </>
  );
}

function NewWebhook({ types }: { types: readonly EventType[] }) {
  const { team, call, href } = useTeam();
  const [, navigate] = useLocation();
  const changed = useWebhooksChanged();
  const [form, setForm, forget] = useDraft(`webhook.new.${team.id}`, emptyForm);
  const [faults, setFaults] = useState<Faults>(noFaults);
  const [failure, setFailure] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  const [created, setCreated] = useState<CreatedWebhook | null>(null);
  const events = eventsSent(form, types);
  const off = form.events.length - events.length;

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    const missing = faultsOf(form, types);
    setFaults(missing ?? noFaults);
    setFailure(missing === null ? null : 'Something is missing above.');
    if (missing !== null || isBusy) return;
    setBusy(true);
    try {
      const webhook = await call<CreatedWebhook>('POST', '/v1/webhooks', { body: bodyOf(form, types) });
      forget();
      setCreated(webhook);
      await changed();
    } catch (error) {
      const part = error instanceof ApiFailure ? partOf(error.code) : null;
      setFailure(sentenceOf(error));
      if (part !== null) setFaults({ ...noFaults, [part]: sentenceOf(error) });
    } finally {
      setBusy(false);
    }
  };
  return (
    <form onSubmit={(event) => void submit(event)} noValidate className="steps">
      <Step number={1} title="Select events" fault={faults.events} flush>
        <EventPicker
          types={types}
          value={form.events}
          isSelective={form.scope === 'selected'}
          onChange={(next) => {
            setForm((before) => ({ ...before, events: next }));
            setFaults((before) => ({ ...before, events: null }));
          }}
        />
      </Step>
      <Step number={2} title="Choose target projects">
        <ProjectChoice
          scope={form.scope}
          projectIds={form.projectIds}
          error={faults.projects}
          onChange={(patch) => {
            setForm((before) => ({ ...before, ...patch }));
            setFaults((before) => ({ ...before, projects: null }));
          }}
        />
        {off > 0 ? (
          <div className="step-note">
            <Notice kind="warning">
              {countOf(off, 'selected event')} {off === 1 ? 'is' : 'are'} switched off: Project Events are
              only available with All Team Projects.
            </Notice>
          </div>
        ) : null}
      </Step>
      <Step number={3} title="Enter endpoint URL">
        <UrlField
          value={form.url}
          refusal={faults.url}
          onChange={(url) => {
            setForm((before) => ({ ...before, url }));
            setFaults((before) => ({ ...before, url: null }));
          }}
        />
      </Step>
      <div className="submit-bar">
        <div className="grow" role="status">
          {failure === null ? (
            <span className="quiet">
              {events.length === 0 ? 'No event selected yet' : `${countOf(events.length, 'event')} selected`}
              {form.scope === 'all' ? ', all projects' : `, ${countOf(form.projectIds.length, 'project')}`}
            </span>
          ) : (
            <span className="submit-failure">{failure}</span>
          )}
        </div>
        <ButtonLink href={href('settings/webhooks')}>Cancel</ButtonLink>
        <Button kind="primary" type="submit" busy={isBusy}>
          Create Webhook
        </Button>
      </div>
      <CreatedDialog webhook={created} onDone={() => navigate(href('settings/webhooks'))} />
    </form>
  );
}

function Step({
  number,
  title,
  fault = null,
  flush = false,
  children,
}: {
  number: number;
  title: string;
  fault?: string | null;
  flush?: boolean;
  children: React.ReactNode;
}) {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (fault !== null) place.current?.scrollIntoView({ block: 'center' });
  }, [fault]);
  return (
    <Card
      flush={flush}
      title={
        <span className="step-title">
          <span className="step-number" aria-hidden>
            {number}
          </span>
          {title}
        </span>
      }
    >
      <div role="alert" ref={place}>
        {fault === null ? null : <p className="step-fault">{fault}</p>}
      </div>
      {children}
    </Card>
  );
}
