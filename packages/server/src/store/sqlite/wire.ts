// What travels between the threads that serve HTTP and send and the writer thread: one turn there, one answer back. Events go
// as flat arrays and one transferred buffer, for cloning an object per row costs more than the row; attempts as attempt-pack.ts
// puts them.
import type { CompiledQuery } from 'kysely';
import { copyOf, release } from '../../bytes.ts';
import { Names } from '../../core/names.ts';
import type { ReplayCandidate } from '../replay-page.ts';
import type {
  Accepted,
  AcceptGroup,
  AcceptOutcome,
  Backlog,
  Change,
  ChangeOutcome,
  Claimed,
  ClaimRequest,
  ClaimResult,
  FinishOutcome,
  Lease,
  NewEvent,
  RedeliverOutcome,
  ReplayRequest,
  ReplayStep,
  RunningReplay,
  Step,
  StoreFigures,
} from '../store.ts';
import { countAttempts, noAttempts, type PackedAttempts } from './attempt-pack.ts';

export type Cell = string | number | null;

/** The rarer writes, as plain objects. */
export type Operation =
  | { kind: 'claim'; request: ClaimRequest }
  | { kind: 'release'; leases: Lease[]; at: number }
  | { kind: 'hold'; tag: string; at: number }
  | { kind: 'open'; tag: string; open: boolean }
  | { kind: 'redeliver'; key: string; now: number; audit: Step }
  | { kind: 'change'; change: Change }
  | { kind: 'cancel'; limit: number }
  | { kind: 'sweep'; now: number }
  | { kind: 'prune'; before: number; limit: number }
  | { kind: 'running replays' }
  | { kind: 'replay'; request: ReplayRequest; page: CompiledQuery<ReplayCandidate> }
  | { kind: 'figures' }
  | { kind: 'backlogs'; tags: string[] }
  | { kind: 'write figures' }
  | { kind: 'prune figures'; now: number; limit: number }
  | { kind: 'ping' };

export type OperationResult =
  | ({ kind: 'claim' } & PackedClaim)
  | { kind: 'redeliver'; outcome: RedeliverOutcome }
  | { kind: 'change'; outcome: ChangeOutcome }
  | { kind: 'cancel'; count: number }
  | { kind: 'prune'; count: number }
  | { kind: 'running replays'; replays: RunningReplay[] }
  | { kind: 'replay'; step: ReplayStep }
  | { kind: 'figures'; figures: StoreFigures }
  | { kind: 'backlogs'; backlogs: Backlog[] }
  | { kind: 'more'; more: boolean }
  | { kind: 'done' };

/** One client's share of a transaction. Attempts come first, then accepts, then the rest in order. */
export interface Turn {
  attempts: PackedAttempts;
  groups: number[];
  events: Cell[];
  eventBodies: Uint8Array;
  operations: Operation[];
}

/** A turn of which nothing is asked. */
export const emptyTurn: Turn = {
  attempts: noAttempts,
  groups: [],
  events: [],
  eventBodies: new Uint8Array(),
  operations: [],
};

/** How much of each kind a turn asks for; `others` are operations that are no claims. */
export function weightOf({ attempts, events, operations }: Turn): {
  events: number;
  attempts: number;
  claims: number;
  others: number;
} {
  const claims = operations.filter(({ kind }) => kind === 'claim').length;
  return {
    events: events.length / eventCells,
    attempts: countAttempts(attempts),
    claims,
    others: operations.length - claims,
  };
}

/** `failure` says that nothing of the turn was committed. */
export type Answer =
  | {
      kind: 'committed';
      /** Whether a little is published, which must not wait long for this client's next turn. */
      isBriskTime: boolean;
      names: string[];
      finishes: number[];
      accepts: number[];
      operations: OperationResult[];
    }
  | { kind: 'failed'; message: string };

const eventCells = 11;

/** What of an answer need not be copied. */
export function transferOf(answer: Answer): ArrayBuffer[] {
  if (answer.kind === 'failed') return [];
  return answer.operations.flatMap((operation) =>
    operation.kind === 'claim' ? [operation.bodies.buffer] : [],
  );
}

/** Packs byte arrays behind one another into a buffer of its own, fit for transfer. */
function pack(parts: Uint8Array[], length: number): Uint8Array<ArrayBuffer> {
  const packed = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    packed.set(part, at);
    at += part.length;
  }
  return packed;
}

export function encodeEvents(groups: AcceptGroup[]): {
  groups: number[];
  events: Cell[];
  bodies: Uint8Array<ArrayBuffer>;
} {
  const sizes: number[] = [];
  const cells: Cell[] = [];
  const bodies: Uint8Array[] = [];
  let length = 0;
  for (const group of groups) {
    sizes.push(group.events.length);
    for (const event of group.events) {
      cells.push(
        event.uid,
        event.id === event.uid ? null : event.id,
        event.teamId,
        event.type,
        event.projectId,
        event.region,
        event.createdAt,
        event.createdAtGiven ? 1 : 0,
        event.acceptedAt,
        event.only,
        event.body.length,
      );
      bodies.push(event.body);
      length += event.body.length;
    }
  }
  return { groups: sizes, events: cells, bodies: pack(bodies, length) };
}

