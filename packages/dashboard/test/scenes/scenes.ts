// What `npm run screenshots` takes pictures of. A scene prepares a server and names its pictures.
import type { Page } from 'playwright-core';
import type { Dashboard } from '../support/dashboard.ts';
import { deliveriesScene } from './deliveries.ts';
import { signInScene } from './sign-in.ts';
import { teamScene } from './team.ts';
import { webhooksScene } from './webhooks.ts';

export interface Picture {
  /** The file's name, without theme and ending. */
  name: string;
  /** A page with what is to be seen on it. */
  open(): Promise<Page>;
}

/** What it starts beside the server ends with the process. */
export type Scene = (dashboard: Dashboard) => Promise<Picture[]>;

export const scenes: readonly Scene[] = [signInScene, webhooksScene, deliveriesScene, teamScene];
