// From an address to a page: the registry's entries as routes, each with its own chunk, fetched when somebody is about
// to go there.
import { type ComponentType, lazy, type ReactNode, Suspense } from 'react';
import { matchRoute, useRouter } from 'wouter';
import type { PageEntry } from '../pages/page.ts';
import { pages } from '../pages/registry.ts';

export interface PageRoute extends PageEntry {
  /** The whole pattern below /app: `/team/:team/settings/webhooks`. */
  pattern: string;
  Component: ComponentType;
}

export const routes: readonly PageRoute[] = pages.map((page) => {
  let loading: ReturnType<PageEntry['load']> | null = null;
  const load = () => {
    loading ??= page.load().catch((error: unknown) => {
      // The next visit tries again: the network was away, or the server has a newer build.
      loading = null;
      throw error;
    });
    return loading;
  };
  return {
    ...page,
    load,
    pattern:
      page.scope === 'team' ? `/team/:team${page.path === '' ? '' : `/${page.path}`}` : `/${page.path}`,
    Component: lazy(load),
  };
});

/** The team's pages, and the person's and operator's. */
export const teamRoutes = routes.filter(({ scope }) => scope === 'team');
export const otherRoutes = routes.filter(({ scope }) => scope !== 'team');

/** A function that fetches the chunk of the page at an address below /app, before somebody goes there. */
export function usePreload(): (path: string) => void {
  const { parser } = useRouter();
  return (path) => {
    const found = routes.find(({ pattern }) => matchRoute(parser, pattern, path)[0]);
    // What fails now fails again, and is said, when the page is opened.
    found?.load().catch(() => {});
  };
}

/** Nothing for a moment, so that a page that is there at once does not flicker. */
export const PageFrame = ({ children }: { children: ReactNode }) => (
  <Suspense fallback={null}>{children}</Suspense>
);
