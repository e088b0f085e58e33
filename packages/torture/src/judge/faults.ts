// When a result may have got lost: while a node was killed, paused or cut off from its store.
import type { JournalEntry } from './history.ts';

interface Period {
  nodes: number[] | null;
  from: number;
  to: number;
}

export class Faults {
  readonly #periods: Period[] = [];

  constructor(journal: readonly JournalEntry[]) {
    const open = new Map<number, Period>();
    for (const entry of journal) {
      if (entry.kind !== 'fault' || !entry.explains) continue;
      if (entry.phase === 'begin') {
        const period = { nodes: entry.nodes, from: entry.at, to: Number.POSITIVE_INFINITY };
        open.set(entry.fault, period);
        this.#periods.push(period);
      } else {
        const period = open.get(entry.fault);
        if (period !== undefined) period.to = entry.at;
      }
    }
  }

  /** Whether one touched the node (any, if it is not known) between two times, epoch ms. */
  touched(node: number | null, from: number, to: number): boolean {
    return this.#periods.some(
      (period) =>
        period.from <= to &&
        period.to >= from &&
        (node === null || period.nodes === null || period.nodes.includes(node)),
    );
  }
}
