// A project's environment variables. Values are sealed; each variable that is written or removed causes its event in
// the same commit, and neither key nor value is ever in one.
import { ApiError } from '../errors.ts';
import { lockProject, type ProjectRow } from '../store/control/projects.ts';
import {
  boundVariables,
  deleteVariable,
  findVariable,
  listVariables,
  type VariableRow,
} from '../store/control/variables.ts';
import type { Step } from '../store/store.ts';
import { type Actor, demand } from './actor.ts';
import { auditOf, type Caused, commit, type Platform, type PlatformChange, tryCommit } from './platform.ts';
import { explainPlacement, planVariables, type Standing, type Target } from './variable-places.ts';
import {
  buildVariable,
  openSealed,
  overwriteVariable,
  placementOf,
  type VariableInput,
} from './variable-rows.ts';

/** How many variables a project may have. */
export const mostVariables = 1_000;

/** A variable that was not written, because another one stands in its place. */
export interface VariableConflict {
  key: string;
  target: readonly Target[];
  gitBranch: string | null;
  /** The variable in the way; null for one of the same call. */
  id: string | null;
}

type Verb = 'created' | 'updated' | 'deleted';

const gone = { code: 'not_found', message: 'The project was removed meanwhile.' } as const;
const limit = {
  code: 'bad_request',
  message: `A project has at most ${mostVariables} environment variables. Remove some first.`,
} as const;
const changed = {
  code: 'conflict',
  message: 'Somebody else changed this variable at the same moment. Read it again and repeat the call.',
} as const;

/** @throws ApiError not_found */
export async function needVariable(
  platform: Platform,
  project: ProjectRow,
  id: string,
): Promise<VariableRow> {
  const variable = await findVariable(platform.store, project.id, id);
  if (variable === null)
    throw new ApiError('not_found', `The project ${project.name} has no environment variable ${id}.`);
  return variable;
}

/**
 * Writes variables, each or none of them: what is in the way of one does not hold up the others.
 * @param upsert whether variables that stand in the same places are written over
 */
export async function writeVariables(
  platform: Platform,
  actor: Actor,
  project: ProjectRow,
  inputs: readonly VariableInput[],
  upsert: boolean,
): Promise<{ written: VariableRow[]; failed: VariableConflict[] }> {
  demand(actor, 'variables.write');
  for (const input of inputs) {
    const wrong = explainPlacement(input);
    if (wrong !== null) throw new ApiError('bad_request', `${input.key}: ${wrong}`);
  }
  const { store, clock } = platform;
  const keys = [...new Set(inputs.map(({ key }) => key))];
  // Each round that is refused had somebody else's change before it.
  for (let round = 0; round < 20; round++) {
    const there = new Map((await listVariables(store, project.id, keys)).map((row) => [row.id, row]));
    const standing: Standing[] = [...there.values()].map((row) => ({
      id: row.id,
      key: row.key,
      ...placementOf(row),
    }));
    const plans = planVariables(inputs, standing, upsert);
    const at = clock.now();
    const steps: Step[] = [lockProject(store, project)];
    const done: { verb: Verb; row: VariableRow }[] = [];
    const failed: VariableConflict[] = [];
    for (const [index, input] of inputs.entries()) {
      const plan = plans[index] ?? { kind: 'conflict', id: null };
      const { key, target, gitBranch } = input;
      const old = plan.kind === 'overwrite' ? there.get(plan.id) : undefined;
      if (plan.kind === 'conflict') failed.push({ key, target, gitBranch, id: plan.id });
      else if (old !== undefined) {
        const written = overwriteVariable(platform, actor, old, input, at);
        steps.push(...written.steps);
        done.push({ verb: 'updated', row: written.row });
      } else {
        const built = buildVariable(platform, actor, project, input, at, 'place');
        steps.push(...built.steps);
        done.push({ verb: 'created', row: built.row });
      }
    }
    if (done.length === 0) return { written: [], failed };
    steps.push(boundVariables(store, project.id, mostVariables));
    const outcome = await tryCommit(platform, actor, changeOf(platform, actor, project, done, steps, at));
    if (outcome.kind === 'done') return { written: done.map(({ row }) => row), failed };
    if (outcome.reason === 'gone') throw new ApiError(gone.code, gone.message);
    if (outcome.reason === 'limit') throw new ApiError(limit.code, limit.message);
  }
  throw new ApiError(changed.code, changed.message);
}

