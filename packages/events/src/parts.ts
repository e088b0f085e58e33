// Fragments that payload schemas share. Standard JSON Schema keywords only, and additional properties are
// allowed everywhere: a payload may say more than is known here, never less.

import { type TProperties, Type } from 'typebox';

export const nullableString = Type.Unsafe<string | null>({ type: ['string', 'null'] });
export const strings = Type.Array(Type.String());
/** An object whose keys are not known. */
export const openObject = Type.Unsafe<Record<string, unknown>>({ type: 'object' });
/** An object that maps any key to a string. */
export const stringMap = Type.Unsafe<Record<string, string>>({
  type: 'object',
  additionalProperties: { type: 'string' },
});
/** A date whose form on the wire is not known: ISO 8601 or epoch milliseconds. */
export const date = Type.Unsafe<string | number>({ type: ['string', 'number'] });

export const withId = Type.Object({ id: Type.String() });
export const idAndName = Type.Object({ id: Type.String(), name: Type.String() });
const nullableId = Type.Object({ id: nullableString });

/** The team and the user of most events; `user.id` is null when no person caused it. */
export const teamAndUser = { team: nullableId, user: nullableId };
/** The same where Vercel does not document them: allowed, not required. */
export const optionalTeamAndUser = { team: Type.Optional(nullableId), user: Type.Optional(nullableId) };

export const target = Type.Unsafe<'production' | 'staging' | null>({
  type: ['string', 'null'],
  enum: ['production', 'staging', null],
});

export const deployment = Type.Object({
  id: Type.String(),
  meta: stringMap,
  url: Type.String(),
  name: Type.String(),
  // Some deliveries carry it, some do not.
  inspectorUrl: Type.Optional(Type.String()),
});

export const deploymentLinks = Type.Object({ deployment: Type.String(), project: Type.String() });

/** Keys that real deployment deliveries carry beside the documented ones. */
export const observedOnDeployments = {
  name: Type.Optional(Type.String()),
  url: Type.Optional(Type.String()),
  type: Type.Optional(Type.String()),
};

/** An integration's installation; `installationId` repeats `configuration.id`. */
export const installation = { configuration: withId, installationId: Type.String() };

const looseId = Type.Object({ id: Type.Optional(nullableString) });

/**
 * The conservative schema of a payload nobody has documented: nothing is required, what is there has its type.
 * `properties` are those of this type alone; each should be optional.
 */
export function outlinePayload<Properties extends TProperties>(properties: Properties) {
  return Type.Object({
    team: Type.Optional(looseId),
    user: Type.Optional(looseId),
    project: Type.Optional(looseId),
    teamId: Type.Optional(nullableString),
    projectId: Type.Optional(nullableString),
    ...properties,
  });
}

/** An optional object of an outline, whose `id` is a string if it is there. */
export const looseObject = Type.Optional(Type.Object({ id: Type.Optional(Type.String()) }));
export const looseString = Type.Optional(Type.String());
export const looseNumber = Type.Optional(Type.Number());
