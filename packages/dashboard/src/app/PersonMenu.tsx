// What the person who is signed in can do: their account, shortcuts, theme, leave.
import { useQueryClient } from '@tanstack/react-query';
import { Keyboard, LogOut, UserRound } from 'lucide-react';
import type { ReactElement } from 'react';
import { sentenceOf } from '../api/client.ts';
import { Menu, MenuChoice, MenuItem, MenuLine, MenuLink } from '../kit/Menu.tsx';
import { useToast } from '../kit/Toasts.tsx';
import { otherRoutes } from './routes.tsx';
import { signOut } from './session.tsx';
import { chooseTheme, useTheme } from './theme.ts';

export default function PersonMenu({ trigger, onHelp }: { trigger: ReactElement; onHelp(): void }) {
  const theme = useTheme();
  const queries = useQueryClient();
  const toast = useToast();
  const account = otherRoutes.find(({ path }) => path === 'account');
  return (
    <Menu defaultOpen side="top" align="start" trigger={trigger}>
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
