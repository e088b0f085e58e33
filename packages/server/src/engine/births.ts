// Deliveries on their way from the thread that accepted their events to the one that sends them: flat arrays and one
// transferred buffer, one message per round of the event loop. What all deliveries of an event share travels once,
// and every tag and type once in a message, so that they are one string for all tasks on the other side.
import { copyOf, release } from '../bytes.ts';
import { Names } from '../core/names.ts';
import type { Birth, NewEvent } from '../store/store.ts';
import type { Task } from './attempt.ts';

export interface BirthMessage {
  kind: 'births';
  /** Tags and types, which the cells name by their places here. */
  names: string[];
  /** For each event: uid, type, acceptedAt, length of its body and number of births; for each birth: tag and version. */
  cells: (string | number)[];
  bodies: Uint8Array<ArrayBuffer>;
}

/** Collects births and hands them on. */
export class BirthSender {
  readonly #post: (message: BirthMessage, transfer: ArrayBuffer[]) => void;
  #names = new Names();
  #cells: (string | number)[] = [];
  #bodies: Uint8Array[] = [];
  #length = 0;
  #scheduled = false;

  constructor(post: (message: BirthMessage, transfer: ArrayBuffer[]) => void) {
    this.#post = post;
  }

  /** Takes those of an event's deliveries that are leased. */
  take({ uid, type, acceptedAt, body }: NewEvent, born: Birth[]): void {
    if (!born.some(({ leased }) => leased)) return;
    const cells = this.#cells;
    const countAt = cells.push(uid, this.#names.place(type), acceptedAt, body.length, 0) - 1;
    let count = 0;
    for (const { tag, version, leased } of born) {
      if (!leased) continue;
      cells.push(this.#names.place(tag), version);
      count += 1;
    }
    cells[countAt] = count;
    this.#bodies.push(body);
    this.#length += body.length;
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
    const names = this.#names.all();
    this.#post({ kind: 'births', names, cells: this.#cells, bodies }, [bodies.buffer]);
    this.#names = new Names();
    this.#cells = [];
    this.#bodies = [];
    this.#length = 0;
  }
}

/** The deliveries of a message, each for its first attempt; its `bodies` have given their memory back then. */
export function readBirths({ names, cells, bodies }: BirthMessage): Task[] {
  const tasks: Task[] = [];
  let bodyAt = 0;
  for (let at = 0; at < cells.length; ) {
    const uid = cells[at] as string;
    const type = names[cells[at + 1] as number] as string;
    const createdAt = cells[at + 2] as number;
    const bodyEnd = bodyAt + (cells[at + 3] as number);
    const count = cells[at + 4] as number;
    // A copy of its own for each event: one that hangs must not keep the whole message's bytes alive.
    const body = copyOf(bodies.subarray(bodyAt, bodyEnd));
    bodyAt = bodyEnd;
    at += 5;
    for (const end = at + 2 * count; at < end; at += 2) {
      const tag = names[cells[at] as number] as string;
      const version = cells[at + 1] as number;
      tasks.push({ key: uid + tag, tag, version, type, number: 1, createdAt, extra: false, body });
    }
  }
  release(bodies);
  return tasks;
}
