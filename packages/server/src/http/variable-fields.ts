// What an environment variable looks like in bodies, for the doors that take one.
import Type, { type Static } from 'typebox';
import { targets } from '../platform/variable-places.ts';
import { type VariableInput, variableTypes } from '../platform/variables.ts';
import { Choice, Line, OneOrMany } from './fields.ts';

const Target = OneOrMany(Choice(targets), 3);
const Fields = {
  key: Type.String({ pattern: '^[A-Za-z_][A-Za-z0-9_]*$', maxLength: 256 }),
  value: Type.String({ maxLength: 65_536 }),
  type: Choice(variableTypes),
  target: Type.Optional(Target),
  gitBranch: Type.Optional(
    Type.Union([Type.String({ minLength: 1, maxLength: 250, pattern: '^[^\\u0000-\\u0020\\u007f]+$' }), Type.Null()]),
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
    ...(customEnvironmentIds === undefined ? {} : { customEnvironmentIds: [...new Set(customEnvironmentIds)] }),
    ...(comment === undefined ? {} : { comment }),
  };
}

function readTarget(target: Static<typeof Target>): VariableInput['target'] {
  return [...new Set(Array.isArray(target) ? target : [target])];
}
