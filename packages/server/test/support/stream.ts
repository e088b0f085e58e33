// Somebody who listens to GET /v1/stream, and remembers what came.
import { adminToken, type Posthorn } from './posthorn.ts';

export interface StreamMessage {
  event: string;
  id: string;
  // biome-ignore lint/suspicious/noExplicitAny: what a message holds is what the test asserts
  data: any; // oxlint-disable-line typescript/no-explicit-any
}

export interface Listener {
  status: number;
  messages: StreamMessage[];
  /** Blocks that carried no data: comments and places. */
  blocks: string[];
  /** The last place that was told. */
  lastId(): string;
  /** Resolves when `isEnough` holds; it is asked at every message. */
  waitFor(
    isEnough: (messages: readonly StreamMessage[]) => boolean,
    timeoutMs?: number,
  ): Promise<StreamMessage[]>;
  /** Resolves when the server has ended the stream, or it broke. */
  ended: Promise<void>;
  close(): void;
}

/** Opens a stream and waits until it is answered. */
export async function listen(
  posthorn: Posthorn,
  { token = adminToken, query = '', from }: { token?: string; query?: string; from?: string } = {},
): Promise<Listener> {
  const abort = new AbortController();
  const response = await fetch(`${posthorn.url}/v1/stream${query}`, {
    headers: { authorization: `Bearer ${token}`, ...(from === undefined ? {} : { 'last-event-id': from }) },
    signal: abort.signal,
  });
  const messages: StreamMessage[] = [];
  const blocks: string[] = [];
  const watchers = new Set<() => void>();
  let lastId = from ?? '';
  let greeted = () => {};
  const greeting = new Promise<void>((resolve) => {
    greeted = resolve;
  });

  function take(block: string): void {
    const fields = new Map(
      block.split('\n').map((line) => [line.split(':', 1)[0] ?? '', line.replace(/^[^:]*: ?/, '')]),
    );
    lastId = fields.get('id') ?? lastId;
    const data = fields.get('data');
    if (data === undefined) blocks.push(block);
    else messages.push({ event: fields.get('event') ?? 'message', id: lastId, data: JSON.parse(data) });
    greeted();
    for (const look of watchers) look();
  }

  async function read(): Promise<void> {
    const decoder = new TextDecoder();
    let rest = '';
    try {
      for await (const chunk of response.body ?? []) {
        rest += decoder.decode(chunk as Uint8Array, { stream: true });
        const parts = rest.split('\n\n');
        rest = parts.pop() ?? '';
        for (const part of parts) take(part);
      }
    } catch {
      // Broken off: what was whole has been taken.
    }
    greeted();
  }
  const ended = read();
  await greeting;
  return {
    status: response.status,
    messages,
    blocks,
    lastId: () => lastId,
    waitFor(isEnough, timeoutMs = 20_000) {
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          watchers.delete(look);
          const told = messages.map(({ event, data }) => `${event} ${JSON.stringify(data)}`).slice(-20);
          reject(new Error(`waited ${timeoutMs} ms; ${messages.length} messages came:\n${told.join('\n')}`));
        }, timeoutMs);
        const look = () => {
          if (!isEnough(messages)) return;
          clearTimeout(timer);
          watchers.delete(look);
          resolve(messages);
        };
        watchers.add(look);
        look();
      });
    },
    ended,
    close: () => abort.abort(),
  };
}

/** Ids of the events that were told, in order. */
export const eventIds = (messages: readonly StreamMessage[]): string[] =>
  messages.filter(({ event }) => event === 'event').map(({ data }) => data.id as string);

/** Ids of the events whose delivery was told as delivered. */
export const deliveredIds = (messages: readonly StreamMessage[]): Set<string> =>
  new Set(
    messages
      .filter(({ event, data }) => event === 'delivery' && data.state === 'delivered')
      .map(({ data }) => data.eventId as string),
  );
