// The live feed: one EventSource for the team that is looked at, shared by all who listen, opened anew when it breaks.
import { useEffect, useRef, useSyncExternalStore } from 'react';
import { useTeam } from '../app/session.tsx';
import { addressOf } from './client.ts';
import type { LiveNews } from './types.ts';

export type LiveState = 'connecting' | 'live' | 'broken';
type Name = keyof LiveNews;
type Listener = { [name in Name]?: (news: LiveNews[name]) => void };

const names: Name[] = ['event', 'delivery', 'attempt'];
const firstWaitMs = 1_000;
const longestWaitMs = 15_000;

class Feed {
  readonly #teamId: string;
  #listeners = new Set<Listener>();
  #watchers = new Set<() => void>();
  #source: EventSource | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #waitMs = firstWaitMs;
  #cursor: string | null = null;
  state: LiveState = 'connecting';

  constructor(teamId: string) {
    this.#teamId = teamId;
  }

  listen(listener: Listener): () => void {
    this.#listeners.add(listener);
    if (this.#source === null) this.#open();
    return () => {
      this.#listeners.delete(listener);
      // A page that follows at once takes the feed over; else it is closed.
      queueMicrotask(() => {
        if (this.#listeners.size === 0) this.#close();
      });
    };
  }

  watch = (watcher: () => void): (() => void) => {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  };

  #open(): void {
    clearTimeout(this.#timer);
    // The browser repeats Last-Event-ID only on connections that it reopens itself.
    const source = new EventSource(
      addressOf('/v1/stream', { teamId: this.#teamId, lastEventId: this.#cursor }),
    );
    this.#source = source;
    source.addEventListener('open', () => {
      this.#waitMs = firstWaitMs;
      this.#become('live');
    });
    source.addEventListener('error', () => {
      this.#become(source.readyState === EventSource.CLOSED ? 'broken' : 'connecting');
      if (source.readyState !== EventSource.CLOSED || this.#source !== source) return;
      this.#source = null;
      this.#timer = setTimeout(() => {
        if (this.#listeners.size > 0 && this.#source === null) this.#open();
      }, this.#waitMs);
      this.#waitMs = Math.min(this.#waitMs * 2, longestWaitMs);
    });
    for (const name of names) {
      source.addEventListener(name, (message) => {
        this.#cursor = message.lastEventId;
        const news = JSON.parse(message.data as string) as never;
        for (const listener of this.#listeners) listener[name]?.(news);
      });
    }
  }

  #close(): void {
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = null;
    this.#become('connecting');
  }

  #become(state: LiveState): void {
    if (this.state === state) return;
    this.state = state;
    for (const watcher of this.#watchers) watcher();
  }
}

const feeds = new Map<string, Feed>();

function feedOf(teamId: string): Feed {
  let feed = feeds.get(teamId);
  if (feed === undefined) {
    feed = new Feed(teamId);
    feeds.set(teamId, feed);
  }
  return feed;
}

/**
 * Hears of the team's events, deliveries and attempts as they happen. The functions may change with every render.
 * @returns whether the feed is connected
 */
export function useLive(listener: Listener): LiveState {
  const { team } = useTeam();
  const feed = feedOf(team.id);
  const latest = useRef(listener);
  useEffect(() => {
    latest.current = listener;
  });
  useEffect(
    () =>
      feed.listen({
        event: (news) => latest.current.event?.(news),
        delivery: (news) => latest.current.delivery?.(news),
        attempt: (news) => latest.current.attempt?.(news),
      }),
    [feed],
  );
  return useSyncExternalStore(feed.watch, () => feed.state);
}
