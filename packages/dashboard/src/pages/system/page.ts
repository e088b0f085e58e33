// The operator's page about the server itself.
import { Server } from 'lucide-react';
import type { PageEntry } from '../page.ts';

export const systemPages: PageEntry[] = [
  {
    path: 'system',
    scope: 'operator',
    nav: { label: 'System', icon: Server, group: 'operator', order: 10, keys: 'g s' },
    load: () => import('./SystemPage.tsx'),
  },
];
