// Settings → Tokens.
import { KeyRound } from 'lucide-react';
import type { PageEntry } from '../page.ts';

export const tokenPages: PageEntry[] = [
  {
    path: 'settings/tokens',
    scope: 'team',
    needs: 'tokens.write',
    nav: { label: 'Tokens', icon: KeyRound, group: 'settings', order: 30, keys: 'g t' },
    load: () => import('./TokensPage.tsx'),
  },
];
