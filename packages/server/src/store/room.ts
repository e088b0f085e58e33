// How many deliveries a process may hold in memory, in all and for one lane, in number and in bytes.

/** How many deliveries of one lane, and of all together, wait in memory at the most. */
const heldPerLane = 4_096;
const heldInAll = 65_536;
const heldBytes = 64 * 1024 * 1024;
/**
 * And no lane holds more than one part in so many of the room that is left (Choudhury and Hahne 1998): however many
 * endpoints hang, there is room for the deliveries of the next one.
 */
const partsOfRest = 8;

/** How much more a lane may hold. */
export interface LaneRoom {
  count: number;
  bytes: number;
}

export class Room {
  readonly #held = new Map<string, { count: number; bytes: number }>();
  #total = 0;
  #bytes = 0;

  /** Deliveries held. */
  get total(): number {
    return this.#total;
  }

  /** Lanes of which something is held. */
  tags(): Iterable<string> {
    return this.#held.keys();
  }

  /** Whether anything of a lane is held. */
  holds(tag: string): boolean {
    return this.#held.has(tag);
  }

  /** Whether one more delivery of a lane may be held. */
  has(tag: string): boolean {
    const held = this.#held.get(tag);
    const count = held === undefined ? 0 : held.count;
    const bytes = held === undefined ? 0 : held.bytes;
    return (
      count < heldPerLane &&
      count * partsOfRest < heldInAll - this.#total &&
      bytes * partsOfRest < heldBytes - this.#bytes
    );
  }

  /** How much a lane could take if no other took anything meanwhile; null: a lane of which nothing is held. */
  of(tag: string | null): LaneRoom {
    const held = tag === null ? undefined : this.#held.get(tag);
    const count = held?.count ?? 0;
    const bytes = held?.bytes ?? 0;
    const share = (most: number, total: number, own: number) =>
      Math.max(0, Math.ceil((most - total + own) / (partsOfRest + 1)) - own);
    return {
      count: Math.min(heldPerLane - count, share(heldInAll, this.#total, count)),
      bytes: share(heldBytes, this.#bytes, bytes),
    };
  }

  /** How much all lanes together may take in one go, so that the next one finds room. */
  get inAll(): number {
    return Math.floor(((heldInAll - this.#total) * (partsOfRest - 1)) / partsOfRest);
  }

  /** @param by 1 for a delivery that is held from now on, -1 for one that is let go */
  add(tag: string, by: 1 | -1, bytes: number): void {
    this.#bytes += by * bytes;
    this.#total += by;
    const held = this.#held.get(tag);
    if (held === undefined) this.#held.set(tag, { count: by, bytes: by * bytes });
    else if (held.count + by === 0) this.#held.delete(tag);
    else {
      held.count += by;
      held.bytes += by * bytes;
    }
  }
}
