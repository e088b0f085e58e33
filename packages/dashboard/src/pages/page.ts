// What a page tells the shell about itself. Each folder of pages has a page.ts with its entries; registry.ts lists them.
import type { ComponentType } from 'react';
import type { Permission } from '../app/permissions.ts';
import type { Icon } from '../kit/Button.tsx';

export interface PageEntry {
  /** Below the team's address, or below /app for the person's and the operator's pages: `settings/webhooks/:id`. */
  path: string;
  /** Whose page it is: a team's, the person's who is signed in, or the operator's. */
  scope: 'team' | 'person' | 'operator';
  /** Left out for pages that are reached from others. */
  nav?: NavEntry;
  /** Who else is not offered it in the navigation. */
  needs?: Permission;
  /** The page's own chunk: a module whose default is the component. */
  load(): Promise<{ default: ComponentType }>;
}

export interface NavEntry {
  label: string;
  icon: Icon;
  group: 'main' | 'settings' | 'operator';
  /** Places in the group, smallest first. */
  order: number;
  /** The shortcut: `g w`. */
  keys?: string;
}
