// One headless Chromium for a test file, from the npm package that carries it, and axe on a page of it.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { AxeBuilder } from '@axe-core/playwright';
import packaged from '@sparticuz/chromium';
import { type Browser, chromium, type Page } from 'playwright-core';

export async function launchBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: await unpack(),
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--font-render-hinting=none'],
    headless: true,
  });
}

/** The package unpacks itself into the temporary folder at first use; test files that begin together take turns. */
async function unpack(): Promise<string> {
  const lock = join(tmpdir(), 'posthorn-chromium.lock');
  for (;;) {
    try {
      mkdirSync(lock);
      break;
    } catch {
      if (isAbandoned(lock)) rmSync(lock, { recursive: true, force: true });
      else await pause(50);
    }
  }
  try {
    return await packaged.executablePath();
  } finally {
    rmSync(lock, { recursive: true, force: true });
  }
}

const longestUnpackMs = 60_000;

const isAbandoned = (lock: string): boolean =>
  existsSync(lock) && Date.now() - statSync(lock).mtimeMs > longestUnpackMs;

export type Theme = 'light' | 'dark';

/** Switches the page's theme as the person's menu does, without a reload. */
export async function showTheme(page: Page, theme: Theme): Promise<void> {
  await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' });
  await page.waitForFunction((wanted) => document.documentElement.dataset.theme === wanted, theme);
}

/** Fails with what axe finds on the page as it is, in either theme: between them only colours differ. */
export async function assertAccessible(page: Page, where: string): Promise<void> {
  for (const theme of ['light', 'dark'] as const) {
    await showTheme(page, theme);
    const axe = new AxeBuilder({ page });
    const { violations } = await (theme === 'light' ? axe : axe.withRules('color-contrast')).analyze();
    const found = violations.map(({ id, help, nodes }) => ({
      id,
      help,
      nodes: nodes.slice(0, 4).map(({ html, failureSummary }) => `${html}\n  ${failureSummary}`),
    }));
    assert.deepEqual(found, [], `axe on ${where}, ${theme}:\n${JSON.stringify(found, null, 2)}`);
  }
}
