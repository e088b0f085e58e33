// What becomes of a turn that breaks: nothing of it is written, and then everything that is not to blame is.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { sql } from 'kysely';
import {
  addTeam,
  addWebhook,
  attemptOf,
  finishOne,
  newEvent,
  publishHeld,
  startAt,
} from '../conformance/bed.ts';
import { StoreUnavailable } from '../errors.ts';
import { openSqliteStore } from './client.ts';

test('attempts and events of a turn that a change breaks are written without it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'posthorn-turns-'));
  const store = await openSqliteStore({ path: join(folder, 'posthorn.db'), now: startAt, delivers: true });
  try {
    const teamId = await addTeam(store);
    await addWebhook(store, teamId);
    const held = [await publishHeld(store, newEvent(teamId)), await publishHeld(store, newEvent(teamId))];
    const records = held.map((one, index) => ({
      ...attemptOf(one, { kind: 'delivered' }),
      requestHeaders: `webhook-id: ${index}\r\n`,
      responseBody: Buffer.from(`answer ${index}`),
    }));
    const finishing = records.map((record) => finishOne(store, record));
    const accepting = store.accept({ events: [newEvent(teamId)] });
    const changing = store.change({
      now: startAt,
      steps: [{ query: sql`INSERT INTO no_such_table VALUES (1)`.compile(store.queries) }],
      events: [],
      touched: [],
    });
    await assert.rejects(
      changing,
      (error) => error instanceof StoreUnavailable && /no_such_table/.test(error.message),
    );
    assert.deepEqual(await Promise.all(finishing), [
      { kind: 'written', dueAt: null },
      { kind: 'written', dueAt: null },
    ]);
    assert.equal((await accepting).kind, 'stored');
    const written = await store.read(
      sql<{ request_headers: string; response_body: Uint8Array }>`
        SELECT request_headers, response_body FROM attempts ORDER BY request_headers`.compile(store.queries),
    );
    assert.deepEqual(
      written.map(({ request_headers, response_body }) => [
        request_headers,
        Buffer.from(response_body).toString(),
      ]),
      [
        ['webhook-id: 0\r\n', 'answer 0'],
        ['webhook-id: 1\r\n', 'answer 1'],
      ],
    );
  } finally {
    await store.close();
    rmSync(folder, { recursive: true });
  }
});
