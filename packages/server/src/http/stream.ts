// The door of the live feed: server-sent events (WHATWG HTML, 9.2). The answer is a plain stream that is read as fast as
// its reader takes it: a plugin would write without asking, and know nothing of the store's order. The feed itself is
// platform/feed.ts.
import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import Type from 'typebox';
import { type Clock, sleep } from '../clock.ts';
import { ApiError } from '../errors.ts';
import { deliveryId } from '../id.ts';
import { type FeedBatch, type FeedItem, type Listening, LiveFeed } from '../platform/feed.ts';
import type { Door } from './app.ts';
import { isStillAdmitted } from './auth.ts';
import { type House, queryOf, teamOf } from './context.ts';
import { showDelivery } from './deliveries.ts';
import { TeamQuery } from './schemas.ts';

const heartbeatMs = 15_000;
/** How often it is asked whether the caller may still listen. */
const admissionMs = 2_000;
/** A reader that takes nothing for this long is cut off. */
const stuckMs = 60_000;
/** Messages are written together up to this length. */
const enoughText = 32_768;
/** How soon a client comes back, ms. */
const retryMs = 1_000;

const description = `Server-sent events: \`event\` (an event was accepted), \`attempt\` (one was made) and \`delivery\` (as it is now: after its
event, its attempts, its cancellation), each with JSON in \`data\`. \`id\` is a place from which \`Last-Event-ID\` goes on
without a gap, on any node, as far as the history is kept; a message may come again, so compare what it is of. \`gap\`
says that something may be missing. A comment comes every 15 seconds.`;

const ListenQuery = Type.Object({
  ...TeamQuery.properties,
  lastEventId: Type.Optional(
    Type.String({ maxLength: 8_192, description: 'The same as the header Last-Event-ID.' }),
  ),
});

export const streamDoor: Door = (app, house) => {
  const { clock, store, settings } = house.platform;
  const feed = new LiveFeed(store, clock);
  const open = new Map<string, number>();
  app.addHook('preClose', (done) => {
    feed.close();
    done();
  });

  app.get(
    '/stream',
    {
      config: { access: 'webhooks.read' },
      exposeHeadRoute: false,
      schema: {
        tags: ['stream'],
        summary: 'Live: the team’s events, deliveries and attempts as they happen',
        description,
        querystring: ListenQuery,
        response: {
          200: { description: 'The feed', content: { 'text/event-stream': { schema: Type.String() } } },
        },
      },
    },
    async (request, reply) => {
      const team = await teamOf(house, request);
      const header = request.headers['last-event-id'];
      const from = readPlace(queryOf(request, ListenQuery).lastEventId ?? header?.toString());
      const count = open.get(team.id) ?? 0;
      const most = settings.streamsPerTeam;
      if (count >= most) {
        const message = `The team has ${most} live feeds open on this node, which is the most (POSTHORN_STREAMS_PER_TEAM). Close one of them.`;
        throw new ApiError('rate_limited', message, { headers: { 'retry-after': '10' } });
      }
      open.set(team.id, count + 1);
      reply.raw.once('close', () => {
        const rest = (open.get(team.id) ?? 1) - 1;
        if (rest === 0) open.delete(team.id);
        else open.set(team.id, rest);
      });
      const listening = await feed.listen(team.id, from?.position ?? null);
      reply.raw.once('close', () => listening.end());
      const isPruned = from !== null && from.at < clock.now() - settings.retentionMs;
      const watch = { stuckSince: null };
      void keepWatch(house, request, reply, team.id, listening, watch);
      return reply
        .header('content-type', 'text/event-stream; charset=utf-8')
        .header('cache-control', 'no-store')
        .header('x-accel-buffering', 'no')
        .send(Readable.from(write(listening, clock, isPruned, watch)));
    },
  );
};

interface Watch {
  /** Since when, monotonic ms, something waits for the reader to take it; null while it takes all. */
  stuckSince: number | null;
}

