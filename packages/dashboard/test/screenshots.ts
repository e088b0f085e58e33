// `npm run screenshots`: a picture of each page, in both themes and on a phone, into packages/dashboard/screenshots.
// Each folder of pages has a scene in test/scenes that puts something there to be seen.
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { scenes } from './scenes/scenes.ts';
import { showTheme } from './support/browser.ts';
import { desktop, phone, startDashboard } from './support/dashboard.ts';

const folder = join(import.meta.dirname, '../screenshots');
/** Those that stand in the documentation: `npm run screenshots -- --docs` takes them anew. */
const docsFolder = join(import.meta.dirname, '../../../docs/images');
const docsPictures = new Set(['webhooks', 'webhook-created', 'webhook-health', 'delivery-delivered']);
/** Two frames: what a change of size or theme sets off is laid out and painted. */
const settle = (page: Page): Promise<void> =>
  page.evaluate(
    () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => resolve()))),
  );

const isForDocs = process.argv.includes('--docs');
const wanted = process.argv.slice(2).filter((arg) => !arg.startsWith('--'));

rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
for (const scene of scenes) {
  const dashboard = await startDashboard();
  try {
    for (const { name, open } of await scene(dashboard)) {
      if (wanted.length > 0 && !wanted.some((one) => name.startsWith(one))) continue;
      const page = await open();
      // What is still loading is not what is to be seen.
      await page.locator('.skeleton').first().waitFor({ state: 'detached' });
      for (const theme of ['light', 'dark'] as const) {
        await showTheme(page, theme);
        await settle(page);
        await page.screenshot({ path: join(folder, `${name}-${theme}.png`) });
      }
      await showTheme(page, 'light');
      if (isForDocs && docsPictures.has(name)) {
        await settle(page);
        const path = join(docsFolder, `${name}.jpg`);
        await page.screenshot({ path, type: 'jpeg', quality: 72 });
      }
      await page.setViewportSize(phone);
      await settle(page);
      await page.screenshot({ path: join(folder, `${name}-phone.png`) });
      await page.setViewportSize(desktop);
      await page.context().close();
      process.stdout.write(`${name}\n`);
    }
  } finally {
    await dashboard.close();
  }
}
// Scenes leave receivers behind that would keep the process alive.
process.exit(0);
