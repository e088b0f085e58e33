// A process of the benchmark's own (relay, generator, sink, hostile endpoints): started, asked, stopped.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Listening, PublishOrder, RecoveryOrder, Report, SinkOrder } from './messages.ts';

type ReportOf<Kind extends Report['kind']> = Extract<Report, { kind: Kind }>;

export class Worker {
  readonly #child: ChildProcess;
  readonly #name: string;
  readonly #reports: Report[] = [];
  #wake: () => void = () => {};
  #stopping = false;

  private constructor(child: ChildProcess, name: string) {
    this.#child = child;
    this.#name = name;
    child.on('message', (report: Report) => {
      this.#reports.push(report);
      this.#wake();
    });
    child.once('exit', () => this.#wake());
  }

  /** Starts `file` of this folder with `args`. It ends by itself when this process does. */
  static start(
    file: string,
    args: string[] = [],
    nodeFlags: string[] = [],
    env: Record<string, string> = {},
  ): Worker {
    const path = fileURLToPath(new URL(file, import.meta.url));
    return new Worker(fork(path, args, { execArgv: nodeFlags, env: { ...process.env, ...env } }), file);
  }

  /** Like `start`, and resolves when the process listens, with its ports. */
  static async serve(
    file: string,
    args: string[],
    nodeFlags: string[] = [],
    env: Record<string, string> = {},
  ): Promise<[Worker, number[]]> {
    const worker = Worker.start(file, args, nodeFlags, env);
    const listening: Listening = await worker.next('listening');
    return [worker, listening.ports];
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  send(order: PublishOrder | SinkOrder | RecoveryOrder): void {
    this.#child.send(order);
  }

  /** The next report of that kind, for one waiter at a time. Throws when the process ends before. */
  async next<Kind extends Report['kind']>(kind: Kind): Promise<ReportOf<Kind>> {
    const isOfKind = (report: Report): report is ReportOf<Kind> => report.kind === kind;
    for (;;) {
      const report = this.#reports.find(isOfKind);
      if (report !== undefined) {
        this.#reports.splice(this.#reports.indexOf(report), 1);
        return report;
      }
      if (this.#child.exitCode !== null || this.#child.signalCode !== null) {
        throw new Error(`${this.#name} ended${this.#stopping ? '' : ' by itself'} before it said "${kind}"`);
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.disconnect();
    await exited;
  }
}
