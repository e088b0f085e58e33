// Overview: how the team's webhooks are, at a glance.
import { LayoutDashboard } from 'lucide-react';
import type { PageEntry } from '../page.ts';

export const overviewPages: PageEntry[] = [
  {
    path: 'overview',
    scope: 'team',
    nav: { label: 'Overview', icon: LayoutDashboard, group: 'main', order: 10, keys: 'g o' },
    load: () => import('./OverviewPage.tsx'),
  },
];
