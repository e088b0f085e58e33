// What the forms of a webhook hold, and what is sent of it.
import type { EventType, Webhook } from '../../api/types.ts';
import type { Scope } from './ProjectChoice.tsx';

export interface WebhookForm {
  events: string[];
  scope: Scope;
  projectIds: string[];
  url: string;
}

export const emptyForm: WebhookForm = { events: [], scope: 'all', projectIds: [], url: '' };

export const formOf = ({ events, projectIds, url }: Webhook): WebhookForm => ({
  events,
  url,
  scope: projectIds === undefined ? 'all' : 'selected',
  projectIds: projectIds ?? [],
});

/** The events that are sent: those of the whole team are off while only some projects are chosen. */
export function eventsSent({ events, scope }: WebhookForm, types: readonly EventType[]): string[] {
  if (scope === 'all') return events;
  const off = new Set(types.filter(({ requiresAllProjects }) => requiresAllProjects).map(({ type }) => type));
  return events.filter((type) => !off.has(type));
}

export const bodyOf = (form: WebhookForm, types: readonly EventType[]) => ({
  url: form.url.trim(),
  events: eventsSent(form, types),
  projectIds: form.scope === 'all' ? null : form.projectIds,
});

export interface Faults {
  events: string | null;
  projects: string | null;
  url: string | null;
}

export const noFaults: Faults = { events: null, projects: null, url: null };

/** What is missing, by the part of the form that lacks it; null where nothing is. */
export function faultsOf(form: WebhookForm, types: readonly EventType[]): Faults | null {
  const faults: Faults = {
    events: eventsSent(form, types).length === 0 ? 'Select at least one event.' : null,
    projects:
      form.scope === 'selected' && form.projectIds.length === 0
        ? 'Choose at least one project, or All Team Projects.'
        : null,
    url: form.url.trim() === '' ? 'Enter the URL of your endpoint.' : null,
  };
  return Object.values(faults).every((fault) => fault === null) ? null : faults;
}

/** Which part of the form a refusal of the API is about; null where it is about the whole. */
export function partOf(code: string): keyof Faults | null {
  if (code === 'invalid_url' || code === 'blocked_address') return 'url';
  if (code === 'invalid_event') return 'events';
  return code === 'invalid_project' ? 'projects' : null;
}