export function decodeEvents(turn: Turn): NewEvent[][] {
  const { groups, events: cells, eventBodies } = turn;
  let cell = 0;
  let at = 0;
  return groups.map((size) => {
    const events: NewEvent[] = [];
    for (let i = 0; i < size; i++, cell += eventCells) {
      const length = cells[cell + 10] as number;
      const uid = cells[cell] as string;
      events.push({
        uid,
        id: (cells[cell + 1] as string | null) ?? uid,
        teamId: cells[cell + 2] as string,
        type: cells[cell + 3] as string,
        projectId: cells[cell + 4] as string | null,
        region: cells[cell + 5] as string | null,
        createdAt: cells[cell + 6] as number,
        createdAtGiven: cells[cell + 7] === 1,
        acceptedAt: cells[cell + 8] as number,
        only: cells[cell + 9] as string | null,
        body: eventBodies.subarray(at, at + length),
      });
      at += length;
    }
    return events;
  });
}

/** For each group: -1 and the index of a conflict, or the number of events; per event -1 when known, else its births. */
export function encodeAccepts(outcomes: AcceptOutcome[]): { names: string[]; accepts: number[] } {
  const names = new Names();
  const cells: number[] = [];
  for (const outcome of outcomes) {
    if (outcome.kind === 'conflict') {
      cells.push(-1, outcome.index);
      continue;
    }
    cells.push(outcome.events.length);
    for (const event of outcome.events) {
      if (event.kind === 'known') {
        cells.push(-1, event.createdAt, event.deliveries);
        continue;
      }
      cells.push(event.births.length);
      for (const { tag, version, leased } of event.births) {
        cells.push(names.place(tag), leased ? version : -version);
      }
    }
  }
  return { names: names.all(), accepts: cells };
}

export function decodeAccepts(names: string[], cells: number[]): AcceptOutcome[] {
  const outcomes: AcceptOutcome[] = [];
  let at = 0;
  while (at < cells.length) {
    const size = cells[at++] as number;
    if (size === -1) {
      outcomes.push({ kind: 'conflict', index: cells[at++] as number });
      continue;
    }
    const events: Accepted[] = [];
    for (let i = 0; i < size; i++) {
      const count = cells[at++] as number;
      if (count === -1) {
        events.push({ kind: 'known', createdAt: cells[at] as number, deliveries: cells[at + 1] as number });
        at += 2;
        continue;
      }
      const births = [];
      for (let j = 0; j < count; j++, at += 2) {
        const version = cells[at + 1] as number;
        births.push({
          tag: names[cells[at] as number] as string,
          version: Math.abs(version),
          leased: version > 0,
        });
      }
      events.push({ kind: 'stored', births });
    }
    outcomes.push({ kind: 'stored', events });
  }
  return outcomes;
}

/** What a claim took: `cells` as `encodeClaim` puts them, and each body once, however many lanes got its event. */
export interface PackedClaim {
  names: string[];
  cells: (string | number)[];
  bodies: Uint8Array<ArrayBuffer>;
  looked: ClaimResult['looked'];
  nextDueAt: number | null;
}

const claimCells = 11;

/** Packs a claim, and gives back the memory of the bodies that it was made of. */
export function encodeClaim({ claimed, looked, nextDueAt }: ClaimResult): PackedClaim {
  const names = new Names();
  const cells: (string | number)[] = [];
  const places = new Map<Uint8Array, number>();
  const bodies: Uint8Array[] = [];
  let length = 0;
  for (const { key, tag, version, type, attempts, createdAt, extra, replay, body } of claimed) {
    let at = places.get(body);
    if (at === undefined) {
      at = length;
      places.set(body, at);
      bodies.push(body);
      length += body.length;
    }
    cells.push(key, names.place(tag), version, names.place(type), attempts, createdAt, extra ? 1 : 0);
    cells.push(replay?.at ?? -1, replay?.from ?? 0, at, body.length);
  }
  const packed = pack(bodies, length);
  for (const body of bodies) release(body);
  return { names: names.all(), cells, bodies: packed, looked, nextDueAt };
}

/** Takes a claim apart; `bodies` has given its memory back then. */
export function decodeClaim({ names, cells, bodies, looked, nextDueAt }: PackedClaim): ClaimResult {
  const claimed: Claimed[] = [];
  const copies = new Map<number, Buffer>();
  for (let cell = 0; cell < cells.length; cell += claimCells) {
    const bodyAt = cells[cell + 9] as number;
    let body = copies.get(bodyAt);
    if (body === undefined) {
      // A copy of its own for each event: one that hangs must not keep the whole answer's bytes alive.
      body = copyOf(bodies.subarray(bodyAt, bodyAt + (cells[cell + 10] as number)));
      copies.set(bodyAt, body);
    }
    const replayedAt = cells[cell + 7] as number;
    claimed.push({
      key: cells[cell] as string,
      tag: names[cells[cell + 1] as number] as string,
      version: cells[cell + 2] as number,
      type: names[cells[cell + 3] as number] as string,
      attempts: cells[cell + 4] as number,
      createdAt: cells[cell + 5] as number,
      extra: cells[cell + 6] === 1,
      ...(replayedAt >= 0 && { replay: { at: replayedAt, from: cells[cell + 8] as number } }),
      body,
    });
  }
  release(bodies);
  return { claimed, looked, nextDueAt };
}

/** One number per attempt: -2 lost, -1 nothing due, else when the lane next has work. */
export function encodeFinish(outcome: FinishOutcome): number {
  return outcome.kind === 'lost' ? -2 : (outcome.dueAt ?? -1);
}

export function decodeFinish(code: number): FinishOutcome {
  return code === -2 ? { kind: 'lost' } : { kind: 'written', dueAt: code === -1 ? null : code };
}
