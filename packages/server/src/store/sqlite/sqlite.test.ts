// The conformance suite on SQLite. A crash is a copy of the files as they lie there, opened by the next process.
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeStore, type OpenedStore, type OpenOptions } from '../conformance/index.ts';
import type { Store } from '../store.ts';
import { openSqliteStore } from './client.ts';

async function open({ now, delivers }: OpenOptions): Promise<OpenedStore> {
  const folder = mkdtempSync(join(tmpdir(), 'posthorn-store-'));
  const stores: Store[] = [];
  let path = join(folder, '0.db');
  const openAt = async (at: number): Promise<Store> => {
    const store = await openSqliteStore({ path, now: at, delivers });
    stores.push(store);
    return store;
  };
  return {
    store: await openAt(now),
    async reopen(at) {
      const crashed = path;
      path = join(folder, `${stores.length}.db`);
      // The shared-memory file is left behind: it is only an index of the log, made anew.
      for (const part of ['', '-wal']) cpSync(`${crashed}${part}`, `${path}${part}`);
      return openAt(at);
    },
    async dispose() {
      await Promise.all(stores.map((store) => store.close()));
      rmSync(folder, { recursive: true });
    },
  };
}

describeStore('SQLite', open);
