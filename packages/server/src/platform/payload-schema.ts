// Schemas of the operator's own event types. Every publish runs one, so a schema is taken only if no payload can make
// it slow: its patterns run on V8's linear engine, it refers to nothing outside itself, and written out it is small.
import { setFlagsFromString } from 'node:v8';
import { Ajv, type ValidateFunction } from 'ajv';
import formats from 'ajv-formats';

/** How large a schema may be, as compact JSON in bytes. */
export const mostSchemaBytes = 64 * 1024;
/** How many schemas it may hold with each `$ref` written out in its place. */
const mostSchemas = 2_000;
/** An array must be at most this long for `uniqueItems`, which compares every two items. */
const mostUniqueItems = 1_000;

// Patterns with the flag `l` run in time linear to the text, or are refused when they are made. Only these use it.
setFlagsFromString('--enable-experimental-regexp-engine');

function linearPattern(pattern: string): RegExp {
  // The linear engine has no `u` mode, in which patterns of JSON Schema are written: what differs is refused.
  if (/\\[pP]\{|\\u\{/.test(pattern))
    throw new Error(`the pattern ${pattern} uses \\p{…} or \\u{…}, which are not available`);
  try {
    RegExp(pattern, 'u');
    return new RegExp(pattern, 'l');
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
    new Ajv({ strict: false, coerceTypes: false, logger: false, unicodeRegExp: false, code: { regExp: linearPattern } }),
  );
  // Dialects are read as one: what differs between them is refused or ignored as an unknown keyword.
  const { $schema: _dialect, $id: _id, ...rest } = schema as Record<string, unknown>;
  return ajv.compile(rest);
}

/** Why a schema can't be used for payloads, as a sentence; null if it can. */
export function explainOwnSchema(schema: object): string | null {
  const root = schema as Record<string, unknown>;
  if (Buffer.byteLength(JSON.stringify(schema)) > mostSchemaBytes)
    return `The schema is larger than ${mostSchemaBytes / 1024} KiB.`;
  if (root.type !== 'object') return 'The schema must describe an object: "type": "object".';
  try {
    new Survey(root).visit(root, []);
    compileOwnSchema(schema);
    return null;
  } catch (error) {
    return `The schema can't be used: ${error instanceof Error ? error.message : String(error)}.`;
  }
}

/** Keywords whose value is a schema, a list of schemas, or schemas by name. */
const single = ['additionalItems', 'additionalProperties', 'contains', 'else', 'if', 'items', 'not', 'propertyNames', 'then'];
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

  visit(value: unknown, within: readonly string[]): void {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return;
    const schema = value as Record<string, unknown>;
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
      const held = typeof target === 'object' && target !== null && Object.hasOwn(target, key);
      if (!held) throw new Error(`${ref} points to nothing`);
      target = (target as Record<string, unknown>)[key];
    }
    this.visit(target, [...within, ref]);
  }

  #judgeUniqueItems(schema: Record<string, unknown>): void {
    if (schema.uniqueItems !== true) return;
    if (typeof schema.maxItems === 'number' && schema.maxItems <= mostUniqueItems) return;
    throw new Error(`uniqueItems needs a maxItems of at most ${mostUniqueItems} beside it`);
  }
}
