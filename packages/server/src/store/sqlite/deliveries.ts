// The delivering half of the Store on SQLite, for the thread that was given a port to the one that writes. It loads what builds
// queries with the first replay, not before: the engine's thread needs it for nothing else, and it is most of a thread's code.
import type { MessagePort } from 'node:worker_threads';
import { systemClock as clock } from '../../clock.ts';
import { StoreUnavailable } from '../errors.ts';
import { lookFor } from '../replay-page.ts';
import type {
  AttemptRecord,
  ClaimRequest,
  ClaimResult,
  DeliveryStore,
  EndpointRow,
  FinishOutcome,
  Lease,
  ReplayRequest,
  ReplayStep,
  RunningReplay,
} from '../store.ts';
import { EndpointReader } from './endpoint-reader.ts';
import { Turns } from './turns.ts';
import * as wire from './wire.ts';

/** Somebody who asks for figures waits for so many batches of them at the most. */
const mostRounds = 8;
export class SqliteDeliveries implements DeliveryStore {
  /** One process has the file, and nobody else takes anything over. */
  readonly leaseEndsAt = Number.POSITIVE_INFINITY;
  readonly claimSize = 128;
  /** Who publishes waits for the turn that a claim is part of. */
  readonly shortClaimSize = 32;
  /**
   * While 300,000 deliveries at 1,000 endpoints were worked off and 200 events a second published to another: its p50, p95 and p99
   * 3, 9 and 16 ms without pauses and with claims of 64, 2.1, 5.5 and 10 with these, and 17,000 deliveries a second for 20,000, of
   * 14,000 in the closed loop. Pauses twice as long made no difference; claims of 64 with them 1.9, 6.4 and 13.
   */
  readonly claimPause = 2;
  protected readonly turns: Turns;
  readonly #endpoints: EndpointReader;

  constructor(turns: Turns, path: string) {
    this.turns = turns;
    this.#endpoints = new EndpointReader(path);
  }

  finish(record: AttemptRecord, done: (outcome: FinishOutcome | Error) => void): void {
    this.turns.finish(record, done);
  }

  async claim(request: ClaimRequest): Promise<ClaimResult> {
    return wire.decodeClaim(await this.turns.operate({ kind: 'claim', request }, 'claim'));
  }

  async release(leases: Lease[], at: number): Promise<void> {
    await this.turns.operate({ kind: 'release', leases, at }, 'done');
  }

  setLaneOpen(tag: string, open: boolean): void {
    this.turns.operate({ kind: 'open', tag, open }, 'done').catch(ignoreLostHint);
  }

  async holdLane(tag: string, at: number): Promise<void> {
    await this.turns.operate({ kind: 'hold', tag, at }, 'done');
  }

  async endpoints(tags: string[]): Promise<EndpointRow[]> {
    if (this.turns.gone !== null) throw this.turns.gone;
    return this.#endpoints.read(tags);
  }

  async cancelRemoved(limit: number): Promise<number> {
    return (await this.turns.operate({ kind: 'cancel', limit }, 'cancel')).count;
  }

  async prune(before: number, limit: number): Promise<number> {
    return (await this.turns.operate({ kind: 'prune', before, limit }, 'prune')).count;
  }

  async runningReplays(): Promise<RunningReplay[]> {
    return (await this.turns.operate({ kind: 'running replays' }, 'running replays')).replays;
  }

  async makeReplayed(request: ReplayRequest): Promise<ReplayStep> {
    const { replay, most } = request;
    const { compilePage } = await import('./queries.ts');
    const page = compilePage(replay, lookFor(most));
    return (await this.turns.operate({ kind: 'replay', request, page }, 'replay')).step;
  }

  async sweep(now: number): Promise<void> {
    await this.turns.operate({ kind: 'sweep', now }, 'done');
  }

  async writeFigures(): Promise<void> {
    for (let round = 0; round < mostRounds; round++) {
      if (!(await this.turns.operate({ kind: 'write figures' }, 'more')).more) return;
    }
  }

  async pruneFigures(now: number, limit: number): Promise<number> {
    return (await this.turns.operate({ kind: 'prune figures', now, limit }, 'prune')).count;
  }

  listen(): void {}

  /** The writer goes last: whoever leaves the file last folds the log into it, which a reader can't. */
  async close(): Promise<void> {
    await this.turns.drain();
    this.#endpoints.close();
    await this.turns.close();
  }
}

/** A lane's state is a hint to the store; when it is lost the store itself is gone, which its callers hear. */
function ignoreLostHint(error: unknown): void {
  if (!(error instanceof StoreUnavailable)) throw error;
}

/** What another thread needs for a delivering half of its own; `port` is to be transferred. */
export interface SqliteAttachment {
  kind: 'sqlite';
  port: MessagePort;
  path: string;
}

/** The delivering half of the store, in a thread that was given a port by `connect`. */
export function attachDeliveryStore({ port, path }: SqliteAttachment): DeliveryStore {
  return new SqliteDeliveries(new Turns(port, 'close', clock), path);
}
