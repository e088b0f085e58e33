// What every store must do: the Store seam's promises as tests. A new store only has to pass them.
import { describe } from 'node:test';
import { describeAccepting } from './accepting.ts';
import type { OpenStore } from './bed.ts';
import { describeClaiming } from './claiming.ts';

export type { OpenedStore, OpenOptions, OpenStore } from './bed.ts';

/** Runs the suite on the stores that `open` makes, each empty. */
export function describeStore(name: string, open: OpenStore): void {
  describe(name, () => {
    describeAccepting(open);
    describeClaiming(open);
  });
}
