// The navigation: which pages there are for this person, in groups. The sidebar and the phone's drawer both show it.
import { Link, useLocation } from 'wouter';
import { may } from './permissions.ts';
import type { PageRoute } from './routes.tsx';
import { routes, usePreload } from './routes.tsx';
import type { TeamScope } from './session.tsx';
import { teamHref, useSession } from './session.tsx';
import { useShortcut } from './shortcuts.ts';

const groups = [
  { key: 'main', label: null },
  { key: 'settings', label: 'Settings' },
  { key: 'operator', label: 'Operator' },
] as const;

export interface NavLink extends Pick<PageRoute, 'nav'> {
  href: string;
}

/** The links of the navigation for a team, in order. */
export function useNavLinks(team: TeamScope['team'] | null): (NavLink & Required<Pick<PageRoute, 'nav'>>)[] {
  const { operator } = useSession();
  return routes
    .filter(({ scope, needs }) => {
      if (scope === 'operator' && !operator) return false;
      if (scope === 'team' && team === null) return false;
      return needs === undefined || team === null || may(team.role, operator, needs);
    })
    .flatMap(({ nav, scope, path }) => {
      if (nav === undefined) return [];
      const href = scope === 'team' && team !== null ? teamHref(team.slug, path) : `/${path}`;
      return [{ nav, href }];
    })
    .toSorted((a, b) => a.nav.order - b.nav.order);
}

export function Nav({ team, onGo }: { team: TeamScope['team'] | null; onGo?: () => void }) {
  const links = useNavLinks(team);
  const [location] = useLocation();
  const preload = usePreload();
  // The longest address that the page's begins with: a webhook's page lights up its list.
  const current = links
    .filter(({ href }) => location === href || location.startsWith(`${href}/`))
    .toSorted((a, b) => b.href.length - a.href.length)[0]?.href;
  return (
    <nav aria-label="Main" className="nav">
      {groups.map(({ key, label }) => {
        const own = links.filter(({ nav }) => nav.group === key);
        if (own.length === 0) return null;
        return (
          <div key={key} className="nav-group">
            {label === null ? null : <div className="nav-label">{label}</div>}
            <ul>
              {own.map(({ nav: { label: name, icon: Glyph }, href }) => (
                <li key={href}>
                  <Link
                    href={href}
                    className="nav-link"
                    aria-current={href === current ? 'page' : undefined}
                    onPointerEnter={() => preload(href)}
                    onFocus={() => preload(href)}
                    onClick={onGo}
                  >
                    <Glyph size={16} aria-hidden />
                    {name}
                  </Link>
                </li>
              ))}
            </ul>
          </div>
        );
      })}
    </nav>
  );
}

/** The shortcuts of the navigation; shown once, wherever the navigation itself is. */
export function NavShortcuts({ team }: { team: TeamScope['team'] | null }) {
  return useNavLinks(team).map(({ nav, href }) =>
    nav.keys === undefined ? null : <NavShortcut key={href} keys={nav.keys} label={nav.label} href={href} />,
  );
}

function NavShortcut({ keys, label, href }: { keys: string; label: string; href: string }) {
  const [, navigate] = useLocation();
  useShortcut(keys, 'Go to', label, () => navigate(href));
  return null;
}
