// Publishing one event by hand, from its type's sample. What is typed is checked against the type's schema.
import { useQuery } from '@tanstack/react-query';
import { Send } from 'lucide-react';
import { useEffect, useState } from 'react';
import { useLocation } from 'wouter';
import { sentenceOf } from '../../api/client.ts';
import type { EventType, Project } from '../../api/types.ts';
import { useDraft } from '../../app/drafts.ts';
import { useTeam } from '../../app/session.tsx';
import { Button } from '../../kit/Button.tsx';
import { Field, Select, Textarea } from '../../kit/Field.tsx';
import { countOf } from '../../kit/format.ts';
import { Card, Loaded, Notice, PageHeader, SkeletonRows } from '../../kit/Page.tsx';
import { useToast } from '../../kit/Toasts.tsx';
import { explainPayload } from './payload.ts';
import '../../kit/lists.css';

export default function PublishPage() {
  const { call, href, may } = useTeam();
  const types = useQuery({
    queryKey: ['event types'],
    staleTime: 300_000,
    queryFn: ({ signal }) => call<{ eventTypes: EventType[] }>('GET', '/v1/event-types', { signal }),
  });
  return (
    <>
      <PageHeader
        title="Publish an event"
        description="For this team, as your platform would over the API."
        parent={{ label: 'Events', href: href('events') }}
      />
      {may('events.publish') ? (
        <Loaded query={types} skeleton={<SkeletonRows rows={4} />}>
          {({ eventTypes }) => <Form types={eventTypes} />}
        </Loaded>
      ) : (
        <Notice>Only the operator publishes by hand.</Notice>
      )}
    </>
  );
}

const checkMs = 250;

function Form({ types }: { types: EventType[] }) {
  const { call, key, href, team } = useTeam();
  const toast = useToast();
  const [, navigate] = useLocation();
  const first = types.find(({ type }) => type === 'deployment.succeeded') ?? types[0];
  const [draft, setDraft, forget] = useDraft(`publish ${team.id}`, {
    type: first?.type ?? '',
    projectId: '',
    payload: JSON.stringify(first?.sample ?? {}, null, 2),
  });
  const [failure, setFailure] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  const type = types.find((one) => one.type === draft.type);
  const wrong = useCheck(draft.payload, type);
  const projects = useQuery({
    queryKey: key('projects', 'all'),
    queryFn: ({ signal }) =>
      call<{ projects: Project[] }>('GET', '/v9/projects', { signal, query: { limit: 100 } }),
  });
  const publish = async () => {
    setBusy(true);
    setFailure(null);
    try {
      const { id, deliveries } = await call<{ id: string; deliveries: number }>('POST', '/v1/events', {
        body: {
          type: draft.type,
          payload: JSON.parse(draft.payload) as unknown,
          ...(draft.projectId === '' ? {} : { projectId: draft.projectId }),
        },
      });
      toast(`Accepted: ${countOf(deliveries, 'delivery', 'deliveries')}.`);
      forget();
      navigate(href(`events/${id}`));
    } catch (error) {
      setFailure(sentenceOf(error));
      setBusy(false);
    }
  };
  return (
    <Card>
      <form
        className="stack form"
        onSubmit={(event) => {
          event.preventDefault();
          if (wrong === null) void publish();
        }}
      >
        <div className="pair">
          <Field label="Event type" hint={type?.description}>
            <Select
              options={types.map((one) => ({ value: one.type, label: `${one.type} (${one.label})` }))}
              value={draft.type}
              onChange={(event) => {
                const next = types.find((one) => one.type === event.target.value);
                setDraft({
                  ...draft,
                  type: event.target.value,
                  payload: JSON.stringify(next?.sample ?? {}, null, 2),
                });
              }}
            />
          </Field>
          <Field
            label="Project"
            hint="Webhooks with selected projects get the event only if it is one of them."
          >
            <Select
              options={[
                { value: '', label: 'No project' },
                ...(projects.data?.projects ?? []).map(({ id, name }) => ({ value: id, label: name })),
              ]}
              value={draft.projectId}
              onChange={(event) => setDraft({ ...draft, projectId: event.target.value })}
            />
          </Field>
        </div>
        <Field label="Payload" error={wrong} hint="JSON, checked against the type’s schema as you type.">
          <Textarea
            mono
            rows={18}
            value={draft.payload}
            onChange={(event) => setDraft({ ...draft, payload: event.target.value })}
          />
        </Field>
        <div role="alert" className="field-error">
          {failure}
        </div>
        <div className="row">
          <Button
            type="submit"
            kind="primary"
            icon={Send}
            busy={isBusy}
            why={wrong === null ? null : 'The payload is not right yet: its field says why.'}
          >
            Publish
          </Button>
        </div>
      </form>
    </Card>
  );
}

/** What is wrong with the payload, a moment after the last key. */
function useCheck(text: string, type: EventType | undefined): string | null {
  const [wrong, setWrong] = useState<string | null>(null);
  useEffect(() => {
    const timer = setTimeout(() => setWrong(explainPayload(text, type?.schema ?? {})), checkMs);
    return () => clearTimeout(timer);
  }, [text, type]);
  return wrong;
}
