// The list of deliveries over a million of them: it opens as fast as a short one, a long way down it holds no more rows
// and no more memory than at its top, and typing in a filter never waits.
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import type { SeedOrder } from '../../../bench/seed.ts';
import { newDataDir, startPosthorn } from '../../server/test/support/posthorn.ts';
import { startDashboard } from './support/dashboard.ts';

const webhooks = 20;
const events = 50_000;
const mostHeapGrowth = 2 * 1024 * 1024;
const mostRows = 60;
const longestBlockMs = 50;

async function seed(order: SeedOrder): Promise<void> {
  const path = fileURLToPath(new URL('../../../bench/seed.ts', import.meta.url));
  const child = fork(path, [JSON.stringify(order)], { stdio: 'inherit' });
  const exited = once(child, 'exit');
  child.once('message', () => child.disconnect());
  const [code] = (await exited) as [number];
  assert.equal(code, 0);
}

/** A server's data with a million delivered deliveries of the team `default`. */
async function makeMillion(): Promise<string> {
  const dataDir = newDataDir();
  const posthorn = await startPosthorn({ POSTHORN_LOG_LEVEL: 'warn' }, dataDir);
  for (let at = 0; at < webhooks; at++) {
    await posthorn.call('POST', '/v1/webhooks', {
      body: { url: `http://127.0.0.1:1/hook/${at}`, events: ['deployment.succeeded'] },
    });
  }
  const { body: team } = await posthorn.call<{ id: string }>('GET', '/v2/teams/default');
  await posthorn.end();
  await seed({
    path: join(dataDir, 'posthorn.db'),
    databaseUrl: null,
    state: 'delivered',
    teamIds: [team.id],
    firstSeq: 1,
    events,
  });
  return dataDir;
}

async function heapOf(page: Page): Promise<number> {
  const client = await page.context().newCDPSession(page);
  await client.send('HeapProfiler.collectGarbage');
  const { usedSize } = await client.send('Runtime.getHeapUsage');
  await client.detach();
  return usedSize;
}

/** Scrolls down until so many rows are known, a window at a time, as fast as pages come. */
async function scrollTo(page: Page, rows: number): Promise<void> {
  for (;;) {
    const text = (await page.getByText(/deliveries so far/).textContent()) ?? '';
    if (Number(text.replaceAll(/\D/g, '')) >= rows) return;
    await page.evaluate(() => window.scrollTo(0, document.documentElement.scrollHeight));
    await page.waitForTimeout(10);
  }
}

test('the list stays small and quick over a million deliveries', async (t) => {
  const dashboard = await startDashboard({}, await makeMillion());
  t.after(() => dashboard.close());
  const page = await dashboard.signIn();
  await page.goto(dashboard.address('deliveries'));
  await page.getByRole('row').nth(10).waitFor();

  await scrollTo(page, 1_000);
  const before = await heapOf(page);
  await scrollTo(page, 20_000);
  const rowsInPage = await page.getByRole('row').count();
  // Pages that nobody looks at are forgotten after a while.
  await page.waitForTimeout(17_000);
  const grown = (await heapOf(page)) - before;
  t.diagnostic(
    `heap ${before} bytes after 1,000 rows, ${grown} more after 20,000; ${rowsInPage} rows in the page`,
  );
  assert.ok(rowsInPage <= mostRows, `${rowsInPage} rows`);
  assert.ok(grown <= mostHeapGrowth, `${grown} bytes`);

  await page.evaluate(() => {
    const blocks: number[] = [];
    Object.assign(window, { blocks });
    new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) blocks.push(duration);
    }).observe({ type: 'longtask' });
  });
  await page.getByLabel('Event ID').pressSequentially('P7LDaDt14pXohLlb0OLPW', { delay: 20 });
  await page.getByRole('heading', { name: 'No delivery fits these filters' }).waitFor();
  const blocks = await page.evaluate(() => (window as unknown as { blocks: number[] }).blocks);
  t.diagnostic(`blocks over 50 ms while typing: ${JSON.stringify(blocks)}`);
  assert.ok(Math.max(0, ...blocks) < 2 * longestBlockMs, JSON.stringify(blocks));
});
