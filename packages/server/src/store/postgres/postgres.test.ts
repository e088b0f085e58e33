// The conformance suite on PostgreSQL. A crash is a lease that has ended, and the next node beside the old one.
import { before } from 'node:test';
import pg from 'pg';
import { createDatabase } from '../../../test/support/postgres.ts';
import { describeStore, type OpenedStore, type OpenOptions } from '../conformance/index.ts';
import type { Store } from '../store.ts';
import { openPostgresStore } from './client.ts';

async function open({ now, delivers }: OpenOptions): Promise<OpenedStore> {
  const { url } = await createDatabase();
  const admin = new pg.Client({ connectionString: url });
  await admin.connect();
  const opened: Store[] = [];
  const openNext = async (at: number): Promise<Store> => {
    const connection = { url, size: 4, deadlineMs: 20_000, connectMs: 5_000 };
    const store = await openPostgresStore({
      connection,
      now: at,
      delivers,
      // The suite's time is not the database's.
      pruneByRowBelowMs: Number.POSITIVE_INFINITY,
    });
    // Nobody renews the lease here: it lasts until the crash.
    await admin.query("UPDATE nodes SET lease_until = now() + interval '1 hour'");
    opened.push(store);
    return store;
  };
  return {
    store: await openNext(now),
    countsLateAfterCrash: true,
    async reopen(at) {
      await admin.query("UPDATE nodes SET lease_until = now() - interval '1 second'");
      return openNext(at);
    },
    async dispose() {
      await Promise.all(opened.map((store) => store.close()));
      await admin.end();
    },
  };
}

// The server takes a second to start: not in the first test's time.
before(createDatabase);
describeStore('PostgreSQL', open);
