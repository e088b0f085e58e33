// What an environment variable looks like in bodies and answers, for the doors that take or show one.
import { type Static, Type } from 'typebox';
import { targets } from '../platform/variable-places.ts';
import { placementOf, type VariableInput, variableTypes } from '../platform/variable-rows.ts';
import { explainConflict, type VariableConflict } from '../platform/variables.ts';
import type { VariableRow } from '../store/control/variables.ts';
import { Choice, Line, NullableText, OneOrMany } from './fields.ts';

const Target = OneOrMany(Choice(targets), { maxItems: 3 });
const Fields = {
  key: Type.String({ pattern: '^[A-Za-z_][A-Za-z0-9_]*$', maxLength: 256 }),
  value: Type.String({ maxLength: 65_536 }),
  type: Choice(variableTypes),
  target: Type.Optional(Target),
  gitBranch: Type.Optional(
    Type.Union([
      Type.String({ minLength: 1, maxLength: 250, pattern: '^[^\\u0000-\\u0020\\u007f]+$' }),
      Type.Null(),
    ]),
  ),
  customEnvironmentIds: Type.Optional(
    Type.Array(Type.String({ pattern: '^[A-Za-z0-9_-]{1,64}$' }), { maxItems: 50 }),
  ),
  comment: Type.Optional(Type.Union([Line, Type.Null()])),
};

export const VariableBody = Type.Object(Fields);
export const VariablePatchBody = Type.Partial(VariableBody);

export function readVariable(body: Static<typeof VariableBody>): VariableInput {
  return {
    key: body.key,
    value: body.value,
    type: body.type,
    target: readTarget(body.target ?? []),
    gitBranch: body.gitBranch ?? null,
    customEnvironmentIds: [...new Set(body.customEnvironmentIds)],
    comment: body.comment ?? null,
  };
}

/** Only what the body gives. */
export function readVariablePatch(body: Static<typeof VariablePatchBody>): Partial<VariableInput> {
  const { key, value, type, target, gitBranch, customEnvironmentIds, comment } = body;
  return {
    ...(key === undefined ? {} : { key }),
    ...(value === undefined ? {} : { value }),
    ...(type === undefined ? {} : { type }),
    ...(target === undefined ? {} : { target: readTarget(target) }),
    ...(gitBranch === undefined ? {} : { gitBranch }),
    ...(customEnvironmentIds === undefined
      ? {}
      : { customEnvironmentIds: [...new Set(customEnvironmentIds)] }),
    ...(comment === undefined ? {} : { comment }),
  };
}

function readTarget(target: Static<typeof Target>): VariableInput['target'] {
  return [...new Set(Array.isArray(target) ? target : [target])];
}

export const Variable = Type.Object({
  id: Type.String(),
  key: Type.String(),
  value: Type.String(),
  decrypted: Type.Boolean(),
  type: Type.String(),
  target: Type.Array(Type.String()),
  gitBranch: Type.Optional(Type.String()),
  customEnvironmentIds: Type.Array(Type.String()),
  comment: Type.Optional(Type.String()),
  createdBy: NullableText,
  updatedBy: NullableText,
  createdAt: Type.Number(),
  updatedAt: Type.Number(),
  /** Vercel's SDK refuses a list without it. */
  securityIssues: Type.Array(Type.String()),
});
const Failure = Type.Object({
  error: Type.Object({
    code: Type.String(),
    message: Type.String(),
    key: Type.String(),
    envVarKey: Type.String(),
    envVarId: Type.Optional(Type.String()),
    target: Type.Array(Type.String()),
    gitBranch: Type.Optional(Type.String()),
  }),
});
export const CreatedVariables = Type.Object({
  created: OneOrMany(Variable, {}),
  failed: Type.Array(Failure),
});
/** @param value in plain text; null where it is not to be shown */
export function showVariable(row: VariableRow, value: string | null) {
  const { target, gitBranch, customEnvironmentIds } = placementOf(row);
  return {
    id: row.id,
    key: row.key,
    value: value ?? '',
    decrypted: value !== null,
    type: row.type,
    target,
    ...(gitBranch === null ? {} : { gitBranch }),
    customEnvironmentIds,
    ...(row.comment === null ? {} : { comment: row.comment }),
    createdBy: row.created_by,
    updatedBy: row.updated_by,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    securityIssues: [],
  };
}

export function showConflict(conflict: VariableConflict) {
  const { key, target, gitBranch, id } = conflict;
  return {
    code: 'ENV_CONFLICT' as const,
    message: explainConflict(conflict),
    key,
    envVarKey: key,
    ...(id === null ? {} : { envVarId: id }),
    target: [...target],
    ...(gitBranch === null ? {} : { gitBranch }),
  };
}
