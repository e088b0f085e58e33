// A file of JSON lines that is on the disk when it says so: lines that come while a sync is under way share the next one.
import { closeSync, fdatasync, openSync, readFileSync, write } from 'node:fs';
import { promisify } from 'node:util';

const writeAsync = promisify(write);
const syncAsync = promisify(fdatasync);

export class DurableLines {
  readonly #fd: number;
  #waiting: string[] = [];
  #onWritten: (() => void)[] = [];
  #running: Promise<void> | null = null;

  constructor(path: string) {
    this.#fd = openSync(path, 'a');
  }

  /** Adds a line after all before it; resolves when it is on the disk. */
  append(entry: object): Promise<void> {
    this.#waiting.push(`${JSON.stringify(entry)}\n`);
    return new Promise((resolve, reject) => {
      this.#onWritten.push(resolve);
      this.#running ??= this.#run().finally(() => {
        this.#running = null;
      });
      this.#running.catch(reject);
    });
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      const text = this.#waiting.splice(0).join('');
      const resolves = this.#onWritten.splice(0);
      const bytes = Buffer.from(text);
      for (let at = 0; at < bytes.length; ) {
        const { bytesWritten } = await writeAsync(this.#fd, bytes, at, bytes.length - at, null);
        at += bytesWritten;
      }
      await syncAsync(this.#fd);
      for (const resolve of resolves) resolve();
    }
  }

  async close(): Promise<void> {
    await this.#running;
    closeSync(this.#fd);
  }
}

/** The lines of a file, oldest first; a last one that was not written whole is left out. */
export function readLines<Entry>(path: string): Entry[] {
  const lines = readFileSync(path, 'utf8').split('\n');
  lines.pop();
  return lines.map((line) => JSON.parse(line) as Entry);
}
