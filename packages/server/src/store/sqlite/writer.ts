// The writer thread: the only one that writes the file. Each message is a turn, done in one transaction and
// answered after its commit; when a turn breaks, its parts are tried one by one, so that nobody fails for another.
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import type { CompiledQuery } from 'kysely';
import { systemClock as clock, type Timer } from '../../clock.ts';
import type { ReplayCandidate } from '../replay-page.ts';
import type {
  AcceptOutcome,
  Backlog,
  Birth,
  Change,
  ChangeOutcome,
  RedeliverOutcome,
  ReplayRequest,
  ReplayStep,
  Step,
  StoreFigures,
} from '../store.ts';
import { Acceptor } from './accept.ts';
import { unpackAttempts } from './attempt-pack.ts';
import { unheld } from './available-at.ts';
import { Brisk } from './brisk.ts';
import { Checkpoints } from './checkpoints.ts';
import { Claimer } from './claim.ts';
import type { WriterData } from './client.ts';
import { FigureWriter } from './figures.ts';
import { Finisher } from './finish.ts';
import { Lanes, startOfCommit } from './lanes.ts';
import { explain, openWriter, troubleWith } from './open.ts';
import { takeOwnership } from './ownership.ts';
import { Pruner } from './prune.ts';
import { ReplayMaker } from './replay.ts';
import * as wire from './wire.ts';

class Refused extends Error {
  readonly step: number;
  constructor(step: number, reason: string) {
    super(reason);
    this.step = step;
  }
}

class Writer {
  readonly #db: DatabaseSync;
  readonly #lanes: Lanes;
  readonly #acceptor: Acceptor;
  readonly #claimer: Claimer;
  readonly #finisher: Finisher;
  readonly #pruner: Pruner;
  readonly #figureWriter: FigureWriter;
  #figureTimer: Timer | null = null;
  readonly #replayMaker: ReplayMaker;
  readonly #begin: StatementSync;
  readonly #commit: StatementSync;
  readonly #waiting: StatementSync;
  readonly #prepared = new Map<string, StatementSync>();
  readonly #path: string;
  readonly #checkpoints: Checkpoints;
  readonly brisk = new Brisk();
  #commits = 0;
  #commitRows = 0;

  constructor({ path, now, delivers, checkpoints }: WriterData) {
    this.#path = path;
    this.#db = openWriter(path);
    this.#checkpoints = new Checkpoints(this.#db, checkpoints, () => clock.monotonic());
    this.#lanes = new Lanes(this.#db, delivers);
    this.#acceptor = new Acceptor(this.#db, this.#lanes);
    this.#claimer = new Claimer(this.#db, this.#lanes);
    this.#finisher = new Finisher(this.#db, this.#lanes);
    this.#pruner = new Pruner(this.#db, this.#lanes);
    this.#figureWriter = new FigureWriter(this.#db, this.#lanes.tally, clock);
    this.#replayMaker = new ReplayMaker(this.#db, this.#lanes);
    this.#begin = this.#db.prepare('BEGIN IMMEDIATE');
    this.#commit = this.#db.prepare('COMMIT');
    this.#waiting = this.#db.prepare('SELECT count(*) AS count FROM lanes');
    this.#inTransaction(() => this.#claimer.sweep(now, true));
    // Nothing is held now, so that every row is in the index of what may be claimed, in order of the tags: a million rows of
    // a thousand lanes take 124 ms.
    const counted = this.#db
      .prepare(`SELECT tag, count(*) AS count FROM pending WHERE ${unheld} GROUP BY tag`)
      .all() as { tag: string; count: number }[];
    for (const { tag, count } of counted) this.#lanes.setBacklog(tag, count);
  }

