// Faults of the database and of the way to it. Each explains a delivery that is made again: its result was on its way.
import { setTimeout as pause } from 'node:timers/promises';
import type { PostgresDriver } from '../drivers/postgres.ts';
import type { Fault, FaultBed } from './bed.ts';

type DatabaseFault = Fault<PostgresDriver>;

/** Ends some or all sessions (pg_terminate_backend), in the middle of whatever they do. */
export const endSessions: DatabaseFault = {
  name: 'sessions ended',
  async happen({ setting, sender, chance }) {
    await setting.journal.fault(this.name, null, true, async () => {
      await sender.database.endSessions(chance.pick([0.3, 1]));
    });
  },
};

/** SIGKILL of one backend: PostgreSQL ends all others and recovers. */
export const killBackend: DatabaseFault = {
  name: 'backend killed',
  async happen({ setting, sender, chance, countKill }) {
    await setting.journal.fault(this.name, null, true, async () => {
      countKill();
      await sender.database.killBackend((pids) => chance.pick(pids));
      await sender.database.whenReady();
    });
  },
};

/** SIGKILL of the whole server, and a new start on what its disk has. */
export const crashDatabase: DatabaseFault = {
  name: 'database killed',
  async happen({ setting, sender, countKill }) {
    await setting.journal.fault(this.name, null, true, async () => {
      countKill();
      await sender.database.server.restart();
    });
  },
};

const someWay = ({ sender, chance }: FaultBed<PostgresDriver>) => {
  const node = chance.whole(0, sender.nodes - 1);
  const way = sender.ways[node];
  if (way === undefined) throw new Error(`Node ${node} has no way to the database.`);
  return { node, way };
};

/** Nothing passes between a node and the database for a time, and no connection breaks. */
export const stallFor = (leastMs: number, mostMs: number): DatabaseFault => ({
  name: 'network stalled',
  async happen(bed) {
    const { node, way } = someWay(bed);
    await bed.setting.journal.fault(this.name, [node], true, async () => {
      way.stop();
      await pause(bed.chance.whole(leastMs, mostMs));
      way.resume();
    });
  },
});

/** Every connection of a node with the database is reset. */
export const resetNetwork: DatabaseFault = {
  name: 'network reset',
  async happen(bed) {
    const { node, way } = someWay(bed);
    await bed.setting.journal.fault(this.name, [node], true, async () => {
      way.reset();
      await pause(50);
    });
  },
};

/** Everything between a node and the database takes longer. That loses nothing, and so explains nothing. */
export const delayNetwork: DatabaseFault = {
  name: 'network slow',
  async happen(bed) {
    const { node, way } = someWay(bed);
    await bed.setting.journal.fault(this.name, [node], false, async () => {
      way.delay(bed.chance.whole(20, 200));
      await pause(bed.chance.whole(1_000, 4_000));
      way.delay(0);
    });
  },
};
