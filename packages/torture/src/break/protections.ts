// What can be switched off to see the proof fail, and which counter must then rise.
import type { Counts } from '../judge/judge.ts';

export const protections = {
  'acknowledge-before-commit': ['lost'],
  'no-fencing': ['unexplained'],
  'forget-retries': ['lost'],
  'forget-replays': ['lost'],
  'wrong-bytes': ['wrongBytes'],
  'old-secrets': ['wrongBytes'],
  'no-fsync': ['lost'],
} as const satisfies Record<string, (keyof Counts)[]>;

export type Protection = keyof typeof protections;

export const isProtection = (name: string): name is Protection => Object.hasOwn(protections, name);

/** The variable that tells a process which one is off. */
export const breakVariable = 'TORTURE_BREAK';
