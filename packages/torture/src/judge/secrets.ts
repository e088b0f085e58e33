// Which secrets may have signed an attempt of a webhook. A rotation that was answered, and the time that nodes have to hear
// of it, before the attempt began is certain; around it either is right, and so it is at the end of the overlap. The secret
// of a rotation that nobody answered nobody knows.
import type { Keys } from './history.ts';

/** Secrets come to be at some moment between `from` and `to`, epoch ms; `to` is infinite where nobody answered. */
interface Rotation {
  from: number;
  to: number;
  secret: string | null;
  overlapMs: number;
}

interface State {
  current: string | null;
  /** `until`: when the overlap ends, between these times. */
  old: { secret: string | null; untilFrom: number; untilTo: number } | null;
}

export class Secrets {
  #first: string | null = null;
  readonly #rotations: Rotation[] = [];

  /** The secret with which it was made; null where its creation was not answered. */
  begin(secret: string | null): void {
    this.#first = secret;
  }

  /** A rotation, in the order of the calls. */
  rotate(rotation: Rotation): void {
    this.#rotations.push(rotation);
  }

  /**
   * What may have signed an attempt that began between two times, epoch ms.
   * @param lagMs how long after an answered rotation attempts may begin by what was before it
   */
  possible(from: number, to: number, lagMs: number): Keys[] {
    /** After all rotations so far, and at any moment that the attempt may have begun at. */
    let latest: State[] = [{ current: this.#first, old: null }];
    let states = latest;
    const doubts: Rotation[] = [];
    for (const rotation of this.#rotations) {
      if (rotation.from > to) break;
      const after = latest.map((state) => rotated(state, rotation));
      if (rotation.to === Number.POSITIVE_INFINITY) {
        doubts.push(rotation);
        latest = distinct([...latest, ...after]);
      } else {
        latest = after;
        // One in doubt may still be made after what came later.
        for (const doubt of doubts)
          latest = distinct([...latest, ...latest.map((state) => rotated(state, doubt))]);
      }
      states = rotation.to + lagMs <= from ? latest : distinct([...states, ...latest]);
    }
    return states.flatMap(({ current, old }): Keys[] => {
      const keys: Keys[] = [];
      if (old === null || to >= old.untilFrom) keys.push({ current, old: null });
      if (old !== null && from < old.untilTo) keys.push({ current, old: { secret: old.secret } });
      return keys;
    });
  }
}

const rotated = ({ current }: State, { from, to, secret, overlapMs }: Rotation): State => ({
  current: secret,
  old: overlapMs === 0 ? null : { secret: current, untilFrom: from + overlapMs, untilTo: to + overlapMs },
});

function distinct(states: State[]): State[] {
  return [...new Map(states.map((state) => [JSON.stringify(state), state])).values()];
}
