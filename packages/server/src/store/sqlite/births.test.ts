// Deliveries held from birth: when a row of `births` and one of `pending` is written for them, and when it is gone.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { newSortableId } from '../../id.ts';
import { Births } from './births.ts';
import { openWriter } from './open.ts';

describe('births', () => {
  let folder = '';
  let db: DatabaseSync;
  let births: Births;
  let clock: FakeClock;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'posthorn-births-'));
    db = openWriter(join(folder, 'births.db'));
    clock = new FakeClock();
    births = new Births(db, clock);
  });
  afterEach(() => {
    db.close();
    rmSync(folder, { recursive: true });
  });

  /** An event whose deliveries to `tags` are held; answers their keys. */
  function bear(...tags: string[]): string[] {
    const uid = newSortableId(clock.now());
    const { lastInsertRowid } = db
      .prepare(
        `INSERT INTO events (team_id, id, type, created_at, created_at_given, accepted_at, test, deliveries, born, body)
         VALUES ('team', ?, 'x', 1, 0, 1, 0, ?, ?, x'')`,
      )
      .run(uid, tags.length, JSON.stringify(tags));
    const origin = births.origin(uid, Number(lastInsertRowid), 'x', 1);
    for (const tag of tags) births.add(tag, origin);
    return tags.map((tag) => uid + tag);
  }

  function commit(work: () => void): void {
    db.exec('BEGIN');
    work();
    births.beforeCommit();
    db.exec('COMMIT');
    births.settle();
  }

  /** What a delivery's end writes. */
  const finish = (key: string) => {
    births.take(key);
    db.prepare(
      `INSERT INTO deliveries (tag, id, event_seq, type, state, attempts, created_at, finished_at)
       VALUES (?, ?, 1, 'x', 'delivered', 1, 1, 1)`,
    ).run(key.slice(-8), key);
  };
  const count = (table: string) => db.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.n;
  const counts = () => [count('births'), count('born'), count('pending')];

  test('one row for a commit, gone with the last of its deliveries', () => {
    let keys: string[] = [];
    commit(() => {
      keys = [...bear('tag-aaaa', 'tag-bbbb'), ...bear('tag-aaaa')];
    });
    assert.deepEqual(counts(), [1, 3, 0]);
    assert.equal(births.oldestKey(), keys[0]);
    commit(() => keys.slice(0, 2).forEach(finish));
    assert.deepEqual(counts(), [1, 1, 0]);
    commit(() => keys.slice(2).forEach(finish));
    assert.deepEqual(counts(), [0, 0, 0]);
    assert.equal(births.oldestKey(), null);
  });

  test('one that takes longer than a second gets a row, still held', async () => {
    let keys: string[] = [];
    commit(() => {
      keys = bear('tag-aaaa', 'tag-bbbb');
    });
    await clock.advance(900);
    commit(() => finish(keys[0] ?? ''));
    assert.deepEqual(counts(), [1, 1, 0]);
    await clock.advance(200);
    commit(() => {});
    assert.deepEqual(counts(), [0, 0, 1]);
    assert.equal(births.take(keys[1] ?? ''), undefined);
    assert.equal(db.prepare('SELECT available_at FROM pending').get()?.available_at, 9_000_000_000_000_000);
  });

  test('a rolled-back commit leaves things as they were', () => {
    let keys: string[] = [];
    commit(() => {
      keys = bear('tag-aaaa');
    });
    db.exec('BEGIN');
    finish(keys[0] ?? '');
    bear('tag-aaaa');
    births.beforeCommit();
    db.exec('ROLLBACK');
    births.rewind(0);
    assert.deepEqual(counts(), [1, 1, 0]);
    commit(() => finish(keys[0] ?? ''));
    assert.deepEqual(counts(), [0, 0, 0]);
  });

  test('a part taken back takes its births along, and no more', () => {
    commit(() => {
      bear('tag-aaaa');
      const point = births.point();
      db.exec('SAVEPOINT part');
      bear('tag-bbbb');
      db.exec('ROLLBACK TO part; RELEASE part');
      births.rewind(point);
    });
    assert.deepEqual(counts(), [1, 1, 0]);
  });

  test('after a crash every one of them gets a row, and the finished ones do not', () => {
    let keys: string[] = [];
    commit(() => {
      keys = bear('tag-aaaa', 'tag-bbbb', 'tag-cccc');
    });
    commit(() => finish(keys[0] ?? ''));
    commit(() => births.materialise(keys[1] ?? '', 'tag-bbbb'));
    const next = new Births(db, clock);
    next.recover();
    assert.deepEqual(counts(), [0, 0, 2]);
    const rows = db.prepare('SELECT id FROM pending ORDER BY tag').all();
    assert.deepEqual(
      rows.map(({ id }) => id),
      keys.slice(1),
    );
  });
});
