// The journal: every call before it is made, every answer after it came, every fault, in one order and on the disk.
import type { AnswerBody, Call, JournalEntry } from './judge/history.ts';
import { DurableLines } from './lines.ts';

type Unnumbered<Entry> = Entry extends unknown ? Omit<Entry, 'seq' | 'at'> : never;

/** What came of a call: its status and what is judged of it; null when there was no answer. */
export interface Outcome {
  status: number;
  body: AnswerBody | null;
}

export class Journal {
  readonly entries: JournalEntry[] = [];
  readonly #lines: DurableLines;
  #calls = 0;
  #faults = 0;

  constructor(path: string) {
    this.#lines = new DurableLines(path);
  }

  /** Its place in the order is that of this call, at once. */
  async #write(entry: Unnumbered<JournalEntry>): Promise<void> {
    const numbered: JournalEntry = { seq: this.entries.length, at: Date.now(), ...entry };
    this.entries.push(numbered);
    await this.#lines.append(numbered);
  }

  /** Writes the call, makes it, writes what came of it. */
  async call<Made extends Outcome>(
    node: number,
    what: Call,
    make: () => Promise<Made | null>,
  ): Promise<Made | null> {
    const call = this.#calls++;
    await this.#write({ kind: 'call', call, node, what });
    const made = await make();
    await this.#write({ kind: 'answer', call, status: made?.status ?? null, body: made?.body ?? null });
    return made;
  }

  /** Writes that a fault begins, lets it happen, writes that it is over. */
  async fault(
    name: string,
    nodes: number[] | null,
    explains: boolean,
    happen: () => Promise<void>,
  ): Promise<void> {
    const fault = this.#faults++;
    await this.#write({ kind: 'fault', fault, name, nodes, explains, phase: 'begin' });
    try {
      await happen();
    } finally {
      await this.#write({ kind: 'fault', fault, name, nodes, explains, phase: 'end' });
    }
  }

  async seen(entry: Omit<Extract<JournalEntry, { kind: 'seen' }>, 'seq' | 'at' | 'kind'>): Promise<void> {
    await this.#write({ kind: 'seen', ...entry });
  }

  async replayOver(replay: string): Promise<void> {
    await this.#write({ kind: 'replay over', replay });
  }

  close(): Promise<void> {
    return this.#lines.close();
  }
}
