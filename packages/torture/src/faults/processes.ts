// Faults of a process: killed, killed again while it starts, asked to end, paused.
import { setTimeout as pause } from 'node:timers/promises';
import type { Driver } from '../drivers/driver.ts';
import type { PosthornDriver } from '../drivers/posthorn.ts';
import type { Fault, FaultBed } from './bed.ts';

const someNode = ({ sender, chance }: FaultBed<Driver>): number => chance.whole(0, sender.nodes - 1);

/** SIGKILL at any moment, and a new start. */
export const kill: Fault<Driver> = {
  name: 'kill',
  async happen(bed) {
    const node = someNode(bed);
    await bed.setting.journal.fault(this.name, [node], true, async () => {
      bed.countKill();
      await bed.sender.kill(node);
    });
    await bed.sender.startNode(node);
  },
};

/** Killed, and killed again in the middle of its start: while it migrates, takes over, opens its port. */
export const killAtStart: Fault<PosthornDriver> = {
  name: 'kill at start',
  async happen(bed) {
    const node = someNode(bed);
    const server = bed.sender.server(node);
    await bed.setting.journal.fault(this.name, [node], true, async () => {
      bed.countKill();
      await bed.sender.kill(node);
      server.launch();
      await pause(bed.chance.whole(150, 1_500));
      bed.countKill();
      await bed.sender.kill(node);
    });
    await bed.sender.startNode(node);
  },
};

/** SIGTERM: whatever is under way is finished or given back, so it explains nothing. */
export const terminate: Fault<PosthornDriver> = {
  name: 'terminate',
  async happen(bed) {
    const node = someNode(bed);
    await bed.setting.journal.fault(this.name, [node], false, () => bed.sender.server(node).end('SIGTERM'));
    await bed.sender.startNode(node);
  },
};

/** SIGSTOP for a time, then SIGCONT. Where others share the work, longer than a lease. */
export function pauseFor(leastMs: number, mostMs: number): Fault<PosthornDriver> {
  return {
    name: 'pause',
    async happen(bed) {
      const node = someNode(bed);
      const server = bed.sender.server(node);
      await bed.setting.journal.fault(this.name, [node], true, async () => {
        server.signal('SIGSTOP');
        await pause(bed.chance.whole(leastMs, mostMs));
        server.signal('SIGCONT');
      });
    },
  };
}
