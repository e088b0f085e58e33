// Settings → Webhooks: the list, the steps of creating one, and each webhook's own page.
import { Webhook } from 'lucide-react';
import type { PageEntry } from '../page.ts';

export const webhookPages: PageEntry[] = [
  {
    path: 'settings/webhooks',
    scope: 'team',
    nav: { label: 'Webhooks', icon: Webhook, group: 'settings', order: 10, keys: 'g w' },
    load: () => import('./WebhooksPage.tsx'),
  },
  { path: 'settings/webhooks/new', scope: 'team', load: () => import('./NewWebhookPage.tsx') },
  { path: 'settings/webhooks/:id', scope: 'team', load: () => import('./WebhookPage.tsx') },
];
