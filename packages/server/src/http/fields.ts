// Pieces of schema for the control plane's doors, and the pages by time that Vercel's lists have.
import { type Static, type TSchema, Type } from 'typebox';
import type { PageOf, TimePage } from '../store/control/pages.ts';
import { readLimit, readTimeOf, TeamQuery, TimeText } from './schemas.ts';

// Control characters have no place in a name that ends up in logs, tables and terminals.
const printable = '^[^\\u0000-\\u001f\\u007f]*$';

/** A name that people gave: one line. */
export const Name = Type.String({ minLength: 1, maxLength: 100, pattern: printable });
/** A line of free text. */
export const Line = Type.String({ maxLength: 500, pattern: printable });
/** An id that the operator chose: what a webhook may name as a project, and hyphens. */
export const ChosenId = Type.String({ pattern: '^[A-Za-z0-9_-]{1,64}$' });
/** The id of a user as a caller names it. */
export const UserId = Type.String({ minLength: 1, maxLength: 64 });

/** An e-mail address as somebody types it; the one of the first owner has no dot. */
export const Address = Type.String({
  maxLength: 254,
  pattern: '^[^\\s@\\u0000-\\u001f\\u007f]+@[^\\s@\\u0000-\\u001f\\u007f]+$',
});
/** A password as somebody types it; platform/passwords.ts judges new ones. */
export const Password = Type.String({ minLength: 1, maxLength: 256 });

export const NullableText = Type.Union([Type.String(), Type.Null()]);
export const NullableNumber = Type.Union([Type.Number(), Type.Null()]);

/** One of some words. Refusals list them. */
export function Choice<const Words extends readonly (string | null)[]>(words: Words) {
  const type = words.includes(null) ? ['string', 'null'] : 'string';
  return Type.Unsafe<Words[number]>({ type, enum: [...words] });
}

/** An item, or an array of them. Unlike a union, what is wrong inside is told of the right one. */
export function OneOrMany<Item extends TSchema>(
  item: Item,
  bounds: { minItems?: number; maxItems?: number },
) {
  return Type.Unsafe<Static<Item> | Static<Item>[]>({
    if: { type: 'array' },
    // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
    then: { type: 'array', items: item, ...bounds }, // oxlint-disable-line unicorn/no-thenable
    else: item,
  });
}

export const TimePageQuery = Type.Object({
  ...TeamQuery.properties,
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, description: 'How many, 20 if left out.' })),
  since: Type.Optional(TimeText),
  until: Type.Optional(TimeText),
});

export const TimePagination = Type.Object({
  count: Type.Number(),
  next: NullableNumber,
  prev: NullableNumber,
});

/** @throws ApiError when `since` or `until` is no time */
export function readPage({ limit, since, until }: Static<typeof TimePageQuery>): TimePage {
  return { limit: readLimit(limit), since: readTimeOf('since', since), until: readTimeOf('until', until) };
}

/** `next` is the `until` of the page after this one, `prev` the `since` of those before it. */
export function showPagination(page: TimePage, { rows, next }: PageOf<{ created_at: number }>) {
  const first = rows[0];
  return {
    count: rows.length,
    next,
    prev: page.until === null || first === undefined ? null : first.created_at,
  };
}

/** Whether a switch in the query is on, in either way that clients write it. */
export const isOn = (text: string | undefined): boolean => text === 'true' || text === '1';
/** A switch in the query. */
export const Switch = Type.String({ maxLength: 10 });
