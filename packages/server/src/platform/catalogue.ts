// The event types of this server: Vercel's own and those that the operator added, on this node or on another one that
// shares its store (catalogue-watch.ts).
import { canonicalType, eventTypesByName, hyphenSpellings } from '@posthorn/events';
import { Ajv, type ValidateFunction } from 'ajv';
import formats from 'ajv-formats';
import { listEventTypes, listEventTypeTimes } from '../store/control/event-types.ts';
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

/** What the operator says of a type. */
export type OwnType = Pick<KnownType, 'type' | 'label' | 'category' | 'description' | 'schema' | 'sample'>;

/** Above so many new ones all are read: a statement does not take any number of names. */
const mostNamed = 500;

/** Whether a name is one of those that Posthorn keeps for itself. */
const isOwn = (name: string): boolean => name.startsWith('posthorn.');

export class Catalogue {
  readonly #types = new Map<string, KnownType>();
  /** When each of the operator's types was written as it is known here, epoch ms. */
  readonly #writtenAt = new Map<string, number>();
  readonly #validators = new Map<string, ValidateFunction>();
  readonly #ajv = formats.default(
    new Ajv({ strict: false, allErrors: false, coerceTypes: false, logger: false }),
  );

  constructor() {
    for (const type of eventTypesByName.values())
      this.#types.set(type.type, { ...type, builtIn: !isOwn(type.type) });
  }

  #look = () => Promise.resolve();

  /** Reads from the store what of the operator's types is new or was replaced. */
  async load(store: Store): Promise<void> {
    const news = (await listEventTypeTimes(store)).filter(({ type, updated_at }) =>
      this.#isNews(type, updated_at),
    );
    if (news.length === 0) return;
    const names = news.length > mostNamed ? null : news.map(({ type }) => type);
    for (const row of await listEventTypes(store, names)) {
      const { type, label, category, description } = row;
      const schema = JSON.parse(row.schema);
      const sample = JSON.parse(row.sample);
      this.put({ type, label, category, description, schema, sample }, row.updated_at);
    }
  }

  /** Takes in one of the operator's types as it was written at `writtenAt`, unless a later one is known. */
  put(own: OwnType, writtenAt: number): KnownType {
    const known: KnownType = {
      ...own,
      availability: 'account',
      requiresAllProjects: false,
      legacy: false,
      builtIn: false,
    };
    if (this.#isNews(own.type, writtenAt)) {
      this.#types.set(own.type, known);
      this.#writtenAt.set(own.type, writtenAt);
      this.#validators.delete(own.type);
    }
    return known;
  }

  #isNews(type: string, writtenAt: number): boolean {
    return (this.#writtenAt.get(type) ?? Number.NEGATIVE_INFINITY) < writtenAt;
  }

  /** Has `look` ask the store for what other nodes have written. */
  lookBy(look: () => Promise<void>): void {
    this.#look = look;
  }

  /**
   * Looks for what other nodes have added or replaced until now; at once over where no others share the store.
   * @throws StoreUnavailable
   */
  look(): Promise<void> {
    return this.#look();
  }

  /** Looks, if a spelling is unknown here, before anybody is told that there is no such type. @throws StoreUnavailable */
  async learn(spellings: string[]): Promise<void> {
    if (spellings.some((spelling) => this.find(spelling) === null)) await this.#look();
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
