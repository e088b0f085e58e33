// Processes of Posthorn that are started, killed, paused and started again, each with settings of its own.
import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { ask } from './http.ts';

const entry = new URL('../../../cli/src/main.ts', import.meta.url).pathname;
const readyWithinMs = 60_000;

export interface NodeSettings {
  env: Record<string, string>;
  /** Modules loaded before the server's: seams that are replaced for the run. */
  preloads: string[];
  logPath: string;
}

export class ServerNode {
  readonly #settings: NodeSettings;
  #child: ChildProcess | null = null;
  #ended: Promise<void> = Promise.resolve();
  /** Counts starts, so that figures of one life are not those of the next. */
  life = 0;
  /** Where it takes calls; null while it is down or not ready. */
  url: string | null = null;
  paused = false;

  constructor(settings: NodeSettings) {
    this.#settings = settings;
    mkdirSync(dirname(settings.logPath), { recursive: true });
  }

  get isRunning(): boolean {
    return this.#child !== null;
  }

  /** Starts the process and does not wait for it. `env` holds for this life alone. */
  launch(env: Record<string, string> = {}): void {
    if (this.#child !== null) throw new Error('The node is running already.');
    this.life += 1;
    const { preloads, logPath } = this.#settings;
    const args = [...preloads.flatMap((url) => ['--import', url]), entry, 'start'];
    const child = spawn(process.execPath, args, {
      env: { ...cleanEnvironment(), ...this.#settings.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    const killAtExit = () => child.kill('SIGKILL');
    process.once('exit', killAtExit);
    child.once('exit', () => process.off('exit', killAtExit));
    const log = createWriteStream(logPath, { flags: 'a' });
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      log.write(text);
      const found = /listens on (http:\/\/\S+)/.exec(text);
      if (found !== null && this.#child === child) this.url = found[1] ?? null;
    });
    child.stderr.on('data', (bytes: Buffer) => log.write(bytes));
    this.#ended = new Promise((resolve) => {
      child.once('close', (code, signal) => {
        log.end(`-- ended: ${signal ?? code}\n`);
        if (this.#child === child) {
          this.#child = null;
          this.url = null;
        }
        resolve();
      });
    });
  }

  /** Waits until it takes calls. @throws when the process ends before, or takes too long */
  async whenReady(): Promise<void> {
    const deadline = performance.now() + readyWithinMs;
    while (performance.now() < deadline) {
      if (this.#child === null) throw new Error(`A node ended at its start; see ${this.#settings.logPath}`);
      if (this.url !== null) {
        const reply = await ask({ method: 'GET', url: `${this.url}/readyz`, timeoutMs: 2_000 });
        if (reply?.status === 200) return;
      }
      await pause(20);
    }
    throw new Error(`A node did not get ready in ${readyWithinMs} ms; see ${this.#settings.logPath}`);
  }

  /** Sends a signal that ends it, and waits for the end. From now on nobody calls it. */
  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    this.url = null;
    this.#child?.kill(signal);
    await this.#ended;
    this.paused = false;
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#child?.kill(signal);
    this.paused = signal === 'SIGSTOP';
  }
}

/** The environment without any setting of Posthorn's that happens to be in it. */
const cleanEnvironment = (): Record<string, string | undefined> =>
  Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(POSTHORN_|DATABASE_URL$|NODE_)/.test(name)),
  );
