// The engine as the thread that serves HTTP sees it: births and changes go in, figures come out. What it does with
// them happens in engine-thread.ts, so that neither requests nor deliveries wait for the other's processor time.
import type { Settings } from '../config.ts';
import type { StoreAttachment } from '../store/open.ts';
import { startThread } from '../thread.ts';
import { BirthSender } from './births.ts';
import type { OwnAddress } from './guard.ts';
import type { EngineLoad } from './intake.ts';
import type { Births } from './publish.ts';
import type { EngineFigures } from './tally.ts';

/** What the engine's thread is started with. */
export interface EngineData {
  settings: Settings;
  /** Keys that open secrets, as `Vault` takes them. */
  secretKeys: Uint8Array[];
  userAgent: string;
  store: StoreAttachment;
  /** One Int32: how many deliveries wait in memory. */
  waiting: SharedArrayBuffer;
}

export type EngineMessage =
  | ReturnType<typeof startMessage>
  | { kind: 'behind'; tag: string }
  | { kind: 'change'; tag: string }
  | { kind: 'figures' }
  | { kind: 'write figures' }
  | { kind: 'stop'; timeoutMs: number };

const startMessage = (own: OwnAddress) => ({ kind: 'start' as const, own });

export type EngineReply =
  | { kind: 'figures'; figures: EngineFigures }
  | { kind: 'written' }
  | { kind: 'stopped' };

export interface Engine extends Births {
  readonly load: EngineLoad;
  /** Begins to send. What was born before waits. */
  start(own: OwnAddress): void;
  figures(): Promise<EngineFigures>;
  /** Has the engine's half of the store write what it counted. */
  writeFigures(): Promise<void>;
  /** Starts nothing more, waits for what is under way at most `timeoutMs`, gives the rest back. */
  stop(timeoutMs: number): Promise<void>;
}

/**
 * Starts the engine's thread.
 * @param onCrash called when the thread ends by itself: the process can't go on
 */
export function startEngine(data: Omit<EngineData, 'waiting'>, onCrash: (error: Error) => void): Engine {
  const waiting = new Int32Array(new SharedArrayBuffer(4));
  const worker = startThread(new URL('./engine-thread.ts', import.meta.url), {
    // With 24 a delivery of a backlog took 67 to 69 µs of processor time for 63, and another endpoint's p99 was 7.5 to 8.1 ms for 6.7.
    youngMb: 48,
    workerData: { ...data, waiting: waiting.buffer } satisfies EngineData,
    transferList: [data.store.port],
  });
  let looked = worker.performance.eventLoopUtilization();
  const load: EngineLoad = {
    get waiting() {
      return Atomics.load(waiting, 0);
    },
    busy() {
      const now = worker.performance.eventLoopUtilization();
      const { utilization } = worker.performance.eventLoopUtilization(now, looked);
      looked = now;
      return utilization;
    },
  };
  const births = new BirthSender((message, transfer) => worker.postMessage(message, transfer));
  const post = (message: EngineMessage) => worker.postMessage(message);
  let asked: ((figures: EngineFigures) => void)[] = [];
  let writing: (() => void)[] = [];
  let stopped: (() => void) | null = null;
  worker.on('message', (reply: EngineReply) => {
    if (reply.kind === 'stopped') {
      stopped?.();
      return;
    }
    if (reply.kind === 'written') for (const resolve of writing.splice(0)) resolve();
    else for (const resolve of asked.splice(0)) resolve(reply.figures);
  });
  worker.on('error', onCrash);
  worker.on('exit', () => {
    if (stopped === null) onCrash(new Error('The engine’s thread ended.'));
    asked = [];
    writing = [];
  });
  return {
    load,
    take: (event, born) => births.take(event, born),
    noteBehind: (tag) => post({ kind: 'behind', tag }),
    noteChange: (tag) => post({ kind: 'change', tag }),
    start: (own) => post(startMessage(own)),
    figures: () =>
      new Promise((resolve) => {
        asked.push(resolve);
        if (asked.length === 1) post({ kind: 'figures' });
      }),
    writeFigures: () =>
      new Promise((resolve) => {
        writing.push(resolve);
        if (writing.length === 1) post({ kind: 'write figures' });
      }),
    stop: (timeoutMs) =>
      new Promise((resolve) => {
        stopped = resolve;
        post({ kind: 'stop', timeoutMs });
      }),
  };
}
