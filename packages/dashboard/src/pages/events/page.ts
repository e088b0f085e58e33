// Events: the team's list, one of them with whom it went to, and publishing one by hand.
import { Radio } from 'lucide-react';
import type { PageEntry } from '../page.ts';

export const eventPages: PageEntry[] = [
  {
    path: 'events',
    scope: 'team',
    nav: { label: 'Events', icon: Radio, group: 'main', order: 20, keys: 'g e' },
    load: () => import('./EventsPage.tsx'),
  },
  { path: 'publish', scope: 'team', needs: 'events.publish', load: () => import('./PublishPage.tsx') },
  { path: 'events/:id', scope: 'team', load: () => import('./EventPage.tsx') },
];
