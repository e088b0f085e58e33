// How a receiver behaves: well, or badly in the ways that receivers of this world do. Which way is chosen from the seed,
// the hook, the event and how often it came, so that a seed tells the whole story.
import type { ServerResponse } from 'node:http';
import { Chance } from '../chance.ts';
import type { Success } from '../judge/history.ts';

export const badWays = {
  error500: 30,
  error503: 8,
  hang: 4,
  reset: 8,
  close: 6,
  slow: 12,
  late: 4,
  closeMidBody: 5,
  endless: 2,
  garbage: 3,
} as const;

export type Way = 'ok' | 'gone' | keyof typeof badWays;

/** Whether the sender may count the way as a success, and the status that it shows. */
export const meaning: Record<Way, { success: Success; status: number | null }> = {
  ok: { success: 'yes', status: 200 },
  slow: { success: 'yes', status: 200 },
  late: { success: 'either', status: 200 },
  closeMidBody: { success: 'either', status: 200 },
  endless: { success: 'either', status: 200 },
  error500: { success: 'no', status: 500 },
  error503: { success: 'no', status: 503 },
  gone: { success: 'no', status: 410 },
  hang: { success: 'no', status: null },
  reset: { success: 'no', status: null },
  close: { success: 'no', status: null },
  garbage: { success: 'no', status: null },
};

/**
 * The way in which a hook answers. Hooks whose name begins with `refusing` refuse every other event for good the first time
 * it comes, and take it when it comes again. Hooks whose name begins with `rough` misbehave while the run is `rough`; one event in
 * 25 of theirs is refused until the end of its schedule.
 */
export function chooseWay(seed: number, hook: string, event: string, times: number, rough: boolean): Way {
  if (hook.startsWith('refusing') && times === 1)
    return new Chance(seed, `${hook} ${event}`).happens(0.5) ? 'gone' : 'ok';
  if (!rough || !hook.startsWith('rough')) return 'ok';
  if (new Chance(seed, `${hook} ${event}`).happens(0.04)) return 'error500';
  const chance = new Chance(seed, `${hook} ${event} ${times}`);
  if (!chance.happens(0.35)) return 'ok';
  return chance.happens(0.01) ? 'gone' : chance.weighed(badWays);
}

/** Answers in the chosen way. `late` comes half as much again after the sender’s timeout. */
export function behave(way: Way, response: ServerResponse, timeoutMs: number): void {
  const { socket } = response;
  switch (way) {
    case 'hang':
      return;
    case 'reset':
      socket?.resetAndDestroy();
      return;
    case 'close':
      socket?.end();
      return;
    case 'garbage':
      socket?.end('SSH-2.0-OpenSSH_9.9\r\n');
      return;
    case 'closeMidBody':
      socket?.end('HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n0123456789');
      return;
    case 'endless':
      response.writeHead(200);
      pour(response);
      return;
    case 'slow':
      setTimeout(() => answer(response, 200), timeoutMs / 8);
      return;
    case 'late':
      setTimeout(() => answer(response, 200), timeoutMs * 1.5);
      return;
    case 'ok':
    case 'error500':
    case 'error503':
    case 'gone':
      answer(response, meaning[way].status ?? 200);
      return;
  }
}

function answer(response: ServerResponse, status: number): void {
  response.writeHead(status);
  response.end();
}

/** 10 GB, as fast as they are read. */
function pour(response: ServerResponse): void {
  const chunk = Buffer.alloc(65_536, 'x');
  let left = 10_000_000_000;
  const more = (): void => {
    while (left > 0 && !response.destroyed) {
      left -= chunk.length;
      if (!response.write(chunk)) {
        response.once('drain', more);
        return;
      }
    }
    if (!response.destroyed) response.end();
  };
  more();
}
