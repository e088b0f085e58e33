// `npm run torture`: chooses the runs, does them one after another, says what came of them.
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { brokenRuns } from './break/runs.ts';
import { noCounts } from './judge/judge.ts';
import { help, type Options, readOptions } from './options.ts';
import { fullRuns, type NamedRun, quickRuns } from './plan.ts';
import { remoteRun } from './remote-runs.ts';
import { describeRun, type RunReport, writeResults } from './results.ts';
import type { RunResult } from './run.ts';

const options = read();
if (options !== null) await prove(options);

function read(): Options | null {
  try {
    const found = readOptions(process.argv.slice(2));
    if (found !== 'help') return found;
    process.stdout.write(help);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${help}`);
    process.exitCode = 2;
  }
  return null;
}

/** All runs that are asked for; the exit status says whether each has passed. */
async function prove(wish: Options): Promise<void> {
  process.stdout.write(`seed ${wish.seed}\n`);
  const reports: RunReport[] = [];
  for (const [index, named] of runsOf(wish).entries()) {
    const report = await doRun(named, wish.seed + index, wish);
    reports.push(report);
    process.stdout.write(`${describeRun(report)}\n`);
  }
  // A part of the runs is no proof, and another sender's are not Posthorn's.
  if (wish.only === '' && wish.remote === null) writeResults(reports);
  const passed = reports.length > 0 && reports.every(({ verdict }) => verdict === 'pass');
  process.stdout.write(`verdict: ${passed ? 'pass' : 'fail'}\n`);
  process.exitCode = passed ? 0 : 1;
}

function runsOf({ quick, off, remote, only }: Options): NamedRun[] {
  if (remote !== null) return [remoteRun(remote.name, remote.options, remote.events)];
  const all = off === null ? (quick ? quickRuns : fullRuns) : brokenRuns(off);
  return all.filter(({ name }) => name.includes(only));
}

async function doRun(named: NamedRun, seed: number, { dir: parent, keep, off }: Options): Promise<RunReport> {
  const startedAt = performance.now();
  const elapsed = () => (performance.now() - startedAt) / 1_000;
  const say = (line: string) => process.stdout.write(`  ${elapsed().toFixed(1).padStart(6)} s  ${line}\n`);
  const dir = mkdtempSync(join(parent, 'posthorn-torture-'));
  process.stdout.write(`${named.name}, in ${dir}\n`);
  const { driver, skipped, run, remove } = await named.prepare(dir, seed);
  const { counts, kills, findings, verdict } = await run(say).catch(broken);
  remove();
  if (keep || verdict === 'fail') say(`its journal and logs are kept in ${dir}`);
  else rmSync(dir, { recursive: true, force: true });
  return {
    name: named.name,
    seed,
    store: driver.store,
    nodes: driver.nodes,
    ...(off !== null && { break: off }),
    ...counts,
    kills,
    verdict,
    seconds: Math.round(elapsed()),
    skipped,
    findings,
  };
}

/** A run that could not be brought to its end proves nothing, and so has failed. */
function broken(error: unknown): RunResult {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { counts: noCounts, kills: 0, findings: [`the run broke: ${text}`], verdict: 'fail' };
}