/** What is written, piece by piece, each when the reader has taken the one before. */
async function* write(
  listening: Listening,
  clock: Clock,
  isPruned: boolean,
  watch: Watch,
): AsyncGenerator<string> {
  const place = () => `${clock.now().toString(36)}-${listening.position()}`;
  const taken = function* (text: string) {
    watch.stuckSince = clock.monotonic();
    yield text;
    watch.stuckSince = null;
  };
  yield* taken(`retry: ${retryMs}\nid: ${place()}\n: ${isPruned ? 'some of it is pruned' : 'listening'}\n\n`);
  if (isPruned) yield* taken(gap(place()));
  let last = place();
  let coming: Promise<FeedBatch | null> | null = null;
  for (;;) {
    coming ??= listening.next();
    const batch = await within(coming, clock);
    if (batch === 'nothing yet') {
      last = place();
      yield* taken(`: still here\nid: ${last}\n\n`);
      continue;
    }
    coming = null;
    if (batch === null) return;
    if (batch.lost) yield* taken(gap(place()));
    let text = '';
    for (const item of batch.items) {
      const next = `${clock.now().toString(36)}-${item.position}`;
      text += tell(item, last, next);
      last = next;
      if (text.length < enoughText) continue;
      yield* taken(text);
      text = '';
    }
    if (text !== '') yield* taken(text);
  }
}

/** The batch, or that none has come for as long as a reader is left without a word. */
async function within(
  coming: Promise<FeedBatch | null>,
  clock: Clock,
): Promise<FeedBatch | null | 'nothing yet'> {
  return new Promise((resolve, reject) => {
    const timer = clock.after(heartbeatMs, () => resolve('nothing yet'));
    coming.then(resolve, reject).finally(() => timer.cancel());
  });
}

/** Ends the feed of somebody who may not listen any more, and cuts off a reader that takes nothing. */
async function keepWatch(
  house: House,
  request: FastifyRequest,
  reply: FastifyReply,
  teamId: string,
  listening: Listening,
  watch: Watch,
): Promise<void> {
  const { clock } = house.platform;
  for (;;) {
    await sleep(clock, admissionMs);
    if (reply.raw.closed || reply.raw.destroyed) return;
    const isStuck = watch.stuckSince !== null && clock.monotonic() - watch.stuckSince > stuckMs;
    if (isStuck) reply.raw.destroy();
    else if (!(await mayListen(house, request, teamId))) listening.end();
  }
}

async function mayListen(house: House, request: FastifyRequest, teamId: string): Promise<boolean> {
  try {
    return (await isStillAdmitted(house, request)) && (await teamOf(house, request)).id === teamId;
  } catch (error) {
    // While the store is away nobody's rights can be read, and nothing is told either.
    return !(error instanceof ApiError);
  }
}

/** @throws ApiError bad_request when it is no place that a feed gave */
function readPlace(text: string | undefined): { at: number; position: string } | null {
  if (text === undefined || text === '') return null;
  const match = /^([0-9a-z]{6,10})-([sp][0-9.:,]{1,8000})$/.exec(text);
  if (match === null)
    throw new ApiError('bad_request', 'Last-Event-ID is not one that this feed gave; start without it.');
  return { at: Number.parseInt(match[1] ?? '', 36), position: match[2] ?? '' };
}

const message = (event: string, id: string, data: unknown): string =>
  `event: ${event}\nid: ${id}\ndata: ${JSON.stringify(data)}\n\n`;

const gap = (id: string): string =>
  message('gap', id, {
    message: 'What happened before this is not all there any more. Read the lists anew.',
  });

/** The messages of an item: only the last of them is told to go on after all of it. */
function tell(item: FeedItem, before: string, after: string): string {
  if (item.kind === 'delivery') return message('delivery', after, showDelivery(item.delivery));
  if (item.kind === 'attempt') {
    return (
      message('attempt', before, showAttempt(item)) + message('delivery', after, showDelivery(item.delivery))
    );
  }
  const { event, deliveries } = item;
  const { id, type, projectId, createdAt } = event;
  const data = { id, type, projectId, createdAt, deliveries: event.deliveries };
  const shown = deliveries.map((delivery, index) =>
    message('delivery', index === deliveries.length - 1 ? after : before, showDelivery(delivery)),
  );
  return message('event', deliveries.length === 0 ? after : before, data) + shown.join('');
}

function showAttempt({ attempt, delivery }: Extract<FeedItem, { kind: 'attempt' }>) {
  const { webhookId, eventId, type, state, nextAttemptAt } = showDelivery(delivery);
  const { number, startedAt, durationMs, status, cause } = attempt;
  return {
    deliveryId: deliveryId(attempt.key),
    webhookId,
    eventId,
    type,
    number,
    startedAt,
    durationMs,
    status,
    error: cause,
    state,
    nextAttemptAt,
  };
}