  /** Turns of several clients share a transaction; when it breaks, each is tried in one of its own. */
  run(turns: wire.Turn[]): wire.Answer[] {
    try {
      return this.#inTransaction(() => turns.map((turn) => this.#runTurn(turn)));
    } catch (error) {
      if (turns.length > 1) return turns.flatMap((turn) => this.run([turn]));
      const text = error instanceof Error ? error.message : String(error);
      return [
        { kind: 'failed', message: troubleWith(this.#path, text) ?? `The store could not write: ${text}.` },
      ];
    }
  }

  /** What need not be done before those who wait are answered. */
  afterCommit(): void {
    this.#checkpoints.afterCommit();
  }

  #runTurn(turn: wire.Turn): wire.Answer {
    const finishes = unpackAttempts(turn.attempts).map((attempt) =>
      wire.encodeFinish(this.#finisher.finish(attempt)),
    );
    const accepts: AcceptOutcome[] = wire
      .decodeEvents(turn)
      .map((events) => this.#acceptor.acceptGroup(events));
    const operations = turn.operations.map((operation) => this.#operate(operation));
    this.#commitRows += finishes.length + accepts.length;
    return {
      kind: 'committed',
      isBriskTime: this.brisk.isTime(clock.monotonic()),
      finishes,
      ...wire.encodeAccepts(accepts),
      operations,
    };
  }

  #inTransaction<Result>(work: () => Result): Result {
    this.#begin.run();
    const rowsBefore = this.#commitRows;
    try {
      const result = work();
      this.#lanes.births.beforeCommit();
      this.#figureWriter.beforeCommit();
      this.#commit.run();
      this.#lanes.settle();
      this.#commits += 1;
      this.#writeFiguresLater();
      return result;
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      this.#commitRows = rowsBefore;
      this.#lanes.rewind(startOfCommit);
      // Some of it was of this commit; what a failing disk costs is a second of figures.
      this.#lanes.tally.drop();
      this.#lanes.forget();
      this.#acceptor.forget();
      throw error;
    }
  }

  /** What was counted last is written even if no commit follows. */
  #writeFiguresLater(): void {
    const { waitMs } = this.#figureWriter;
    if (waitMs === null) return;
    this.#figureTimer ??= clock.after(waitMs, () => {
      this.#figureTimer = null;
      this.run([wire.emptyTurn]);
    });
  }

