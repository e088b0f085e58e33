// The server's clock, off by what a file says (ms, looked at ten times a second in every thread).
import { readFileSync } from 'node:fs';
import * as real from '../../../server/src/clock.ts';
import { clockVariable } from './clock-variable.ts';

export * from '../../../server/src/clock.ts';

const path = process.env[clockVariable] ?? '';
const lookEveryMs = 100;
let offsetMs = 0;

function look(): void {
  offsetMs = Number(readFileSync(path, 'utf8'));
  real.systemClock.after(lookEveryMs, look);
}
look();

export const systemClock: real.Clock = {
  ...real.systemClock,
  now: () => real.systemClock.now() + offsetMs,
};
