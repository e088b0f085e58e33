// The frame around every page: team switcher, navigation, the person's menu; on a phone a bar and a drawer. What opens
// on a press is fetched then.
import { ChevronsUpDown, Menu as MenuGlyph } from 'lucide-react';
import { lazy, type ReactNode, Suspense, useEffect, useState } from 'react';
import { useLocation } from 'wouter';
import type { SessionTeam } from '../api/types.ts';
import { Badge } from '../kit/Badge.tsx';
import { Logo } from '../kit/Logo.tsx';
import { OnDemand, partOf } from '../kit/OnDemand.tsx';
import { Nav, NavShortcuts } from './Nav.tsx';
import { useSession } from './session.tsx';
import { useShortcut } from './shortcuts.ts';
import './shell.css';

const Drawer = lazy(() => import('./Drawer.tsx'));
const ShortcutHelp = lazy(() => import('./ShortcutHelp.tsx'));
const teamMenu = partOf(() => import('./TeamMenu.tsx'));
const personMenu = partOf(() => import('./PersonMenu.tsx'));

/** Not yet opened: its code is not needed. Once opened it stays, so that it can close as it should. */
type Opening = 'never' | 'open' | 'closed';

export function Shell({ team, children }: { team: SessionTeam | null; children: ReactNode }) {
  const [drawer, setDrawer] = useState<Opening>('never');
  const [help, setHelp] = useState<Opening>('never');
  const [location] = useLocation();
  const openHelp = () => setHelp('open');
  const closeDrawer = () => setDrawer((before) => (before === 'never' ? before : 'closed'));
  useShortcut('?', 'Anywhere', 'Show the shortcuts', openHelp);
  // biome-ignore lint/correctness/useExhaustiveDependencies: going somewhere closes the drawer
  useEffect(closeDrawer, [location]); // oxlint-disable-line react/exhaustive-deps -- the same
  return (
    <div className="shell">
      <a className="skip-link" href="#main">
        Skip to content
      </a>
      <aside className="side" aria-label="Sidebar">
        <TeamSwitcher team={team} />
        <Nav team={team} />
        <Person onHelp={openHelp} />
      </aside>
      <header className="top">
        <button
          type="button"
          className="icon-button"
          aria-label="Menu"
          aria-haspopup="dialog"
          aria-expanded={drawer === 'open'}
          onClick={() => setDrawer('open')}
        >
          <MenuGlyph size={18} aria-hidden />
        </button>
        <Logo size={22} />
        <bdi className="cut top-team">{team?.name ?? 'Posthorn'}</bdi>
      </header>
      <main id="main" tabIndex={-1} className="main">
        <div className="content">{children}</div>
      </main>
      <NavShortcuts team={team} />
      <Suspense fallback={null}>
        {drawer === 'never' ? null : (
          <Drawer open={drawer === 'open'} onClose={closeDrawer} head={<TeamSwitcher team={team} />}>
            <Nav team={team} onGo={closeDrawer} />
            <Person onHelp={openHelp} />
          </Drawer>
        )}
        {help === 'never' ? null : <ShortcutHelp open={help === 'open'} onClose={() => setHelp('closed')} />}
      </Suspense>
    </div>
  );
}

const planNames = { hobby: 'Hobby', pro: 'Pro', enterprise: 'Enterprise' };

function TeamSwitcher({ team }: { team: SessionTeam | null }) {
  return (
    <OnDemand
      part={teamMenu}
      props={{ team }}
      trigger={
        <button type="button" className="team-switcher">
          <Logo />
          <span className="cut grow">
            <span className="visually-hidden">Team: </span>
            <bdi>{team?.name ?? 'Choose a team'}</bdi>
          </span>
          {team === null ? null : <Badge>{planNames[team.plan]}</Badge>}
          <ChevronsUpDown size={14} aria-hidden />
        </button>
      }
    />
  );
}

function Person({ onHelp }: { onHelp(): void }) {
  const { user, operator } = useSession();
  const name = user.name ?? user.username;
  return (
    <OnDemand
      part={personMenu}
      props={{ onHelp }}
      trigger={
        <button type="button" className="person">
          <span className="avatar" aria-hidden>
            {String.fromCodePoint(name.codePointAt(0) ?? 63).toUpperCase()}
          </span>
          <span className="grow person-name">
            <span className="cut line">
              <bdi>{name}</bdi>
            </span>
            <span className="cut line small quiet">{operator ? 'Operator' : <bdi>{user.email}</bdi>}</span>
          </span>
          <ChevronsUpDown size={14} aria-hidden />
        </button>
      }
    />
  );
}
