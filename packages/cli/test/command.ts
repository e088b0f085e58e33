// Runs `posthorn`, or `npm start` above it, and reads what it prints.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { TestContext } from 'node:test';

const root = new URL('../../../', import.meta.url).pathname;
const entry = new URL('../src/main.ts', import.meta.url).pathname;
const patienceMs = 30_000;

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** A command that runs. Whatever is left of it, and of what it started, ends with the test. */
export class Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  #stdout = '';
  #stderr = '';

  constructor(t: TestContext, command: string, args: string[], env: Record<string, string>) {
    const clean = Object.entries(process.env).filter(([name]) => !/^(?:POSTHORN_|DATABASE_URL$)/.test(name));
    this.child = spawn(command, args, {
      cwd: root,
      env: { ...Object.fromEntries(clean), POSTHORN_PORT: '0', ...env },
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text;
      this.child.emit('printed');
    });
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
    });
    this.ended = once(this.child, 'close').then(([code, signal]: unknown[]) => ({
      code: code as number | null,
      signal: signal as NodeJS.Signals | null,
      stdout: this.#stdout,
      stderr: this.#stderr,
    }));
    t.after(async () => {
      this.signalAll('SIGKILL');
      await this.ended;
    });
  }

  get stdout(): string {
    return this.#stdout;
  }

  /** Resolves with the first match in what the command printed on stdout. */
  async printed(pattern: RegExp): Promise<RegExpExecArray> {
    const signal = AbortSignal.timeout(patienceMs);
    for (;;) {
      const found = pattern.exec(this.#stdout);
      if (found !== null) return found;
      await Promise.race([
        once(this.child, 'printed', { signal }),
        this.ended.then(({ stderr }) => {
          throw new Error(`ended without printing ${pattern}:\n${this.#stdout}${stderr}`);
        }),
      ]);
    }
  }

  /** Resolves with the server's address once it listens. */
  async address(): Promise<string> {
    return (await this.printed(/listens on (http:\S+)/))[1] ?? '';
  }

  /** Signals the command's whole process group, as a terminal does. */
  signalAll(signal: NodeJS.Signals): void {
    try {
      if (this.child.pid !== undefined) process.kill(-this.child.pid, signal);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
    }
  }
}

/** Runs `posthorn <args>`. */
export const runPosthorn = (t: TestContext, args: string[], env: Record<string, string> = {}): Running =>
  new Running(t, process.execPath, [entry, ...args], env);

/** Runs `npm start`, with `args` handed on. */
export const runNpmStart = (t: TestContext, env: Record<string, string>, args: string[] = []): Running =>
  new Running(t, 'npm', ['start', ...(args.length > 0 ? ['--', ...args] : [])], env);

/** Runs `npx <args>` in the clone. */
export const runNpx = (t: TestContext, args: string[], env: Record<string, string>): Running =>
  new Running(t, 'npx', ['--no-install', ...args], env);
