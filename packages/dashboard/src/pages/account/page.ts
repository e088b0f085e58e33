// The person's own page, reached from the menu at the bottom left.
import type { PageEntry } from '../page.ts';

export const accountPages: PageEntry[] = [
  { path: 'account', scope: 'person', load: () => import('./AccountPage.tsx') },
];
