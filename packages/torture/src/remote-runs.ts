// The run that another sender is put through: load and rough receivers, and kills where its operator has given commands.
import { ConvoyDriver } from './drivers/remote/convoy.ts';
import { OutpostDriver } from './drivers/remote/outpost.ts';
import type { RemoteOptions } from './drivers/remote/remote.ts';
import { SvixDriver } from './drivers/remote/svix.ts';
import { kill } from './faults/processes.ts';
import { type NamedRun, prepared } from './plan.ts';

const drivers = { svix: SvixDriver, outpost: OutpostDriver, convoy: ConvoyDriver } as const;

export type RemoteName = keyof typeof drivers;

export const isRemoteName = (name: string): name is RemoteName => Object.hasOwn(drivers, name);

export const remoteNames = Object.keys(drivers);

/** @param events how many are published */
export function remoteRun(name: RemoteName, options: RemoteOptions, events: number): NamedRun {
  return {
    name,
    prepare(dir, seed) {
      const mayKill = options.killCommand !== null && options.startCommand !== null;
      return Promise.resolve(
        prepared(
          {
            seed,
            dir,
            driver: new drivers[name](options),
            events,
            load: { workers: 8, rate: 150 },
            faults: mayKill ? [kill, kill, kill, kill, kill] : [],
            patienceMs: 120_000,
          },
          mayKill ? [] : ['kills need commands: --kill and --start'],
        ),
      );
    },
  };
}
