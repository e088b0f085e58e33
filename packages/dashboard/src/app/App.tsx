// From the address and the session to what is shown: the pages of signing in, or the shell with one page in it.

import { useQuery, useQueryClient } from '@tanstack/react-query';
import { MapPinOff, Users } from 'lucide-react';
import { lazy, useEffect } from 'react';
import { Redirect, Route, Switch, useLocation, useParams, useSearch } from 'wouter';
import { call, sentenceOf } from '../api/client.ts';
import type { Session, SessionTeam } from '../api/types.ts';
import { Button, ButtonLink } from '../kit/Button.tsx';
import { Empty, Notice, PageHeader } from '../kit/Page.tsx';
import { ErrorBoundary } from './ErrorBoundary.tsx';
import { useNavLinks } from './Nav.tsx';
import { otherRoutes, PageFrame, teamRoutes, usePreload } from './routes.tsx';
import { Shell } from './Shell.tsx';
import { SignInAgain } from './SignInAgain.tsx';
import {
  followSession,
  SessionProvider,
  TeamProvider,
  teamHref,
  useSession,
  useSessionQuery,
} from './session.tsx';

const SignInPage = lazy(() => import('../pages/sign-in/SignInPage.tsx'));
const InvitationPage = lazy(() => import('../pages/sign-in/InvitationPage.tsx'));

export function App() {
  const [location] = useLocation();
  const preload = usePreload();
  // The page's chunk is on its way while the session is still being read.
  // biome-ignore lint/correctness/useExhaustiveDependencies: only the address that was opened; links fetch for themselves
  useEffect(() => preload(location), []); // oxlint-disable-line react/exhaustive-deps -- the same
  return (
    <PageFrame>
      <Switch>
        <Route path="/sign-in" component={SignInPage} />
        <Route path="/invitation" component={InvitationPage} />
        <Route component={Inside} />
      </Switch>
    </PageFrame>
  );
}

function Inside() {
  const { data: session, error, refetch, isFetching } = useSessionQuery();
  const [location] = useLocation();
  const search = useSearch();
  const queries = useQueryClient();
  useEffect(() => followSession(queries), [queries]);
  if (session === undefined) {
    return error === null ? null : (
      <div className="alone">
        <Notice
          kind="error"
          title="Posthorn is not reachable"
          action={
            <Button size="small" busy={isFetching} onClick={() => void refetch()}>
              Try again
            </Button>
          }
        >
          {sentenceOf(error)}
        </Notice>
      </div>
    );
  }
  if (session === null) {
    const wanted = location + (search === '' ? '' : `?${search}`);
    return (
      <Redirect replace to={wanted === '/' ? '/sign-in' : `/sign-in?next=${encodeURIComponent(wanted)}`} />
    );
  }
  return (
    <SessionProvider session={session}>
      <Switch>
        <Route path="/team/:team/*?" component={TeamPages} />
        {otherRoutes
          .filter(({ scope }) => scope === 'person' || session.operator)
          .map(({ pattern, Component }) => (
            <Route key={pattern} path={pattern}>
              <InShell team={usualTeam(session)}>
                <Component />
              </InShell>
            </Route>
          ))}
        <Route>
          <ToUsualTeam />
        </Route>
      </Switch>
      <SignInAgain />
    </SessionProvider>
  );
}

function InShell({ team, children }: { team: SessionTeam | null; children: React.ReactNode }) {
  const [location] = useLocation();
  return (
    <Shell team={team}>
      <ErrorBoundary place={location}>
        <PageFrame>{children}</PageFrame>
      </ErrorBoundary>
    </Shell>
  );
}

const teamKey = 'posthorn.team';

/** The team that was looked at last, else the first. */
function usualTeam({ teams }: Session): SessionTeam | null {
  let slug: string | null = null;
  try {
    slug = localStorage.getItem(teamKey);
  } catch {
    // Without storage the first team has to do.
  }
  return teams.find((team) => team.slug === slug) ?? teams[0] ?? null;
}

function rememberTeam(slug: string): void {
  try {
    localStorage.setItem(teamKey, slug);
  } catch {
    // Only a convenience.
  }
}

/** An address without a team means the same page of the team that was looked at last. */
function ToUsualTeam() {
  const session = useSession();
  const [location] = useLocation();
  const search = useSearch();
  const team = usualTeam(session);
  if (team === null) {
    return (
      <InShell team={null}>
        <PageHeader title="Welcome" />
        <Empty icon={Users} title="You are in no team yet">
          An owner of a team can invite you; the link in the invitation brings you in.
        </Empty>
      </InShell>
    );
  }
  const path = location.replace(/^\//, '');
  return <Redirect replace to={teamHref(team.slug, path) + (search === '' ? '' : `?${search}`)} />;
}

function TeamPages() {
  const session = useSession();
  const { team: slug } = useParams<{ team: string }>();
  const known = session.teams.find((one) => one.slug === slug);
  // The operator reaches teams that he is no member of.
  const asked = useQuery({
    queryKey: ['team by slug', slug],
    enabled: known === undefined && session.operator,
    queryFn: ({ signal }) =>
      call<Omit<SessionTeam, 'role'>>('GET', `/v2/teams/${encodeURIComponent(slug)}`, { signal }),
  });
  const team: SessionTeam | undefined = known ?? (asked.data && { ...asked.data, role: 'OWNER' });
  useEffect(() => {
    if (known !== undefined) rememberTeam(known.slug);
  }, [known]);
  if (team === undefined) {
    if (asked.isLoading) return null;
    return (
      <InShell team={usualTeam(session)}>
        <PageHeader title="No such team" />
        <Empty icon={MapPinOff} title="There is no such team, or you are not in it" action={<Home />}>
          Choose one of yours at the top left, or ask one of its owners for an invitation.
        </Empty>
      </InShell>
    );
  }
  return (
    <TeamProvider key={team.id} team={team}>
      <InShell team={team}>
        <Switch>
          {teamRoutes.map(({ pattern, Component }) => (
            <Route key={pattern} path={pattern} component={Component} />
          ))}
          <Route path="/team/:team">
            <ToFirstPage team={team} />
          </Route>
          <Route>
            <PageHeader title="Nothing here" />
            <Empty icon={MapPinOff} title="There is no page at this address" action={<Home />}>
              It may have been mistyped, or what it showed was removed.
            </Empty>
          </Route>
        </Switch>
      </InShell>
    </TeamProvider>
  );
}

function ToFirstPage({ team }: { team: SessionTeam }) {
  const first = useNavLinks(team)[0];
  return first === undefined ? null : <Redirect replace to={first.href} />;
}

const Home = () => <ButtonLink href="/">Go to the start</ButtonLink>;
