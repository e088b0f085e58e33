// What each thread of a process loads: on SQLite the query builder is code for the one that answers people, and most of the code
// there is. Each other thread would keep it in memory for nothing (some 15 MiB).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newDataDir, startPosthorn } from './support/posthorn.ts';

/** Says which thread loads a module of which package. */
const watch = `
  import { registerHooks } from 'node:module';
  import { threadId } from 'node:worker_threads';
  import { writeSync } from 'node:fs';
  const seen = new Set();
  registerHooks({
    load(url, context, nextLoad) {
      const name = /node_modules\\/((?:@[^/]+\\/)?[^/]+)/.exec(url)?.[1] ?? 'posthorn';
      if (!seen.has(name)) writeSync(1, 'thread ' + threadId + ' loads ' + name + '\\n');
      seen.add(name);
      return nextLoad(url, context);
    },
  });
`;

test('on SQLite one thread of four loads what builds queries', async (t) => {
  const flags = ['--import', `data:text/javascript,${encodeURIComponent(watch)}`];
  const posthorn = await startPosthorn({}, newDataDir(), flags);
  t.after(() => posthorn.close());
  const threadsWith = (name: string): string[] =>
    [...posthorn.output().matchAll(new RegExp(`^thread (\\d+) loads ${name}$`, 'gm'))].map(
      ([, thread]) => thread ?? '',
    );
  assert.deepEqual(threadsWith('posthorn').toSorted(), ['0', '1', '2', '3']);
  assert.deepEqual(threadsWith('kysely'), ['0']);
});
