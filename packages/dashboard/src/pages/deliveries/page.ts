// Deliveries: the team's list, one of them with its attempts, the signature check, and replay.
import { Send } from 'lucide-react';
import type { PageEntry } from '../page.ts';

export const deliveryPages: PageEntry[] = [
  {
    path: 'deliveries',
    scope: 'team',
    nav: { label: 'Deliveries', icon: Send, group: 'main', order: 30, keys: 'g d' },
    load: () => import('./DeliveriesPage.tsx'),
  },
  { path: 'deliveries/:id', scope: 'team', load: () => import('./DeliveryPage.tsx') },
  { path: 'signature-check', scope: 'team', load: () => import('./SignatureCheckPage.tsx') },
  { path: 'replay', scope: 'team', load: () => import('./ReplayPage.tsx') },
];
