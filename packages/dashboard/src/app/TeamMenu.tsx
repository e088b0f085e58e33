// The teams to switch to.
import type { ReactElement } from 'react';
import { useLocation } from 'wouter';
import type { SessionTeam } from '../api/types.ts';
import { Menu, MenuChoice } from '../kit/Menu.tsx';
import { teamHref, useSession } from './session.tsx';

export default function TeamMenu({ trigger, team }: { trigger: ReactElement; team: SessionTeam | null }) {
  const { teams } = useSession();
  const [location, navigate] = useLocation();
  const go = (slug: string) => {
    // The same page of the other team, without what belongs to one thing of this team.
    const rest = /^\/team\/[^/]+\/((?:settings\/)?[a-z-]+)/.exec(location)?.[1] ?? '';
    navigate(teamHref(slug, rest));
  };
  return (
    <Menu defaultOpen align="start" trigger={trigger}>
      <MenuChoice
        label="Teams"
        value={team?.slug ?? ''}
        choices={teams.map(({ slug, name }) => ({ value: slug, label: <bdi>{name}</bdi> }))}
        onChange={go}
      />
    </Menu>
  );
}
