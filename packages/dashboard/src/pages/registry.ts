// Every page of the dashboard. A new one is a folder beside this file with a page.ts, and one line here.
import { accountPages } from './account/page.ts';
import { deliveryPages } from './deliveries/page.ts';
import { eventPages } from './events/page.ts';
import { memberPages } from './members/page.ts';
import { overviewPages } from './overview/page.ts';
import type { PageEntry } from './page.ts';
import { projectPages } from './projects/page.ts';
import { systemPages } from './system/page.ts';
import { tokenPages } from './tokens/page.ts';
import { webhookPages } from './webhooks/page.ts';

export const pages: readonly PageEntry[] = [
  ...overviewPages,
  ...eventPages,
  ...deliveryPages,
  ...projectPages,
  ...webhookPages,
  ...memberPages,
  ...tokenPages,
  ...accountPages,
  ...systemPages,
];
