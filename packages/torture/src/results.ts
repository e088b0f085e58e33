// results.json: what scripts outside read of a proof. The names are fixed; more may be added.
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Counts } from './judge/judge.ts';

export interface RunReport extends Counts {
  name: string;
  seed: number;
  store: string;
  nodes: number;
  /** The protection that was off. */
  break?: string;
  kills: number;
  seconds: number;
  /** Faults that could not be had on this machine, with the reason. */
  skipped: string[];
  findings: string[];
  verdict: 'pass' | 'fail';
}

const path = fileURLToPath(new URL('../results.json', import.meta.url));

export function writeResults(runs: readonly RunReport[]): void {
  writeFileSync(path, `${JSON.stringify({ runs }, null, 2)}\n`);
}

/** A run in a few lines, for the person who waits for it. */
export function describeRun(report: RunReport): string {
  const { accepted, delivered, failed, canceled, lost, invented, falselyDelivered, wrongBytes } = report;
  const { changedBack, misrecorded, duplicates, unexplained, fenced, kills, seconds, verdict } = report;
  const { rotations, replays, replayed } = report;
  return [
    `${report.name}: ${verdict.toUpperCase()} (seed ${report.seed}, ${seconds} s, ${kills} kills)`,
    `  accepted ${accepted}; deliveries: ${delivered} delivered, ${failed} failed, ${canceled} canceled`,
    `  rotations ${rotations}, replays ${replays} of ${replayed} deliveries`,
    `  lost ${lost}, invented ${invented}, falsely delivered ${falselyDelivered}, wrong bytes ${wrongBytes}`,
    `  changed back ${changedBack}, misrecorded ${misrecorded}, duplicates ${duplicates} (${unexplained} without a reason), fenced ${fenced}`,
    ...report.skipped.map((reason) => `  skipped: ${reason}`),
    ...report.findings.slice(0, 20).map((finding) => `  - ${finding}`),
  ].join('\n');
}
