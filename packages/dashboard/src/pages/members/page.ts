// Settings → Members.
import { Users } from 'lucide-react';
import type { PageEntry } from '../page.ts';

export const memberPages: PageEntry[] = [
  {
    path: 'settings/members',
    scope: 'team',
    nav: { label: 'Members', icon: Users, group: 'settings', order: 20, keys: 'g m' },
    load: () => import('./MembersPage.tsx'),
  },
];
