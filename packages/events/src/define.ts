// The shape of one entry of the catalogue, and the one function that makes it: it keeps the literal name and
// the schema's own type, from which catalogue.ts derives Payload and Event.

import type { Static, TSchema } from 'typebox';
import type { Category } from './categories.ts';

/** Where the event is really offered: to account webhooks, to integration webhooks, or to both. */
export type Availability = 'account' | 'integration' | 'both';

/** One entry of the catalogue, as its readers see it. */
export interface EventType {
  /** The name on the wire, `deployment.created`. */
  readonly type: string;
  readonly label: string;
  readonly category: string;
  /** One line: when it happens. */
  readonly description: string;
  readonly availability: Availability;
  /** True if only a webhook for all team projects may subscribe. */
  readonly requiresAllProjects: boolean;
  /** True for the deprecated hyphenated types, which are sent in an envelope of their own. */
  readonly legacy: boolean;
  /** False if nobody has published what the payload holds: then the schema checks only types of what is there. */
  readonly documented: boolean;
  /** JSON Schema of the payload; plain data. */
  readonly schema: TSchema;
  /** A payload that validates. */
  readonly sample: object;
}

/** An entry that still knows its own name and schema as types. */
export interface DefinedType<Name extends string, Schema extends TSchema> extends EventType {
  readonly type: Name;
  readonly category: Category;
  readonly schema: Schema;
  readonly sample: Static<Schema> & object;
}

interface Definition<Name extends string, Schema extends TSchema> {
  type: Name;
  label: string;
  category: Category;
  description: string;
  availability: Availability;
  requiresAllProjects?: boolean;
  legacy?: boolean;
  documented?: boolean;
  schema: Schema;
  sample: NoInfer<Static<Schema> & object>;
}

/**
 * Makes an entry of the catalogue. Left out, `requiresAllProjects` and `legacy` are false and `documented` is
 * true. The sample is held to the schema's type by the compiler.
 */
export function defineType<const Name extends string, Schema extends TSchema>(
  entry: Definition<Name, Schema>,
): DefinedType<Name, Schema> {
  return { requiresAllProjects: false, legacy: false, documented: true, ...entry };
}
