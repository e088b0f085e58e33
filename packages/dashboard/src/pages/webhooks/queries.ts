// What the pages of webhooks read, each with its key, and what a change of a webhook makes stale.
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useCallback } from 'react';
import type {
  EventType,
  ListedWebhook,
  Project,
  Webhook,
  WebhookActivity,
  WebhookHealth,
} from '../../api/types.ts';
import { type TeamScope, useTeam } from '../../app/session.tsx';

export function useWebhooks() {
  const { call, key } = useTeam();
  return useQuery({
    queryKey: key('webhooks'),
    queryFn: ({ signal }) => call<ListedWebhook[]>('GET', '/v1/webhooks', { signal }),
  });
}

export function useWebhook(id: string) {
  const { call, key } = useTeam();
  return useQuery({
    queryKey: key('webhooks', id),
    queryFn: ({ signal }) => call<Webhook>('GET', webhookPath(id), { signal }),
  });
}

/** What each webhook did lately, and how many there are; read again every half minute. */
export function useActivity() {
  const team = useTeam();
  return useQuery({
    queryKey: team.key('webhook activity'),
    refetchInterval: 30_000,
    queryFn: ({ signal }) => readActivity(team, signal),
  });
}

export const readActivity = (team: TeamScope, signal?: AbortSignal): Promise<WebhookActivity> =>
  team.call('GET', '/v1/webhook-activity', { signal });

export function useHealth(id: string) {
  const { call, key } = useTeam();
  return useQuery({
    queryKey: key('webhooks', id, 'health'),
    refetchInterval: 10_000,
    queryFn: ({ signal }) => call<WebhookHealth>('GET', `${webhookPath(id)}/health`, { signal }),
  });
}

export const useEventTypes = () => {
  const { call } = useTeam();
  return useQuery({
    queryKey: ['event types'],
    staleTime: 300_000,
    queryFn: async ({ signal }) => {
      const { eventTypes } = await call<{ eventTypes: EventType[] }>('GET', '/v1/event-types', { signal });
      return eventTypes;
    },
  });
};

/** So many projects can be chosen from; a team with more chooses among its newest. */
const mostProjects = 1_000;

export function useProjects() {
  const { call, key } = useTeam();
  return useQuery({
    queryKey: key('all projects'),
    queryFn: async ({ signal }) => {
      const all: Project[] = [];
      let until: number | null = null;
      do {
        const page: { projects: Project[]; pagination: { next: number | null } } = await call(
          'GET',
          '/v9/projects',
          { signal, query: { limit: 100, until } },
        );
        all.push(...page.projects);
        until = page.pagination.next;
      } while (until !== null && all.length < mostProjects);
      return all;
    },
  });
}

export const webhookPath = (id: string): string => `/v1/webhooks/${encodeURIComponent(id)}`;

/** A function that makes everything that is known of webhooks be read again. */
export function useWebhooksChanged(): () => Promise<unknown> {
  const queries = useQueryClient();
  const { key } = useTeam();
  return useCallback(
    () =>
      Promise.all([
        queries.invalidateQueries({ queryKey: key('webhooks') }),
        queries.invalidateQueries({ queryKey: key('webhook activity') }),
      ]),
    [queries, key],
  );
}
