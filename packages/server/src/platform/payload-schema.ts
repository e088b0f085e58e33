// Schemas of the operator's own event types. Every publish runs one, so a schema is taken only if no payload can make
// it slow: its patterns run on V8's linear engine, it refers to nothing outside itself, and written out it is small.
import { setFlagsFromString } from 'node:v8';
import { Ajv, type ValidateFunction } from 'ajv';
import formats from 'ajv-formats';

/** How large a schema may be, as compact JSON in bytes. */
const mostSchemaBytes = 64 * 1024;
/** How many schemas it may hold with each `$ref` written out in its place. */
const mostSchemas = 2_000;
/** An array must be at most this long for `uniqueItems`, which compares every two items. */
const mostUniqueItems = 1_000;

// Patterns with this flag run in time linear to the text, or are refused when they are made. Only these have it.
const linear = 'l';
setFlagsFromString('--enable-experimental-regexp-engine');

function linearPattern(pattern: string): RegExp {
  // The linear engine has no `u` mode, in which patterns of JSON Schema are written: what differs is refused.
  if (/\\[pP]\{|\\u\{/.test(pattern))
    throw new Error(`the pattern ${pattern} uses \\p{…} or \\u{…}, which are not available`);
  try {
    RegExp(pattern, 'u');
    return new RegExp(pattern, linear);
  } catch {
    throw new Error(
      `the pattern ${pattern} is no regular expression that runs in linear time (no look-around, no back references, no large repetitions)`,
    );
  }
}
// Ajv writes this name into code that it can also make stand alone; it never does that here.
linearPattern.code = 'linearPattern';

/** @throws Error when Ajv refuses the schema */
export function compileOwnSchema(schema: object): ValidateFunction {
  const ajv = formats.default(
    new Ajv({
      strict: false,
      coerceTypes: false,
      logger: false,
      unicodeRegExp: false,
      code: { regExp: linearPattern },
    }),
  );
  // Dialects are read as one: what differs between them is refused or ignored as an unknown keyword.
  return ajv.compile({ ...schema, $schema: undefined, $id: undefined });
}

/** Why a schema can't be used for payloads, as a sentence; null if it can. */
export function explainOwnSchema(schema: object): string | null {
  if (Buffer.byteLength(JSON.stringify(schema)) > mostSchemaBytes)
    return `The schema is larger than ${mostSchemaBytes / 1024} KiB.`;
  if (!isRecord(schema) || schema.type !== 'object')
    return 'The schema must describe an object: "type": "object".';
  try {
    new Survey(schema).visit(schema, []);
    compileOwnSchema(schema);
    return null;
  } catch (error) {
    return `The schema can't be used: ${error instanceof Error ? error.message : String(error)}.`;
  }
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Keywords whose value is a schema, a list of schemas, or schemas by name. */
const single = [
  'additionalItems',
  'additionalProperties',
  'contains',
  'else',
  'if',
  'items',
  'not',
  'propertyNames',
  'then',
];
const listed = ['allOf', 'anyOf', 'items', 'oneOf'];
const named = ['dependencies', 'dependentSchemas', 'patternProperties', 'properties'];
const refused = ['$anchor', '$async', '$dynamicAnchor', '$dynamicRef', '$recursiveAnchor', '$recursiveRef'];

/** Walks a schema as a validator would in the worst case: each reference written out where it stands. */
class Survey {
  readonly #root: Record<string, unknown>;
  #schemas = 0;

  constructor(root: Record<string, unknown>) {
    this.#root = root;
  }

  visit(schema: unknown, within: readonly string[]): void {
    if (!isRecord(schema)) return;
    this.#schemas += 1;
    if (this.#schemas > mostSchemas)
      throw new Error(`with every $ref written out it holds more than ${mostSchemas} schemas`);
    for (const keyword of refused) {
      if (Object.hasOwn(schema, keyword)) throw new Error(`the keyword ${keyword} is not available`);
    }
    if (schema !== this.#root && Object.hasOwn(schema, '$id'))
      throw new Error('only the whole schema may have an $id');
    this.#judgeUniqueItems(schema);
    if (Object.hasOwn(schema, '$ref')) this.#follow(schema.$ref, within);
    for (const keyword of single) this.visit(schema[keyword], within);
    for (const keyword of listed) {
      const list = schema[keyword];
      if (Array.isArray(list)) for (const item of list) this.visit(item, within);
    }
    for (const keyword of named) {
      const schemas = schema[keyword];
      if (typeof schemas !== 'object' || schemas === null) continue;
      for (const item of Object.values(schemas)) this.visit(item, within);
    }
  }

  #follow(ref: unknown, within: readonly string[]): void {
    if (typeof ref !== 'string' || !ref.startsWith('#/'))
      throw new Error('a $ref may only point into the schema itself: "#/$defs/…"');
    if (within.includes(ref)) throw new Error(`${ref} refers to itself`);
    let target: unknown = this.#root;
    for (const part of ref.slice(2).split('/')) {
      const key = decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~');
      if (!isRecord(target) || !Object.hasOwn(target, key)) throw new Error(`${ref} points to nothing`);
      target = target[key];
    }
    this.visit(target, [...within, ref]);
  }

  #judgeUniqueItems(schema: Record<string, unknown>): void {
    if (schema.uniqueItems !== true) return;
    if (typeof schema.maxItems === 'number' && schema.maxItems <= mostUniqueItems) return;
    throw new Error(`uniqueItems needs a maxItems of at most ${mostUniqueItems} beside it`);
  }
}
