// Pieces of schema that several doors share.
import Type, { type TSchema } from 'typebox';
import { readTime } from '../core/time.ts';
import { ApiError } from '../errors.ts';

const mostPerPage = 100;

/** Which team a call is for; left out, the token's own. */
export const TeamQuery = Type.Object({
  teamId: Type.Optional(Type.String({ maxLength: 128 })),
  slug: Type.Optional(Type.String({ maxLength: 128 })),
});

/** Epoch milliseconds or ISO 8601, judged by core/time.ts. */
export const TimeText = Type.String({ maxLength: 40 });

/** What every list takes: how many, from where on, and between which times. */
export const PageQuery = Type.Object({
  limit: Type.Optional(
    Type.Integer({ minimum: 1, maximum: mostPerPage, description: 'How many, 20 if left out.' }),
  ),
  cursor: Type.Optional(Type.String({ maxLength: 200 })),
  since: Type.Optional(TimeText),
  until: Type.Optional(TimeText),
});

/** A page of a list under the name `of`. `next` is the cursor of the page after it, null at the end. */
export function Page(of: string, item: TSchema) {
  return Type.Object({
    [of]: Type.Array(item),
    pagination: Type.Object({ count: Type.Number(), next: Type.Union([Type.String(), Type.Null()]) }),
  });
}

export const readLimit = (limit: number | undefined): number => limit ?? 20;

/** Cursors are opaque to callers: the last key of a page. */
export const writeCursor = (key: string): string => Buffer.from(key).toString('base64url');

/** @throws ApiError when the text is no cursor of this list */
export function readCursor(cursor: string, shape: RegExp): string {
  const key = Buffer.from(cursor, 'base64url').toString('utf8');
  if (!shape.test(key))
    throw new ApiError('bad_request', 'query.cursor is not one that this list gave; start without it.');
  return key;
}

/** @throws ApiError when the text is no time */
export function readTimeOf(name: string, text: string | undefined): number | null {
  if (text === undefined) return null;
  const at = readTime(text);
  if (at === null)
    throw new ApiError('bad_request', `query.${name} must be epoch milliseconds or an ISO 8601 time.`);
  return at;
}
