// Header fields as text, the way they travel: `name: value` and CRLF each. So they are written, kept and read; nothing is
// taken apart before somebody asks. Attempts that were stored before have name and value on lines of their own.

/** The fields in `lines` as name, value … without the blanks around values, in their order. */
export function readHeaderLines(lines: string): string[] {
  if (lines === '') return [];
  if (!lines.endsWith('\r\n')) return lines.split('\n');
  const fields: string[] = [];
  let at = 0;
  for (let end = lines.indexOf('\r\n'); end >= 0; end = lines.indexOf('\r\n', at)) {
    const colon = lines.indexOf(':', at);
    fields.push(lines.slice(at, colon), trimBlanks(lines, colon + 1, end));
    at = end + 2;
  }
  return fields;
}

/** The value of the first field of that name (lower case); null if there is none. */
export function headerOf(lines: string, name: string): string | null {
  const fields = readHeaderLines(lines);
  for (let i = 0; i < fields.length; i += 2) {
    if (fields[i]?.toLowerCase() === name) return fields[i + 1] ?? null;
  }
  return null;
}

/** What stands between `start` and `end` without the blanks around it (RFC 9110, section 5.5). */
export function trimBlanks(text: string, start: number, end: number): string {
  let from = start;
  let to = end;
  while (from < to && isBlank(text.charCodeAt(from))) from += 1;
  while (to > from && isBlank(text.charCodeAt(to - 1))) to -= 1;
  return text.slice(from, to);
}

const isBlank = (code: number): boolean => code === 32 || code === 9;
