// What every store must do: the Store seam's promises as tests. A new store only has to pass them.
import { describe } from 'node:test';
import { describeAccepting } from './accepting.ts';
import type { OpenStore } from './bed.ts';
import { describeChanging } from './changing.ts';
import { describeClaiming } from './claiming.ts';
import { describeCounting } from './counting.ts';
import { describeFeeding } from './feeding.ts';
import { describeFinishing } from './finishing.ts';
import { describeKeeping } from './keeping.ts';
import { describeOrdering } from './ordering.ts';
import { describeProperty } from './property.ts';
import { describePruning } from './pruning.ts';
import { describeReading } from './reading.ts';
import { describeReplaying } from './replaying.ts';
import { describeSigningIn } from './signing-in.ts';

export type { OpenedStore, OpenOptions, OpenStore } from './bed.ts';

/** Runs the suite on the stores that `open` makes, each empty. */
export function describeStore(name: string, open: OpenStore): void {
  describe(name, () => {
    describeAccepting(open);
    describeClaiming(open);
    describeFinishing(open);
    describeOrdering(open);
    describeChanging(open);
    describeKeeping(open);
    describePruning(open);
    describeCounting(open);
    describeReading(open);
    describeSigningIn(open);
    describeReplaying(open);
    describeFeeding(open);
    describeProperty(open);
  });
}
