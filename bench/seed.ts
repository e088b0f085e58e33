// Fills a store that no server is using, in bulk and through the store's own seam: deliveries that wait, or events
// whose deliveries have been made, each with its attempt. One JSON argument says what; `Seeded` is the answer.
import { serialiseEvent } from '../packages/server/src/core/envelope.ts';
import { newSortableId } from '../packages/server/src/id.ts';
import { attachDeliveryStore, openStore } from '../packages/server/src/store/open.ts';
import { Connections } from '../packages/server/src/store/postgres/connection.ts';
import type { Accepted, AttemptRecord, NewEvent } from '../packages/server/src/store/store.ts';
import { eventType, makePayload } from './event.ts';
import type { Seeded } from './messages.ts';

export interface SeedOrder {
  /** The SQLite file, used where there is no `databaseUrl`. */
  path: string;
  databaseUrl: string | null;
  /** `waiting`: due and unclaimed. `delivered`: with one successful attempt each. */
  state: 'waiting' | 'delivered';
  /** Each event goes to the next of these teams. */
  teamIds: string[];
  /** Number of the first event, of which the sink is told. */
  firstSeq: number;
  events: number;
}

const eventsPerCall = 500;
/** Calls under way, so that the store's commits are never without work. */
const callsAtOnce = 4;
/** `openStore` refuses statements that take longer; bulk ones may. */
const statementMs = 120_000;
const settleMs = 600_000;

function makeEvent(teamId: string, seq: number, at: number): NewEvent {
  const id = newSortableId(at);
  const body = serialiseEvent(
    { id, type: eventType, createdAt: at, payload: makePayload(seq), region: null },
    null,
  );
  return {
    uid: id,
    id,
    teamId,
    type: eventType,
    projectId: null,
    region: null,
    createdAt: at,
    createdAtGiven: false,
    acceptedAt: at,
    body,
    only: null,
  };
}

/** What a receiver that answers `200` leaves behind. */
function makeRecord(event: NewEvent, tag: string): AttemptRecord {
  const seconds = Math.floor(event.acceptedAt / 1000);
  return {
    key: event.uid + tag,
    tag,
    bytes: event.body.length,
    number: 1,
    extra: false,
    next: { kind: 'delivered' },
    startedAt: event.acceptedAt,
    durationMs: 1.25,
    status: 200,
    cause: null,
    detail: null,
    timings: ',,,1.1',
    url: 'http://127.0.0.1:65535/hook',
    requestHeaders:
      'content-type: application/json\r\nuser-agent: Posthorn/0.1.0\r\n' +
      'x-vercel-signature: 121fc49dd29b913bbb19ad65e8dc00f569f5f73c\r\n' +
      `webhook-id: ${event.id}\r\nwebhook-timestamp: ${seconds}\r\n` +
      'webhook-signature: v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=\r\n',
    responseHeaders: 'content-length: 0\r\n',
    responseBody: null,
    truncated: false,
    ordered: false,
  };
}

/** What the database does by itself in time, and what waits or is kept has behind it: vacuum, statistics, a checkpoint. */
async function settle(url: string): Promise<void> {
  const connections = new Connections({ url, size: 1, deadlineMs: settleMs, connectMs: statementMs });
  for (const text of ['VACUUM ANALYZE', 'CHECKPOINT'])
    await connections.run({ name: null, text, values: [] });
  await connections.close();
}

async function seed(order: SeedOrder): Promise<void> {
  const store = await openStore({
    path: order.path,
    databaseUrl: order.databaseUrl,
    databaseConnections: callsAtOnce,
    databaseTimeoutMs: statementMs,
    now: Date.now(),
    delivers: order.state === 'delivered',
  });
  // The half that sends renews the lease under which deliveries are held from birth.
  const sender = order.state === 'delivered' ? await attachDeliveryStore(store.connect()) : null;
  let next = 0;
  let deliveries = 0;
  const finish = async (event: NewEvent, accepted: Accepted): Promise<void> => {
    if (accepted.kind !== 'stored') throw new Error(`the event ${event.id} was there before`);
    deliveries += accepted.births.length;
    if (sender === null) return;
    await Promise.all(
      accepted.births.map(async ({ tag, leased }) => {
        if (!leased) throw new Error('a delivery was born unclaimed: the calls are too large');
        await new Promise<void>((resolve, reject) => {
          sender.finish(makeRecord(event, tag), (outcome) => {
            if (outcome instanceof Error) reject(outcome);
            else if (outcome.kind === 'lost') reject(new Error('a delivery was not held any more'));
            else resolve();
          });
        });
      }),
    );
  };
  const work = async (): Promise<void> => {
    while (next < order.events) {
      const from = next;
      const count = Math.min(eventsPerCall, order.events - from);
      next += count;
      const now = Date.now();
      const events = Array.from({ length: count }, (_, at) => {
        const teamId = order.teamIds[(from + at) % order.teamIds.length] ?? '';
        return makeEvent(teamId, order.firstSeq + from + at, now);
      });
      const outcome = await store.accept({ events });
      if (outcome.kind !== 'stored') throw new Error('an event was there before');
      await Promise.all(outcome.events.map((accepted, at) => finish(events[at] as NewEvent, accepted)));
    }
  };
  await Promise.all(Array.from({ length: callsAtOnce }, work));
  await sender?.close();
  await store.close();
  if (order.databaseUrl !== null) await settle(order.databaseUrl);
  const seeded: Seeded = { kind: 'seeded', deliveries };
  process.send?.(seeded);
}

process.once('disconnect', () => process.exit(0));
await seed(JSON.parse(process.argv[2] ?? '') as SeedOrder);
