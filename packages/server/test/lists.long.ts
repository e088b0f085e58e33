// A list of 50 takes the same time at 1,000 and at 1,000,000 deliveries: two endpoints in one store, one with each.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { systemClock as clock } from '../src/clock.ts';
import { newSortableId } from '../src/id.ts';
import { finishOne } from '../src/store/conformance/bed.ts';
import { type DeliveryFilter, listDeliveries as readDeliveries } from '../src/store/control/delivery-list.ts';
import { listEvents } from '../src/store/control/history.ts';
import { openSqliteStore } from '../src/store/sqlite/client.ts';
import type { AttemptRecord, NewEvent, Store } from '../src/store/store.ts';

const few = { tag: 'few00000', teamId: 'team_few', count: 1_000 };
const many = { tag: 'many0000', teamId: 'team_many', count: 1_000_000 };
const rounds = 60;

let store: Store;
let folder: string;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'posthorn-lists-'));
  store = await openSqliteStore({ path: join(folder, 'posthorn.db'), now: clock.now(), delivers: true });
  for (const { tag, teamId, count } of [few, many]) {
    await addEndpoint(tag, teamId);
    for (let made = 0; made < count; made += 1_000) await deliver(tag, teamId, made);
  }
});
after(async () => {
  await store.close();
  rmSync(folder, { recursive: true });
});

async function addEndpoint(tag: string, teamId: string): Promise<void> {
  const now = clock.now();
  const times = { created_at: now, updated_at: now };
  const { queries } = store;
  const team = { id: teamId, slug: teamId, name: teamId, plan: 'pro' as const, webhook_count: 1, ...times };
  const endpoint = {
    tag,
    id: `hook_${tag}`,
    kind: 'webhook' as const,
    team_id: teamId,
    version: 1,
    url: 'https://example.com',
    secret_sealed: Buffer.alloc(1),
    events: '[]',
    all_projects: 1,
    project_ids: '[]',
    enabled: 1,
    shift_ms: 0,
    ordering: 'none' as const,
    ...times,
  };
  const outcome = await store.change({
    steps: [
      { query: queries.insertInto('teams').values(team).compile() },
      { query: queries.insertInto('endpoints').values(endpoint).compile() },
      { query: queries.insertInto('subscriptions').values({ team_id: teamId, type: 'a.b', tag }).compile() },
    ],
    events: [],
    touched: [tag],
    now,
  });
  assert.equal(outcome.kind, 'done');
}

/** A thousand events of 1 KiB, each delivered at once; every hundredth one failed. */
async function deliver(tag: string, teamId: string, from: number): Promise<void> {
  const body = Buffer.alloc(1_024, 'x');
  for (let start = 0; start < 1_000; start += 200) {
    const events = Array.from({ length: 200 }, (): NewEvent => {
      const now = clock.now();
      const uid = newSortableId(now);
      const fields = { uid, id: uid, teamId, type: 'a.b', projectId: null, region: null, only: null, body };
      return { ...fields, createdAt: now, createdAtGiven: false, acceptedAt: now };
    });
    await store.accept({ events });
    await Promise.all(
      events.map((event, index) => finishOne(store, attempt(event, tag, (from + start + index) % 100 === 0))),
    );
  }
}

function attempt(event: NewEvent, tag: string, failed: boolean): AttemptRecord {
  return {
    key: event.uid + tag,
    tag,
    bytes: event.body.length,
    number: 1,
    extra: false,
    next: { kind: failed ? 'failed' : 'delivered' },
    startedAt: event.acceptedAt,
    durationMs: 1,
    status: failed ? 500 : 200,
    cause: failed ? 'status_500' : null,
    detail: null,
    timings: ',,,1',
    url: 'https://example.com',
    requestHeaders: 'a: b\r\n',
    responseHeaders: 'a: b\r\n',
    responseBody: null,
    truncated: false,
    ordered: false,
  };
}

/** The median time of a read, in ms. */
async function time(read: () => Promise<unknown[]>): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < rounds; i++) {
    const from = performance.now();
    const rows = await read();
    times.push(performance.now() - from);
    assert.equal(rows.length, 50);
  }
  return times.toSorted((a, b) => a - b)[rounds / 2] ?? 0;
}

async function compare(what: string, read: (of: typeof few) => () => Promise<unknown[]>): Promise<void> {
  await time(read(few));
  await time(read(many));
  const [small, large] = [await time(read(few)), await time(read(many))];
  const said = `${what}: ${small.toFixed(2)} ms at 1,000, ${large.toFixed(2)} ms at 1,000,000`;
  process.stdout.write(`${said}\n`);
  assert.ok(large <= small * 1.5 + 2, said);
}

const listDeliveries = async (...given: Parameters<typeof readDeliveries>) =>
  (await readDeliveries(...given)).rows;

const filter = (tag: string, of: Partial<DeliveryFilter> = {}): DeliveryFilter => ({
  scope: { kind: 'webhook', tag },
  states: null,
  types: null,
  projectId: null,
  status: null,
  causes: null,
  fromKey: null,
  belowKey: null,
  limit: 50,
  ...of,
});

test('the first page of deliveries', () =>
  compare(
    'first page',
    ({ tag }) =>
      () =>
        listDeliveries(store, filter(tag)),
  ));

test('a page from the middle', async () => {
  const middle = new Map<string, string>();
  for (const { tag } of [few, many]) {
    // A key of the endpoint's own time range, found by walking two pages down from the top.
    const first = await listDeliveries(store, filter(tag, { limit: 100 }));
    middle.set(tag, first.at(-1)?.key ?? '');
  }
  await compare(
    'by cursor',
    ({ tag }) =>
      () =>
        listDeliveries(store, filter(tag, { belowKey: middle.get(tag) ?? '' })),
  );
});

test('only the failed ones', async () => {
  const failed = (tag: string) => listDeliveries(store, filter(tag, { states: ['failed'], limit: 10 }));
  assert.equal((await failed(few.tag)).length, 10);
  await compare(
    'failed',
    ({ tag }) =>
      async () =>
        (await Promise.all(Array.from({ length: 5 }, () => failed(tag)))).flat(),
  );
});

test('the first page of events', () =>
  compare(
    'events',
    ({ teamId }) =>
      async () =>
        (
          await listEvents(store, {
            teamId,
            type: null,
            projectId: null,
            since: null,
            until: null,
            before: null,
            limit: 50,
          })
        ).rows,
  ));

test('the team’s first page of deliveries', () =>
  compare(
    'team page',
    ({ tag, teamId }) =>
      () =>
        listDeliveries(store, filter(tag, { scope: { kind: 'team', teamId, removedSince: 0 } })),
  ));
