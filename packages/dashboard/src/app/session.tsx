// Who is signed in, and the team that the page is about. Everything below the shell can ask for both.
import { type QueryClient, queryOptions, useQuery } from '@tanstack/react-query';
import { createContext, type ReactNode, useContext, useMemo } from 'react';
import { ApiFailure, type CallOptions, call } from '../api/client.ts';
import { forgetSession, noteSession, noteSessionEnd } from '../api/session-gate.ts';
import type { Session, SessionTeam } from '../api/types.ts';
import { may, type Permission } from './permissions.ts';

const sessionKey = ['session'] as const;

/** Null when nobody is signed in. A session that ends stays known: the person signs in again over the page. */
export const sessionQuery = queryOptions({
  queryKey: sessionKey,
  staleTime: 60_000,
  queryFn: async ({ signal, client }): Promise<Session | null> => {
    try {
      const session = await call<Session>('GET', '/v1/session', { signal, anonymous: true });
      noteSession();
      return session;
    } catch (error) {
      if (!(error instanceof ApiFailure) || error.status !== 401) throw error;
      noteSessionEnd();
      return client.getQueryData<Session | null>(sessionKey) ?? null;
    }
  },
});

export const useSessionQuery = () => useQuery(sessionQuery);

const SessionContext = createContext<Session | null>(null);

export function SessionProvider({ session, children }: { session: Session; children: ReactNode }) {
  return <SessionContext value={session}>{children}</SessionContext>;
}

/** The person who is signed in; only below the shell. */
export function useSession(): Session {
  const session = useContext(SessionContext);
  if (session === null) throw new Error('useSession outside of the shell');
  return session;
}

export interface TeamScope {
  team: SessionTeam;
  may(permission: Permission): boolean;
  /** Calls the API for this team. */
  call<Answer>(method: string, path: string, options?: CallOptions): Promise<Answer>;
  /** A key for TanStack Query that is this team's own. */
  key(...parts: unknown[]): unknown[];
  /** The address of one of this team's pages, from a path like `settings/webhooks`. */
  href(path: string): string;
}

const TeamContext = createContext<TeamScope | null>(null);

export function TeamProvider({ team, children }: { team: SessionTeam; children: ReactNode }) {
  const { operator } = useSession();
  const scope = useMemo<TeamScope>(
    () => ({
      team,
      may: (permission) => may(team.role, operator, permission),
      call: (method, path, options = {}) =>
        call(method, path, { ...options, query: { teamId: team.id, ...options.query } }),
      key: (...parts) => ['team', team.id, ...parts],
      href: (path) => teamHref(team.slug, path),
    }),
    [team, operator],
  );
  return <TeamContext value={scope}>{children}</TeamContext>;
}

/** The team that the page is about; only on pages of a team. */
export function useTeam(): TeamScope {
  const scope = useContext(TeamContext);
  if (scope === null) throw new Error('useTeam outside of a team’s page');
  return scope;
}

export const teamHref = (slug: string, path: string): string =>
  path === '' ? `/team/${slug}` : `/team/${slug}/${path}`;

/** Ends the session on the server and forgets all that was read with it. */
export async function signOut(queries: QueryClient): Promise<void> {
  await call('POST', '/v1/sign-out', { anonymous: true });
  announceSession('out');
  forgetAll(queries);
}

function forgetAll(queries: QueryClient): void {
  forgetSession();
  queries.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== sessionKey[0] });
  queries.setQueryData(sessionQuery.queryKey, null);
}

const channel = new BroadcastChannel('posthorn.session');

/** Tells the other tabs that somebody signed in or out. */
export const announceSession = (news: 'in' | 'out'): void => channel.postMessage(news);

/** Follows what other tabs announce, as long as somebody is shown something of theirs. */
export function followSession(queries: QueryClient): () => void {
  const hear = ({ data }: MessageEvent) => {
    if (data === 'out') forgetAll(queries);
    else void queries.fetchQuery({ ...sessionQuery, staleTime: 0 });
  };
  channel.addEventListener('message', hear);
  return () => channel.removeEventListener('message', hear);
}
