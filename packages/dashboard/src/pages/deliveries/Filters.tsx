// The filters above the list. What is typed is taken a moment after the last key, so that typing never waits.
import { useQuery } from '@tanstack/react-query';
import { SlidersHorizontal, X } from 'lucide-react';
import { useEffect, useState } from 'react';
import type { EventType, ListedWebhook, Project } from '../../api/types.ts';
import { useTeam } from '../../app/session.tsx';
import { Button } from '../../kit/Button.tsx';
import { Field, Input, Select } from '../../kit/Field.tsx';
import { type Filters, filterNames, isFiltered, isStatusFilter, periods } from './filters.ts';

const states = [
  { value: '', label: 'Any state' },
  { value: 'pending', label: 'Pending' },
  { value: 'delivered', label: 'Delivered' },
  { value: 'failed', label: 'Failed' },
  { value: 'canceled', label: 'Canceled' },
];

/** Frequent causes; every cause has its line in the reference. */
const causes = [
  'connection_refused',
  'connection_reset',
  'dns_not_found',
  'timeout_connecting',
  'timeout_waiting_for_response',
  'tls_certificate_expired',
  'tls_certificate_untrusted',
  'tls_hostname_mismatch',
  'blocked_address',
  'redirect',
];

const none: Filters = {
  state: '',
  type: '',
  webhookId: '',
  projectId: '',
  status: '',
  cause: '',
  eventId: '',
  period: '',
  since: '',
  until: '',
};

export function FilterBar({
  filters,
  onChange,
}: {
  filters: Filters;
  onChange(patch: Partial<Filters>): void;
}) {
  const { call, key } = useTeam();
  const webhooks = useQuery({
    queryKey: key('webhooks'),
    queryFn: ({ signal }) => call<ListedWebhook[]>('GET', '/v1/webhooks', { signal }),
  });
  const types = useQuery({
    queryKey: ['event types'],
    staleTime: 300_000,
    queryFn: ({ signal }) => call<{ eventTypes: EventType[] }>('GET', '/v1/event-types', { signal }),
  });
  const projects = useQuery({
    queryKey: key('projects', 'all'),
    queryFn: ({ signal }) =>
      call<{ projects: Project[] }>('GET', '/v9/projects', { signal, query: { limit: 100 } }),
  });
  const withChosen = (options: { value: string; label: string }[], chosen: string) =>
    chosen === '' || options.some(({ value }) => value === chosen)
      ? options
      : [...options, { value: chosen, label: chosen }];
  // On a phone they are folded away until somebody asks for them.
  const [isOpen, setOpen] = useState(false);
  const active = filterNames.filter(
    (name) => name !== 'since' && name !== 'until' && filters[name] !== '',
  ).length;
  return (
    <search aria-label="Filters">
      <div className="filters-toggle">
        <Button icon={SlidersHorizontal} aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
          {active === 0 ? 'Filters' : `Filters (${active})`}
        </Button>
      </div>
      <div className="filters" data-folded={!isOpen || undefined}>
        <Field label="State">
          <Select
            options={states}
            value={filters.state}
            onChange={(event) => onChange({ state: event.target.value })}
          />
        </Field>
        <Field label="Webhook">
          <Select
            options={withChosen(
              [
                { value: '', label: 'Any webhook' },
                ...(webhooks.data ?? []).map(({ id, url }) => ({ value: id, label: url })),
              ],
              filters.webhookId,
            )}
            value={filters.webhookId}
            onChange={(event) => onChange({ webhookId: event.target.value })}
          />
        </Field>
        <Field label="Event type">
          <Select
            options={withChosen(
              [
                { value: '', label: 'Any type' },
                ...(types.data?.eventTypes ?? []).map(({ type }) => ({ value: type, label: type })),
              ],
              filters.type,
            )}
            value={filters.type}
            onChange={(event) => onChange({ type: event.target.value })}
          />
        </Field>
        <Field label="Project">
          <Select
            options={withChosen(
              [
                { value: '', label: 'Any project' },
                ...(projects.data?.projects ?? []).map(({ id, name }) => ({ value: id, label: name })),
              ],
              filters.projectId,
            )}
            value={filters.projectId}
            onChange={(event) => onChange({ projectId: event.target.value })}
          />
        </Field>
        <Field label="Time">
          <Select
            options={periods}
            value={filters.period}
            onChange={(event) => onChange({ period: event.target.value, since: '', until: '' })}
          />
        </Field>
        <TypedFilter
          label="HTTP status"
          placeholder="404, 5xx"
          value={filters.status}
          onChange={(status) => onChange({ status })}
          explain={(text) => (isStatusFilter(text) ? null : 'A code like 404, or a kind like 5xx.')}
        />
        <TypedFilter
          label="Cause"
          placeholder="connection_refused"
          list={causes}
          value={filters.cause}
          onChange={(cause) => onChange({ cause })}
        />
        <TypedFilter
          label="Event ID"
          placeholder="Exact ID"
          value={filters.eventId}
          onChange={(eventId) => onChange({ eventId })}
        />
        {filters.period === 'custom' ? (
          <>
            <Field label="From (UTC)">
              <Input
                type="datetime-local"
                value={filters.since}
                onChange={(event) => onChange({ since: event.target.value })}
              />
            </Field>
            <Field label="To (UTC)">
              <Input
                type="datetime-local"
                value={filters.until}
                onChange={(event) => onChange({ until: event.target.value })}
              />
            </Field>
          </>
        ) : null}
        {isFiltered(filters) ? (
          <div className="filters-clear">
            <Button kind="plain" icon={X} onClick={() => onChange(none)}>
              Clear filters
            </Button>
          </div>
        ) : null}
      </div>
    </search>
  );
}

const typingMs = 300;

function TypedFilter({
  label,
  placeholder,
  value,
  onChange,
  list,
  explain = () => null,
}: {
  label: string;
  placeholder: string;
  value: string;
  onChange(value: string): void;
  list?: readonly string[];
  explain?: (text: string) => string | null;
}) {
  const [text, setText] = useState(value);
  const [taken, setTaken] = useState(value);
  const wrong = explain(text.trim());
  // The address changed by other means: Back, a link, Clear.
  if (value !== taken) {
    setTaken(value);
    setText(value);
  }
  useEffect(() => {
    const next = text.trim();
    if (next === value || wrong !== null) return undefined;
    const timer = setTimeout(() => {
      setTaken(next);
      onChange(next);
    }, typingMs);
    return () => clearTimeout(timer);
  }, [text, value, wrong, onChange]);
  const listId = `filter-${label.toLowerCase().replaceAll(' ', '-')}`;
  return (
    <Field label={label} error={wrong}>
      <Input
        placeholder={placeholder}
        value={text}
        maxLength={200}
        list={list === undefined ? undefined : listId}
        onChange={(event) => setText(event.target.value)}
      />
      {list === undefined ? null : (
        <datalist id={listId}>
          {list.map((one) => (
            <option key={one} value={one} />
          ))}
        </datalist>
      )}
    </Field>
  );
}
