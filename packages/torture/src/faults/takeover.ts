// A node dies, and the one that takes its work over dies in the middle of that.
import { setTimeout as pause } from 'node:timers/promises';
import type { PosthornDriver } from '../drivers/posthorn.ts';
import type { Fault } from './bed.ts';

/** Leases of 10 s are looked at every 3 s. */
const takeoverMs = [9_500, 13_500] as const;

export const killAtTakeover: Fault<PosthornDriver> = {
  name: 'kill at takeover',
  async happen({ setting, sender, chance, countKill }) {
    const first = chance.whole(0, sender.nodes - 1);
    const second = (first + chance.whole(1, sender.nodes - 1)) % sender.nodes;
    await setting.journal.fault(this.name, [first, second], true, async () => {
      countKill();
      await sender.kill(first);
      await pause(chance.whole(...takeoverMs));
      countKill();
      await sender.kill(second);
    });
    await Promise.all([sender.startNode(first), sender.startNode(second)]);
  },
};
