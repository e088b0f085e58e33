// Every page of the dashboard. A new one is a folder beside this file with a page.ts, and one line here.
import { deliveryPages } from './deliveries/page.ts';
import type { PageEntry } from './page.ts';
import { webhookPages } from './webhooks/page.ts';

export const pages: readonly PageEntry[] = [...deliveryPages, ...webhookPages];
