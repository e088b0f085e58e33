// Settings → Webhooks.
import { Webhook } from 'lucide-react';
import type { PageEntry } from '../page.ts';

export const webhookPages: PageEntry[] = [
  {
    path: 'settings/webhooks',
    scope: 'team',
    nav: { label: 'Webhooks', icon: Webhook, group: 'settings', order: 10, keys: 'g w' },
    load: () => import('./WebhooksPage.tsx'),
  },
];
