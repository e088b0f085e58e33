// The event types of this server: Vercel's own and those that the operator added.
import { canonicalType, eventTypesByName, hyphenSpellings } from '@posthorn/events';
import { Ajv, type ValidateFunction } from 'ajv';
import formats from 'ajv-formats';
import { listEventTypes } from '../store/control/event-types.ts';
import type { Store } from '../store/store.ts';
import { compileOwnSchema } from './payload-schema.ts';

export interface KnownType {
  type: string;
  label: string;
  category: string;
  description: string;
  availability: 'account' | 'integration' | 'both';
  requiresAllProjects: boolean;
  legacy: boolean;
  /** Whether the type is Vercel's, and so part of its SDK's closed enum. */
  builtIn: boolean;
  schema: object;
  sample: object;
}

/** Whether a name is one of those that Posthorn keeps for itself. */
const isOwn = (name: string): boolean => name.startsWith('posthorn.');

export class Catalogue {
  readonly #types = new Map<string, KnownType>();
  readonly #validators = new Map<string, ValidateFunction>();
  readonly #ajv = formats.default(
    new Ajv({ strict: false, allErrors: false, coerceTypes: false, logger: false }),
  );

  constructor() {
    for (const type of eventTypesByName.values())
      this.#types.set(type.type, { ...type, builtIn: !isOwn(type.type) });
  }

  /** Reads the operator's types from the store: at the start and after one was added. */
  async load(store: Store): Promise<void> {
    for (const row of await listEventTypes(store)) {
      this.put({
        type: row.type,
        label: row.label,
        category: row.category,
        description: row.description,
        availability: 'account',
        requiresAllProjects: false,
        legacy: false,
        builtIn: false,
        schema: JSON.parse(row.schema),
        sample: JSON.parse(row.sample),
      });
    }
  }

  put(type: KnownType): void {
    this.#types.set(type.type, type);
    this.#validators.delete(type.type);
  }

  all(): KnownType[] {
    return [...this.#types.values()];
  }

  /** The type behind a spelling (both of domain events'), or null. */
  find(spelling: string): KnownType | null {
    return this.#types.get(spelling) ?? this.#types.get(canonicalType(spelling) ?? '') ?? null;
  }

  /** Whether nobody may add a type of this name: Vercel's, a spelling of them, or Posthorn's own. */
  isReserved(name: string): boolean {
    return eventTypesByName.has(name) || hyphenSpellings.has(name) || isOwn(name);
  }

  /** What is wrong with a payload of the type, as a sentence; null if nothing is. */
  explainPayload(type: KnownType, payload: unknown): string | null {
    let validate = this.#validators.get(type.type);
    if (validate === undefined) {
      validate = eventTypesByName.has(type.type)
        ? this.#ajv.compile(type.schema)
        : compileOwnSchema(type.schema);
      this.#validators.set(type.type, validate);
    }
    if (validate(payload)) return null;
    const first = validate.errors?.[0];
    const path = first?.instancePath.replaceAll('/', '.') ?? '';
    return `payload${path} ${first?.message ?? 'does not fit the schema'}`;
  }
}
