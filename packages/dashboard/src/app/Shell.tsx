// The frame around every page: team switcher, navigation, the person's menu; on a phone a bar and a drawer.
import { Dialog } from '@base-ui/react/dialog';
import { useQueryClient } from '@tanstack/react-query';
import { ChevronsUpDown, Keyboard, LogOut, Menu as MenuGlyph, UserRound, X } from 'lucide-react';
import { type ReactNode, useEffect, useState } from 'react';
import { useLocation } from 'wouter';
import { sentenceOf } from '../api/client.ts';
import type { SessionTeam } from '../api/types.ts';
import { Badge } from '../kit/Badge.tsx';
import { Logo } from '../kit/Logo.tsx';
import { Menu, MenuChoice, MenuItem, MenuLine, MenuLink } from '../kit/Menu.tsx';
import { useToast } from '../kit/Toasts.tsx';
import { Nav, NavShortcuts } from './Nav.tsx';
import { otherRoutes } from './routes.tsx';
import { ShortcutHelp } from './ShortcutHelp.tsx';
import { signOut, teamHref, useSession } from './session.tsx';
import { useShortcut } from './shortcuts.ts';
import { chooseTheme, useTheme } from './theme.ts';
import './shell.css';

export function Shell({ team, children }: { team: SessionTeam | null; children: ReactNode }) {
  const [isDrawerOpen, setDrawerOpen] = useState(false);
  const [isHelpOpen, setHelpOpen] = useState(false);
  const [location] = useLocation();
  useShortcut('?', 'Anywhere', 'Show the shortcuts', () => setHelpOpen(true));
  // biome-ignore lint/correctness/useExhaustiveDependencies: going somewhere closes the drawer
  useEffect(() => setDrawerOpen(false), [location]);
  const help = () => setHelpOpen(true);
  return (
    <div className="shell">
      <a className="skip-link" href="#main">
        Skip to content
      </a>
      <aside className="side" aria-label="Sidebar">
        <TeamSwitcher team={team} />
        <Nav team={team} />
        <PersonMenu onHelp={help} />
      </aside>
      <header className="top">
        <Dialog.Root open={isDrawerOpen} onOpenChange={setDrawerOpen}>
          <Dialog.Trigger className="icon-button" aria-label="Menu">
            <MenuGlyph size={18} aria-hidden />
          </Dialog.Trigger>
          <Dialog.Portal>
            <Dialog.Backdrop className="scrim" />
            <Dialog.Popup className="drawer">
              <Dialog.Title className="visually-hidden">Menu</Dialog.Title>
              <div className="row spread">
                <TeamSwitcher team={team} />
                <Dialog.Close className="icon-button" aria-label="Close">
                  <X size={18} aria-hidden />
                </Dialog.Close>
              </div>
              <Nav team={team} onGo={() => setDrawerOpen(false)} />
              <PersonMenu onHelp={help} />
            </Dialog.Popup>
          </Dialog.Portal>
        </Dialog.Root>
        <Logo size={22} />
        <bdi className="cut top-team">{team?.name ?? 'Posthorn'}</bdi>
      </header>
      <main id="main" tabIndex={-1} className="main">
        <div className="content">{children}</div>
      </main>
      <NavShortcuts team={team} />
      <ShortcutHelp open={isHelpOpen} onClose={() => setHelpOpen(false)} />
    </div>
  );
}

function TeamSwitcher({ team }: { team: SessionTeam | null }) {
  const { teams } = useSession();
  const [location, navigate] = useLocation();
  const go = (slug: string) => {
    // The same page of the other team, without what belongs to one thing of this team.
    const rest = /^\/team\/[^/]+\/((?:settings\/)?[a-z-]+)/.exec(location)?.[1] ?? '';
    navigate(teamHref(slug, rest));
  };
  return (
    <Menu
      align="start"
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
    >
      <MenuChoice
        label="Teams"
        value={team?.slug ?? ''}
        choices={teams.map(({ slug, name }) => ({ value: slug, label: <bdi>{name}</bdi> }))}
        onChange={go}
      />
    </Menu>
  );
}

const planNames = { hobby: 'Hobby', pro: 'Pro', enterprise: 'Enterprise' };

function PersonMenu({ onHelp }: { onHelp(): void }) {
  const { user, operator } = useSession();
  const theme = useTheme();
  const queries = useQueryClient();
  const toast = useToast();
  const account = otherRoutes.find(({ path }) => path === 'account');
  const name = user.name ?? user.username;
  return (
    <Menu
      side="top"
      align="start"
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
    >
      {account === undefined ? null : (
        <MenuLink href="/account" icon={UserRound}>
          Account
        </MenuLink>
      )}
      <MenuItem icon={Keyboard} onSelect={onHelp}>
        Keyboard shortcuts
      </MenuItem>
      <MenuLine />
      <MenuChoice
        label="Theme"
        value={theme}
        choices={[
          { value: 'system', label: 'System' },
          { value: 'light', label: 'Light' },
          { value: 'dark', label: 'Dark' },
        ]}
        onChange={chooseTheme}
      />
      <MenuLine />
      <MenuItem
        icon={LogOut}
        onSelect={() => {
          signOut(queries).catch((error: unknown) => toast(sentenceOf(error), 'error'));
        }}
      >
        Sign out
      </MenuItem>
    </Menu>
  );
}
