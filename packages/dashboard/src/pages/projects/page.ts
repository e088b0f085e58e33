// Projects: the team's list, and one of them with its environment variables.
import { FolderGit2 } from 'lucide-react';
import type { PageEntry } from '../page.ts';

export const projectPages: PageEntry[] = [
  {
    path: 'projects',
    scope: 'team',
    nav: { label: 'Projects', icon: FolderGit2, group: 'main', order: 40, keys: 'g p' },
    load: () => import('./ProjectsPage.tsx'),
  },
  { path: 'projects/:id', scope: 'team', load: () => import('./ProjectPage.tsx') },
];
