// Checkpoints: what commits have written to the log is copied into the file, and the log begins anew. The bulk is copied by
// another thread on a connection of its own (`copyLog`), beside the commits that go on; the writer copies only what they have
// added meanwhile, for the log begins anew once all of it is copied, and that is seen by nobody but a writer.
//
// While 300,000 deliveries at 1,000 endpoints were worked off, each checkpoint on the writer's own connection held up all commits
// for 8 to 12 ms, four a second.
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import type { MessagePort } from 'node:worker_threads';

/** So many frames in the log that are not copied are worth a checkpoint: 8 MB. */
const enoughFrames = 1_000;
/** With so many the writer does it itself, however long that takes: the other thread is held up. */
const mostFrames = 8_000;
/** So few are left to the writer, which takes less than a millisecond, unless so many passes did not get there. */
const fewFrames = 64;
const mostPasses = 3;
/** After a failure, as of a full disk, nothing is copied for this time, ms. */
const troubleMs = 1_000;
/** Nor where somebody reads what is older than most of the log, as a backup does, which can't be copied then. */
const heldUpMs = 100;

/** What the one thread asks for and the other answers. */
export type CheckpointMessage = 'copy' | 'copied' | 'failed';

interface Log {
  /** Frames in the log, and how many of them are copied. */
  log: number;
  checkpointed: number;
}

/** The log's state; `NOOP` (SQLite 3.53) copies nothing and takes a microsecond. */
const look = 'PRAGMA wal_checkpoint(NOOP)';
const copy = 'PRAGMA wal_checkpoint(PASSIVE)';

const framesLeft = ({ log, checkpointed }: Log): number => log - checkpointed;

/** The writer's side. */
export class Checkpoints {
  readonly #port: MessagePort;
  readonly #now: () => number;
  readonly #look: StatementSync;
  readonly #copy: StatementSync;
  #asked = false;
  #notBeforeMs = 0;

  /**
   * @param db the writer's connection, which makes no checkpoints by itself
   * @param port to the thread that copies
   * @param now monotonic ms
   */
  constructor(db: DatabaseSync, port: MessagePort, now: () => number) {
    this.#port = port;
    this.#now = now;
    this.#look = db.prepare(look);
    this.#copy = db.prepare(copy);
    port.on('message', (message: CheckpointMessage) => {
      this.#asked = false;
      if (message === 'copied') this.#finish();
      else this.#notBeforeMs = this.#now() + troubleMs;
    });
  }

  /** To be called between commits. */
  afterCommit(): void {
    if (this.#now() < this.#notBeforeMs) return;
    const left = framesLeft(this.#look.get() as unknown as Log);
    if (left >= mostFrames) this.#finish();
    else if (left >= enoughFrames && !this.#asked) {
      this.#asked = true;
      this.#port.postMessage('copy' satisfies CheckpointMessage);
    }
  }

  /** What can't be copied now stays in the log, which is as safe a place. */
  #finish(): void {
    try {
      this.#copy.get();
      const isHeldUp = framesLeft(this.#look.get() as unknown as Log) >= enoughFrames;
      if (isHeldUp) this.#notBeforeMs = this.#now() + heldUpMs;
    } catch {
      this.#notBeforeMs = this.#now() + troubleMs;
    }
  }

  close(): void {
    this.#port.close();
  }
}

/** The other side: copies when it is asked to. */
export class LogCopier {
  readonly #path: string;
  #db: DatabaseSync | null = null;

  constructor(path: string, port: MessagePort) {
    this.#path = path;
    port.on('message', (message: CheckpointMessage) => {
      if (message === 'copy') port.postMessage(this.#copyAll());
    });
    // It must not keep the thread alive.
    port.unref();
  }

  #copyAll(): CheckpointMessage {
    try {
      this.#db ??= open(this.#path);
      for (let pass = 0; pass < mostPasses; pass++) {
        this.#db.prepare(copy).get();
        if (framesLeft(this.#db.prepare(look).get() as unknown as Log) <= fewFrames) break;
      }
      return 'copied';
    } catch {
      return 'failed';
    }
  }

  close(): void {
    this.#db?.close();
    this.#db = null;
  }
}

function open(path: string): DatabaseSync {
  const db = new DatabaseSync(path, { timeout: 0 });
  db.exec('PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = -1000;');
  return db;
}
