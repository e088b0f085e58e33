// The conformance suite on SQLite. A crash is a copy of the files as they lie there, opened by the next process.
import { cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeStore, type OpenedStore, type OpenOptions } from '../conformance/index.ts';
import type { Store } from '../store.ts';
import { openSqliteStore } from './client.ts';

async function open({ now, delivers }: OpenOptions): Promise<OpenedStore> {
  const folder = mkdtempSync(join(tmpdir(), 'posthorn-store-'));
  let count = 0;
  let path = join(folder, `${count}.db`);
  let current: Store = await openSqliteStore({ path, now, delivers });
  return {
    store: current,
    async reopen(at) {
      const [crashed, crashedPath] = [current, path];
      path = join(folder, `${++count}.db`);
      // The shared-memory file is left behind: it is only an index of the log, made anew.
      for (const part of ['', '-wal']) {
        if (existsSync(crashedPath + part)) cpSync(crashedPath + part, path + part);
      }
      await crashed.close();
      for (const part of ['', '-wal', '-shm', '.lock']) rmSync(crashedPath + part, { force: true });
      current = await openSqliteStore({ path, now: at, delivers });
      return current;
    },
    async dispose() {
      await current.close();
      rmSync(folder, { recursive: true });
    },
  };
}

describeStore('SQLite', open);
