// The reader thread: lists and look-ups on a connection that can't write, so that they never hold up a commit; and what of a
// checkpoint is not the writer's.
import type { SQLInputValue, StatementSync } from 'node:sqlite';
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { LogCopier } from './checkpoints.ts';
import { openReader, troubleWith } from './open.ts';

export interface ReaderData {
  path: string;
  /** To the writer. */
  checkpoints: MessagePort;
}

export interface Question {
  number: number;
  sql: string;
  parameters: unknown[];
}

export type Reply = { number: number; rows: unknown[] } | { number: number; message: string };

const port = parentPort;
if (port === null) throw new Error('reader.ts runs as a worker thread');
const { path, checkpoints } = workerData as ReaderData;
const db = openReader(path);
const copier = new LogCopier(path, checkpoints);
const prepared = new Map<string, StatementSync>();

function ask({ number, sql, parameters }: Question): Reply {
  try {
    let statement = prepared.get(sql);
    if (statement === undefined) {
      statement = db.prepare(sql);
      if (prepared.size > 500) prepared.clear();
      prepared.set(sql, statement);
    }
    // Rows come without a prototype, which a clone across threads would not keep.
    return { number, rows: statement.all(...(parameters as SQLInputValue[])) };
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    return { number, message: troubleWith(path, text) ?? `The store could not read: ${text}.` };
  }
}

port.on('message', (message: Question | 'close') => {
  if (message === 'close') {
    copier.close();
    db.close();
    port.close();
    return;
  }
  port.postMessage(ask(message));
});
