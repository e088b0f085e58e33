import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';

/** A thread that makes and drops objects for a while, then tells how many MB its young ones have. */
const churning = `
  import { getHeapSpaceStatistics } from 'node:v8';
  import { parentPort } from 'node:worker_threads';
  let kept = [];
  for (let i = 0; i < 2e7; i++) {
    if (kept.length === 60_000) kept = [];
    kept.push({ i, some: [i] });
  }
  const { physical_space_size: size } = getHeapSpaceStatistics().find((space) => space.space_name === 'new_space');
  parentPort.postMessage(size / 2 ** 20);
`;

test('a thread has the room that it was given for young objects, whatever the command line gives the process', async () => {
  const main = `
    import { startThread } from ${JSON.stringify(new URL('./thread.ts', import.meta.url).href)};
    const file = new URL('data:text/javascript,' + ${JSON.stringify(encodeURIComponent(churning))});
    startThread(file, { youngMb: 12 }).once('message', (size) => console.log(size));
  `;
  const { stdout } = await promisify(execFile)(process.execPath, [
    '--max-semi-space-size=16',
    '--input-type=module',
    '--eval',
    main,
  ]);
  assert.ok(Number(stdout) > 1 && Number(stdout) <= 12, stdout);
});
