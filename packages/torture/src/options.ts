// What the command line may say.
import { tmpdir } from 'node:os';
import { parseArgs } from 'node:util';
import { isProtection, type Protection, protections } from './break/protections.ts';
import { newSeed } from './chance.ts';
import type { RemoteOptions } from './drivers/remote/remote.ts';
import { isRemoteName, type RemoteName, remoteNames } from './remote-runs.ts';

export interface Options {
  seed: number;
  quick: boolean;
  /** The protection that is off, if any. */
  off: Protection | null;
  /** Another sender, in place of Posthorn. */
  remote: { name: RemoteName; options: RemoteOptions; events: number } | null;
  /** Runs whose name has this in it. */
  only: string;
  /** Where the folders of runs are made. */
  dir: string;
  /** Whether they are kept when all is well. */
  keep: boolean;
}

export const help = `npm run torture -- [options]

  --quick             both stores in under two minutes
  --seed <number>     makes the choices of that run again
  --only <text>       runs whose name has this in it
  --break <what>      one protection off: ${Object.keys(protections).join(', ')}
  --dir <folder>      where runs keep their files
  --keep              keeps them when all is well

  --driver <name>     another sender: ${remoteNames.join(', ')}; with
  --url, --token      where its API is, and who calls it
  --attempts <number> how many attempts a delivery gets there
  --timeout <ms>      how long one may take
  --kill, --start     commands that end it with SIGKILL and start it again
  --events <number>   how many are published
`;

/** @throws Error with a sentence that says what would be right */
export function readOptions(args: string[]): Options | 'help' {
  const { values } = parseArgs({
    args,
    options: {
      help: { type: 'boolean', short: 'h', default: false },
      quick: { type: 'boolean', default: false },
      seed: { type: 'string' },
      only: { type: 'string', default: '' },
      break: { type: 'string' },
      dir: { type: 'string', default: tmpdir() },
      keep: { type: 'boolean', default: false },
      driver: { type: 'string' },
      url: { type: 'string', default: '' },
      token: { type: 'string', default: '' },
      attempts: { type: 'string', default: '5' },
      timeout: { type: 'string', default: '15000' },
      kill: { type: 'string' },
      start: { type: 'string' },
      events: { type: 'string', default: '2300' },
    },
  });
  if (values.help) return 'help';
  const off = values.break ?? null;
  if (off !== null && !isProtection(off)) {
    throw new Error(`--break takes one of ${Object.keys(protections).join(', ')}.`);
  }
  const name = values.driver ?? null;
  if (name !== null && !isRemoteName(name))
    throw new Error(`--driver takes one of ${remoteNames.join(', ')}.`);
  if (name !== null && !URL.canParse(values.url)) throw new Error('--driver needs --url, where its API is.');
  const remote =
    name === null
      ? null
      : {
          name,
          events: whole('--events', values.events),
          options: {
            url: values.url.replace(/\/$/, ''),
            token: values.token,
            attempts: whole('--attempts', values.attempts),
            timeoutMs: whole('--timeout', values.timeout),
            killCommand: values.kill ?? null,
            startCommand: values.start ?? null,
          },
        };
  const seed = values.seed === undefined ? newSeed() : whole('--seed', values.seed);
  return { seed, quick: values.quick, off, remote, only: values.only, dir: values.dir, keep: values.keep };
}

function whole(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new Error(`${name} takes a whole number above 0.`);
  return value;
}