  #operate(operation: wire.Operation): wire.OperationResult {
    switch (operation.kind) {
      case 'claim':
        return { kind: 'claim', ...wire.encodeClaim(this.#claimer.claim(operation.request)) };
      case 'release':
        for (const lease of operation.leases) this.#claimer.release(lease, operation.at);
        return { kind: 'done' };
      case 'hold':
        this.#lanes.setMarker(operation.tag, operation.at);
        if (this.#lanes.isClosed(operation.tag)) this.#lanes.tally.rests(operation.tag, operation.at);
        return { kind: 'done' };
      case 'open':
        this.#lanes.setOpen(operation.tag, operation.open);
        return { kind: 'done' };
      case 'redeliver':
        return { kind: 'redeliver', outcome: this.#redeliver(operation.key, operation.now, operation.audit) };
      case 'change':
        return { kind: 'change', outcome: this.#change(operation.change) };
      case 'cancel':
        return { kind: 'cancel', count: this.#finisher.cancelRemoved(operation.limit) };
      case 'prune':
        return { kind: 'prune', count: this.#pruner.prune(operation.before, operation.limit) };
      case 'running replays':
        return { kind: 'running replays', replays: this.#replayMaker.running() };
      case 'replay':
        return { kind: 'replay', step: this.#makeReplayed(operation.request, operation.page) };
      case 'sweep':
        this.#claimer.sweep(operation.now, false);
        return { kind: 'done' };
      case 'ping':
        return { kind: 'done' };
      case 'backlogs':
        return { kind: 'backlogs', backlogs: operation.tags.map((tag) => this.#backlog(tag)) };
      case 'write figures':
        return { kind: 'more', more: this.#figureWriter.write() };
      case 'prune figures':
        return { kind: 'prune', count: this.#figureWriter.prune(operation.now, operation.limit) };
      case 'figures':
        return { kind: 'figures', figures: this.#figures() };
    }
  }

  #redeliver(key: string, now: number, audit: Step): RedeliverOutcome {
    const outcome = this.#claimer.redeliver(key, now);
    if (outcome === 'queued') this.#runStep(audit, 0);
    return outcome;
  }

  #makeReplayed(request: ReplayRequest, { sql, parameters }: CompiledQuery<ReplayCandidate>): ReplayStep {
    const readPage = () =>
      this.#prepare(sql).all(...(parameters as SQLInputValue[])) as unknown as ReplayCandidate[];
    return this.#replayMaker.make(request, readPage);
  }

  #prepare(sql: string): StatementSync {
    const known = this.#prepared.get(sql);
    if (known !== undefined) return known;
    const statement = this.#db.prepare(sql);
    if (this.#prepared.size > 500) this.#prepared.clear();
    this.#prepared.set(sql, statement);
    return statement;
  }

  /** All steps and events of a change, or none of them. */
  #change(change: Change): ChangeOutcome {
    const point = this.#lanes.point();
    this.#db.exec('SAVEPOINT change');
    try {
      const rows = change.steps.map((step, index) => this.#runStep(step, index));
      this.#lanes.forget();
      this.#acceptor.forget();
      const births: Birth[][] = change.events.map((event) => {
        const stored = this.#acceptor.store(event);
        return stored.kind === 'stored' ? stored.births : [];
      });
      for (const tag of change.touched) {
        const state = this.#lanes.state(tag);
        if (state !== null && state.removedAt !== null) this.#lanes.noteRemoved(tag);
        else if (state?.enabled === true) this.#lanes.mark(tag, change.now);
      }
      this.#db.exec('RELEASE change');
      for (const { teamId, acceptedAt } of change.events) this.#lanes.tally.accepted(teamId, acceptedAt, 1);
      return { kind: 'done', rows, births };
    } catch (error) {
      this.#db.exec('ROLLBACK TO change; RELEASE change');
      this.#lanes.rewind(point);
      this.#lanes.forget();
      this.#acceptor.forget();
      if (error instanceof Refused) return { kind: 'refused', step: error.step, reason: error.message };
      throw error;
    }
  }

  #runStep(step: Step, index: number): Record<string, unknown>[] {
    const { sql, parameters } = step.query;
    const statement = this.#prepare(sql);
    const values = parameters as SQLInputValue[];
    let rows: Record<string, unknown>[] = [];
    let affected: number;
    try {
      if (statement.columns().length > 0) {
        rows = statement.all(...values);
        affected = rows.length;
      } else affected = Number(statement.run(...values).changes);
    } catch (error) {
      if (
        error instanceof Error &&
        /constraint failed/i.test(error.message) &&
        step.otherwise !== undefined
      ) {
        throw new Refused(index, step.otherwise);
      }
      throw error;
    }
    if (step.rows !== undefined && affected !== step.rows)
      throw new Refused(index, step.otherwise ?? 'changed meanwhile');
    return rows;
  }

  #backlog(tag: string): Backlog {
    const pending = this.#lanes.backlogOf(tag);
    return { tag, pending, oldestKey: pending === 0 ? null : this.#claimer.oldestKeyOf(tag) };
  }

  #figures(): StoreFigures {
    return {
      pending: this.#lanes.pendingTotal,
      held: this.#lanes.heldTotal,
      oldestKey: this.#claimer.oldestKey(),
      waitingLanes: (this.#waiting.get() as { count: number }).count,
      commits: this.#commits,
      commitRows: this.#commitRows,
    };
  }

  close(): void {
    this.#figureTimer?.cancel();
    this.#inTransaction(() => {
      while (this.#figureWriter.write());
    });
    this.#figureTimer?.cancel();
    this.#checkpoints.close();
    this.#db.exec('PRAGMA optimize');
    this.#db.close();
  }
}

const port = parentPort;
if (port === null) throw new Error('writer.ts runs as a worker thread');
const options = workerData as WriterData;
const lock = takeOwnership(options.path);
const writer = openOwned();
type Message = wire.Turn | 'close' | { connect: MessagePort };

const clients = new Set<MessagePort>([port]);

/** Damage may show only when the rows are read. */
function openOwned(): Writer {
  try {
    return new Writer(options);
  } catch (error) {
    throw explain(error, options.path);
  }
}

function closeFile(): void {
  writer.close();
  lock.close();
  for (const client of clients) client.close();
}

/** A message of one client, and the turns that others have sent meanwhile: one transaction for all of them. */
function receive(from: MessagePort, message: Message): void {
  const turns: [MessagePort, wire.Turn][] = [];
  let closing = false;
  const sort = (client: MessagePort, received: Message) => {
    if (received === 'close') {
      if (client === port) closing = true;
      else {
        clients.delete(client);
        client.close();
      }
    } else if ('connect' in received) serve(received.connect);
    else turns.push([client, received]);
  };
  sort(from, message);
  for (const client of clients) {
    if (client === from) continue;
    const next = receiveMessageOnPort(client);
    if (next !== undefined) sort(client, next.message);
  }
  const all = turns.map(([, turn]) => turn);
  for (const shared of writer.brisk.shareOut(all, clock.monotonic())) {
    const answers = writer.run(shared);
    for (const [client, turn] of turns) {
      const answer = answers[shared.indexOf(turn)];
      if (answer !== undefined) client.postMessage(answer, wire.transferOf(answer));
    }
  }
  if (closing) closeFile();
  else writer.afterCommit();
}

function serve(client: MessagePort): void {
  clients.add(client);
  client.on('message', (message: Message) => receive(client, message));
  client.once('close', () => clients.delete(client));
}

serve(port);
port.postMessage('ready');
