// `npm run torture`: chooses the runs, does them one after another, says what came of them.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { isProtection, protections } from './break/protections.ts';
import { brokenRuns } from './break/runs.ts';
import { newSeed } from './chance.ts';
import { noCounts } from './judge/judge.ts';
import { fullRuns, type NamedRun, quickRuns } from './plan.ts';
import { describeRun, type RunReport, writeResults } from './results.ts';
import type { RunResult } from './run.ts';

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    break: { type: 'string' },
    /** Runs whose name has this in it. */
    only: { type: 'string', default: '' },
    seed: { type: 'string' },
    dir: { type: 'string', default: tmpdir() },
    keep: { type: 'boolean', default: false },
  },
});
const seed = values.seed === undefined ? newSeed() : Number(values.seed);
const reports: RunReport[] = [];
process.stdout.write(`seed ${seed}\n`);
const off = values.break ?? null;
if (off !== null && !isProtection(off)) {
  process.stderr.write(`--break takes one of ${Object.keys(protections).join(', ')}.\n`);
  process.exit(2);
}
const whole = values.quick ? quickRuns : fullRuns;
const wanted = (off === null ? whole : brokenRuns(off)).filter(({ name }) => name.includes(values.only));
for (const [index, named] of wanted.entries()) {
  const report = await doRun(named, seed + index);
  reports.push(report);
  process.stdout.write(`${describeRun(report)}\n`);
}
writeResults(reports);
process.exitCode = reports.every(({ verdict }) => verdict === 'pass') ? 0 : 1;

async function doRun(named: NamedRun, runSeed: number): Promise<RunReport> {
  const startedAt = performance.now();
  const elapsed = () => (performance.now() - startedAt) / 1_000;
  const say = (line: string) => process.stdout.write(`  ${elapsed().toFixed(1).padStart(6)} s  ${line}\n`);
  const dir = mkdtempSync(join(values.dir, 'posthorn-torture-'));
  process.stdout.write(`${named.name}, in ${dir}\n`);
  const { driver, skipped, run, remove } = await named.prepare(dir, runSeed);
  const { counts, kills, findings, verdict } = await run(say).catch(broken);
  remove();
  const kept = values.keep || verdict === 'fail';
  if (kept) say(`its journal and logs are kept in ${dir}`);
  else rmSync(dir, { recursive: true, force: true });
  const { store, nodes } = driver;
  const seconds = Math.round(elapsed());
  return {
    name: named.name,
    seed: runSeed,
    store,
    nodes,
    ...(off !== null && { break: off }),
    ...counts,
    kills,
    verdict,
    seconds,
    skipped,
    findings,
  };
}

/** A run that could not be brought to its end proves nothing, and so has failed. */
function broken(error: unknown): RunResult {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { counts: noCounts, kills: 0, findings: [`the run broke: ${text}`], verdict: 'fail' };
}
