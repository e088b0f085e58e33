// Rows of environment variables: sealed values, where a variable stands, and the steps that put one into the store.
import { ApiError } from '../errors.ts';
import { newVariableId } from '../id.ts';
import type { ProjectRow } from '../store/control/projects.ts';
import {
  freePlaces,
  insertVariable,
  takePlaces,
  updateVariable,
  type VariableRow,
} from '../store/control/variables.ts';
import type { Step } from '../store/store.ts';
import type { Actor } from './actor.ts';
import type { Platform } from './platform.ts';
import { userIdOf } from './users.ts';
import { explainPlacement, type Placement, placesOf } from './variable-places.ts';

export const variableTypes = ['system', 'secret', 'encrypted', 'plain', 'sensitive'] as const;
type VariableType = (typeof variableTypes)[number];

export interface VariableInput extends Placement {
  key: string;
  value: string;
  type: VariableType;
  comment: string | null;
}

/** The value of a variable in plain text; null for a sensitive one, which nobody reads again. */
export function openValue(platform: Platform, variable: VariableRow): string | null {
  return variable.type === 'sensitive' ? null : openSealed(platform, variable);
}

/** Where a stored variable stands. */
export function placementOf(variable: VariableRow): Placement {
  return {
    target: JSON.parse(variable.target),
    gitBranch: variable.git_branch,
    customEnvironmentIds: JSON.parse(variable.custom_environment_ids),
  };
}

/** The row and the steps of a variable that is new, for changes that make it along with other things. */
export function buildVariable(
  platform: Platform,
  actor: Actor,
  project: Pick<ProjectRow, 'id' | 'team_id'>,
  input: VariableInput,
  at: number,
  otherwise: string,
): { row: VariableRow; steps: Step[] } {
  const wrong = explainPlacement(input);
  if (wrong !== null) throw new ApiError('bad_request', wrong);
  const id = newVariableId();
  const row: VariableRow = {
    id,
    team_id: project.team_id,
    project_id: project.id,
    ...columnsOf(platform, id, input),
    created_by: userIdOf(actor),
    updated_by: null,
    created_at: at,
    updated_at: at,
  };
  const { store } = platform;
  return { row, steps: [takePlaces(store, row, placesOf(input), otherwise), insertVariable(store, row)] };
}

/** The row and the steps of a variable that is written over; fails with `changed`, or `place` for one in the way. */
export function overwriteVariable(
  platform: Platform,
  actor: Actor,
  old: VariableRow,
  input: VariableInput,
  at: number,
): { row: VariableRow; steps: Step[] } {
  const { store } = platform;
  const values = { ...columnsOf(platform, old.id, input), updated_by: userIdOf(actor), updated_at: at };
  const row = { ...old, ...values };
  return {
    row,
    steps: [
      updateVariable(store, old, values),
      freePlaces(store, old.id),
      takePlaces(store, row, placesOf(input), 'place'),
    ],
  };
}

function columnsOf(platform: Platform, id: string, input: VariableInput) {
  return {
    key: input.key,
    value_sealed: platform.vault.seal(input.value, `variables:${id}`),
    type: input.type,
    target: JSON.stringify(input.target),
    git_branch: input.gitBranch,
    custom_environment_ids: JSON.stringify(input.customEnvironmentIds),
    comment: input.comment,
  };
}

/** The value of any variable, for sealing it again. */
export function openSealed(platform: Platform, variable: VariableRow): string {
  return platform.vault.open(variable.value_sealed, `variables:${variable.id}`);
}
