// Plans: with a million rows in each large table of PostgreSQL no hot statement and no list reads one from end to end. There
// are no figures: a plan that does ends the run, and is printed.
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { checkPlans } from '../../packages/server/test/support/plans.ts';
import type { Plan } from '../plan.ts';
import { openHome } from '../posthorn.ts';
import type { Row } from '../results.ts';
import type { Setting } from './rounds.ts';

type PlansPlan = NonNullable<Plan['plans']>;

export async function lookAtPlans(setting: Setting, { rows }: PlansPlan): Promise<Row[]> {
  if (!setting.targets.some(({ store }) => store === 'postgres')) return [];
  const home = await openHome('postgres', mkdtempSync(join(setting.dir, 'run-')));
  try {
    if (home.database !== null) await checkPlans(home.database.url, rows);
    process.stderr.write(`no statement reads a table of ${rows} rows from end to end\n`);
  } finally {
    await home.close();
  }
  return [];
}
