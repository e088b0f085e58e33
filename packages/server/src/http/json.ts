// Reads JSON bodies strictly: valid UTF-8, bounded depth, no key that could reach a prototype, no number that JSON
// can hold and JavaScript can't. What is refused says where.
import { isUtf8 } from 'node:buffer';
import { ApiError } from '../errors.ts';

const openBrace = 0x7b;
const openBracket = 0x5b;
const closeBrace = 0x7d;
const closeBracket = 0x5d;
const quote = 0x22;
const backslash = 0x5c;
/** With fewer digits in a row than this, a number is too large for JavaScript only by three digits of exponent. */
const manyDigits = 210;

/**
 * @param bytes the request's body
 * @param maxDepth how deep objects and arrays may be nested
 * @throws ApiError bad_request
 */
export function readJson(bytes: Buffer, maxDepth: number): unknown {
  if (!isUtf8(bytes)) throw new ApiError('bad_request', 'The body is not valid UTF-8.');
  if (mayBeDeep(bytes, maxDepth)) checkDepth(bytes, maxDepth);
  const text = bytes.toString('utf8');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new ApiError('bad_request', `The body is not valid JSON: ${explainSyntax(error, text)}`);
  }
  // Cheap looks at the text first: a walk is needed only where one of these stands in it.
  if (
    text.includes('__proto__') ||
    text.includes('\\u') ||
    text.includes('prototype') ||
    /[eE]\+?\d{3}/.test(text) ||
    hasManyDigits(text)
  ) {
    checkValue(value, '');
  }
  return value;
}

function mayBeDeep(bytes: Buffer, maxDepth: number): boolean {
  let count = 0;
  for (const byte of [openBrace, openBracket]) {
    for (let at = bytes.indexOf(byte); at !== -1; at = bytes.indexOf(byte, at + 1)) {
      count += 1;
      if (count > maxDepth) return true;
    }
  }
  return false;
}

function checkDepth(bytes: Buffer, maxDepth: number): void {
  let depth = 0;
  let inString = false;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at];
    if (inString) {
      if (byte === backslash) at += 1;
      else if (byte === quote) inString = false;
    } else if (byte === quote) inString = true;
    else if (byte === openBrace || byte === openBracket) {
      depth += 1;
      if (depth > maxDepth) {
        throw new ApiError(
          'bad_request',
          `The body is nested deeper than ${maxDepth} levels at position ${at}.`,
        );
      }
    } else if (byte === closeBrace || byte === closeBracket) depth -= 1;
  }
}

function isDigit(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  return code >= 0x30 && code <= 0x39;
}

/** Whether `manyDigits` stand in a row: such a row covers one of the places looked at, few as they are. */
function hasManyDigits(text: string): boolean {
  for (let at = 0; at < text.length; at += manyDigits) {
    if (!isDigit(text, at)) continue;
    let from = at;
    while (from > 0 && isDigit(text, from - 1)) from -= 1;
    let to = at + 1;
    while (to - from < manyDigits && isDigit(text, to)) to += 1;
    if (to - from >= manyDigits) return true;
  }
  return false;
}

/** Names that would reach an object's prototype if somebody merged the value carelessly. */
function isHostileKey(value: object, key: string): boolean {
  return (
    key === '__proto__' ||
    (key === 'constructor' && Object.hasOwn((value as Record<string, object>)[key] ?? {}, 'prototype'))
  );
}

function checkValue(value: unknown, path: string): void {
  if (typeof value === 'number' && !Number.isFinite(value)) {
    throw new ApiError(
      'bad_request',
      `The number at ${path || 'the top'} is too large for JSON readers; send it as a string.`,
    );
  }
  if (typeof value !== 'object' || value === null) return;
  for (const key of Object.keys(value)) {
    if (isHostileKey(value, key)) throw new ApiError('bad_request', `The key ${path}/${key} is not allowed.`);
    checkValue((value as Record<string, unknown>)[key], `${path}/${key}`);
  }
}

function explainSyntax(error: unknown, text: string): string {
  const message = error instanceof Error ? error.message : '';
  const position = /position (\d+)/.exec(message)?.[1];
  if (position !== undefined) return `unexpected text at position ${position}.`;
  if (message.startsWith('Unexpected token')) return `unexpected text at position ${findUnexpected(text)}.`;
  return `it ends too early, at position ${text.length}.`;
}

const blank = /[\t\n\r ]*/y;
const token = /[{}[\],:]|"[^"\\]*(?:\\.[^"\\]*)*"|-?\d[\d.eE+-]*|true|false|null/y;

/** Where a value should begin and none does: of this error alone the parser does not tell the position. */
function findUnexpected(text: string): number {
  let at = 0;
  let before = '';
  for (;;) {
    blank.lastIndex = at;
    blank.exec(text);
    at = blank.lastIndex;
    token.lastIndex = at;
    const found = token.exec(text)?.[0];
    if (found === undefined) return at;
    const wantsValue = before === '' || before === ':' || before === ',' || before === '[';
    if (wantsValue && ',:]}'.includes(found) && !(before === '[' && found === ']')) return at;
    at += found.length;
    before = found;
  }
}