/** Changes what is given of a variable; its value is sealed with the newest key whether it is given or not. */
export async function patchVariable(
  platform: Platform,
  actor: Actor,
  project: ProjectRow,
  variable: VariableRow,
  patch: Partial<VariableInput>,
): Promise<VariableRow> {
  demand(actor, 'variables.write');
  if (
    variable.type === 'sensitive' &&
    patch.value === undefined &&
    (patch.type ?? 'sensitive') !== 'sensitive'
  ) {
    throw new ApiError(
      'bad_request',
      'A sensitive variable can’t be made readable. Give its value along with the new type.',
    );
  }
  const input: VariableInput = {
    ...placementOf(variable),
    key: variable.key,
    type: variable.type,
    comment: variable.comment,
    ...patch,
    value: patch.value ?? openSealed(platform, variable),
  };
  const wrong = explainPlacement(input);
  if (wrong !== null) throw new ApiError('bad_request', wrong);
  const { store, clock } = platform;
  const at = clock.now();
  const { row, steps } = overwriteVariable(platform, actor, variable, input, at);
  const { key, target, gitBranch } = input;
  const taken = explainConflict({ key, target, gitBranch, id: null });
  await commit(
    platform,
    actor,
    changeOf(
      platform,
      actor,
      project,
      [{ verb: 'updated', row }],
      [lockProject(store, project), ...steps],
      at,
    ),
    { gone, changed, place: { code: 'ENV_CONFLICT', message: taken } },
  );
  return row;
}

/** Removes those of the variables that are there; one commit. */
export async function removeVariables(
  platform: Platform,
  actor: Actor,
  project: ProjectRow,
  variables: readonly VariableRow[],
): Promise<void> {
  demand(actor, 'variables.write');
  if (variables.length === 0) return;
  const { store, clock } = platform;
  const steps = [lockProject(store, project), ...variables.flatMap((row) => deleteVariable(store, row))];
  const done = variables.map((row) => ({ verb: 'deleted' as const, row }));
  await commit(platform, actor, changeOf(platform, actor, project, done, steps, clock.now()), {
    gone,
    changed,
  });
}

/** What is in the way of a variable, and what to do. */
export function explainConflict({ key, target, gitBranch }: VariableConflict): string {
  const where = target.length === 0 ? 'a custom environment' : target.join(', ');
  const branch = gitBranch === null ? '' : ` on branch ${gitBranch}`;
  return `A variable with the name ${key} already exists for the target ${where}${branch}. Change that one, or write over it with ?upsert=true.`;
}

/** The event of one variable's change. */
export function causedBy(verb: Verb, row: Pick<VariableRow, 'id' | 'project_id'>): Caused {
  const projectId = row.project_id;
  return { type: `project.env-variable.${verb}`, projectId, payload: { projectId, envVarId: row.id } };
}

/** One commit for all: an event and an audit record for each variable. */
function changeOf(
  platform: Platform,
  actor: Actor,
  project: ProjectRow,
  done: readonly { verb: Verb; row: VariableRow }[],
  steps: Step[],
  at: number,
): PlatformChange {
  const audits = done.map(({ verb, row }) => ({
    teamId: project.team_id,
    action: `project.env-variable.${verb}`,
    subject: row.id,
    detail: { projectId: project.id, key: row.key },
    at,
  }));
  const [first, ...others] = audits;
  if (first === undefined) throw new Error('A change of no variable.');
  return {
    ...first,
    steps: [...steps, ...others.map((audit) => auditOf(platform, actor, audit))],
    events: done.map(({ verb, row }) => causedBy(verb, row)),
  };
}
