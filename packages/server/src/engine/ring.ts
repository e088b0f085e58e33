// Whose turn is next. Lanes take turns of one delivery each. Those that keep up, with next to nothing waiting, come before
// those that work off what has piled up, so that a new event for one endpoint need not wait until each of a thousand others
// has had its turn; yet of four turns the others have one.
import type { Lane } from './lane.ts';
import { Queue } from './queue.ts';

/** How many turns in a row go to lanes that keep up while others wait. */
const mostInARow = 3;
/**
 * How many deliveries a lane that works off what piled up may begin in a turn: what of one endpoint ends at the same time lies
 * side by side in the store, and is written for the price of one page.
 */
const atOnce = 8;

export class Ring {
  readonly #keepingUp = new Queue<Lane>();
  readonly #others = new Queue<Lane>();
  #inARow = 0;
  /** How many deliveries the lane of the last `next` may begin. */
  quantum = 1;

  get isEmpty(): boolean {
    return this.#keepingUp.size === 0 && this.#others.size === 0;
  }

  /** @param keepsUp whether the lane has next to nothing waiting */
  enter(lane: Lane, keepsUp: boolean): void {
    if (lane.inRing) return;
    lane.inRing = true;
    (keepsUp ? this.#keepingUp : this.#others).push(lane);
  }

  /** The lane whose turn it is, which leaves the ring. */
  next(): Lane | undefined {
    const lane = this.#take();
    if (lane !== undefined) lane.inRing = false;
    return lane;
  }

  #take(): Lane | undefined {
    if (this.#others.size === 0 || (this.#keepingUp.size > 0 && this.#inARow < mostInARow)) {
      this.#inARow = this.#others.size === 0 ? 0 : this.#inARow + 1;
      this.quantum = 1;
      return this.#keepingUp.take();
    }
    this.#inARow = 0;
    this.quantum = atOnce;
    return this.#others.take();
  }
}
