import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { systemClock as clock } from '../clock.ts';
import { newTag } from '../id.ts';
import { pageOfSealed } from '../store/control/sealed.ts';
import { openStore } from '../store/open.ts';
import { Vault } from '../vault.ts';
import { keyRow, resealSecrets } from './reseal.ts';

test('secrets of an older key are sealed anew, keep their text, and then open with the new key alone', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'posthorn-reseal-'));
  const store = await openStore({
    path: join(folder, 'p.db'),
    databaseUrl: null,
    databaseConnections: 0,
    databaseTimeoutMs: 0,
    now: clock.now(),
    delivers: false,
  });
  t.after(async () => {
    await store.close();
    rmSync(folder, { recursive: true });
  });
  const [oldKey, newKey] = [randomBytes(32), randomBytes(32)];
  const before = new Vault([oldKey]);
  const tags = Array.from({ length: 450 }, newTag).toSorted();
  const meta = store.queries.insertInto('meta').values({ name: keyRow, value: before.fingerprint }).compile();
  await store.change({
    steps: [
      { query: meta },
      ...tags.map((tag) => ({
        query: store.queries
          .insertInto('endpoints')
          .values({
            tag,
            id: `hook_${tag}`,
            kind: 'webhook',
            team_id: 'team_1',
            version: 1,
            url: 'https://example.com',
            secret_sealed: before.seal(`secret of ${tag}`, `endpoints:${tag}`),
            old_secret_sealed: before.seal(`old secret of ${tag}`, `endpoints:${tag}`),
            events: '[]',
            all_projects: 1,
            project_ids: '[]',
            enabled: 1,
            shift_ms: 0,
            ordering: 'none',
            created_at: 1,
            updated_at: 1,
          })
          .compile(),
      })),
    ],
    events: [],
    touched: [],
    now: clock.now(),
  });
  assert.equal(await resealSecrets(store, new Vault([newKey, oldKey]), clock), 900);
  const after = new Vault([newKey]);
  let from = '';
  const seen: string[] = [];
  for (;;) {
    const { values, last } = await pageOfSealed(store, 'endpoints', from);
    if (last === null) break;
    for (const { key, column, sealed } of values) {
      const text = after.open(sealed, `endpoints:${key}`);
      assert.equal(text, `${column === 'secret_sealed' ? '' : 'old '}secret of ${key}`);
      if (column === 'secret_sealed') seen.push(key);
    }
    from = last;
  }
  assert.deepEqual(seen, tags);
  const kept = await store.read(
    store.queries.selectFrom('meta').selectAll().where('name', '=', keyRow).compile(),
  );
  assert.equal(kept[0]?.value, after.fingerprint);
});
