// What faults work on, and how they are written down.
import type { Chance } from '../chance.ts';
import type { Setting } from '../load/setting.ts';

export interface FaultBed<Sender> {
  setting: Setting;
  sender: Sender;
  chance: Chance;
  /** Counts a SIGKILL, of a node or of what it stands on. */
  countKill(): void;
}

export interface Fault<Sender> {
  name: string;
  happen(bed: FaultBed<Sender>): Promise<void>;
}
