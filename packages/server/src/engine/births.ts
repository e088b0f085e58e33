// Deliveries on their way from the thread that accepted their events to the one that sends them: flat arrays and one
// transferred buffer, one message per round of the event loop. An event's body travels once, whatever its fan-out.
import type { Task } from './attempt.ts';

export interface BirthMessage {
  kind: 'births';
  cells: (string | number)[];
  bodies: Uint8Array<ArrayBuffer>;
}

const cellsPerTask = 7;

/** Collects births and hands them on. */
export class BirthSender {
  readonly #post: (message: BirthMessage, transfer: ArrayBuffer[]) => void;
  #cells: (string | number)[] = [];
  #bodies: Uint8Array[] = [];
  #length = 0;
  #last: Uint8Array | null = null;
  #scheduled = false;

  constructor(post: (message: BirthMessage, transfer: ArrayBuffer[]) => void) {
    this.#post = post;
  }

  take(task: Task): void {
    // Births of one event come one after another and share its bytes.
    if (task.body !== this.#last) {
      this.#last = task.body;
      this.#bodies.push(task.body);
      this.#length += task.body.length;
    }
    const end = this.#length;
    this.#cells.push(
      task.key,
      task.tag,
      task.version,
      task.type,
      task.createdAt,
      end - task.body.length,
      end,
    );
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#flush());
  }

  #flush(): void {
    this.#scheduled = false;
    const bodies = new Uint8Array(this.#length);
    let at = 0;
    for (const body of this.#bodies) {
      bodies.set(body, at);
      at += body.length;
    }
    this.#post({ kind: 'births', cells: this.#cells, bodies }, [bodies.buffer]);
    this.#cells = [];
    this.#bodies = [];
    this.#length = 0;
    this.#last = null;
  }
}

/** The deliveries of a message, each for its first attempt. */
export function readBirths({ cells, bodies }: BirthMessage): Task[] {
  const all = Buffer.from(bodies.buffer, bodies.byteOffset, bodies.byteLength);
  const tasks: Task[] = [];
  let body = all;
  let bodyEnd = -1;
  for (let at = 0; at < cells.length; at += cellsPerTask) {
    const end = cells[at + 6] as number;
    // A copy of its own for each event: one that hangs must not keep the whole message's bytes alive.
    if (end !== bodyEnd) {
      bodyEnd = end;
      body = Buffer.from(all.subarray(cells[at + 5] as number, end));
    }
    tasks.push({
      key: cells[at] as string,
      tag: cells[at + 1] as string,
      version: cells[at + 2] as number,
      type: cells[at + 3] as string,
      number: 1,
      createdAt: cells[at + 4] as number,
      extra: false,
      body,
    });
  }
  return tasks;
}
